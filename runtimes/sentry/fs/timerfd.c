/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timerfd(2): expirations of a timer as a file.
 *
 * A periodic timer sets no alarm while nobody has read its last expiration: how many there were
 * is computed at the read.  Times are kept on CLOCK_MONOTONIC.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "base/mem.h"
#include "runtimes/sentry/fs/eventfd.h"
#include "runtimes/sentry/task/alarm.h"

struct timer {
	struct lock lock; /* LOCK_OBJECT */
	struct wait_queue queue;
	struct alarm alarm;
	clockid_t clock;
	int64_t next_ns; /* when it expires or has expired; 0: not set */
	int64_t interval_ns;
	bool expired;
};

static void timer_fired(struct alarm *a)
{
	struct timer *t = CONTAINER_OF(a, struct timer, alarm);

	lock_acquire(&t->lock);
	t->expired = t->next_ns && alarm_now_ns() >= t->next_ns;
	lock_release(&t->lock);
	wait_wake(&t->queue, EPOLLIN | EPOLLRDNORM);
}

/* take() - how often it has expired; it goes on from there. */
static uint64_t take(struct timer *t, int64_t *ret_next)
{
	int64_t now = alarm_now_ns();
	uint64_t n = 1;

	LOCKED(&t->lock);
	*ret_next = 0;
	if (!t->expired)
		return 0;
	t->expired = false;
	if (!t->interval_ns) {
		t->next_ns = 0;
		return 1;
	}
	n += (uint64_t)((now - t->next_ns) / t->interval_ns);
	t->next_ns += (int64_t)n * t->interval_ns;
	*ret_next = t->next_ns;
	return n;
}

static ssize_t timer_read(struct file *f, struct uio *to, int64_t *pos)
{
	struct timer *t = f->object;
	int64_t next;
	uint64_t n;
	int rc;

	(void)pos;
	if (uio_left(to) < sizeof(n))
		return -EINVAL;
	n = take(t, &next);
	if (!n)
		return -EAGAIN;
	if (next)
		alarm_set(&t->alarm, next);
	rc = uio_put(to, &n, sizeof(n));
	return rc < 0 ? rc : (ssize_t)sizeof(n);
}

static uint32_t timer_poll(struct file *f)
{
	struct timer *t = f->object;

	LOCKED(&t->lock);
	return t->expired ? EPOLLIN | EPOLLRDNORM : 0;
}

static struct wait_queue *timer_queue(struct file *f)
{
	return &((struct timer *)f->object)->queue;
}

static void timer_release(struct file *f)
{
	struct timer *t = f->object;

	alarm_clear(&t->alarm);
	free(t);
}

static const struct file_ops timer_ops = {
	.read = timer_read,
	.poll = timer_poll,
	.queue = timer_queue,
	.release = timer_release,
};

struct file *timerfd_create_file(clockid_t clock, unsigned int flags, struct cred *c)
{
	struct timer *t = xnew(struct timer);

	lock_init(&t->lock, LOCK_OBJECT);
	wait_queue_init(&t->queue);
	t->clock = clock;
	t->alarm.fn = timer_fired;
	return file_create_anonymous(&timer_ops, "[timerfd]", t, flags | O_RDWR, c);
}

static int64_t ns_of(const struct timespec *ts)
{
	int64_t ns;

	if (__builtin_mul_overflow(ts->tv_sec, 1000000000LL, &ns) ||
	    __builtin_add_overflow(ns, ts->tv_nsec, &ns))
		return INT64_MAX;
	return ns;
}

static struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){ ns / 1000000000, ns % 1000000000 };
}

static bool is_valid(const struct timespec *ts)
{
	return ts->tv_sec >= 0 && ts->tv_nsec >= 0 && ts->tv_nsec < 1000000000;
}

static int64_t when(const struct timer *t, int flags, int64_t value_ns)
{
	struct timespec now;
	int64_t ns;

	if (flags & TFD_TIMER_ABSTIME) {
		clock_gettime(t->clock, &now);
		value_ns = MAX(value_ns - ns_of(&now), 0);
	}
	return __builtin_add_overflow(value_ns, alarm_now_ns(), &ns) ? INT64_MAX : ns;
}

/* left() - as timerfd_gettime(2). Preconditions: holds the lock. */
static void left(const struct timer *t, struct itimerspec *ret)
{
	int64_t next = t->next_ns, now = alarm_now_ns();

	ret->it_interval = timespec_of(t->interval_ns);
	if (next && next <= now && t->interval_ns)
		next += ((now - next) / t->interval_ns + 1) * t->interval_ns;
	ret->it_value = timespec_of(next > now ? next - now : 0);
}

int timerfd_set(struct file *f, int flags, const struct itimerspec *to, struct itimerspec *ret_old)
{
	struct timer *t = f->object;
	int64_t next = 0;

	if (f->ops != &timer_ops || !is_valid(&to->it_value) || !is_valid(&to->it_interval))
		return -EINVAL;
	alarm_clear(&t->alarm);
	lock_acquire(&t->lock);
	left(t, ret_old);
	if (to->it_value.tv_sec || to->it_value.tv_nsec)
		next = when(t, flags, ns_of(&to->it_value));
	t->next_ns = next;
	t->interval_ns = ns_of(&to->it_interval);
	t->expired = false;
	lock_release(&t->lock);
	if (next)
		alarm_set(&t->alarm, next);
	return 0;
}

int timerfd_get(struct file *f, struct itimerspec *ret)
{
	struct timer *t = f->object;

	if (f->ops != &timer_ops)
		return -EINVAL;
	LOCKED(&t->lock);
	left(t, ret);
	return 0;
}
