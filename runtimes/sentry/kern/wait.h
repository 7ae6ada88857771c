/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wait queues: how a call of the guest sleeps in the sentry.
 *
 * Each guest thread is served by one host thread of the sentry, so a call that blocks simply
 * sleeps here, holding no lock:
 *
 *	struct wait_entry e;
 *
 *	wait_begin(&pipe->readers, &e, EPOLLIN);
 *	while ((rc = pipe_try_read(..)) == -EAGAIN)
 *		if ((rc = wait_sleep(deadline_ns)) < 0)
 *			break;
 *	wait_end(&e);
 *
 * The order add, test, sleep loses no wake-up: a wake between test and sleep makes the sleep
 * return at once.  A signal for the guest thread ends the sleep with -ERESTARTSYS; whoever sends
 * signals calls sleeper_interrupt().  Entries with a callback serve epoll and the like.
 */
#ifndef SENTRY_KERN_WAIT_H
#define SENTRY_KERN_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "runtimes/sentry/kern/lock.h"

/* What Linux keeps inside: never seen by a guest; sys/ turns it into EINTR or a restart. */
#define ERESTARTSYS	      512 /* restart if the handler has SA_RESTART */
#define ERESTARTNOINTR	      513 /* always restart */
#define ERESTARTNOHAND	      514 /* restart only if no handler ran */
#define ERESTART_RESTARTBLOCK 516 /* as NOHAND, by restart_syscall with the time that is left */

#define WAIT_FOREVER INT64_MAX

struct wait_queue {
	struct lock lock; /* LOCK_WAIT */
	struct list entries;
	bool host; /* wake-ups may come from the host: set before anybody waits */
};

struct wait_entry;
/* Called with the queue's lock held: may not sleep or take any lock but LOCK_WAIT's of others. */
typedef void wait_fn(struct wait_entry *e, uint32_t events);

struct wait_entry {
	struct list in_queue;
	struct wait_queue *queue;
	uint32_t events;	 /* EPOLL* it is interested in; 0: all */
	bool exclusive;		 /* stops wait_wake_one() */
	bool host;		 /* counted in sleeper->n_host */
	struct sleeper *sleeper; /* whom to wake; NULL when fn is set */
	wait_fn *fn;
};

/* One for each host thread that serves a guest thread. */
struct sleeper {
	uint32_t word;	      /* futex: 0 nothing, 1 woken, 2 look at the flags */
	uint32_t interrupted; /* a signal waits: interruptible sleeps end at once */
	uint32_t dying;	      /* killed: every sleep ends with -EINTR, also uninterruptible ones */
	uint32_t n_host;      /* own thread: queues it waits in that the host may wake */
	uint32_t needs_host;  /* it sleeps, and somebody else is to wait for the host */
};

/*
 * Who sleeps until the host has news may as well wait for the host itself: then no other thread
 * has to wake it.  net/poller.c does this.
 */
struct wait_host_ops {
	/*
	 * Until *word may have changed (0) or CLOCK_MONOTONIC is @deadline_ns (-ETIMEDOUT); news of
	 * the host is given on meanwhile.  -EBUSY: somebody else waits for the host.
	 */
	int (*sleep)(uint32_t *word, int64_t deadline_ns);
	/* Whoever sleeps in sleep() on @word wakes up. Return: false: nobody does. */
	bool (*wake)(const uint32_t *word);
	/* News that is there is given on. */
	void (*look)(void);
};

/* wait_set_host() - once, before anybody sleeps. */
void wait_set_host(const struct wait_host_ops *ops);
/* wait_host_needed() - whether threads sleep that depend on somebody waiting for the host. */
bool wait_host_needed(void);
/* wait_look() - give on what the host has for @q and others, without sleeping. */
void wait_look(const struct wait_queue *q);

void wait_queue_init(struct wait_queue *q);
/* wait_wake() - all whose events meet @events (0: all of them). */
void wait_wake(struct wait_queue *q, uint32_t events);
/* wait_wake_one() - as wait_wake(), but at most one exclusive entry. Return: whether one was woken.
 */
bool wait_wake_one(struct wait_queue *q, uint32_t events);

/* wait_begin() - enter the queue for the calling thread; clears an old wake-up first. */
void wait_begin(struct wait_queue *q, struct wait_entry *e, uint32_t events);
/* wait_add() - enter it with a callback; e->fn is set by the caller. */
void wait_add(struct wait_queue *q, struct wait_entry *e, uint32_t events);
/* wait_end() - leave it; harmless when it is in none. After it no callback runs any more. */
void wait_end(struct wait_entry *e);

/*
 * wait_sleep() - until a wake-up, a signal, or CLOCK_MONOTONIC is @deadline_ns.
 * Return: 0 look again, -ETIMEDOUT, -ERESTARTSYS for a signal.
 */
int wait_sleep(int64_t deadline_ns);
/* wait_sleep_killable() - signals do not end it, only death (-EINTR). */
int wait_sleep_killable(int64_t deadline_ns);

/* sleeper_current() - of the calling thread; set once by the thread that serves. */
struct sleeper *sleeper_current(void);
void sleeper_set_current(struct sleeper *s);
/* sleeper_wake(), sleeper_interrupt() - from any thread. */
void sleeper_wake(struct sleeper *s);
void sleeper_interrupt(struct sleeper *s);
/* sleeper_clear_interrupt() - the signal has been taken, or there is none any more. */
void sleeper_clear_interrupt(struct sleeper *s);
/* sleeper_kill() - every sleep of the thread ends with -EINTR from now on. */
void sleeper_kill(struct sleeper *s);

#endif
