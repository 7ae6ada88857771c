/* SPDX-License-Identifier: Apache-2.0 */
/*
 * null, zero, full, random and urandom.
 *
 * zero is mapped as memory of the host that nobody else has; random bytes are the host's.
 */
#include "runtimes/sentry/fs/memdev.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/sysmacros.h>

#include "base/mem.h"

static ssize_t read_nothing(struct file *f, struct uio *to, int64_t *pos)
{
	(void)f, (void)to, (void)pos;
	return 0;
}

static ssize_t write_all(struct file *f, struct uio *from, int64_t *pos)
{
	size_t n = uio_left(from);

	(void)f, (void)pos;
	from->done += n;
	return (ssize_t)n;
}

static ssize_t write_nothing(struct file *f, struct uio *from, int64_t *pos)
{
	(void)f, (void)pos;
	return uio_left(from) ? -ENOSPC : 0;
}

static ssize_t read_zeros(struct file *f, struct uio *to, int64_t *pos)
{
	static const char zeros[4096];
	size_t before = to->done;
	int rc = 0;

	(void)f, (void)pos;
	while (uio_left(to) && rc == 0)
		rc = uio_put(to, zeros, MIN(sizeof(zeros), uio_left(to)));
	return to->done > before ? (ssize_t)(to->done - before) : rc;
}

static ssize_t read_random(struct file *f, struct uio *to, int64_t *pos)
{
	char buf[1024];
	size_t before = to->done;
	int rc = 0;

	(void)f, (void)pos;
	while (uio_left(to) && rc == 0) {
		ssize_t n = getrandom(buf, MIN(sizeof(buf), uio_left(to)), 0);

		rc = n < 0 ? -errno : uio_put(to, buf, (size_t)n);
	}
	return to->done > before ? (ssize_t)(to->done - before) : rc;
}

static int64_t seek_nowhere(struct file *f, int64_t offset, int whence)
{
	(void)offset, (void)whence;
	return f->pos = 0;
}

static uint32_t always(struct file *f)
{
	(void)f;
	return EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
}

static struct wait_queue *never(struct file *f)
{
	static struct wait_queue q = { .lock = LOCK_INIT(LOCK_WAIT),
				       .entries = { &q.entries, &q.entries } };

	(void)f;
	return &q;
}

/* None has mmap: sys/memory.c maps anonymous memory for zero. */
static const struct file_ops null_ops = { .read = read_nothing,
					  .write = write_all,
					  .seek = seek_nowhere };
static const struct file_ops zero_ops = { .read = read_zeros,
					  .write = write_all,
					  .seek = seek_nowhere };
static const struct file_ops full_ops = { .read = read_zeros,
					  .write = write_nothing,
					  .seek = seek_nowhere };
static const struct file_ops random_ops = { .read = read_random,
					    .write = write_all,
					    .seek = seek_nowhere,
					    .poll = always,
					    .queue = never };

int memdev_open(struct inode *i, struct file *f)
{
	switch (minor(i->attr.rdev)) {
	case 3:
		f->ops = &null_ops;
		return 0;
	case 5:
		f->ops = &zero_ops;
		return 0;
	case 7:
		f->ops = &full_ops;
		return 0;
	default:
		f->ops = &random_ops;
		return 0;
	}
}
