/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes and FIFOs: a ring of bytes.
 *
 *          head              head + used
 *	... |####################|.......| ...      offsets modulo `size`
 *
 * The ring begins small and grows to the capacity when it is needed; when it runs empty it starts
 * again at its beginning, so that a pipe with small messages keeps touching the same page.  The
 * pipe's lock is held while bytes are copied: a write of PIPE_BUF bytes is in one piece.
 */
#include "runtimes/sentry/vfs/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "base/mem.h"
#include "runtimes/sentry/vfs/inode.h"

#define FIRST_SIZE 4096u
#define ALL_RINGS  (64u << 20) /* of a pod: beyond it pipes stay as small as they are */

static uint64_t ring_bytes; /* of all pipes */

struct pipe {
	uint32_t refs;
	struct lock lock; /* LOCK_OBJECT */
	struct wait_queue queue;
	char *ring;
	uint32_t size, capacity; /* of the ring now; at most */
	uint32_t head, used;
	uint32_t readers, writers;
	uint32_t readers_ever, writers_ever; /* opens, for the meeting of a FIFO's ends */
	bool is_fifo;
};

static struct pipe *create(bool is_fifo)
{
	struct pipe *p = xnew(struct pipe);

	p->refs = 1;
	p->capacity = PIPE_CAPACITY;
	p->is_fifo = is_fifo;
	lock_init(&p->lock, LOCK_OBJECT);
	wait_queue_init(&p->queue);
	return p;
}

static struct pipe *get(struct pipe *p)
{
	__atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
	return p;
}

void pipe_put(struct pipe *p)
{
	if (!p || __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL))
		return;
	__atomic_fetch_sub(&ring_bytes, p->size, __ATOMIC_RELAXED);
	free(p->ring);
	free(p);
}

static uint32_t space(const struct pipe *p)
{
	return p->capacity - p->used;
}

/* resize() - a ring of @size bytes, which hold what is used, from its beginning. */
static void resize(struct pipe *p, uint32_t size)
{
	char *ring = xmalloc(size);
	uint32_t first = MIN(p->used, p->size - p->head);

	if (p->used) {
		memcpy(ring, p->ring + p->head, first);
		memcpy(ring + first, p->ring, p->used - first);
	}
	free(p->ring);
	__atomic_fetch_add(&ring_bytes, (int64_t)size - p->size, __ATOMIC_RELAXED);
	p->ring = ring;
	p->size = size;
	p->head = 0;
}

/* make_room() - for @len more bytes, as far as the capacity allows. */
static void make_room(struct pipe *p, size_t len)
{
	uint32_t wanted = (uint32_t)MIN(len, space(p)) + p->used, size = MAX(p->size, FIRST_SIZE);

	while (size < wanted)
		size *= 4;
	size = MIN(size, p->capacity);
	if (size <= p->size)
		return;
	/* As Linux beyond pipe-user-pages-soft: what it holds is what it may hold. */
	if (__atomic_load_n(&ring_bytes, __ATOMIC_RELAXED) > ALL_RINGS)
		size = p->capacity = MAX(p->size, FIRST_SIZE);
	if (size > p->size)
		resize(p, size);
}

/* take() - bytes from the ring to @to. Return: how many, or -EFAULT when none. */
static ssize_t take(struct pipe *p, struct uio *to)
{
	size_t done = 0;

	while (p->used && uio_left(to)) {
		uint32_t n = (uint32_t)MIN(MIN(p->used, p->size - p->head), uio_left(to));
		int rc = uio_put(to, p->ring + p->head, n);

		if (rc < 0)
			return done ? (ssize_t)done : rc;
		p->head = (p->head + n) % p->size;
		p->used -= n;
		done += n;
	}
	if (!p->used)
		p->head = 0;
	return (ssize_t)done;
}

static ssize_t give(struct pipe *p, struct uio *from)
{
	size_t done = 0;

	while (p->used < p->size && uio_left(from)) {
		uint32_t tail = (p->head + p->used) % p->size;
		uint32_t room = MIN(p->size - p->used, p->size - tail);
		uint32_t n = (uint32_t)MIN(room, uio_left(from));
		int rc = uio_get(from, p->ring + tail, n);

		if (rc < 0)
			return done ? (ssize_t)done : rc;
		p->used += n;
		done += n;
	}
	return (ssize_t)done;
}

static ssize_t pipe_read(struct file *f, struct uio *to, int64_t *pos)
{
	struct pipe *p = f->object;
	ssize_t rc;

	(void)pos;
	if (!uio_left(to))
		return 0;
	lock_acquire(&p->lock);
	if (p->used)
		rc = take(p, to);
	else
		rc = p->writers ? -EAGAIN : 0;
	lock_release(&p->lock);
	if (rc > 0)
		wait_wake(&p->queue, EPOLLOUT | EPOLLWRNORM);
	return rc;
}

static ssize_t pipe_write(struct file *f, struct uio *from, int64_t *pos)
{
	struct pipe *p = f->object;
	size_t len = uio_left(from);
	ssize_t rc;

	(void)pos;
	if (!len)
		return 0;
	lock_acquire(&p->lock);
	make_room(p, len);
	if (!p->readers)
		rc = -EPIPE;
	else if (!space(p) || (from->len <= PIPE_BUF && space(p) < len))
		rc = -EAGAIN;
	else
		rc = give(p, from);
	lock_release(&p->lock);
	if (rc > 0)
		wait_wake(&p->queue, EPOLLIN | EPOLLRDNORM);
	return rc;
}

static uint32_t pipe_poll(struct file *f)
{
	struct pipe *p = f->object;
	uint32_t events = 0;

	LOCKED(&p->lock);
	if (file_readable(f)) {
		if (p->used)
			events |= EPOLLIN | EPOLLRDNORM;
		if (!p->writers && (!p->is_fifo || p->writers_ever))
			events |= EPOLLHUP;
	}
	if (file_writable(f)) {
		if (space(p) >= PIPE_BUF)
			events |= EPOLLOUT | EPOLLWRNORM;
		if (!p->readers)
			events |= EPOLLERR;
	}
	return events;
}

static struct wait_queue *pipe_queue(struct file *f)
{
	return &((struct pipe *)f->object)->queue;
}

static long pipe_ioctl(struct file *f, unsigned int cmd, uint64_t arg, struct ioctl_memory *m)
{
	struct pipe *p = f->object;
	int used;

	if (cmd != FIONREAD)
		return -ENOTTY;
	lock_acquire(&p->lock);
	used = (int)p->used;
	lock_release(&p->lock);
	return m->out(m, arg, &used, sizeof(used));
}

static void pipe_release(struct file *f)
{
	struct pipe *p = f->object;

	if (!p)
		return;
	lock_acquire(&p->lock);
	p->readers -= file_readable(f);
	p->writers -= file_writable(f);
	if (p->is_fifo && !p->readers && !p->writers)
		p->used = p->head = 0;
	lock_release(&p->lock);
	wait_wake(&p->queue, 0);
	pipe_put(p);
}

static const struct file_ops pipe_ops = {
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.queue = pipe_queue,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
};

/* What there was of each end when a file was opened. */
struct meeting {
	uint32_t readers, writers, readers_ever, writers_ever;
};

/* open_end() - @f becomes an end of @p, which it references. */
static struct meeting open_end(struct pipe *p, struct file *f)
{
	f->ops = &pipe_ops;
	f->object = get(p);
	LOCKED(&p->lock);
	p->readers += file_readable(f);
	p->readers_ever += file_readable(f);
	p->writers += file_writable(f);
	p->writers_ever += file_writable(f);
	return (struct meeting){ p->readers, p->writers, p->readers_ever, p->writers_ever };
}

int pipe_create(unsigned int flags, struct cred *c, struct file **ret_read, struct file **ret_write)
{
	struct inode *i = anonymous_inode("pipe", S_IFIFO | 0600);
	struct pipe *p = create(false);

	i->attr.uid = c->fsuid;
	i->attr.gid = c->fsgid;
	i->fifo = p;
	*ret_read = file_create(i, (flags & O_NONBLOCK) | O_RDONLY, c);
	*ret_write = file_create(i, (flags & O_NONBLOCK) | O_WRONLY, c);
	open_end(p, *ret_read);
	open_end(p, *ret_write);
	inode_put(i);
	return 0;
}

static uint32_t count(struct pipe *p, const uint32_t *which)
{
	LOCKED(&p->lock);
	return *which;
}

/*
 * wait_for_other() - until the other end is open, or was since it had been opened @before times.
 * @now, @ever: how many are open, and were opened.
 */
static int wait_for_other(struct pipe *p, const uint32_t *now, const uint32_t *ever,
			  uint32_t before)
{
	struct wait_entry e = { .queue = NULL };
	int rc = 0;

	wait_begin(&p->queue, &e, 0);
	while (rc == 0 && !count(p, now) && count(p, ever) == before)
		rc = wait_sleep(WAIT_FOREVER);
	wait_end(&e);
	return rc;
}

int pipe_open_fifo(struct inode *i, struct file *f)
{
	unsigned int mode = f->flags & O_ACCMODE;
	bool nonblock = f->flags & O_NONBLOCK;
	struct meeting at;
	struct pipe *p;
	int rc = 0;

	lock_acquire(&i->lock);
	p = i->fifo ? i->fifo : (i->fifo = create(true));
	lock_release(&i->lock);
	if (p->is_fifo && mode == O_WRONLY && nonblock && !count(p, &p->readers))
		return -ENXIO;
	at = open_end(p, f);
	wait_wake(&p->queue, 0);
	/* A pipe opened again by its number (/proc/self/fd) has had both its ends. */
	if (!p->is_fifo)
		return 0;
	/* Who was there at that moment was met, even if it has gone since. */
	if (mode == O_RDONLY && !nonblock && !at.writers)
		rc = wait_for_other(p, &p->writers, &p->writers_ever, at.writers_ever);
	else if (mode == O_WRONLY && !nonblock && !at.readers)
		rc = wait_for_other(p, &p->readers, &p->readers_ever, at.readers_ever);
	return rc;
}

static ssize_t peek(struct pipe *p, char *buf, size_t len)
{
	size_t first;

	LOCKED(&p->lock);
	if (!p->used)
		return p->writers ? -EAGAIN : 0;
	len = MIN(len, p->used);
	first = MIN(len, p->size - p->head);
	memcpy(buf, p->ring + p->head, first);
	memcpy(buf + first, p->ring, len - first);
	return (ssize_t)len;
}

ssize_t pipe_peek(struct file *f, char *buf, size_t len, bool nonblock)
{
	ssize_t n;
	int rc;

	while ((n = peek(f->object, buf, len)) == -EAGAIN && !nonblock) {
		rc = file_wait(f, EPOLLIN, WAIT_FOREVER);
		if (rc < 0)
			return rc;
	}
	return n;
}

bool pipe_is(const struct file *f)
{
	return f->ops == &pipe_ops;
}

int pipe_get_capacity(struct file *f)
{
	struct pipe *p = f->object;

	return pipe_is(f) ? (int)count(p, &p->capacity) : -EBADF;
}

int pipe_set_capacity(struct file *f, uint64_t bytes, bool privileged)
{
	struct pipe *p = f->object;
	uint32_t capacity = 4096;

	if (!pipe_is(f))
		return -EBADF;
	if (bytes > INT32_MAX)
		return -EINVAL;
	while (capacity < bytes)
		capacity *= 2;
	if (capacity > PIPE_MAX_CAPACITY && !privileged)
		return -EPERM;
	capacity = MIN(capacity, 16 * PIPE_MAX_CAPACITY);
	LOCKED(&p->lock);
	if (capacity < p->used)
		return -EBUSY;
	if (p->size > capacity)
		resize(p, capacity);
	p->capacity = capacity;
	return (int)capacity;
}
