/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for the host.
 *
 * Theory of operation.  One thread at a time waits for the host, in the *role*.  A guest's thread
 * that goes to sleep on a queue that the host wakes takes the role when it is free, so the host
 * wakes the very thread that its news is for, on the CPU where its guest runs.  When it leaves and
 * others sleep on such queues, the poller thread takes over, until it finds nobody asleep any more.
 * A server with one thread never needs it; and while that thread works, news gathers.
 *
 * Watches with a callback are rare and may not wait for anybody: they have a set and a thread of
 * their own.
 *
 * An event names its watch by slot and generation, as the watch may have gone since epoll_wait()
 * returned.  The table's lock is held while a queue is woken; over a callback the slot is busy.
 */
#include "runtimes/sentry/net/poller.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"

#define BATCH	64
#define NO_SLOT UINT32_MAX
#define WAKE	UINT64_MAX /* the event of wake_fd */

struct slot {
	struct poller_watch *watch; /* NULL: free */
	uint32_t generation;
	uint32_t next_free;
	bool busy; /* its callback runs */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the table; LOCK_WAIT's inside */
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;	 /* a slot is not busy any more */
static struct slot *slots;
static uint32_t n_slots, first_free = NO_SLOT;

static int sleepers_fd = -1, callbacks_fd = -1; /* epoll sets: without and with callback */
static int wake_fd = -1;			/* in the first, edge-triggered: never read */
static uint32_t role;				/* 1: taken */
static const uint32_t *polling; /* word of the sleeper that waits in the role, or NULL */
static uint32_t parked;		/* futex: the poller thread has nothing to do */
static uint32_t started[2];	/* threads */
static __thread bool is_callback_thread;

/* --- the table -------------------------------------------------------------------------------- */

/* Preconditions: holds the lock. Return: the name that events carry. */
static uint64_t slot_take(struct poller_watch *w)
{
	uint32_t n = first_free;

	if (n == NO_SLOT) {
		n = n_slots;
		n_slots = MAX(n_slots * 2, 16u);
		slots = xrealloc(slots, n_slots, sizeof(*slots));
		for (uint32_t i = n; i < n_slots; i++)
			slots[i] = (struct slot){ .next_free = i + 1 < n_slots ? i + 1 : NO_SLOT };
	}
	first_free = slots[n].next_free;
	slots[n].watch = w;
	w->slot = n;
	return (uint64_t)slots[n].generation << 32 | n;
}

/* Preconditions: holds the lock. */
static void slot_give_back(uint32_t n)
{
	slots[n].watch = NULL;
	slots[n].generation++;
	slots[n].next_free = first_free;
	first_free = n;
}

static void call_back(uint32_t n, uint32_t events)
{
	struct poller_watch *w = slots[n].watch;
	uint32_t generation = slots[n].generation;

	slots[n].busy = true;
	pthread_mutex_unlock(&lock);
	if (w->queue)
		wait_wake(w->queue, events);
	w->fn(w, events); /* which may remove and free it */
	pthread_mutex_lock(&lock);
	if (slots[n].generation != generation)
		return;
	slots[n].busy = false;
	pthread_cond_broadcast(&idle);
}

static void give_on(const struct epoll_event *e)
{
	uint32_t n = (uint32_t)e->data.u64, generation = (uint32_t)(e->data.u64 >> 32);

	if (e->data.u64 == WAKE)
		return;
	pthread_mutex_lock(&lock);
	if (slots[n].watch && slots[n].generation == generation) {
		if (slots[n].watch->fn)
			call_back(n, e->events);
		else
			wait_wake(slots[n].watch->queue, e->events);
	}
	pthread_mutex_unlock(&lock);
}

/* take_news() - of the set @fd; waits as long as @timeout says (NULL: for ever). */
static int take_news(int fd, const struct timespec *timeout, struct epoll_event events[BATCH])
{
	return (int)syscall(SYS_epoll_pwait2, fd, events, BATCH, timeout, NULL, 0);
}

/* --- the role --------------------------------------------------------------------------------- */

static bool role_take(void)
{
	return __atomic_exchange_n(&role, 1, __ATOMIC_SEQ_CST) == 0;
}

/* A sleeper counts itself before it looks for the role: one of us sees the other. */
static void role_leave(void)
{
	__atomic_store_n(&role, 0, __ATOMIC_SEQ_CST);
	if (wait_host_needed() && __atomic_exchange_n(&parked, 0, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &parked, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static bool until(int64_t deadline_ns, struct timespec *ret)
{
	struct timespec now;
	int64_t left;

	clock_gettime(CLOCK_MONOTONIC, &now);
	left = deadline_ns - ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
	*ret = (struct timespec){ MAX(left, 0) / 1000000000, MAX(left, 0) % 1000000000 };
	return left > 0;
}

static int host_sleep(uint32_t *word, int64_t deadline_ns)
{
	bool for_ever = deadline_ns == WAIT_FOREVER;
	struct epoll_event events[BATCH];
	struct timespec timeout;
	int n = 0;

	if (!role_take())
		return -EBUSY;
	/* Whoever wakes us sets the word and then looks at `polling`. */
	__atomic_store_n(&polling, word, __ATOMIC_SEQ_CST);
	if (!for_ever)
		until(deadline_ns, &timeout);
	if (!__atomic_load_n(word, __ATOMIC_SEQ_CST))
		n = take_news(sleepers_fd, for_ever ? NULL : &timeout, events);
	__atomic_store_n(&polling, NULL, __ATOMIC_SEQ_CST);
	for (int i = 0; i < n; i++)
		give_on(&events[i]);
	role_leave();
	return for_ever || until(deadline_ns, &timeout) ? 0 : -ETIMEDOUT;
}

static bool host_wake(const uint32_t *word)
{
	const uint64_t one = 1;

	if (__atomic_load_n(&polling, __ATOMIC_SEQ_CST) != word)
		return false;
	return write(wake_fd, &one, sizeof(one)) == sizeof(one);
}

static void host_look(void)
{
	struct epoll_event events[BATCH];
	struct timespec none = { 0, 0 };
	int n;

	if (!role_take())
		return; /* somebody hears of it by himself */
	n = take_news(sleepers_fd, &none, events);
	for (int i = 0; i < n; i++)
		give_on(&events[i]);
	role_leave();
}

static const struct wait_host_ops host_ops = { host_sleep, host_wake, host_look };

/* --- threads ---------------------------------------------------------------------------------- */

static void *run_poller(void *unused)
{
	struct epoll_event events[BATCH];

	for (;;) {
		int n;

		__atomic_store_n(&parked, 1, __ATOMIC_SEQ_CST);
		if (!wait_host_needed() || !role_take()) {
			syscall(SYS_futex, &parked, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
			continue;
		}
		__atomic_store_n(&parked, 0, __ATOMIC_SEQ_CST);
		n = take_news(sleepers_fd, NULL, events);
		for (int i = 0; i < n; i++)
			give_on(&events[i]);
		__atomic_store_n(&role, 0, __ATOMIC_SEQ_CST);
	}
	return unused;
}

static void *run_callbacks(void *unused)
{
	struct epoll_event events[BATCH];

	is_callback_thread = true;
	for (;;) {
		int n = take_news(callbacks_fd, NULL, events);

		for (int i = 0; i < n; i++)
			give_on(&events[i]);
	}
	return unused;
}

static bool start_thread(bool for_callbacks)
{
	uint32_t *done = &started[for_callbacks];

	if (__atomic_exchange_n(done, 1, __ATOMIC_ACQ_REL))
		return true;
	if (thread_start(for_callbacks ? run_callbacks : run_poller, NULL) == 0)
		return true;
	__atomic_store_n(done, 0, __ATOMIC_RELEASE);
	return false;
}

int poller_init(void)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET, .data.u64 = WAKE };

	sleepers_fd = epoll_create1(EPOLL_CLOEXEC);
	callbacks_fd = epoll_create1(EPOLL_CLOEXEC);
	wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sleepers_fd < 0 || callbacks_fd < 0 || wake_fd < 0 ||
	    epoll_ctl(sleepers_fd, EPOLL_CTL_ADD, wake_fd, &e) < 0)
		return -errno;
	wait_set_host(&host_ops);
	return 0;
}

/* --- watches ---------------------------------------------------------------------------------- */

int poller_add(struct poller_watch *w)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET };
	int rc = 0;

	if (!start_thread(w->fn))
		return -EAGAIN;
	if (!w->fn)
		w->queue->host = true;
	pthread_mutex_lock(&lock);
	e.data.u64 = slot_take(w);
	pthread_mutex_unlock(&lock);
	if (epoll_ctl(w->fn ? callbacks_fd : sleepers_fd, EPOLL_CTL_ADD, w->fd, &e) < 0)
		rc = -errno;
	pthread_mutex_lock(&lock);
	w->added = rc == 0;
	if (rc < 0)
		slot_give_back(w->slot);
	pthread_mutex_unlock(&lock);
	return rc;
}

void poller_remove(struct poller_watch *w)
{
	if (!w->added)
		return;
	w->added = false;
	epoll_ctl(w->fn ? callbacks_fd : sleepers_fd, EPOLL_CTL_DEL, w->fd, NULL);
	pthread_mutex_lock(&lock);
	while (slots[w->slot].busy && !is_callback_thread)
		pthread_cond_wait(&idle, &lock);
	slots[w->slot].busy = false;
	slot_give_back(w->slot);
	pthread_mutex_unlock(&lock);
}
