/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eventfd(2): a counter as a file.
 */
#include "runtimes/sentry/fs/eventfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>

#include "base/mem.h"

#define MOST (UINT64_MAX - 1)

struct eventfd {
	struct lock lock; /* LOCK_OBJECT */
	struct wait_queue queue;
	uint64_t count;
	bool semaphore;
};

static ssize_t event_read(struct file *f, struct uio *to, int64_t *pos)
{
	struct eventfd *e = f->object;
	uint64_t value;
	int rc;

	(void)pos;
	if (uio_left(to) < sizeof(value))
		return -EINVAL;
	lock_acquire(&e->lock);
	value = e->semaphore && e->count ? 1 : e->count;
	e->count -= value;
	lock_release(&e->lock);
	if (!value)
		return -EAGAIN;
	wait_wake(&e->queue, EPOLLOUT | EPOLLWRNORM);
	rc = uio_put(to, &value, sizeof(value));
	return rc < 0 ? rc : (ssize_t)sizeof(value);
}

static ssize_t event_write(struct file *f, struct uio *from, int64_t *pos)
{
	struct eventfd *e = f->object;
	size_t before = from->done;
	uint64_t value;
	int rc;

	(void)pos;
	if (uio_left(from) < sizeof(value))
		return -EINVAL;
	rc = uio_get(from, &value, sizeof(value));
	if (rc < 0)
		return rc;
	if (value == UINT64_MAX)
		return -EINVAL;
	lock_acquire(&e->lock);
	if (MOST - e->count < value)
		rc = -EAGAIN;
	else
		e->count += value;
	lock_release(&e->lock);
	if (rc < 0) {
		from->done = before;
		return rc;
	}
	/* What stands behind the number is not looked at. */
	from->len = from->done;
	wait_wake(&e->queue, EPOLLIN | EPOLLRDNORM);
	return sizeof(value);
}

static uint32_t event_poll(struct file *f)
{
	struct eventfd *e = f->object;
	uint32_t events = 0;

	LOCKED(&e->lock);
	if (e->count)
		events |= EPOLLIN | EPOLLRDNORM;
	if (e->count < MOST)
		events |= EPOLLOUT | EPOLLWRNORM;
	return events;
}

static struct wait_queue *event_queue(struct file *f)
{
	return &((struct eventfd *)f->object)->queue;
}

static void event_release(struct file *f)
{
	free(f->object);
}

static const struct file_ops event_ops = {
	.read = event_read,
	.write = event_write,
	.poll = event_poll,
	.queue = event_queue,
	.release = event_release,
};

struct file *eventfd_create(uint64_t value, bool semaphore, unsigned int flags, struct cred *c)
{
	struct eventfd *e = xnew(struct eventfd);

	lock_init(&e->lock, LOCK_OBJECT);
	wait_queue_init(&e->queue);
	e->count = value;
	e->semaphore = semaphore;
	return file_create_anonymous(&event_ops, "[eventfd]", e, flags | O_RDWR, c);
}
