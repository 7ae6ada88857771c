/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads, futexes, forks, signals and waits all at once: nothing is lost, nobody is left over.
 *
 * usage: storm [ROUNDS [PART]]; once, all parts, without.  A part that makes no progress for a
 * while has lost something: that is said, and the program ends.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <spawn.h>

#include "tests/syscalls/check.h"

#define STUCK_S 20

static int rounds = 1;
static const char *part;
static volatile long progress; /* changes while all is well */
static volatile int stop;

/* --- a part that hangs ------------------------------------------------------------------------ */

static void *watch(void *unused)
{
	for (long seen = -1;;) {
		if (progress == seen) {
			printf("not ok - no progress in %s\n", part);
			fflush(stdout);
			_exit(1);
		}
		seen = progress;
		sleep(STUCK_S);
	}
	return unused;
}

static void step(void)
{
	__atomic_fetch_add(&progress, 1, __ATOMIC_SEQ_CST);
}

static long futex(uint32_t *word, int op, uint32_t value)
{
	return CALL(SYS_futex, word, op, value, NULL, NULL, 0);
}

static void *run_until_stop(void *fn)
{
	while (!stop)
		((void (*)(void))fn)();
	return NULL;
}

static void begin_threads(pthread_t *t, int n, void (*fn)(void))
{
	stop = 0;
	for (int i = 0; i < n; i++)
		if (pthread_create(&t[i], NULL, run_until_stop, (void *)fn))
			abort();
}

static void end_threads(pthread_t *t, int n)
{
	stop = 1;
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
}

static volatile long caught;

static void count_signal(int signo)
{
	(void)signo;
	__atomic_fetch_add(&caught, 1, __ATOMIC_SEQ_CST);
}

/* --- noise: what goes on beside each part ----------------------------------------------------- */

static volatile long bad_children;

static void fork_once(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(7);
	if (waitpid(pid, &status, 0) != pid || status != 7 << 8)
		__atomic_fetch_add(&bad_children, 1, __ATOMIC_SEQ_CST);
}

static void *nothing(void *arg)
{
	return arg;
}

static void thread_once(void)
{
	pthread_t t;

	if (!pthread_create(&t, NULL, nothing, NULL))
		pthread_join(t, NULL);
}

/* --- two threads that wake each other, hit by signals ------------------------------------------
 */

static struct {
	uint32_t turn;
	int op; /* FUTEX_PRIVATE_FLAG or 0 */
	pid_t tids[2];
} * table;

static void *player(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg;

	__atomic_store_n(&table->tids[me], (pid_t)CALL(SYS_gettid), __ATOMIC_SEQ_CST);
	for (int i = 0; i < 600; i++) {
		while (__atomic_load_n(&table->turn, __ATOMIC_SEQ_CST) != me)
			futex(&table->turn, FUTEX_WAIT | table->op, !me);
		__atomic_store_n(&table->turn, !me, __ATOMIC_SEQ_CST);
		futex(&table->turn, FUTEX_WAKE | table->op, 1);
		step();
	}
	return NULL;
}

static void prod_players(void)
{
	for (int i = 0; i < 2; i++)
		if (table->tids[i])
			CALL(SYS_tgkill, getpid(), table->tids[i], SIGUSR1);
	sched_yield();
}

static void futexes(int op)
{
	pthread_t t[2], noise[2], signals;

	table->turn = 0;
	table->op = op;
	table->tids[0] = table->tids[1] = 0;
	begin_threads(&noise[0], 1, fork_once);
	begin_threads(&noise[1], 1, thread_once);
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, player, (void *)i);
	begin_threads(&signals, 1, prod_players);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	end_threads(&signals, 1);
	end_threads(noise, 2);
}

static void part_futex(void)
{
	on(SIGUSR1, count_signal, 0);
	bad_children = 0;
	futexes(FUTEX_PRIVATE_FLAG);
	futexes(0);
	is(bad_children, 0, "two threads wake each other under signals, forks and threads");
}

/* --- a thread that sleeps while others come and go ---------------------------------------------
 */

static volatile pid_t sleeper_tid;
static uint32_t sleeper_word;

static void *sleeper(void *unused)
{
	sleeper_tid = (pid_t)CALL(SYS_gettid);
	while (!__atomic_load_n(&sleeper_word, __ATOMIC_SEQ_CST))
		futex(&sleeper_word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0);
	return unused;
}

static void part_sleeper(void)
{
	pthread_t noise[4], t;
	long sent = 0;

	on(SIGUSR1, count_signal, 0);
	caught = 0;
	sleeper_tid = 0;
	sleeper_word = 0;
	begin_threads(noise, 4, thread_once);
	pthread_create(&t, NULL, sleeper, NULL);
	while (!sleeper_tid)
		sched_yield();
	while (sent < 150) {
		CALL(SYS_tgkill, getpid(), sleeper_tid, SIGUSR1);
		sent++;
		while (caught != sent)
			sched_yield();
		step();
	}
	end_threads(noise, 4);
	__atomic_store_n(&sleeper_word, 1, __ATOMIC_SEQ_CST);
	futex(&sleeper_word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
	pthread_join(t, NULL);
	is(caught, sent, "each signal finds its thread among others that come and go");
}

/* --- signals from process to process ------------------------------------------------------------
 */

static void answer(int signo)
{
	(void)signo;
	kill(getppid(), SIGUSR2);
}

static void part_signals(void)
{
	sigset_t set, old, none;
	pthread_t noise[2];
	int status = -1;
	pid_t pid;

	on(SIGUSR1, answer, 0);
	on(SIGUSR2, count_signal, 0);
	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, &old);
	pid = fork();
	if (pid == 0)
		for (;;)
			sigsuspend(&old);
	begin_threads(&noise[0], 1, fork_once);
	begin_threads(&noise[1], 1, thread_once);
	caught = 0;
	for (long i = 1; i <= 300; i++) {
		kill(pid, SIGUSR1);
		while (caught < i)
			sigsuspend(&none);
		step();
	}
	end_threads(noise, 2);
	is(caught, 300, "signals there and back, one by one");
	kill(pid, SIGKILL);
	is(waitpid(pid, &status, 0) == pid ? status : -1, SIGKILL, "and the other is killed");
	sigprocmask(SIG_SETMASK, &old, NULL);
}

/* --- the family of wait ------------------------------------------------------------------------
 */

static volatile long wrong_waits;

static void expect(bool good)
{
	if (!good)
		__atomic_fetch_add(&wrong_waits, 1, __ATOMIC_SEQ_CST);
}

/* is_gone() - neither a zombie nor a name in /proc; its number may be another's by now. */
static bool is_gone(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) < 0 && errno == ECHILD;
}

static void stop_and_go(void)
{
	siginfo_t info = { 0 };
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		raise(SIGSTOP);
		for (;;)
			pause();
	}
	expect(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	kill(pid, SIGCONT);
	expect(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
	kill(pid, SIGTERM);
	expect(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == pid);
	expect(waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGTERM);
	expect(is_gone(pid));
	step();
}

static void *pause_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

/* Killed somewhere between its birth and its sleep, with threads. */
static void kill_crowd(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t t;

		for (int i = 0; i < 3; i++)
			pthread_create(&t, NULL, pause_for_ever, NULL);
		pause_for_ever(NULL);
	}
	for (int i = (int)(progress % 7); i > 0; i--)
		sched_yield();
	kill(pid, SIGKILL);
	expect(waitpid(pid, &status, 0) == pid && status == SIGKILL);
	expect(is_gone(pid));
	step();
}

static void spawn_once(void)
{
	char *argv[] = { (char *)"storm", (char *)"nothing", NULL }, *envp[] = { NULL };
	int status = -1;
	pid_t pid = 0;

	expect(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, envp) == 0);
	expect(waitpid(pid, &status, 0) == pid && status == 3 << 8);
	step();
}

/* A program that takes the place of one with threads, which are anywhere in their lives. */
static void exec_crowd(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t t;

		for (int i = 0; i < 2; i++)
			pthread_create(&t, NULL, pause_for_ever, NULL);
		execl("/proc/self/exe", "storm", "nothing", NULL);
		_exit(9);
	}
	expect(waitpid(pid, &status, 0) == pid && status == 3 << 8);
	step();
}

/* A grandchild that outlives its parent is somebody else's to reap. */
static void orphan_once(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		if (fork() == 0)
			_exit(0);
		_exit(5);
	}
	expect(waitpid(pid, &status, 0) == pid && status == 5 << 8);
	step();
}

static void (*const waits[])(void) = { stop_and_go, kill_crowd, spawn_once, exec_crowd,
				       orphan_once };

static void *wait_rounds(void *arg)
{
	for (int i = 0; i < 25; i++)
		waits[(uintptr_t)arg]();
	return NULL;
}

static void part_wait(void)
{
	pthread_t t[ARRAY_LEN(waits)];
	long rc;

	wrong_waits = 0;
	for (uintptr_t i = 0; i < ARRAY_LEN(waits); i++)
		pthread_create(&t[i], NULL, wait_rounds, (void *)i);
	for (size_t i = 0; i < ARRAY_LEN(waits); i++)
		pthread_join(t[i], NULL);
	is(wrong_waits, 0, "stops, kills, spawns, execs and orphans, each waited for as it should");
	/* Inside, this is init: orphans are its children. */
	while ((rc = CALL(SYS_wait4, -1, NULL, 0, NULL)) > 0)
		step();
	is(rc, -ECHILD, "no child is left");
}

static const struct {
	const char *name;
	void (*fn)(void);
} parts[] = {
	{ "futex", part_futex },
	{ "sleeper", part_sleeper },
	{ "signals", part_signals },
	{ "wait", part_wait },
};

int main(int argc, char **argv)
{
	const char *only = argc > 2 ? argv[2] : NULL;
	pthread_t watcher;
	sigset_t all, old;

	if (argc > 1 && !strcmp(argv[1], "nothing"))
		return 3;
	if (argc > 1)
		rounds = atoi(argv[1]);
	table = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old); /* the watcher takes no signal from others */
	pthread_create(&watcher, NULL, watch, NULL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	for (int r = 0; r < rounds; r++) {
		for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
			part = parts[i].name;
			if (!only || !strcmp(only, part))
				parts[i].fn();
		}
	}
	return tap_done();
}
