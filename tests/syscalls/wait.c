/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fork, vfork, wait4, waitid, exit, exit_group: processes end and are waited for.
 */
#include <sched.h>
#include <sys/prctl.h>

#include "tests/syscalls/check.h"

static void test_status(void)
{
	struct rusage u;
	siginfo_t info;
	int status;
	pid_t pid;

	is(in_child(_exit(7)), 7 << 8, "an exit code comes through");
	is(in_child(_exit(0x1ff)), 0xff << 8, "its low byte only");
	is(in_child(syscall(SYS_exit, 5)), 5 << 8, "exit of the only thread is the process's");
	is(in_child(raise(SIGKILL)), SIGKILL, "a signal's number comes through");
	is(in_child(raise(SIGTERM)), SIGTERM, "also one without a handler");
	pid = fork();
	if (!pid)
		_exit(3);
	is(CALL(SYS_waitid, P_PID, pid, &info, WEXITED | WNOWAIT, NULL), 0, "waitid leaves it");
	ok(info.si_pid == pid && info.si_code == CLD_EXITED && info.si_status == 3 &&
		   info.si_signo == SIGCHLD,
	   "and tells what happened");
	is(CALL(SYS_wait4, pid, &status, 0, &u), pid, "wait4 takes it");
	is(status, 3 << 8, "with its status");
	is(CALL(SYS_wait4, pid, &status, 0, NULL), -ECHILD, "once");
	is(CALL(SYS_waitid, P_PID, pid, &info, WEXITED, NULL), -ECHILD, "for waitid too");
}

static void test_choice(void)
{
	int status;
	pid_t a = fork(), b;

	if (!a)
		_exit(1);
	b = fork();
	if (!b) {
		setpgid(0, 0);
		_exit(2);
	}
	is(CALL(SYS_wait4, b, &status, 0, NULL), b, "a child by number");
	is(CALL(SYS_wait4, 0, &status, 0, NULL), a, "one of the own group");
	is(CALL(SYS_wait4, -1, &status, 0, NULL), -ECHILD, "no more");
	b = fork();
	if (!b)
		pause();
	setpgid(b, b);
	is(CALL(SYS_wait4, 0, &status, WNOHANG, NULL), -ECHILD, "another group is not meant");
	is(CALL(SYS_wait4, -b, &status, WNOHANG, NULL), 0, "unless it is named; nothing yet");
	kill(b, SIGTERM);
	is(CALL(SYS_waitid, P_PGID, b, NULL, WEXITED, NULL), 0, "waitid by group, without siginfo");
}

static void test_stops(void)
{
	siginfo_t info;
	int status;
	pid_t pid = fork();

	if (!pid)
		for (;;)
			pause();
	kill(pid, SIGSTOP);
	is(CALL(SYS_wait4, pid, &status, WUNTRACED, NULL), pid, "a stop is told");
	ok(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP, "with its signal");
	is(CALL(SYS_wait4, pid, &status, WUNTRACED | WNOHANG, NULL), 0, "once");
	kill(pid, SIGCONT);
	is(CALL(SYS_waitid, P_PID, pid, &info, WCONTINUED, NULL), 0, "so is its end");
	ok(info.si_code == CLD_CONTINUED && info.si_status == SIGCONT, "as continued");
	kill(pid, SIGSTOP);
	is(CALL(SYS_waitid, P_PID, pid, &info, WSTOPPED, NULL), 0, "waitid sees stops");
	ok(info.si_code == CLD_STOPPED && info.si_status == SIGSTOP, "as such");
	kill(pid, SIGKILL);
	is(CALL(SYS_wait4, pid, &status, 0, NULL), pid, "a stopped process can be killed");
	is(status, SIGKILL, "by SIGKILL");
}

static void test_errors(void)
{
	int status;
	pid_t pid;

	is(CALL(SYS_wait4, -1, &status, 0x1000, NULL), -EINVAL, "unknown options");
	is(CALL(SYS_wait4, -1, &status, 0, NULL), -ECHILD, "no child");
	is(CALL(SYS_waitid, P_ALL, 0, NULL, 0, NULL), -EINVAL, "waitid for nothing");
	is(CALL(SYS_waitid, 17, 0, NULL, WEXITED, NULL), -EINVAL, "waitid for an unknown kind");
	is(CALL(SYS_waitid, P_PID, 0, NULL, WEXITED, NULL), -EINVAL, "waitid for number 0");
	pid = fork();
	if (!pid)
		_exit(0);
	is(CALL(SYS_wait4, pid, edge(2), 0, NULL), -EFAULT, "a status that does not fit");
	is(CALL(SYS_wait4, pid, &status, 0, NULL), -ECHILD, "costs the child all the same");
	pid = fork();
	if (!pid)
		_exit(0);
	is(CALL(SYS_waitid, P_PID, pid, edge(16), WEXITED, NULL), -EFAULT, "nor does a siginfo");
}

static void test_interrupted(void)
{
	int64_t start = now_ms();
	int status;
	pid_t pid = fork();

	if (!pid)
		for (;;)
			pause();
	interrupted(CALL(SYS_wait4, pid, &status, 0, NULL), -EINTR, "a signal interrupts wait4");
	interrupted(CALL(SYS_waitid, P_PID, pid, NULL, WEXITED, NULL), -EINTR, "and waitid");
	ok(now_ms() - start >= 90, "not before it came");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	pid = fork();
	if (!pid) {
		usleep(150000);
		_exit(4);
	}
	on(SIGALRM, check_noop, SA_RESTART);
	after_ms(30);
	is(CALL(SYS_wait4, pid, &status, 0, NULL), pid, "with SA_RESTART it goes on");
	is(status, 4 << 8, "to the end");
	is(killed_while(if (!fork()) {
		   prctl(PR_SET_PDEATHSIG, SIGKILL);
		   pause();
	   } wait(NULL)),
	   SIGKILL, "a waiting process can be killed");
}

static void test_sigchld(void)
{
	sigset_t set;
	siginfo_t info;
	pid_t pid;

	/*
	 * As the first process of a container this one has the orphans of others too, and the
	 * signal of one's end would hide that of another's.
	 */
	while (wait(NULL) > 0)
		;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	on(SIGCHLD, check_noop, 0);
	pid = fork();
	if (!pid)
		_exit(9);
	is(sigwaitinfo(&set, &info), SIGCHLD, "the end of a child is a signal");
	ok(info.si_pid == pid && info.si_code == CLD_EXITED && info.si_status == 9,
	   "that says whose");
	waitpid(pid, NULL, 0);
	on(SIGCHLD, SIG_IGN, 0);
	is(in_child(_exit(1)), -1, "who ignores it has nothing to wait for");
	on(SIGCHLD, check_noop, SA_NOCLDWAIT);
	is(in_child(_exit(1)), -1, "nor who asks for no zombies");
	on(SIGCHLD, check_noop, SA_NOCLDSTOP);
	sigtimedwait(&set, NULL, &(struct timespec){ 0 });
	pid = fork();
	if (!pid)
		for (;;)
			pause();
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	info.si_pid = 0;
	while (sigtimedwait(&set, &info, &(struct timespec){ 0, 1000000 }) == SIGCHLD)
		if (info.si_pid == pid)
			break;
	if (!ok(info.si_pid != pid, "SA_NOCLDSTOP: no signal"))
		printf("# code %d status %d\n", info.si_code, info.si_status);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	on(SIGCHLD, SIG_DFL, 0);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int vfork_child(volatile int *seen)
{
	pid_t pid = vfork();
	int status = 0;

	if (!pid) {
		*seen = 42;
		_exit(6);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void test_vfork(void)
{
	volatile int seen = 0;

	is(vfork_child(&seen), 6 << 8, "a vfork child ends");
	is(seen, 42, "in its parent's memory");
}

static void test_orphan(void)
{
	int fds[2];
	char c = 0;
	pid_t pid;

	pipe(fds);
	pid = fork();
	if (!pid) {
		if (!fork()) {
			while (getppid() == CALL(SYS_getpid) - 1 && getppid() != 1)
				usleep(1000);
			usleep(20000);
			c = getppid() != 0 ? 'o' : 'x';
			write(fds[1], &c, 1);
			_exit(0);
		}
		_exit(0);
	}
	close(fds[1]);
	waitpid(pid, NULL, 0);
	is(read(fds[0], &c, 1), 1, "a grandchild outlives its parent");
	is(c, 'o', "and gets another one");
	close(fds[0]);
}

static void test_many(void)
{
	int good = 0;

	for (int i = 0; i < 200; i++)
		good += in_child(_exit(i & 0x7f)) == (i & 0x7f) << 8;
	is(good, 200, "two hundred children, one after another");
	for (int i = 0; i < 50; i++)
		if (!fork())
			_exit(0);
	good = 0;
	while (good < 50 && wait(NULL) > 0)
		good++;
	is(good, 50, "fifty at once");
}

int main(void)
{
	test_status();
	test_choice();
	test_stops();
	test_errors();
	test_interrupted();
	test_sigchld();
	test_vfork();
	test_orphan();
	test_many();
	return tap_done();
}
