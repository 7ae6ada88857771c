/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inotify(7): what happens to watched files, as a file.
 *
 * Events wait in a list that is bounded.  A watch that is over (its file has gone, IN_ONESHOT) only
 * loses its mask when that happens, as it is found under its inode's lock, and is taken away
 * by the next call that changes watches.
 */
#include "runtimes/sentry/fs/inotify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

#include "base/mem.h"
#include "runtimes/sentry/vfs/notify.h"

#define MAX_EVENTS  16384 /* fs.inotify.max_queued_events */
#define MAX_WATCHES 65536
#define FOR_US \
	(IN_MASK_ADD | IN_MASK_CREATE | IN_ONESHOT | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK)

struct event {
	struct list in_events;
	size_t size; /* as read: with the padded name */
	struct inotify_event e;
	/* the name follows, padded with zeros to e.len bytes */
};

struct inotify {
	struct lock lock;	/* LOCK_OBJECT: events */
	struct lock watch_lock; /* LOCK_FILE: watches */
	struct wait_queue queue;
	struct list events, watches;
	size_t n_events, bytes, n_watches;
	int last_wd;
};

struct watch {
	struct notify_watch n;
	struct list in_instance;
	struct inotify *instance;
	int wd;
	bool once;
};

/* --- events --- */

static struct event *event_create(int wd, uint32_t mask, uint32_t cookie, const char *name)
{
	size_t len = name ? (strlen(name) + 16) & ~(size_t)15 : 0;
	struct event *e = xcalloc(1, sizeof(*e) + len);

	e->size = sizeof(e->e) + len;
	e->e = (struct inotify_event){ .wd = wd, .mask = mask, .cookie = cookie };
	e->e.len = (uint32_t)len;
	if (name)
		memcpy((char *)(e + 1), name, strlen(name));
	return e;
}

/* is_repeated() - the last event again: told once. */
static bool is_repeated(const struct inotify *in, const struct event *e)
{
	const struct event *last;

	if (list_empty(&in->events))
		return false;
	last = CONTAINER_OF(in->events.prev, struct event, in_events);
	return last->size == e->size && memcmp(&last->e, &e->e, sizeof(e->e)) == 0 &&
	       memcmp(last + 1, e + 1, e->e.len) == 0;
}

static void queue_event(struct inotify *in, int wd, uint32_t mask, uint32_t cookie,
			const char *name)
{
	struct event *e;

	lock_acquire(&in->lock);
	if (in->n_events == MAX_EVENTS)
		e = event_create(-1, IN_Q_OVERFLOW, 0, NULL);
	else
		e = event_create(wd, mask, cookie, name);
	if (in->n_events > MAX_EVENTS || is_repeated(in, e)) {
		free(e);
	} else {
		list_add(&in->events, &e->in_events);
		in->n_events++;
		in->bytes += e->size;
	}
	lock_release(&in->lock);
	wait_wake(&in->queue, EPOLLIN | EPOLLRDNORM);
}

/* watched() - notify_fn: holds the inode's lock. */
static void watched(struct notify_watch *n, uint32_t mask, uint32_t cookie, const char *name)
{
	struct watch *w = CONTAINER_OF(n, struct watch, n);

	queue_event(w->instance, w->wd, mask, cookie, name);
	if (!w->once && !(mask & IN_DELETE_SELF))
		return;
	n->mask = 0;
	queue_event(w->instance, w->wd, IN_IGNORED, 0, NULL);
}

/* --- watches --- */

/* drop() - Preconditions: holds watch_lock. */
static void drop(struct inotify *in, struct watch *w)
{
	notify_remove(&w->n);
	inode_put(w->n.inode);
	list_remove(&w->in_instance);
	in->n_watches--;
	free(w);
}

static void sweep(struct inotify *in)
{
	struct watch *w, *next;

	list_for_each_safe(w, next, &in->watches, in_instance)
		if (!w->n.mask)
			drop(in, w);
}

static struct watch *find_inode(struct inotify *in, const struct inode *i)
{
	struct watch *w;

	list_for_each(w, &in->watches, in_instance)
		if (w->n.inode == i)
			return w;
	return NULL;
}

static int change(struct watch *w, uint32_t mask)
{
	if (mask & IN_MASK_CREATE)
		return -EEXIST;
	LOCKED(&w->n.inode->lock);
	w->n.mask = (mask & IN_MASK_ADD ? w->n.mask : 0) | (mask & ~(uint32_t)FOR_US);
	w->once = mask & IN_ONESHOT;
	return w->wd;
}

static const struct file_ops inotify_ops;

int inotify_watch(struct file *f, struct inode *i, uint32_t mask)
{
	struct inotify *in = f->object;
	struct watch *w;

	if (f->ops != &inotify_ops || !(mask & IN_ALL_EVENTS))
		return -EINVAL;
	LOCKED(&in->watch_lock);
	sweep(in);
	w = find_inode(in, i);
	if (w)
		return change(w, mask);
	if (in->n_watches >= MAX_WATCHES)
		return -ENOSPC;
	w = xnew(struct watch);
	w->instance = in;
	w->wd = ++in->last_wd;
	w->once = mask & IN_ONESHOT;
	w->n = (struct notify_watch){ .inode = inode_get(i),
				      .mask = mask & ~(uint32_t)FOR_US,
				      .fn = watched };
	list_add(&in->watches, &w->in_instance);
	in->n_watches++;
	notify_add(&w->n);
	return w->wd;
}

int inotify_unwatch(struct file *f, int wd)
{
	struct inotify *in = f->object;
	struct watch *w;

	if (f->ops != &inotify_ops)
		return -EINVAL;
	LOCKED(&in->watch_lock);
	sweep(in);
	list_for_each(w, &in->watches, in_instance) {
		if (w->wd != wd)
			continue;
		drop(in, w);
		queue_event(in, wd, IN_IGNORED, 0, NULL);
		return 0;
	}
	return -EINVAL;
}

/* --- as a file --- */

/* next_event() - the first, if it fits in @room. Return: NULL with *rc -EAGAIN or -EINVAL. */
static struct event *next_event(struct inotify *in, size_t room, int *rc)
{
	struct event *e;

	LOCKED(&in->lock);
	*rc = -EAGAIN;
	if (list_empty(&in->events))
		return NULL;
	e = list_first(&in->events, struct event, in_events);
	*rc = -EINVAL;
	if (e->size > room)
		return NULL;
	list_remove(&e->in_events);
	in->n_events--;
	in->bytes -= e->size;
	return e;
}

static ssize_t inotify_read(struct file *f, struct uio *to, int64_t *pos)
{
	size_t before = to->done;
	struct event *e;
	int rc;

	(void)pos;
	while ((e = next_event(f->object, uio_left(to), &rc))) {
		rc = uio_put(to, &e->e, sizeof(e->e));
		if (rc == 0 && e->e.len)
			rc = uio_put(to, e + 1, e->e.len);
		free(e);
		if (rc < 0)
			break;
	}
	return to->done > before ? (ssize_t)(to->done - before) : rc;
}

static uint32_t inotify_poll(struct file *f)
{
	struct inotify *in = f->object;

	LOCKED(&in->lock);
	return in->n_events ? EPOLLIN | EPOLLRDNORM : 0;
}

static struct wait_queue *inotify_queue(struct file *f)
{
	return &((struct inotify *)f->object)->queue;
}

static long inotify_ioctl(struct file *f, unsigned int cmd, uint64_t arg, struct ioctl_memory *m)
{
	struct inotify *in = f->object;
	int bytes;

	if (cmd != FIONREAD)
		return -ENOTTY;
	lock_acquire(&in->lock);
	bytes = (int)in->bytes;
	lock_release(&in->lock);
	return m->out(m, arg, &bytes, sizeof(bytes));
}

static void inotify_release(struct file *f)
{
	struct inotify *in = f->object;
	struct event *e;
	int rc;

	while (!list_empty(&in->watches))
		drop(in, list_first(&in->watches, struct watch, in_instance));
	while ((e = next_event(in, SIZE_MAX, &rc)))
		free(e);
	free(in);
}

static const struct file_ops inotify_ops = {
	.read = inotify_read,
	.poll = inotify_poll,
	.queue = inotify_queue,
	.ioctl = inotify_ioctl,
	.release = inotify_release,
};

struct file *inotify_create(unsigned int flags, struct cred *c)
{
	struct inotify *in = xnew(struct inotify);

	lock_init(&in->lock, LOCK_OBJECT);
	lock_init(&in->watch_lock, LOCK_FILE);
	wait_queue_init(&in->queue);
	list_init(&in->events);
	list_init(&in->watches);
	return file_create_anonymous(&inotify_ops, "inotify", in, flags | O_RDONLY, c);
}
