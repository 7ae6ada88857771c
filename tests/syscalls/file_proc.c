/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc as programs read it: processes, descriptors, mappings, mounts, the machine.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "tests/syscalls/file_dirs.h"

static char text[65536];

/* slurp() - the whole of a file in `text`. Value: its length, or -errno. */
static long slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	size_t len = 0;
	ssize_t n = 0;

	text[0] = 0;
	if (fd < 0)
		return -errno;
	while (len < sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		n = -errno;
	close(fd);
	text[len] = 0;
	return n < 0 ? n : (long)len;
}

static bool has(const char *line)
{
	return strstr(text, line) != NULL;
}

static void test_stat(void)
{
	int pid, ppid, pgrp, sid, tty, threads;
	unsigned long long start, vsize, utime;
	char comm[32], state;
	long rss;

	prctl(PR_SET_NAME, "a b) c");
	ok(slurp("/proc/self/stat") > 0, "stat");
	is(sscanf(text, "%d (a b) c) %c %d %d %d %d", &pid, &state, &ppid, &pgrp, &sid, &tty), 6,
	   "has a name with blanks and brackets");
	ok(pid == getpid() && ppid == getppid() && pgrp == getpgrp() && sid == getsid(0),
	   "and who it is");
	is(state, 'R', "it runs");
	is(sscanf(strrchr(text, ')') + 2,
		  "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %*u %*u %*u %*d %*d %d %*d "
		  "%llu %llu %ld",
		  &utime, &threads, &start, &vsize, &rss),
	   5, "numbers");
	ok(threads == 1 && start > 0 && vsize > 4096 && rss > 0, "that make sense");
	prctl(PR_SET_NAME, "proc");
	slurp("/proc/self/comm");
	ok(strcmp(text, "proc\n") == 0, "comm");
	ok(slurp("/proc/self/statm") > 0 && sscanf(text, "%llu %ld", &vsize, &rss) == 2 && rss > 0,
	   "statm");
	snprintf(comm, sizeof(comm), "/proc/%d/stat", getpid());
	ok(slurp(comm) > 0, "by number");
	is(slurp("/proc/999999/stat"), -ENOENT, "nobody: ENOENT");
	is(slurp("/proc/self/none"), -ENOENT, "no such file: ENOENT");
}

static void test_status(void)
{
	char line[64];

	ok(slurp("/proc/self/status") > 0, "status");
	ok(has("Name:\tproc\n"), "Name");
	snprintf(line, sizeof(line), "\nPid:\t%d\n", getpid());
	ok(has(line), "Pid");
	snprintf(line, sizeof(line), "\nPPid:\t%d\n", getppid());
	ok(has(line), "PPid");
	ok(has("\nUid:\t0\t0\t0\t0\n"), "Uid");
	ok(has("\nThreads:\t1\n"), "Threads");
	ok(has("\nVmRSS:\t") && has("\nVmSize:\t"), "memory");
	ok(has("\nSigCgt:\t") && has("\nCapEff:\t") && has("\nSeccomp:\t"), "signals, rights");
}

static void test_strings(char **argv)
{
	char want[256];

	slurp("/proc/self/cmdline");
	ok(strcmp(text, argv[0]) == 0, "cmdline");
	setenv("LATER", "x", 1);
	ok(slurp("/proc/self/environ") >= 0, "environ");
	ok(slurp("/proc/self/auxv") >= 16 * 8, "auxv");
	ok(readlink("/proc/self/exe", text, sizeof(text)) > 0, "exe");
	ok(strncmp(text, argv[0], strlen(argv[0])) == 0, "is the program");
	getcwd(want, sizeof(want));
	text[readlink("/proc/self/cwd", text, sizeof(text))] = 0;
	ok(strcmp(text, want) == 0, "cwd");
	text[readlink("/proc/self/root", text, sizeof(text))] = 0;
	ok(strcmp(text, "/") == 0, "root");
	ok(slurp("/proc/self/limits") > 0 && has("Max open files"), "limits");
	is(slurp("/proc/self/cgroup") > 0, 1, "cgroup");
	is(slurp("/proc/self/oom_score_adj") > 0, 1, "oom_score_adj");
	is(slurp("/proc/self/uid_map") > 0, 1, "uid_map");
	ok(slurp("/proc/self/io") >= 0, "io");
	text[readlink("/proc/self/ns/pid", text, sizeof(text))] = 0;
	ok(strncmp(text, "pid:[", 5) == 0, "ns");
}

static void test_descriptors(void)
{
	int fd = open("/proc/self/exe", O_RDONLY), p[2], n = 0, again;
	char path[64], c;
	struct dirent *e;
	DIR *d;

	pipe(p);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[0]);
	text[readlink(path, text, sizeof(text))] = 0;
	ok(strncmp(text, "pipe:[", 6) == 0, "a pipe's name");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[1]);
	again = open(path, O_WRONLY);
	ok(again >= 0 && write(again, "x", 1) == 1 && read(p[0], &c, 1) == 1,
	   "opened again by its number, a pipe is the same pipe");
	close(again);
	d = opendir("/proc/self/fd");
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	d = opendir("/proc/self/fdinfo");
	while ((e = readdir(d)))
		n -= e->d_name[0] != '.';
	closedir(d);
	is(n, 0, "fd and fdinfo list the same");
	lseek(fd, 5, SEEK_SET);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	slurp(path);
	ok(has("pos:\t5\n") && has("flags:\t"), "fdinfo");
	is(access("/proc/self/fd/999", F_OK) ? -errno : 0, -ENOENT, "no descriptor: ENOENT");
	close(p[0]);
	close(p[1]);
	close(fd);
}

static void test_maps(void)
{
	int fd = open("mapped", O_RDWR | O_CREAT, 0644);
	char want[64], cwd[256], *p;

	ftruncate(fd, 8192);
	p = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	ok(slurp("/proc/self/maps") > 0, "%s: maps", on_what);
	ok(has("[stack]") && has("[heap]"), "%s: stack and heap", on_what);
	snprintf(want, sizeof(want), "%lx-%lx r--s 00000000", (long)p, (long)p + 8192);
	ok(has(want), "%s: a mapping of a file", on_what);
	getcwd(cwd, sizeof(cwd));
	strcat(cwd, "/mapped\n");
	ok(has(cwd), "%s: by its name", on_what);
	munmap(p, 8192);
	slurp("/proc/self/maps");
	ok(!has(want), "%s: goes with it", on_what);
	ok(slurp("/proc/self/smaps") > 0 && has("Rss:"), "%s: smaps", on_what);
	ok(slurp("/proc/self/smaps_rollup") > 0 && has("[rollup]\n") && has("\nRss:") &&
		   has("\nPrivate_Dirty:"),
	   "%s: its sums", on_what);
	ok(!has("VmFlags") && !has("KernelPageSize"), "%s: and nothing else", on_what);
	close(fd);
}

static void *sleeper(void *data)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%ld/comm", syscall(SYS_gettid));
	prctl(PR_SET_NAME, "second");
	slurp(path);
	*(bool *)data = strcmp(text, "second\n") == 0;
	return NULL;
}

static void test_tasks(void)
{
	bool good = false;
	pthread_t t;
	pid_t pid;
	int fd;

	pthread_create(&t, NULL, sleeper, &good);
	pthread_join(t, NULL);
	ok(good, "task/TID/comm is the thread's");
	text[readlink("/proc/thread-self", text, sizeof(text))] = 0;
	ok(has("/task/"), "thread-self");
	pid = fork();
	if (!pid)
		pause();
	snprintf(text, sizeof(text), "/proc/%d/status", pid);
	fd = open(text, O_RDONLY);
	ok(fd >= 0, "a child's");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	is(CALL(SYS_read, fd, text, 10), -ESRCH, "after its end: ESRCH");
	close(fd);
	pid = fork();
	if (!pid)
		_exit(0);
	usleep(50000);
	snprintf(text, sizeof(text), "/proc/%d/stat", pid);
	slurp(text);
	ok(has(") Z "), "a zombie");
	waitpid(pid, NULL, 0);
}

static void test_poll(void)
{
	struct pollfd p = { open("/proc/self/mounts", O_RDONLY), POLLPRI, 0 };

	is(poll(&p, 1, 0), 0, "mounts: nothing has changed");
	p.events = POLLIN;
	is(poll(&p, 1, 0), 1, "but can be read");
	close(p.fd);
}

static void test_machine(void)
{
	double up, load;
	int fd;

	ok(slurp("/proc/mounts") > 0 && has(" / "), "mounts");
	ok(slurp("/proc/self/mountinfo") > 0 && has(" - proc "), "mountinfo");
	ok(slurp("/proc/cpuinfo") > 0 && has("processor"), "cpuinfo");
	ok(slurp("/proc/meminfo") > 0 && has("MemTotal:") && has("MemAvailable:"), "meminfo");
	ok(slurp("/proc/stat") > 0 && has("cpu0 ") && has("btime "), "stat");
	ok(slurp("/proc/uptime") > 0 && sscanf(text, "%lf", &up) == 1 && up > 0, "uptime");
	ok(slurp("/proc/loadavg") > 0 && sscanf(text, "%lf", &load) == 1, "loadavg");
	ok(slurp("/proc/version") > 0 && has("Linux version "), "version");
	ok(slurp("/proc/filesystems") > 0 && has("nodev\tproc\n"), "filesystems");
	ok(slurp("/proc/sys/kernel/ostype") > 0 && has("Linux"), "ostype");
	is(slurp("/proc/sys/kernel/random/uuid"), 37, "a uuid");
	ok(slurp("/proc/sys/vm/overcommit_memory") > 0, "overcommit_memory");
	ok(slurp("/proc/sys/net/core/somaxconn") > 0, "somaxconn");
	ok(slurp("/sys/devices/system/cpu/online") > 0, "online processors");
	fd = open("/proc/uptime", O_RDONLY);
	ok(read(fd, text, 2) == 2 && pread(fd, text, 10, 1000) == 0, "read in parts");
	close(fd);
	is(as_user(_exit(CALL(SYS_open, "/proc/uptime", O_RDWR) != -EACCES)), 0,
	   "nothing for a user to write: EACCES");
	is(CALL(SYS_mkdir, "/proc/x", 0755) < 0, 1, "nor to make");
}

int main(int argc, char **argv)
{
	(void)argc;
	test_stat();
	test_status();
	test_strings(argv);
	test_descriptors();
	in_dirs(test_maps);
	test_tasks();
	test_poll();
	test_machine();
	return tap_done();
}
