/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks under contention, wait queues that lose nothing, groups of credentials.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/mem.h"
#include "runtimes/sentry/kern/cred.h"
#include "runtimes/sentry/kern/wait.h"
#include "tests/unit/tap.h"

enum { THREADS = 4, ROUNDS = 20000 };

static struct lock lock = LOCK_INIT(LOCK_OBJECT), other = LOCK_INIT(LOCK_OBJECT);
static long counter;

static void *count(void *backwards)
{
	for (int i = 0; i < ROUNDS; i++) {
		if (i & 1) {
			LOCKED(&lock);
			counter++;
			continue;
		}
		if (backwards)
			lock_acquire_two(&other, &lock);
		else
			lock_acquire_two(&lock, &other);
		counter++;
		lock_release_two(&lock, &other);
	}
	return NULL;
}

static void locks_exclude(void)
{
	pthread_t t[THREADS];

	for (long i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, count, (void *)(i & 1));
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	is_int(counter, (long)THREADS * ROUNDS, "no increment is lost, no order deadlocks");
	ok(!lock_is_held(&lock) && !lock_is_held(&other), "both are free at the end");
	lock_acquire_two(&lock, &lock);
	ok(lock_is_held(&lock), "two of the same is one");
	lock_release_two(&lock, &lock);
	ok(!lock_is_held(&lock), "and is given back once");
}

static int64_t in_ms(int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec + ms * 1000000LL;
}

/* A cell that one thread fills and another empties. */
static struct {
	struct lock lock;
	struct wait_queue queue;
	int full, taken;
} cell;

static int cell_try(int from)
{
	LOCKED(&cell.lock);
	if (cell.full != from)
		return -EAGAIN;
	cell.full = !from;
	return 0;
}

static int cell_move(int from)
{
	struct wait_entry e;
	int rc;

	wait_begin(&cell.queue, &e, from ? EPOLLIN : EPOLLOUT);
	while ((rc = cell_try(from)) == -EAGAIN)
		if ((rc = wait_sleep(in_ms(20000))) < 0)
			break;
	wait_end(&e);
	if (!rc)
		wait_wake(&cell.queue, from ? EPOLLOUT : EPOLLIN);
	return rc;
}

static void *take_all(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS; i++)
		if (cell_move(1) == 0)
			cell.taken++;
	return NULL;
}

static void wakes_arrive(void)
{
	pthread_t t;
	int given = 0;

	lock_init(&cell.lock, LOCK_OBJECT);
	wait_queue_init(&cell.queue);
	pthread_create(&t, NULL, take_all, NULL);
	for (int i = 0; i < ROUNDS; i++)
		given += cell_move(0) == 0;
	pthread_join(t, NULL);
	is_int(given, ROUNDS, "each put found room");
	is_int(cell.taken, ROUNDS, "each get found something");
}

struct sleeping {
	struct sleeper sleeper;
	bool killable;
	int64_t deadline_ns;
	int rc;
};

static void *sleep_once(void *arg)
{
	struct sleeping *s = arg;

	sleeper_set_current(&s->sleeper);
	s->rc = s->killable ? wait_sleep_killable(s->deadline_ns) : wait_sleep(s->deadline_ns);
	return NULL;
}

static void sleeps_end(void)
{
	struct sleeping s = { .deadline_ns = in_ms(20000) };
	struct sleeper fresh = { 0 };
	pthread_t t;

	pthread_create(&t, NULL, sleep_once, &s);
	sleeper_interrupt(&s.sleeper);
	pthread_join(t, NULL);
	is_int(s.rc, -ERESTARTSYS, "a signal ends the sleep");
	pthread_create(&t, NULL, sleep_once, &s);
	pthread_join(t, NULL);
	is_int(s.rc, -ERESTARTSYS, "and the next one, until it is taken");
	sleeper_wake(&s.sleeper);
	pthread_create(&t, NULL, sleep_once, &s);
	pthread_join(t, NULL);
	is_int(s.rc, 0, "a wake-up counts before a signal");

	s.killable = true, s.deadline_ns = in_ms(20);
	sleeper_interrupt(&s.sleeper);
	pthread_create(&t, NULL, sleep_once, &s);
	pthread_join(t, NULL);
	is_int(s.rc, -ETIMEDOUT, "a killable sleep outlasts signals");
	s.deadline_ns = in_ms(20000);
	pthread_create(&t, NULL, sleep_once, &s);
	sleeper_kill(&s.sleeper);
	pthread_join(t, NULL);
	is_int(s.rc, -EINTR, "but not death");
	/* one that no late wake-up of the tests above can find */
	sleeper_set_current(&fresh);
	is_int(wait_sleep(-5), -ETIMEDOUT, "a time in the past is over at once");
	sleeper_set_current(NULL);
}

static int called;

static void on_event(struct wait_entry *e, uint32_t events)
{
	(void)e, (void)events;
	called++;
}

static void entries_are_chosen(void)
{
	struct sleeper a = { 0 }, b = { 0 };
	struct wait_entry ea = { 0 }, eb = { 0 }, ec = { .fn = on_event };
	struct wait_queue q;

	wait_queue_init(&q);
	sleeper_set_current(&a);
	wait_begin(&q, &ea, EPOLLIN);
	sleeper_set_current(&b);
	wait_begin(&q, &eb, EPOLLIN);
	ea.exclusive = eb.exclusive = true;
	wait_add(&q, &ec, EPOLLOUT);
	wait_wake(&q, EPOLLOUT);
	ok(called == 1 && !a.word && !b.word, "only those whose events are meant");
	ok(wait_wake_one(&q, EPOLLIN) && a.word && !b.word, "one of two exclusive ones");
	ok(wait_wake_one(&q, EPOLLIN) && b.word, "the next wake reaches the next one");
	ok(!wait_wake_one(&q, EPOLLOUT) && called == 2, "others are called and do not count");
	b.word = 0;
	wait_end(&ea);
	ok(b.word, "who goes without having looked passes it on");
	b.word = 0;
	wait_end(&ea);
	ok(!b.word, "once");
	wait_end(&eb);
	wait_end(&ec);
	wait_wake(&q, 0);
	ok(called == 2 && list_empty(&q.entries), "who left hears nothing");
	sleeper_set_current(NULL);
}

static void creds(void)
{
	gid_t groups[] = { 3, 7, 20, 1000 };
	struct cred *c = cred_create(), *d;

	c->groups = xmemdup(groups, sizeof(groups));
	c->n_groups = ARRAY_LEN(groups);
	c->fsgid = 5;
	c->effective = 1ull << 21;
	d = cred_copy(c);
	ok(cred_in_group(d, 5) && cred_in_group(d, 3) && cred_in_group(d, 1000), "own groups");
	ok(!cred_in_group(d, 4) && !cred_in_group(d, 0) && !cred_in_group(d, 1001), "others");
	ok(cred_has(d, 21) && !cred_has(d, 20) && !cred_has(d, 64) && !cred_has(d, -1),
	   "capability bits");
	ok(d->groups != c->groups, "a copy has groups of its own");
	cred_put(cred_get(c));
	cred_put(c);
	cred_put(d);
	cred_put(NULL);
}

int main(void)
{
	locks_exclude();
	wakes_arrive();
	sleeps_end();
	entries_are_chosen();
	creds();
	return tap_done();
}
