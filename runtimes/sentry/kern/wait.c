/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wait queues and sleepers.
 *
 * A sleeper's word is the only thing a sleep depends on: whoever has news for the thread
 * (wake-up, signal, death) stores its flag first and sets the word last, and the sleeper tests the
 * flags before each futex wait.  So no order of events leaves it asleep with news.
 *
 * A thread may be in several queues at once (poll, select): all their wakers set the one word.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtimes/sentry/kern/wait.h"

#define SLEEPER_WOKEN 1u
#define SLEEPER_LOOK  2u /* a flag of the sleeper has changed */

static __thread struct sleeper *current;
/* Threads of the sentry itself (tests, helpers) may sleep on queues too. */
static __thread struct sleeper own;

static const struct wait_host_ops *host;
static uint32_t n_need_host;

void wait_set_host(const struct wait_host_ops *ops)
{
	host = ops;
}

bool wait_host_needed(void)
{
	return __atomic_load_n(&n_need_host, __ATOMIC_SEQ_CST) != 0;
}

void wait_look(const struct wait_queue *q)
{
	if (host && q->host)
		host->look();
}

void wait_queue_init(struct wait_queue *q)
{
	lock_init(&q->lock, LOCK_WAIT);
	list_init(&q->entries);
	q->host = false;
}

static bool meets(const struct wait_entry *e, uint32_t events)
{
	return !events || !e->events || (e->events & events);
}

static void notify(struct wait_entry *e, uint32_t events)
{
	if (e->fn)
		e->fn(e, events);
	else
		sleeper_wake(e->sleeper);
}

void wait_wake(struct wait_queue *q, uint32_t events)
{
	struct wait_entry *e, *next;

	LOCKED(&q->lock);
	list_for_each_safe(e, next, &q->entries, in_queue)
		if (meets(e, events))
			notify(e, events);
}

bool wait_wake_one(struct wait_queue *q, uint32_t events)
{
	struct wait_entry *e, *next;

	LOCKED(&q->lock);
	list_for_each_safe(e, next, &q->entries, in_queue) {
		if (!meets(e, events))
			continue;
		if (!e->exclusive) {
			notify(e, events);
			continue;
		}
		/* The next wake must find another one, also before this one has run. */
		list_remove(&e->in_queue);
		list_add(&q->entries, &e->in_queue);
		notify(e, events);
		return true;
	}
	return false;
}

static void enter(struct wait_queue *q, struct wait_entry *e, uint32_t events)
{
	e->queue = q;
	e->events = events;
	LOCKED(&q->lock);
	list_add(&q->entries, &e->in_queue);
}

void wait_begin(struct wait_queue *q, struct wait_entry *e, uint32_t events)
{
	e->sleeper = sleeper_current();
	e->fn = NULL;
	e->exclusive = false;
	e->host = q->host;
	e->sleeper->n_host += e->host;
	__atomic_store_n(&e->sleeper->word, 0, __ATOMIC_SEQ_CST);
	enter(q, e, events);
}

void wait_add(struct wait_queue *q, struct wait_entry *e, uint32_t events)
{
	e->sleeper = NULL;
	enter(q, e, events);
}

static void leave(struct wait_queue *q, struct wait_entry *e)
{
	LOCKED(&q->lock);
	list_remove(&e->in_queue);
	e->queue = NULL;
	if (e->sleeper)
		e->sleeper->n_host -= e->host;
}

/*
 * Whoever was woken alone and goes without having looked (killed, or on its way out already) must
 * not keep the news from the others.
 */
static void pass_on(struct wait_queue *q, const struct wait_entry *e)
{
	if (__atomic_load_n(&e->sleeper->word, __ATOMIC_SEQ_CST) & SLEEPER_WOKEN)
		wait_wake_one(q, e->events);
}

void wait_end(struct wait_entry *e)
{
	struct wait_queue *q = e->queue;

	if (!q)
		return;
	leave(q, e);
	if (e->exclusive && e->sleeper)
		pass_on(q, e);
}

/* sleep_on() - Return: 0 when the word may have changed, -ETIMEDOUT. */
static int sleep_on(uint32_t *word, int64_t deadline_ns)
{
	struct timespec until = {
		.tv_sec = deadline_ns / 1000000000,
		.tv_nsec = deadline_ns % 1000000000,
	};
	long rc =
		syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, 0,
			deadline_ns == WAIT_FOREVER ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);

	return rc < 0 && errno == ETIMEDOUT ? -ETIMEDOUT : 0;
}

/* Counted by the sleeper, and no more by the first of those who wake it and itself. */
static void need_host(struct sleeper *s, bool need)
{
	if (__atomic_exchange_n(&s->needs_host, need, __ATOMIC_SEQ_CST) == need)
		return;
	__atomic_fetch_add(&n_need_host, need ? 1 : -1u, __ATOMIC_SEQ_CST);
}

/*
 * sleep_for_host() - as sleep_on(). It counts before it asks whether somebody waits for the host:
 * who stops waiting then looks at the count.
 */
static int sleep_for_host(struct sleeper *s, int64_t deadline_ns)
{
	int rc = host->sleep(&s->word, deadline_ns);

	if (rc != -EBUSY)
		return rc;
	need_host(s, true);
	rc = host->sleep(&s->word, deadline_ns);
	if (rc == -EBUSY)
		rc = sleep_on(&s->word, deadline_ns);
	need_host(s, false);
	return rc;
}

/* take_word() - what came together with the end of the time. */
static int take_word(struct sleeper *s)
{
	uint32_t word = __atomic_exchange_n(&s->word, 0, __ATOMIC_SEQ_CST);

	return word & SLEEPER_WOKEN ? 0 : -ETIMEDOUT;
}

static int sleep_until(int64_t deadline_ns, bool interruptible)
{
	struct sleeper *s = sleeper_current();
	int rc;

	if (deadline_ns < 0)
		deadline_ns = 0;
	for (;;) {
		if (__atomic_load_n(&s->dying, __ATOMIC_SEQ_CST))
			return -EINTR;
		/* A wake-up counts before a signal: what was waited for may be there. */
		if (__atomic_exchange_n(&s->word, 0, __ATOMIC_SEQ_CST) & SLEEPER_WOKEN)
			return 0;
		if (interruptible && __atomic_load_n(&s->interrupted, __ATOMIC_SEQ_CST))
			return -ERESTARTSYS;
		if (__atomic_load_n(&s->dying, __ATOMIC_SEQ_CST))
			return -EINTR;
		rc = host && s->n_host ? sleep_for_host(s, deadline_ns)
				       : sleep_on(&s->word, deadline_ns);
		if (rc == -ETIMEDOUT)
			return take_word(s);
	}
}

int wait_sleep(int64_t deadline_ns)
{
	return sleep_until(deadline_ns, true);
}

int wait_sleep_killable(int64_t deadline_ns)
{
	return sleep_until(deadline_ns, false);
}

struct sleeper *sleeper_current(void)
{
	return current ? current : &own;
}

void sleeper_set_current(struct sleeper *s)
{
	current = s;
}

/* Only the one who moves the word off 0 can find somebody asleep on it. */
static void set_word(struct sleeper *s, uint32_t bit)
{
	if (__atomic_fetch_or(&s->word, bit, __ATOMIC_SEQ_CST) != 0 || s == sleeper_current())
		return;
	need_host(s, false);
	if (!host || !host->wake(&s->word))
		syscall(SYS_futex, &s->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void sleeper_wake(struct sleeper *s)
{
	set_word(s, SLEEPER_WOKEN);
}

void sleeper_interrupt(struct sleeper *s)
{
	__atomic_store_n(&s->interrupted, 1, __ATOMIC_SEQ_CST);
	set_word(s, SLEEPER_LOOK);
}

void sleeper_clear_interrupt(struct sleeper *s)
{
	__atomic_store_n(&s->interrupted, 0, __ATOMIC_SEQ_CST);
}

void sleeper_kill(struct sleeper *s)
{
	__atomic_store_n(&s->dying, 1, __ATOMIC_SEQ_CST);
	set_word(s, SLEEPER_LOOK);
}
