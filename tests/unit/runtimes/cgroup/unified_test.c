/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroup v2 paths, on a directory tree that stands for a cgroup2 mount.
 *
 * Files there keep what is written, over what was there before; the kernel's side is not played.
 * All of it runs in a pid namespace, since one test kills.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "runtimes/cgroup/cgroup.h"
#include "runtimes/cgroup/hierarchy.h"
#include "tests/unit/tap.h"

#define POD "/kubepods/pod1"

static char root[64];
static int id; /* of this run, seen from outside */

static void put(const char *cgroup, const char *file, const char *text)
{
	char *path cleanup_free = xasprintf("%s%s/%s", root, cgroup, file);

	fd_replace_file(AT_FDCWD, path, text, strlen(text), 0644, false, NULL);
}

static void file_is(const char *cgroup, const char *file, const char *want)
{
	char *path cleanup_free = xasprintf("%s%s/%s", root, cgroup, file);
	struct strbuf text cleanup_strbuf = { 0 };

	fd_read_file(AT_FDCWD, path, 4096, &text, NULL);
	is_str(text.data, want, file);
}

/* wrote() - @file begins with @want: what was written last, over a longer or shorter text. */
static void wrote(const char *cgroup, const char *file, const char *want)
{
	char *path cleanup_free = xasprintf("%s%s/%s", root, cgroup, file);
	struct strbuf text cleanup_strbuf = { 0 };

	fd_read_file(AT_FDCWD, path, 4096, &text, NULL);
	if (text.len > strlen(want))
		text.data[strlen(want)] = '\0';
	is_str(text.data, want, file);
}

/* Does for a cgroup what the kernel does in mkdir. */
static void fill(const char *cgroup)
{
	put(cgroup, "cgroup.controllers", "cpuset cpu io memory pids\n");
	put(cgroup, "cgroup.subtree_control", "");
	put(cgroup, "cgroup.procs", "");
	put(cgroup, "cpu.max", "max 100000\n");
	put(cgroup, "cpu.weight", "100\n");
	put(cgroup, "cpu.stat", "usage_usec 1500\nuser_usec 1000\n");
	put(cgroup, "memory.max", "max\n");
	put(cgroup, "memory.swap.max", "max\n");
	put(cgroup, "memory.current", "5000\n");
	put(cgroup, "memory.swap.current", "30\n");
	put(cgroup, "memory.stat", "anon 700\ninactive_file 1000\npgfault 12\npgmajfault 3\n");
	put(cgroup, "memory.events", "low 0\noom 1\noom_kill 2\noom_group_kill 0\n");
	put(cgroup, "memory.pressure",
	    "some avg10=1.50 avg60=0.25 avg300=0.00 total=99\n"
	    "full avg10=0.50 avg60=0.00 avg300=0.00 total=44\n");
	put(cgroup, "pids.max", "max\n");
	put(cgroup, "pids.current", "4\n");
	put(cgroup, "memory.high", "max\n");
}

static void test_create(void)
{
	struct fork_cgroups g = FORK_CGROUPS_INIT;
	struct error err = ERROR_INIT;

	is_int(cgroup_version(), 2, "version");
	ok(!cgroup_is_hybrid(), "not hybrid");
	is_int(cgroup_create(POD, &err), 0, "create");
	ok(cgroup_exists(POD) && !cgroup_exists("/kubepods/pod2"), "exists");
	wrote("", "cgroup.subtree_control", "+pids"); /* the last of five writes */
	put("/kubepods", "cgroup.subtree_control", "cpuset cpu io memory pids\n");
	is_int(cgroup_create(POD, &err), 0, "again");
	file_is("/kubepods", "cgroup.subtree_control", "cpuset cpu io memory pids\n");
	put("/kubepods", "cgroup.subtree_control", "cpu memory\n");
	put(POD, "cgroup.controllers", "cpuset cpu io memory pids\n");
	is_int(cgroup_create(POD, &err), 0, "with all controllers there");
	file_is("/kubepods", "cgroup.subtree_control", "cpu memory\n");
	is_int(cgroup_open(POD, &g, &err), 0, "open");
	ok(g.born_in >= 0 && g.n_join == 0, "processes are born in it");
	fork_cgroups_close(&g);
	is_int(cgroup_open("/kubepods/pod2", &g, &err), -ENOENT, "another");
}

static void test_update(void)
{
	struct cgroup_unified keys[] = { { "memory.high", "90000" }, { "cgroup.kill", "1" } };
	struct cgroup_limits l = { .cpu_quota_us = 20000,
				   .cpu_shares = 1024,
				   .memory_limit_bytes = 100000,
				   .memory_swap_limit_bytes = 150000,
				   .pids_limit = 70,
				   .unified = keys,
				   .n_unified = 1 };
	struct cgroup_hugepage page = { "2MB", 4096 };
	struct error err = ERROR_INIT;

	fill(POD);
	if (!is_int(cgroup_update(POD, &l, &err), 0, "limits"))
		printf("# %s\n", err.text);
	file_is(POD, "cpu.max", "20000 100000");
	wrote(POD, "cpu.weight", "39");
	file_is(POD, "memory.max", "100000");
	file_is(POD, "memory.swap.max", "50000");
	wrote(POD, "pids.max", "70");
	file_is(POD, "memory.high", "90000");
	fill(POD);
	l = (struct cgroup_limits){ .cpu_period_us = 50000,
				    .memory_limit_bytes = -1,
				    .memory_swap_limit_bytes = -1 };
	put(POD, "cpu.max", "7000 100000\n");
	is_int(cgroup_update(POD, &l, &err), 0, "a period alone");
	wrote(POD, "cpu.max", "7000 50000");

	fill(POD);
	l = (struct cgroup_limits){ .cpu_shares = 5000, .unified = &keys[1], .n_unified = 1 };
	ok(cgroup_update(POD, &l, &err) == -EINVAL && strstr(err.text, "cgroup.kill"), "%s",
	   err.text);
	file_is(POD, "cpu.weight", "100\n");
	keys[1].key = "memory/../../x";
	is_int(cgroup_update(POD, &l, &err), -EINVAL, "a key that is a path");
	keys[1].key = "rdma.max";
	ok(cgroup_update(POD, &l, &err) == -EOPNOTSUPP && strstr(err.text, "rdma"), "%s", err.text);
	keys[1].key = "memory.no_such";
	ok(cgroup_update(POD, &l, &err) == -ENOENT && strstr(err.text, "memory.no_such"), "%s",
	   err.text);
	file_is(POD, "cpu.weight", "100\n"); /* written and put back */
	l = (struct cgroup_limits){ .hugepages = &page, .n_hugepages = 1 };
	ok(cgroup_update(POD, &l, &err) == -EOPNOTSUPP && strstr(err.text, "hugetlb"), "%s",
	   err.text);
	page.limit = 0;
	is_int(cgroup_update(POD, &l, &err), 0, "0 huge pages without the controller");
	put(POD, "memory.max", "100000\n");
	l = (struct cgroup_limits){ .memory_swap_limit_bytes = 90000 };
	is_int(cgroup_update(POD, &l, &err), -EINVAL,
	       "memory+swap below the memory limit there is");
}

static void test_stats(void)
{
	struct cgroup_stats s;
	struct error err = ERROR_INIT;

	fill(POD);
	is_int(cgroup_stats_read(POD, &s, &err), 0, "statistics");
	is_int(s.cpu_usage_ns, 1500000, "cpu");
	is_int(s.memory_usage, 5000, "usage");
	is_int(s.memory_working_set, 4000, "working set");
	is_int(s.memory_rss, 700, "rss");
	is_int(s.page_faults, 12, "faults");
	is_int(s.major_page_faults, 3, "major ones");
	is_int(s.swap_usage, 30, "swap");
	ok(s.memory_limit == UINT64_MAX && s.swap_limit == UINT64_MAX, "no limits");
	is_int(cgroup_process_count(POD), 4, "processes");
	ok(s.memory_psi.valid && !s.cpu_psi.valid, "pressure where it is");
	ok(s.memory_psi.some_avg10 == 1.5 && s.memory_psi.full_total_us == 44, "its numbers");
	is_int(cgroup_oom_kills(POD), 2, "OOM kills");
	is_int(cgroup_stats_read("/kubepods/pod2", &s, &err), -ENOENT, "gone");
}

static void test_kill(void)
{
	char *kill_file cleanup_free = xasprintf("%s%s/cgroup.kill", root, POD);
	char text[16];
	pid_t pid = fork();
	int status;
	struct error err = ERROR_INIT;

	if (pid == 0)
		for (;;)
			pause();
	snprintf(text, sizeof(text), "%d\n", pid);
	put(POD, "cgroup.procs", text);
	put(POD, "cgroup.kill", "");
	is_int(cgroup_kill(POD, 5, &err), -ETIMEDOUT, "the file system does not play the kernel");
	ok(strstr(err.text, "1 processes"), "%s", err.text);
	file_is(POD, "cgroup.kill", "1");
	is_int(waitpid(pid, &status, WNOHANG), 0, "cgroup.kill is all that is used");
	unlink(kill_file);
	is_int(cgroup_kill(POD, 5, &err), -ETIMEDOUT, "before 5.14");
	is_int(waitpid(pid, &status, 0), pid, "processes are signalled");
	snprintf(text, sizeof(text), "0\n");
	put(POD, "cgroup.procs", text);
	is_int(cgroup_kill(POD, 5, &err), -EPERM, "one of another pid namespace is an error");
	snprintf(text, sizeof(text), "%d\n", getpid());
	put(POD, "cgroup.procs", text);
	is_int(cgroup_kill(POD, 5, &err), -EBUSY, "this process is not killed");
}

static int run(void)
{
	char *mountinfo cleanup_free = NULL;

	snprintf(root, sizeof(root), "/tmp/bh-test-v2 %d", id);
	mkdir(root, 0755);
	put("", "cgroup.controllers", "cpuset cpu io memory pids\n");
	put("", "cgroup.subtree_control", "");
	mountinfo = xasprintf("22 1 0:5 / / rw - ext4 /dev/x rw\n"
			      "31 23 0:28 / /tmp/bh-test-v2\\040%d rw shared:9 - cgroup2 cgroup2 "
			      "rw,nsdelegate\n",
			      id);
	hierarchies_replace(mountinfo);
	test_create();
	test_update();
	test_stats();
	test_kill();
	path_remove_tree(AT_FDCWD, root, NULL);
	return tap_done();
}

int main(void)
{
	int status;
	pid_t pid;

	if (geteuid() != 0) {
		skip("cgroup v2", "needs root");
		return tap_done();
	}
	id = getpid();
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWPID) < 0)
			_exit(1);
		pid = fork();
		if (pid == 0)
			_exit(run());
		waitpid(pid, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
