/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks of the sentry: futex mutexes with ranks.
 *
 * A holder keeps a lock for less than the price of a sleep, but on one CPU it may have been
 * preempted while holding: so spinning is short, then the waiter sleeps and lets it run.
 *
 * With -DLOCK_DEBUG (make LOCK_DEBUG=1) each thread notes the ranks it holds as bits; taking a rank
 * that is not above all of them is logged, with the two places, and aborts.  Only
 * lock_acquire_two() and wait queues hold two locks of a rank.
 */
#include <assert.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "runtimes/sentry/kern/lock.h"

#define FREE	  0u
#define HELD	  1u
#define CONTENDED 2u

#define SPINS 100

#ifdef LOCK_DEBUG
static __thread uint32_t held_ranks;
static __thread const void *held_at[LOCK_WAIT + 1]; /* who took the last one of each rank */

static const char *const rank_names[] = { "none",   "shown",   "shown names", "shown text",
					  "tasks",  "process", "fdtable",     "directory",
					  "mounts", "file",    "inode",	      "object",
					  "signal", "name",    "dentry",      "wait" };

extern const char __ehdr_start[] __attribute__((visibility("hidden")));

/* As addr2line(1) takes it. */
static unsigned long place(const void *at)
{
	return (unsigned long)((const char *)at - __ehdr_start);
}

static void __attribute__((noreturn)) out_of_order(uint32_t rank, const void *at)
{
	uint32_t held = 31 - (uint32_t)__builtin_clz(held_ranks | 1);

	log_error("lock order: %s taken at %#lx while %s is held since %#lx", rank_names[rank],
		  place(at), rank_names[held], place(held_at[held]));
	abort();
}

static void note_acquire(const struct lock *l, bool second, const void *at)
{
	uint32_t bit = 1u << l->rank;
	/* A wait queue may pass a wake-up on to another one (epoll in epoll). */
	bool may_be_equal = second || l->rank == LOCK_WAIT;

	assert(l->rank && "lock without a rank");
	if (held_ranks >= (may_be_equal ? 2 * bit : bit))
		out_of_order(l->rank, at);
	held_ranks |= bit;
	held_at[l->rank] = at;
}

static void note_release(const struct lock *l)
{
	held_ranks &= ~(1u << l->rank);
}
#else
static void note_acquire(const struct lock *l, bool second, const void *at)
{
	(void)l, (void)second, (void)at;
}

static void note_release(const struct lock *l)
{
	(void)l;
}
#endif

void lock_init(struct lock *l, enum lock_rank rank)
{
	l->word = FREE;
	l->rank = rank;
}

static bool try_take(struct lock *l)
{
	uint32_t expected = FREE;

	return __atomic_compare_exchange_n(&l->word, &expected, HELD, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static void take(struct lock *l)
{
	if (try_take(l))
		return;
	for (int i = 0; i < SPINS; i++) {
		__builtin_ia32_pause();
		if (__atomic_load_n(&l->word, __ATOMIC_RELAXED) == FREE && try_take(l))
			return;
	}
	/* From here on the word says that somebody sleeps, so that release wakes. */
	while (__atomic_exchange_n(&l->word, CONTENDED, __ATOMIC_ACQUIRE) != FREE)
		syscall(SYS_futex, &l->word, FUTEX_WAIT_PRIVATE, CONTENDED, NULL, NULL, 0);
}

void lock_acquire(struct lock *l)
{
	note_acquire(l, false, __builtin_return_address(0));
	take(l);
}

static void give(struct lock *l)
{
	if (__atomic_exchange_n(&l->word, FREE, __ATOMIC_RELEASE) == CONTENDED)
		syscall(SYS_futex, &l->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void lock_release(struct lock *l)
{
	note_release(l);
	give(l);
}

void lock_acquire_two(struct lock *a, struct lock *b)
{
	struct lock *first = a < b ? a : b, *second = a < b ? b : a;

	lock_acquire(first);
	if (first == second)
		return;
	note_acquire(second, true, __builtin_return_address(0));
	take(second);
}

void lock_release_two(struct lock *a, struct lock *b)
{
	lock_release(a);
	if (a != b)
		give(b);
}

bool lock_is_held(const struct lock *l)
{
	return __atomic_load_n(&l->word, __ATOMIC_RELAXED) != FREE;
}
