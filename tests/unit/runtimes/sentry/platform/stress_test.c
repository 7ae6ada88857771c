/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of the process model under stress: nothing is lost, nobody has another's channel.
 */
#include "tests/unit/runtimes/sentry/platform/guest.h"

enum { FORKERS = 12, FORKS = 40, SIGNALS = 3000, SPAWNS = 200 };

/* --- forks while other threads map, call and fork
 * ------------------------------------------------- */

#define WRONG  0 /* children that were served as somebody else */
#define FORKED 1
#define FAILED 2

GUEST static void forker(long n)
{
	for (long i = 0; i < n; i++) {
		long a = guest_call(SYS_mmap, 0, 65536, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		long pid;

		*(volatile long *)(a + 5000) = i;
		guest_call(TOY_NOP, 0, 0, 0, 0, 0, 0);
		pid = guest_call(SYS_fork, 0, 0, 0, 0, 0, 0);
		if (pid == 0) {
			if (guest_call(SYS_gettid, 0, 0, 0, 0, 0, 0) !=
				    guest_call(TOY_WHO, 0, 0, 0, 0, 0, 0) ||
			    *(volatile long *)(a + 5000) != i)
				__atomic_fetch_add(&guest_data[WRONG], 1, __ATOMIC_SEQ_CST);
			__atomic_fetch_add(&guest_data[FORKED], 1, __ATOMIC_SEQ_CST);
			guest_exit(0);
		}
		if (pid < 0 || guest_call(SYS_wait4, pid, 0, 0, 0, 0, 0) != pid)
			__atomic_fetch_add(&guest_data[FAILED], 1, __ATOMIC_SEQ_CST);
		guest_call(SYS_munmap, a, 65536, 0, 0, 0, 0);
	}
}

GUEST static void forkers(long n)
{
	volatile int *words = (volatile int *)&guest_data[64];

	for (int i = 0; i < FORKERS; i++)
		if (guest_thread(forker, n, &words[i]) < 0)
			guest_exit(1);
	for (int i = 0; i < FORKERS; i++)
		guest_join(&words[i]);
	guest_exit(0);
}

static void forks(void)
{
	is_int(toy_run(forkers, FORKS), 0, "threads that map, call and fork at once");
	is_int(toy_data[FORKED], FORKERS * FORKS, "every child ran");
	is_int(toy_data[WRONG], 0, "each with its own channel and memory");
	is_int(toy_data[FAILED], 0, "and was waited for");
}

/* --- signals at any instant ---------------------------------------------------------------------
 */

#define READY 0
#define STOP  1
#define WORD  20

/* One round of each kind of sleep and of none; only signals end the sleeps. */
GUEST static void sleeper(long unused)
{
	volatile long t[2];

	(void)unused;
	guest_handle(SIGUSR1, 0);
	guest_data[READY] = 1;
	for (long i = 0; !guest_data[STOP]; i++) {
		switch (i % 5) {
		case 0:
			guest_call(SYS_futex, (long)&guest_data[WORD], 0, 0, 0, 0, 0);
			break;
		case 1:
			t[0] = 3600, t[1] = 0;
			guest_call(SYS_nanosleep, (long)t, 0, 0, 0, 0, 0);
			break;
		case 2:
			guest_call(TOY_BLOCK, ERESTARTNOHAND, 0, 0, 0, 0, 0);
			break;
		case 3:
			for (int n = 0; n < 50; n++)
				guest_call(TOY_NOP, 0, 0, 0, 0, 0, 0);
			break;
		default:
			for (int n = 0; n < 50; n++)
				guest_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
		}
	}
	guest_exit(0);
}

/* Wait for the handler of signal @n, for at most ten seconds. */
static bool caught(long n)
{
	for (int i = 0; i < 100000 && toy_data[GUEST_CAUGHT] < n; i++) {
		if (i > 100)
			usleep(100);
		else
			sched_yield();
	}
	return toy_data[GUEST_CAUGHT] == n;
}

static void signals(void)
{
	struct toy_process *p;
	unsigned int seed = 1;
	long sent = 0;

	memset(toy.data, 0, TOY_BYTES);
	p = toy_begin(sleeper, 0);
	toy_await(READY, 1);
	while (sent < SIGNALS) {
		toy_signal(p, SIGUSR1);
		if (!caught(++sent))
			break;
		for (volatile int i = (int)(rand_r(&seed) % 2000); i > 0; i--)
			;
	}
	is_int(toy_data[GUEST_CAUGHT], SIGNALS, "no signal is lost, wherever it hits");
	if (toy_data[GUEST_CAUGHT] != SIGNALS)
		toy_kill(p);
	toy_data[STOP] = 1;
	toy_signal(p, SIGUSR1);
	is_int(toy_end(p), 0, "and the sleeper ends");
}

/* --- vfork while other threads take signals
 * -------------------------------------------------------- */

GUEST static void spawner(long n)
{
	guest_handle(SIGUSR1, SA_RESTART);
	guest_data[READY] = 1;
	for (long i = 0; i < n; i++) {
		long pid = guest_call(SYS_vfork, 0, 0, 0, 0, 0, 0);

		if (pid == 0) {
			struct stub_action a;

			/* what posix_spawn does in the child must not reach the parent */
			a.handler = a.flags = a.restorer = a.mask = 0;
			guest_call(SYS_rt_sigaction, SIGUSR1, (long)&a, 0, 8, 0, 0);
			if (guest_call(SYS_gettid, 0, 0, 0, 0, 0, 0) !=
			    guest_call(TOY_WHO, 0, 0, 0, 0, 0, 0))
				guest_data[WRONG + 4]++;
			guest_call(SYS_exit, 0, 0, 0, 0, 0, 0);
		}
		if (guest_call(SYS_wait4, pid, 0, 0, 0, 0, 0) != pid)
			guest_data[FAILED]++;
		guest_data[3] = i + 1;
	}
	guest_exit(0);
}

static void vforks(void)
{
	struct toy_process *p;
	long sent = 0;

	memset(toy.data, 0, TOY_BYTES);
	p = toy_begin(spawner, SPAWNS);
	toy_await(READY, 1);
	while (toy_data[3] < SPAWNS - 2) {
		toy_signal(p, SIGUSR1);
		if (!caught(++sent))
			break;
	}
	is_int(toy_end(p), 0, "vfork again and again while signals come");
	is_int(toy_data[GUEST_CAUGHT], sent, "each signal reaches the parent's handler");
	is_int(toy_data[WRONG + 4], 0, "children are served as themselves");
	is_int(toy_data[FAILED], 0, "all are waited for");
}

/* --- death in the cradle -------------------------------------------------------------------------
 */

GUEST static void killer(long n)
{
	for (long i = 0; i < n; i++) {
		long pid = guest_call(SYS_fork, 0, 0, 0, 0, 0, 0);

		if (pid == 0)
			for (;;)
				guest_call(SYS_futex, (long)&guest_data[WORD], 0, 0, 0, 0, 0);
		/* at once, or when it has had a little time */
		for (long k = 0; k < i % 4; k++)
			guest_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
		if (guest_call(TOY_KILL, pid, 0, 0, 0, 0, 0) != 0 ||
		    guest_call(SYS_wait4, pid, 0, 0, 0, 0, 0) != pid)
			guest_data[FAILED]++;
	}
	guest_exit(0);
}

static void kills(void)
{
	is_int(toy_run(killer, SPAWNS), 0, "children are killed as soon as they exist");
	is_int(toy_data[FAILED], 0, "none of them outlives it");
}

int main(void)
{
	if (!toy_start())
		return tap_done();
	forks();
	signals();
	vforks();
	kills();
	toy_stop();
	return tap_done();
}
