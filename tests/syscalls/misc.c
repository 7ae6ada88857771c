/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that few programs make.
 */
#include <asm/prctl.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/timex.h>
#include <sys/utsname.h>

#include "tests/syscalls/check.h"

struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static void test_sched(void)
{
	struct attr a = { 0 };
	struct sched_param p = { 0 };

	is(CALL(SYS_sched_getattr, 0, &a, sizeof(a), 0), 0, "sched_getattr");
	ok(a.size >= sizeof(a) && a.policy == SCHED_OTHER, "the usual class");
	is(CALL(SYS_sched_getattr, 0, &a, 8, 0), -EINVAL, "too small");
	is(CALL(SYS_sched_getattr, 0x3ffffff, &a, sizeof(a), 0), -ESRCH, "of nobody");
	is(CALL(SYS_sched_getattr, 0, edge(8), sizeof(a), 0), -EFAULT, "bad address");
	a = (struct attr){ .size = sizeof(a) };
	is(CALL(SYS_sched_setattr, 0, &a, 0), 0, "sched_setattr");
	is(CALL(SYS_sched_setattr, 0, &a, 1), -EINVAL, "unknown flags");
	a.policy = 77;
	is(CALL(SYS_sched_setattr, 0, &a, 0), -EINVAL, "unknown class");
	is(CALL(SYS_sched_setparam, 0, &p), 0, "sched_setparam");
	p.sched_priority = 5;
	is(CALL(SYS_sched_setparam, 0, &p), -EINVAL, "no priority there");
	is(CALL(SYS_sched_setparam, 0x3ffffff, &p), -ESRCH, "for nobody");
	is(CALL(SYS_ioprio_get, 1, 0) >= 0, 1, "ioprio_get");
	is(CALL(SYS_ioprio_get, 9, 0), -EINVAL, "of an unknown kind");
	is(CALL(SYS_ioprio_set, 1, 0, 2 << 13 | 5), 0, "ioprio_set");
	is(CALL(SYS_ioprio_get, 1, 0), 2 << 13 | 5, "is kept");
	is(CALL(SYS_ioprio_set, 1, 0, 7 << 13), -EINVAL, "an unknown class");
	is(CALL(SYS_ioprio_set, 1, 0x3ffffff, 2 << 13), -ESRCH, "ioprio_set for nobody");
}

static void test_memory(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	is(CALL(SYS_mlock2, p, 4096, 0), 0, "mlock2");
	is(CALL(SYS_mlock2, p, 4096, 77), -EINVAL, "unknown flags");
	is(CALL(SYS_munlockall), 0, "munlockall");
	is(CALL(SYS_mbind, p, 4096, 0, NULL, 0, 0), 0, "mbind");
	is(CALL(SYS_mbind, (char *)p + 1, 4096, 0, NULL, 0, 0), -EINVAL, "a bent place");
	is(CALL(SYS_mbind, p, 4096, 99, NULL, 0, 0), -EINVAL, "an unknown policy");
}

static void test_threads(void)
{
	struct robust_list_head *head = NULL;
	uint64_t base = 0;
	size_t len = 0;

	is(CALL(SYS_get_robust_list, 0, &head, &len), 0, "get_robust_list");
	is(len, 24, "its size");
	is(CALL(SYS_get_robust_list, 0x3ffffff, &head, &len), -ESRCH, "of nobody");
	is(CALL(SYS_get_robust_list, 0, &head, edge(4)), -EFAULT, "bad address");
	is(CALL(SYS_arch_prctl, ARCH_GET_FS, &base), 0, "the thread pointer");
	ok(base != 0, "is set");
	is(CALL(SYS_arch_prctl, 0x7777, &base), -EINVAL, "no such operation");
	is(CALL(SYS_restart_syscall), -EINTR, "nothing to restart");
	is(in_child(syscall(SYS_exit_group, 0x1234)), 0x34 << 8, "exit_group");
}

static void test_system(void)
{
	struct timex tx = { 0 };
	char name[64];

	is(CALL(SYS_sysfs, 3) > 0, 1, "sysfs counts file systems");
	is(CALL(SYS_sysfs, 1, "no-such-type"), -EINVAL, "no such type");
	is(CALL(SYS_sysfs, 1, BAD), -EFAULT, "bad name");
	is(CALL(SYS_sysfs, 2, 0, name), 0, "the first one's name");
	is(CALL(SYS_sysfs, 2, 9999, name), -EINVAL, "no such number");
	is(CALL(SYS_sysfs, 9), -EINVAL, "no such question");
	is(CALL(SYS_clock_adjtime, CLOCK_REALTIME, &tx) >= 0, 1, "clock_adjtime reads");
	is(CALL(SYS_clock_adjtime, CLOCK_REALTIME, edge(8)), -EFAULT, "bad address");
	is(in_child({
		   setuid(5);
		   tx.modes = ADJ_FREQUENCY;
		   _exit(CALL(SYS_clock_adjtime, CLOCK_REALTIME, &tx) != -EPERM);
	   }),
	   0, "and lets no user write");
	is(in_child({
		   setuid(5);
		   _exit(CALL(SYS_setdomainname, "x", 1) != -EPERM);
	   }),
	   0, "setdomainname is not for users");
}

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static void test_files(void)
{
	char from[64], to[64];
	int fd;

	sprintf(from, "/tmp/misc.%d.a", getpid());
	sprintf(to, "/tmp/misc.%d.b", getpid());
	fd = open(from, O_CREAT | O_RDWR, 0600);
	write(fd, "text", 4);
	is(CALL(SYS_sync), 0, "sync");
	is(CALL(SYS_sync_file_range, fd, 0, 4, 0), 0, "sync_file_range");
	is(CALL(SYS_sync_file_range, fd, 0, 4, 0x77), -EINVAL, "unknown flags");
	is(CALL(SYS_sync_file_range, 99, 0, 4, 0), -EBADF, "no descriptor");
	is(CALL(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to), 0, "renameat");
	is(CALL(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to), -ENOENT, "once");
	is(CALL(SYS_renameat, AT_FDCWD, BAD, AT_FDCWD, to), -EFAULT, "bad name");
	is(CALL(SYS_faccessat2, AT_FDCWD, to, R_OK, AT_EACCESS), 0, "faccessat2");
	is(CALL(SYS_faccessat2, AT_FDCWD, to, 99, 0), -EINVAL, "unknown mode");
	is(CALL(SYS_faccessat2, AT_FDCWD, to, R_OK, 0x77777), -EINVAL, "unknown flags");
	is(CALL(SYS_faccessat2, AT_FDCWD, from, R_OK, 0), -ENOENT, "no such file");
	is(CALL(SYS_fchmodat2, AT_FDCWD, to, 0640, 0), 0, "fchmodat2");
	is(CALL(SYS_fchmodat2, AT_FDCWD, to, 0640, 0x77777), -EINVAL, "unknown flags");
	is(CALL(SYS_fchmodat2, AT_FDCWD, BAD, 0640, 0), -EFAULT, "bad name");
	unlink(to);
	close(fd);
}

int main(void)
{
	test_files();
	test_sched();
	test_memory();
	test_threads();
	test_system();
	return tap_done();
}
