/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The housekeeper: one thread that learns of deaths and does what need not be done on a path.
 *
 * It polls the pidfds of all stubs, orders spare stubs, keeps a few channels ready,
 * and nudges serving threads that were told to stop but have not: a process that shares memory
 * with a dead one could hide the first nudge.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "runtimes/sentry/platform/internal.h"

#define NUDGE_MS   50
#define MAX_EVENTS 16

static struct {
	pthread_mutex_t lock;
	struct list stopping; /* stub_thread.in_stopping */
	struct list wanting;  /* zygote.in_wanting */
	struct list watched;  /* stub_process.in_watched: whom nobody else may know any more */
	int epoll, wake;
} keeper = {
	PTHREAD_MUTEX_INITIALIZER,
	{ &keeper.stopping, &keeper.stopping },
	{ &keeper.wanting, &keeper.wanting },
	{ &keeper.watched, &keeper.watched },
	-1,
	-1,
};

int housekeeper_watch(int pidfd, struct stub_process *p)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLONESHOT, .data.ptr = p };
	int rc;

	pthread_mutex_lock(&keeper.lock);
	rc = epoll_ctl(keeper.epoll, EPOLL_CTL_ADD, pidfd, &e) < 0 ? -errno : 0;
	if (rc == 0)
		list_add(&keeper.watched, &p->in_watched);
	pthread_mutex_unlock(&keeper.lock);
	return rc;
}

static void died(struct stub_process *p)
{
	pthread_mutex_lock(&keeper.lock);
	list_remove(&p->in_watched);
	pthread_mutex_unlock(&keeper.lock);
	process_died(p);
}

void housekeeper_poke(void)
{
	uint64_t one = 1;

	if (write(keeper.wake, &one, sizeof(one)) < 0)
		return; /* the counter is full: it will wake anyway */
}

void housekeeper_want_spare(struct zygote *z)
{
	pthread_mutex_lock(&keeper.lock);
	if (!z->in_wanting.next)
		list_add(&keeper.wanting, &zygote_get(z)->in_wanting);
	pthread_mutex_unlock(&keeper.lock);
	housekeeper_poke();
}

void housekeeper_add_stopping(struct stub_thread *t)
{
	pthread_mutex_lock(&keeper.lock);
	if (!t->in_stopping.next)
		list_add(&keeper.stopping, &t->in_stopping);
	pthread_mutex_unlock(&keeper.lock);
}

void housekeeper_remove_stopping(struct stub_thread *t)
{
	pthread_mutex_lock(&keeper.lock);
	list_remove(&t->in_stopping);
	pthread_mutex_unlock(&keeper.lock);
}

static bool nudge_all(void)
{
	struct stub_thread *t;
	bool any;

	pthread_mutex_lock(&keeper.lock);
	list_for_each(t, &keeper.stopping, in_stopping)
		server_nudge(t);
	any = !list_empty(&keeper.stopping);
	pthread_mutex_unlock(&keeper.lock);
	return any;
}

static struct zygote *next_wanting(void)
{
	struct zygote *z = NULL;

	pthread_mutex_lock(&keeper.lock);
	if (!list_empty(&keeper.wanting)) {
		z = list_first(&keeper.wanting, struct zygote, in_wanting);
		list_remove(&z->in_wanting);
	}
	pthread_mutex_unlock(&keeper.lock);
	return z;
}

static void handle(const struct epoll_event *e)
{
	uint64_t unused;

	if (e->data.ptr)
		died(e->data.ptr);
	else if (read(keeper.wake, &unused, sizeof(unused)) < 0)
		return; /* another poke has not come yet */
}

static void *keep(void *unused)
{
	(void)unused;
	for (;;) {
		struct epoll_event events[MAX_EVENTS];
		bool stopping = nudge_all();
		struct zygote *z;
		int n;

		while ((z = next_wanting())) {
			zygote_refill(z);
			zygote_put(z);
		}
		channel_fill_pool();
		n = epoll_wait(keeper.epoll, events, MAX_EVENTS, stopping ? NUDGE_MS : -1);
		for (int i = 0; i < n; i++)
			handle(&events[i]);
	}
	return NULL;
}

int housekeeper_start(void)
{
	struct epoll_event e = { .events = EPOLLIN };

	if (keeper.epoll >= 0)
		return 0;
	keeper.epoll = epoll_create1(EPOLL_CLOEXEC);
	keeper.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (keeper.epoll < 0 || keeper.wake < 0)
		return -errno;
	if (epoll_ctl(keeper.epoll, EPOLL_CTL_ADD, keeper.wake, &e) < 0)
		return -errno;
	return thread_start(keep, NULL);
}
