/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event loop over epoll.
 *
 * A removed watch may still stand in the batch of events being delivered: it is marked dead and
 * freed after the batch.  Timers are a list sorted by nobody: there are few of them, and the next
 * one due gives epoll_wait its timeout.  Posts from other threads ring an eventfd.
 */
#include "base/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>

#include "base/list.h"
#include "base/mem.h"

#define BATCH  64
#define NS_MS  INT64_C(1000000)
#define NS_SEC INT64_C(1000000000)

struct loop_fd {
	struct list in_loop;
	struct loop *loop;
	int fd;
	loop_fd_fn *fn;
	void *data;
	bool dead;
};

struct loop_timer {
	struct list in_loop;
	struct loop *loop;
	int64_t due_ns; /* 0: not armed */
	loop_fn *fn;
	void *data;
};

struct signal_watch {
	struct list in_loop;
	int signo;
	int fd;
	struct loop_fd *watch;
	loop_signal_fn *fn;
	void *data;
};

struct post {
	struct list in_loop;
	loop_fn *fn;
	void *data;
};

struct loop {
	int epoll, wake;
	bool stop;
	struct loop_fd *wake_watch;
	struct list watches, dead, timers, signals;
	pthread_mutex_t lock;
	struct list posts; /* guarded by lock */
};

int64_t clock_monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_SEC + t.tv_nsec;
}

int64_t clock_wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * NS_SEC + t.tv_nsec;
}

/* --- posts ------------------------------------------------------------------------------------ */

static void ring(struct loop *loop)
{
	uint64_t one = 1;

	(void)!write(loop->wake, &one, sizeof(one));
}

static struct post *next_post(struct loop *loop)
{
	struct post *p = NULL;

	pthread_mutex_lock(&loop->lock);
	if (!list_empty(&loop->posts)) {
		p = list_first(&loop->posts, struct post, in_loop);
		list_remove(&p->in_loop);
	}
	pthread_mutex_unlock(&loop->lock);
	return p;
}

static void run_posts(struct loop *loop)
{
	struct post *p;

	while ((p = next_post(loop))) {
		p->fn(p->data);
		free(p);
	}
}

static void on_wake(void *data, uint32_t events)
{
	struct loop *loop = data;
	uint64_t count;

	(void)events;
	(void)!read(loop->wake, &count, sizeof(count));
	run_posts(loop);
}

void loop_post(struct loop *loop, loop_fn *fn, void *data)
{
	struct post *p = xnew(struct post);

	p->fn = fn;
	p->data = data;
	pthread_mutex_lock(&loop->lock);
	list_add(&loop->posts, &p->in_loop);
	pthread_mutex_unlock(&loop->lock);
	ring(loop);
}

/* --- create and destroy ----------------------------------------------------------------------- */

int loop_create(struct loop **ret_loop, struct error *err)
{
	struct loop *loop = xnew(struct loop);

	list_init(&loop->watches);
	list_init(&loop->dead);
	list_init(&loop->timers);
	list_init(&loop->signals);
	list_init(&loop->posts);
	pthread_mutex_init(&loop->lock, NULL);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->epoll < 0 || loop->wake < 0) {
		int errnum = errno;

		loop_destroy(loop);
		return error_errno(err, errnum, "event loop");
	}
	loop->wake_watch = loop_add_fd(loop, loop->wake, EPOLLIN, on_wake, loop);
	*ret_loop = loop;
	return 0;
}

static void free_dead(struct loop *loop)
{
	struct loop_fd *w, *tmp;

	list_for_each_safe(w, tmp, &loop->dead, in_loop) {
		list_remove(&w->in_loop);
		free(w);
	}
}

void loop_destroy(struct loop *loop)
{
	struct signal_watch *s, *next_signal;
	struct loop_fd *w, *next;
	struct loop_timer *t, *next_timer;

	if (!loop)
		return;
	run_posts(loop);
	list_for_each_safe(s, next_signal, &loop->signals, in_loop) {
		close(s->fd);
		free(s);
	}
	list_for_each_safe(w, next, &loop->watches, in_loop)
		free(w);
	free_dead(loop);
	list_for_each_safe(t, next_timer, &loop->timers, in_loop)
		free(t);
	close_fd(&loop->epoll);
	close_fd(&loop->wake);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

/* --- descriptors ------------------------------------------------------------------------------ */

struct loop_fd *loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_fn *fn, void *data)
{
	struct loop_fd *w = xnew(struct loop_fd);
	struct epoll_event e = { .events = events, .data.ptr = w };

	*w = (struct loop_fd){ .loop = loop, .fd = fd, .fn = fn, .data = data };
	list_add(&loop->watches, &w->in_loop);
	epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &e);
	return w;
}

void loop_fd_set_events(struct loop_fd *w, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = w };

	epoll_ctl(w->loop->epoll, EPOLL_CTL_MOD, w->fd, &e);
}

void loop_fd_remove(struct loop_fd *w)
{
	if (!w || w->dead)
		return;
	epoll_ctl(w->loop->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	w->dead = true;
	list_remove(&w->in_loop);
	list_add(&w->loop->dead, &w->in_loop);
}

/* --- timers ----------------------------------------------------------------------------------- */

struct loop_timer *loop_add_timer(struct loop *loop, loop_fn *fn, void *data)
{
	struct loop_timer *t = xnew(struct loop_timer);

	*t = (struct loop_timer){ .loop = loop, .fn = fn, .data = data };
	list_add(&loop->timers, &t->in_loop);
	return t;
}

void loop_timer_arm(struct loop_timer *t, int64_t delay_ms)
{
	t->due_ns = delay_ms < 0 ? 0 : clock_monotonic_ns() + delay_ms * NS_MS;
}

void loop_timer_remove(struct loop_timer *t)
{
	if (!t)
		return;
	list_remove(&t->in_loop);
	free(t);
}

static struct loop_timer *first_due(struct loop *loop)
{
	struct loop_timer *t, *first = NULL;

	list_for_each(t, &loop->timers, in_loop)
		if (t->due_ns && (!first || t->due_ns < first->due_ns))
			first = t;
	return first;
}

static int next_timeout_ms(struct loop *loop)
{
	struct loop_timer *t = first_due(loop);
	int64_t left_ns;

	if (!t)
		return -1;
	left_ns = t->due_ns - clock_monotonic_ns();
	return left_ns <= 0 ? 0 : (int)MIN((left_ns + NS_MS - 1) / NS_MS, INT32_MAX);
}

/* One at a time: a callback may remove any timer. */
static void run_timers(struct loop *loop)
{
	int64_t now_ns = clock_monotonic_ns();
	struct loop_timer *t;

	while ((t = first_due(loop)) && t->due_ns <= now_ns) {
		t->due_ns = 0;
		t->fn(t->data);
	}
}

/* --- signals ---------------------------------------------------------------------------------- */

static void on_signal(void *data, uint32_t events)
{
	struct signal_watch *s = data;
	struct signalfd_siginfo info;

	(void)events;
	if (read(s->fd, &info, sizeof(info)) == sizeof(info))
		s->fn(s->data, s->signo);
}

int loop_add_signal(struct loop *loop, int signo, loop_signal_fn *fn, void *data, struct error *err)
{
	struct signal_watch *s = xnew(struct signal_watch);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	*s = (struct signal_watch){ .signo = signo, .fn = fn, .data = data };
	s->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->fd < 0) {
		int errnum = errno;

		free(s);
		return error_errno(err, errnum, "signalfd");
	}
	s->watch = loop_add_fd(loop, s->fd, EPOLLIN, on_signal, s);
	list_add(&loop->signals, &s->in_loop);
	return 0;
}

/* --- run -------------------------------------------------------------------------------------- */

void loop_run(struct loop *loop)
{
	struct epoll_event events[BATCH];

	loop->stop = false;
	while (!__atomic_load_n(&loop->stop, __ATOMIC_RELAXED)) {
		int n = epoll_wait(loop->epoll, events, BATCH, next_timeout_ms(loop));

		for (int i = 0; i < n; i++) {
			struct loop_fd *w = events[i].data.ptr;

			if (!w->dead)
				w->fn(w->data, events[i].events);
		}
		free_dead(loop);
		run_timers(loop);
		free_dead(loop);
	}
}

void loop_stop(struct loop *loop)
{
	__atomic_store_n(&loop->stop, true, __ATOMIC_RELAXED);
	ring(loop);
}
