/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sentry without rights rules its stubs, and stubs have nothing.
 *
 * The sentry of this test lives in a user namespace of its own, without any capability; the
 * launcher makes a zygote for it from outside, as for a container that is added later.
 */
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "tests/unit/runtimes/sentry/platform/guest.h"

enum { SENTRY_ID = 1000, STUB_ID = 1001 };

GUEST static void busy(long unused)
{
	long pid;

	(void)unused;
	guest_handle(SIGUSR2, 0);
	pid = guest_call(SYS_fork, 0, 0, 0, 0, 0, 0);
	if (!pid)
		guest_exit(0);
	guest_call(SYS_wait4, pid, 0, 0, 0, 0, 0);
	guest_data[1] = guest_call(SYS_mmap, 0, 4096, 1, MAP_SHARED, 5, 0) > 0;
	guest_data[0] = 1;
	while (!guest_data[GUEST_CAUGHT])
		__asm__ volatile("pause");
	guest_data[2] = guest_call(SYS_write, 1, (long)&guest_data[600], 3, 0, 0, 0);
	guest_exit(8);
}

static void drop_all(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { { 0 }, { 0 } };

	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (syscall(SYS_capset, &h, d) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(99);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* Run as the sentry. Return: bits of what failed. */
static int sentry(int sock)
{
	struct toy_process *p;
	char byte;
	int fds[2], bad = 0;

	if (unshare(CLONE_NEWUSER) < 0 || write(sock, "u", 1) != 1 || read(sock, &byte, 1) != 1)
		return 64;
	if (setresgid(SENTRY_ID, SENTRY_ID, SENTRY_ID) < 0 ||
	    setresuid(SENTRY_ID, SENTRY_ID, SENTRY_ID) < 0)
		return 64;
	drop_all();
	if (write(sock, "r", 1) != 1 || fd_recv(sock, &byte, 1, fds, 2) != 1 ||
	    platform_init(&toy_ops) < 0)
		return 32;
	if (zygote_attach(fds[0], fds[1], open("/proc", O_RDONLY | O_DIRECTORY), &toy.zygote) < 0)
		return 16;
	p = toy_begin(busy, 0);
	if (!p || !toy_await(0, 1))
		return 8;
	toy_signal(p, SIGUSR2);
	bad |= toy_end(p) != 8; /* ADDFD, process_vm_*, signals: all of it was needed for this */
	bad |= (toy_data[1] != 1) << 1;
	bad |= (toy_data[2] != 3) << 2;
	toy_stop();
	return bad;
}

static void write_map(pid_t pid, const char *file, const char *map)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ok(fd >= 0 && write(fd, map, strlen(map)) > 0, "%s of the sentry", file);
	close_fd(&fd);
}

/* What the zygote's process may do, as its status tells. */
static void looks_harmless(pid_t pid)
{
	char path[64], text[4096] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ok(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0, "its status");
	ok(strstr(text, "CapEff:\t0000000000000000") && strstr(text, "CapBnd:\t0000000000000000"),
	   "a stub has no capability and can get none");
	ok(strstr(text, "NoNewPrivs:\t1") && strstr(text, "Seccomp:\t2"), "and a filter");
	close_fd(&fd);
}

static void launch(pid_t child, int sock)
{
	struct launch l = LAUNCH_INIT;
	struct error err = ERROR_INIT;
	struct launched z = { 0 };
	char path[4096], map[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", child);
	l.user_ns = open(path, O_RDONLY | O_CLOEXEC);
	l.owner_uid = l.owner_gid = SENTRY_ID;
	l.stub_uid = l.stub_gid = STUB_ID;
	snprintf(map, sizeof(map), "%s/bulkhead-stub", getenv("BIN") ? getenv("BIN") : "build/bin");
	l.program = map;
	ok(launch_zygote(&l, &z, &err) == 0, "a zygote below the sentry's user namespace %s",
	   err.text);
	looks_harmless(z.pid);
	ok(fd_send(sock, "f", 1, (int[]){ z.pidfd, z.listener }, 2) == 0,
	   "the sentry gets the zygote and its listener");
	close(z.listener);
}

int main(void)
{
	int socks[2], status = -1;
	char byte;
	pid_t child;

	if (geteuid() != 0) {
		skip("a sentry in a user namespace", "needs root");
		return tap_done();
	}
	toy_prepare();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks) < 0)
		return 1;
	child = fork();
	if (child == 0) {
		alarm(30);
		_exit(sentry(socks[1]));
	}
	close(socks[1]);
	ok(read(socks[0], &byte, 1) == 1, "a sentry in a user namespace of its own");
	write_map(child, "gid_map", "1000 210000 2");
	write_map(child, "uid_map", "1000 210000 2");
	ok(write(socks[0], "m", 1) == 1 && read(socks[0], &byte, 1) == 1, "has dropped all rights");
	launch(child, socks[0]);
	waitpid(child, &status, 0);
	is_int(status, 0, "it runs, reads, signals, and gives files to its guests");
	return tap_done();
}
