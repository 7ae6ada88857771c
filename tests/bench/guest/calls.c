/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Benchmark guest: single calls that move no data.
 */
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/guest/guest.h"

static int word;

static void do_getpid(long n)
{
	while (n--)
		getpid();
}

static void do_clock(long n)
{
	struct timespec t;

	while (n--)
		clock_gettime(CLOCK_MONOTONIC, &t);
}

static void do_clock_call(long n)
{
	struct timespec t;

	while (n--)
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
}

static void do_sigprocmask(long n)
{
	sigset_t set;

	sigemptyset(&set);
	while (n--)
		sigprocmask(SIG_BLOCK, &set, NULL);
}

/* A number that only the kernel of the pod knows: no runtime answers it beside that kernel. */
static void do_small_call(long n)
{
	while (n--)
		umask(022);
}

static void do_futex_wake(long n)
{
	while (n--)
		syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void do_yield(long n)
{
	while (n--)
		sched_yield();
}

const struct measure measures_calls[] = {
	{ "getpid", do_getpid, NULL, NULL },
	{ "clock_gettime", do_clock, NULL, NULL },
	{ "clock_gettime_call", do_clock_call, NULL, NULL },
	{ "sigprocmask", do_sigprocmask, NULL, NULL },
	{ "small_call", do_small_call, NULL, NULL },
	{ "futex_wake", do_futex_wake, NULL, NULL },
	{ "sched_yield", do_yield, NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
