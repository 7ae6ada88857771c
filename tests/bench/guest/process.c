/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Benchmark guest: processes, threads, and what they say to each other.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/guest/guest.h"

static void reap(pid_t pid)
{
	int status = 0;

	guest_must(waitpid(pid, &status, 0), "waitpid");
	guest_must(status == 0 ? 0 : -1, "a child");
}

static void do_fork(long n)
{
	while (n--) {
		pid_t pid = (pid_t)guest_must(fork(), "fork");

		if (pid == 0)
			_exit(0);
		reap(pid);
	}
}

static void do_fork_exec(long n)
{
	while (n--) {
		pid_t pid = (pid_t)guest_must(fork(), "fork");

		if (pid == 0) {
			execl(guest_self(), "guest", "nothing", (char *)NULL);
			_exit(127);
		}
		reap(pid);
	}
}

static void do_vfork_exec(long n)
{
	while (n--) {
		pid_t pid = (pid_t)guest_must(vfork(), "vfork");

		if (pid == 0) {
			execl(guest_self(), "guest", "nothing", (char *)NULL);
			_exit(127);
		}
		reap(pid);
	}
}

static void *nothing(void *arg)
{
	return arg;
}

static void do_thread(long n)
{
	while (n--) {
		pthread_t t;

		guest_must(pthread_create(&t, NULL, nothing, NULL) ? -1 : 0, "pthread_create");
		pthread_join(t, NULL);
	}
}

/* The other end of a ping-pong gives back each byte until it finds its pipe closed. */
static struct {
	int to[2], from[2];
	pid_t process;
	pthread_t thread;
} echo;

static void *echo_run(void *arg)
{
	char c;

	while (read(echo.to[0], &c, 1) == 1 && write(echo.from[1], &c, 1) == 1)
		;
	return arg;
}

static void echo_pipes(void)
{
	guest_must(pipe(echo.to), "pipe");
	guest_must(pipe(echo.from), "pipe");
}

static void echo_process(void)
{
	echo_pipes();
	echo.process = (pid_t)guest_must(fork(), "fork");
	if (echo.process == 0) {
		close(echo.to[1]);
		echo_run(NULL);
		_exit(0);
	}
}

static void echo_thread(void)
{
	echo_pipes();
	guest_must(pthread_create(&echo.thread, NULL, echo_run, NULL) ? -1 : 0, "pthread_create");
}

static void echo_close(void)
{
	close(echo.to[0]);
	close(echo.from[0]);
	close(echo.from[1]);
}

static void echo_process_end(void)
{
	close(echo.to[1]);
	reap(echo.process);
	echo_close();
}

static void echo_thread_end(void)
{
	close(echo.to[1]);
	pthread_join(echo.thread, NULL);
	echo_close();
}

static void do_pingpong(long n)
{
	char c = 1;

	while (n--) {
		guest_must(write(echo.to[1], &c, 1), "write");
		guest_must(read(echo.from[0], &c, 1), "read");
	}
}

/*
 * Two processes of one CPU that wake each other over a shared word.  Natively this is what a call
 * from one process to another costs at least, so also one to a kernel in a process.
 */
static uint32_t *turn;
static cpu_set_t before;

static void hand_over(uint32_t mine)
{
	__atomic_store_n(turn, !mine, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, turn, FUTEX_WAKE, 1, NULL, NULL, 0);
	while (__atomic_load_n(turn, __ATOMIC_SEQ_CST) != mine)
		syscall(SYS_futex, turn, FUTEX_WAIT, !mine, NULL, NULL, 0);
}

static void handoff_begin(void)
{
	cpu_set_t one, all;

	guest_must(sched_getaffinity(0, sizeof(all), &all), "sched_getaffinity");
	CPU_ZERO(&one);
	for (int cpu = 0; !CPU_COUNT(&one); cpu++)
		if (CPU_ISSET(cpu, &all))
			CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
	turn = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	guest_must(turn == MAP_FAILED ? -1 : 0, "mmap");
	echo.process = (pid_t)guest_must(fork(), "fork");
	if (echo.process == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (__atomic_load_n(turn, __ATOMIC_SEQ_CST) != 1)
			syscall(SYS_futex, turn, FUTEX_WAIT, 0, NULL, NULL, 0);
		for (;;)
			hand_over(1);
	}
	before = all;
}

static void handoff_end(void)
{
	syscall(SYS_kill, echo.process, SIGKILL);
	waitpid(echo.process, NULL, 0);
	munmap(turn, 4096);
	sched_setaffinity(0, sizeof(before), &before);
}

static void do_handoff(long n)
{
	while (n--)
		hand_over(0);
}

const struct measure measures_process[] = {
	{ "handoff", do_handoff, handoff_begin, handoff_end },
	{ "fork_exit_wait", do_fork, NULL, NULL },
	{ "fork_exec_wait", do_fork_exec, NULL, NULL },
	{ "vfork_exec_wait", do_vfork_exec, NULL, NULL },
	{ "thread_create_join", do_thread, NULL, NULL },
	{ "pipe_pingpong_process", do_pingpong, echo_process, echo_process_end },
	{ "pipe_pingpong_thread", do_pingpong, echo_thread, echo_thread_end },
	{ NULL, NULL, NULL, NULL },
};
