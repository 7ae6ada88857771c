/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For system call tests: calls by number, bad addresses, interruptions, on top of tap.h.
 *
 * A test is a static program that must print the same lines natively and in the sentry.  It uses
 * calls by number where libc would think along.
 */
#ifndef TESTS_SYSCALLS_CHECK_H
#define TESTS_SYSCALLS_CHECK_H

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/tap.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* CALL() - a system call by number. Value: its result, or -errno. */
#define CALL(...)                                       \
	({                                              \
		long call_rc_ = syscall(__VA_ARGS__);   \
		call_rc_ < 0 ? -(long)errno : call_rc_; \
	})

/* is() - @got equals @want; negative numbers are shown as errors. */
#define is(got, want, ...)                                                  \
	({                                                                  \
		long got_ = (long)(got), want_ = (long)(want);              \
		if (!ok(got_ == want_, __VA_ARGS__))                        \
			printf("#  got %ld %s\n# want %ld %s\n", got_,      \
			       got_ < 0 ? strerror((int)-got_) : "", want_, \
			       want_ < 0 ? strerror((int)-want_) : "");     \
		got_ == want_;                                              \
	})

/* edge() - @len writable bytes, and behind them a page that nobody may touch. */
__attribute__((unused)) static void *edge(size_t len)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(p + 4096, 4096, PROT_NONE);
	return p + 4096 - len;
}

/* BAD - an address that is nobody's. */
#define BAD ((void *)0x10)

__attribute__((unused)) static void check_noop(int signo)
{
	(void)signo;
}

/* on() - a handler with these flags and nothing masked. */
__attribute__((unused)) static void on(int signo, void (*handler)(int), int flags)
{
	struct sigaction a = { .sa_handler = handler, .sa_flags = flags };

	sigaction(signo, &a, NULL);
}

/* after_ms() - SIGALRM once, @ms from now. */
__attribute__((unused)) static void after_ms(int ms)
{
	struct itimerval v = { .it_value = { ms / 1000, ms % 1000 * 1000 } };

	setitimer(ITIMER_REAL, &v, NULL);
}

__attribute__((unused)) static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* interrupted() - does the call @expr give @want when a handler without SA_RESTART runs? */
#define interrupted(expr, want, what)       \
	({                                  \
		on(SIGALRM, check_noop, 0); \
		after_ms(50);               \
		is((expr), (want), what);   \
	})

/* in_child() - @... in a child process. Value: what waitpid() tells of it. */
#define in_child(...)                       \
	({                                  \
		int status_ = -1;           \
		pid_t pid_;                 \
		fflush(stdout);             \
		pid_ = fork();              \
		if (pid_ == 0) {            \
			__VA_ARGS__;        \
			_exit(0);           \
		}                           \
		waitpid(pid_, &status_, 0); \
		status_;                    \
	})

/* killed_while() - a child that sleeps in @... for ever can be killed. Value: its status. */
#define killed_while(...)                   \
	({                                  \
		int status_ = -1;           \
		pid_t pid_;                 \
		fflush(stdout);             \
		pid_ = fork();              \
		if (pid_ == 0) {            \
			__VA_ARGS__;        \
			_exit(99);          \
		}                           \
		usleep(50000);              \
		kill(pid_, SIGKILL);        \
		waitpid(pid_, &status_, 0); \
		status_;                    \
	})

#endif
