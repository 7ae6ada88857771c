/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors of processes, kcmp, seccomp filters.
 */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/kcmp.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "tests/syscalls/check.h"

static pid_t start_child(void)
{
	pid_t pid = fork();

	if (!pid)
		for (;;)
			pause();
	return pid;
}

static void test_pidfd(void)
{
	pid_t pid = start_child();
	int fd = (int)CALL(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	siginfo_t info;

	ok(fd >= 0, "a descriptor of a process");
	is(fcntl(fd, F_GETFD), FD_CLOEXEC, "closes on exec");
	is(poll(&p, 1, 0), 0, "it is not readable");
	is(CALL(SYS_pidfd_send_signal, fd, 0, NULL, 0), 0, "signal 0");
	is(CALL(SYS_pidfd_send_signal, fd, 99, NULL, 0), -EINVAL, "no such signal");
	is(CALL(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 77), -EINVAL, "unknown flags");
	is(CALL(SYS_pidfd_send_signal, 0, SIGTERM, NULL, 0), -EBADF, "another descriptor");
	is(CALL(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0), 0, "a deadly signal");
	is(poll(&p, 1, 5000), 1, "then it is readable");
	is(CALL(SYS_waitid, P_PIDFD, fd, &info, WEXITED, NULL), 0, "waitid by descriptor");
	ok(info.si_pid == pid && info.si_status == SIGTERM, "tells how");
	is(CALL(SYS_pidfd_send_signal, fd, 0, NULL, 0), -ESRCH, "then there is nobody");
	close(fd);
	is(CALL(SYS_pidfd_open, pid, 0), -ESRCH, "nor by number");
	is(CALL(SYS_pidfd_open, 0, 0), -EINVAL, "number 0");
	is(CALL(SYS_pidfd_open, getpid(), 7), -EINVAL, "unknown flags to open");
}

static void test_getfd(void)
{
	int fds[2], fd, got;
	char c = 0;
	pid_t pid;

	pipe(fds);
	pid = start_child();
	close(fds[1]);
	fd = (int)CALL(SYS_pidfd_open, pid, 0);
	got = (int)CALL(SYS_pidfd_getfd, fd, fds[1], 0);
	ok(got >= 0, "another's descriptor");
	is(write(got, "x", 1), 1, "can be written");
	is(read(fds[0], &c, 1), 1, "and is the same pipe");
	is(CALL(SYS_pidfd_getfd, fd, 99, 0), -EBADF, "one that is not there");
	is(CALL(SYS_pidfd_getfd, fd, 0, 1), -EINVAL, "unknown flags");
	is(CALL(SYS_kcmp, getpid(), pid, KCMP_FILE, fds[0], fds[0]), 0, "kcmp: the same file");
	ok(CALL(SYS_kcmp, getpid(), pid, KCMP_FILE, fds[0], 1) > 0, "another one");
	ok(CALL(SYS_kcmp, getpid(), pid, KCMP_VM, 0, 0) > 0, "other memory");
	is(CALL(SYS_kcmp, getpid(), pid, 99, 0, 0), -EINVAL, "unknown kind");
	is(CALL(SYS_kcmp, getpid(), 0x3ffffff, KCMP_VM, 0, 0), -ESRCH, "with nobody");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_clone3(void)
{
	int fd = -1, status;
	struct clone_args a = { .flags = CLONE_PIDFD,
				.pidfd = (uintptr_t)&fd,
				.exit_signal = SIGCHLD };
	pid_t pid = (pid_t)CALL(SYS_clone3, &a, sizeof(a));

	if (!pid)
		_exit(3);
	ok(pid > 0 && fd >= 0, "clone3 with a descriptor");
	is(waitpid(pid, &status, 0), pid, "its child");
	is(status, 3 << 8, "ends as others do");
	close(fd);
}

#define DENY(call, action)                                                             \
	{                                                                              \
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)), \
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1),             \
			BPF_STMT(BPF_RET | BPF_K, (action)),                           \
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),                  \
	}

static long install(struct sock_filter *code)
{
	struct sock_fprog p = { 4, code };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return CALL(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p);
}

static volatile int sigsys_nr;

static void on_sigsys(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	sigsys_nr = info->si_syscall;
}

static void test_seccomp(void)
{
	struct sock_filter fail[] = DENY(SYS_sethostname, SECCOMP_RET_ERRNO | 77);
	struct sock_filter deadly[] = DENY(SYS_sethostname, SECCOMP_RET_KILL_PROCESS);
	struct sock_filter trap[] = DENY(SYS_sethostname, SECCOMP_RET_TRAP);
	uint32_t action = SECCOMP_RET_ERRNO;

	is(in_child({
		   if (install(fail))
			   _exit(1);
		   if (CALL(SYS_sethostname, "x", 1) != -77 || CALL(SYS_getppid) < 0)
			   _exit(2);
		   _exit(prctl(PR_GET_SECCOMP) != SECCOMP_MODE_FILTER);
	   }),
	   0, "a filter answers for a call");
	is(in_child({
		   install(fail);
		   _exit(in_child(_exit(CALL(SYS_sethostname, "x", 1) != -77)) >> 8);
	   }),
	   0, "children inherit it");
	is(in_child({
		   install(deadly);
		   CALL(SYS_sethostname, "x", 1);
	   }),
	   SIGSYS, "or kills");
	is(in_child({
		   struct sigaction a = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };

		   sigaction(SIGSYS, &a, NULL);
		   install(trap);
		   CALL(SYS_sethostname, "x", 1);
		   _exit(sigsys_nr != SYS_sethostname);
	   }),
	   0, "or sends SIGSYS");
	is(in_child({
		   struct sock_fprog p = { 4, fail };

		   if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0))
			   _exit(0); /* the container has promised it */
		   setuid(5);
		   _exit(CALL(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p) != -EACCES);
	   }),
	   0, "a user promises no new privileges first");
	fail[1].jt = 9;
	is(in_child(_exit(install(fail) != -EINVAL)), 0, "a bad program is refused");
	is(CALL(SYS_seccomp, 99, 0, NULL), -EINVAL, "an unknown operation");
	is(CALL(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action), 0, "an action that there is");
	action = 0x12340000;
	is(CALL(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action), -EOPNOTSUPP, "one that is not");
	is(in_child({
		   CALL(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL);
		   write(1, "", 0);
		   syscall(SYS_exit, 4);
	   }),
	   4 << 8, "strict mode");
	is(in_child({
		   CALL(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL);
		   CALL(SYS_getcwd, NULL, 0);
	   }),
	   SIGKILL, "kills for anything else");
}

int main(void)
{
	test_pidfd();
	test_getfd();
	test_clone3();
	test_seccomp();
	return tap_done();
}
