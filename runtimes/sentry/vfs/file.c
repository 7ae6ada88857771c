/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open file descriptions: life, reading and writing, waiting.
 */
#include "runtimes/sentry/vfs/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include "base/mem.h"
#include "runtimes/sentry/vfs/dentry.h"
#include "runtimes/sentry/vfs/epoll.h"
#include "runtimes/sentry/vfs/locks.h"
#include "runtimes/sentry/vfs/notify.h"

#define READABLE (EPOLLIN | EPOLLRDNORM | EPOLLPRI | EPOLLHUP | EPOLLERR | EPOLLRDHUP)
#define WRITABLE (EPOLLOUT | EPOLLWRNORM | EPOLLHUP | EPOLLERR)

static uint32_t n_files; /* that exist */

uint32_t file_count(void)
{
	return __atomic_load_n(&n_files, __ATOMIC_RELAXED);
}

struct file *file_create(struct inode *i, unsigned int flags, struct cred *c)
{
	struct file *f = xnew(struct file);

	__atomic_fetch_add(&n_files, 1, __ATOMIC_RELAXED);
	f->refs = 1;
	f->flags = flags;
	lock_init(&f->lock, i->fs->shows_tasks ? LOCK_SHOWN : LOCK_FILE);
	list_init(&f->epolls);
	f->inode = inode_get(i);
	f->cred = cred_get(c);
	return f;
}

/* --- files without names --- */

static int anonymous_setattr(struct inode *i, unsigned int mask, const struct attr *to)
{
	inode_apply_attr(i, mask, to);
	return 0;
}

/* open: pipes, by /proc/PID/fd */
static const struct inode_ops anonymous_ops = { .open = inode_open_special,
						.setattr = anonymous_setattr };

static struct filesystem *anonymous_fs(void)
{
	static struct filesystem *fs;
	struct filesystem *found = __atomic_load_n(&fs, __ATOMIC_ACQUIRE), *expected = NULL;

	if (found)
		return found;
	found = filesystem_create(NULL, "anon_inodefs", "none", NULL);
	if (__atomic_compare_exchange_n(&fs, &expected, found, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return found;
	filesystem_put(found);
	return expected;
}

struct inode *anonymous_inode(const char *name, mode_t mode)
{
	static uint64_t last_ino;
	struct inode *i = inode_create(anonymous_fs(), &anonymous_ops,
				       __atomic_add_fetch(&last_ino, 1, __ATOMIC_RELAXED), mode);

	i->data = (char *)name;
	return i;
}

struct file *file_create_anonymous(const struct file_ops *ops, const char *name, void *object,
				   unsigned int flags, struct cred *c)
{
	struct inode *i = anonymous_inode(name, 0600);
	struct file *f = file_create(i, flags, c);

	i->attr.uid = c->fsuid;
	i->attr.gid = c->fsgid;
	inode_put(i);
	f->ops = ops;
	f->object = object;
	return f;
}

void file_path(struct file *f, const struct path *root, char *buf, size_t size)
{
	struct path p = { f->mount, f->dentry };
	mode_t mode = f->inode->attr.mode;

	if (f->dentry) {
		if (vfs_path_string(&p, root, buf, size) < 0)
			snprintf(buf, size, "%s", "");
	} else if (S_ISFIFO(mode) || S_ISSOCK(mode)) {
		snprintf(buf, size, "%s:[%llu]", S_ISFIFO(mode) ? "pipe" : "socket",
			 (unsigned long long)f->inode->ino);
	} else if (f->inode->ops != &anonymous_ops) {
		snprintf(buf, size, "%s", S_ISCHR(mode) ? "/dev/console" : "/host (deleted)");
	} else {
		snprintf(buf, size, "anon_inode:%s", (const char *)f->inode->data);
	}
}

/* --- references --- */

struct file *file_get(struct file *f)
{
	__atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED);
	return f;
}

struct file *file_get_living(struct file *f)
{
	uint32_t refs = __atomic_load_n(&f->refs, __ATOMIC_RELAXED);

	while (refs)
		if (__atomic_compare_exchange_n(&f->refs, &refs, refs + 1, true, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return f;
	return NULL;
}

void file_put(struct file *f)
{
	if (!f || __atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL))
		return;
	epoll_file_gone(f);
	if (f->inode->locks)
		locks_release_file(f->inode, f);
	if (f->ops && !(f->flags & O_PATH)) {
		notify_inode(f->inode, f->dentry,
			     file_writable(f) ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
		if (f->ops->release)
			f->ops->release(f);
	}
	dentry_put(f->dentry);
	mount_put(f->mount);
	inode_put(f->inode);
	cred_put(f->cred);
	free(f);
	__atomic_fetch_sub(&n_files, 1, __ATOMIC_RELAXED);
}

/* --- waiting --- */

uint32_t file_poll(struct file *f)
{
	if (f->ops->poll)
		return f->ops->poll(f);
	return EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
}

struct wait_queue *file_queue(struct file *f)
{
	return f->ops->queue ? f->ops->queue(f) : NULL;
}

int file_wait(struct file *f, uint32_t events, int64_t deadline_ns)
{
	struct wait_queue *q = file_queue(f);
	struct wait_entry e = { .queue = NULL };
	int rc = 0;

	if (!q)
		return -EAGAIN;
	wait_begin(q, &e, events | EPOLLHUP | EPOLLERR);
	while (!(file_poll(f) & (events | EPOLLHUP | EPOLLERR)) && rc == 0)
		rc = wait_sleep(deadline_ns);
	wait_end(&e);
	return rc;
}

/* --- reading and writing --- */

typedef ssize_t move_fn(struct file *f, struct uio *u, int64_t *pos);

/*
 * move_stream() - until something has moved (all of it, for @whole), or it cannot.
 * Once something has moved, that counts and not the error after it.
 */
static ssize_t move_stream(struct file *f, struct uio *u, move_fn *move, uint32_t events,
			   bool whole)
{
	struct wait_entry e = { .queue = NULL };
	size_t before = u->done;
	struct wait_queue *q;
	ssize_t rc = move(f, u, NULL);
	int slept = 0;

	if (rc != -EAGAIN && !(whole && rc > 0 && uio_left(u)))
		return rc;
	if ((f->flags & O_NONBLOCK) || u->nowait || !(q = file_queue(f)))
		return rc;
	wait_begin(q, &e, events);
	for (;;) {
		rc = move(f, u, NULL);
		if (rc != -EAGAIN && !(whole && rc > 0 && uio_left(u)))
			break;
		if (rc > 0)
			continue;
		slept = wait_sleep(WAIT_FOREVER);
		if (slept < 0) {
			rc = slept;
			break;
		}
	}
	wait_end(&e);
	return u->done > before ? (ssize_t)(u->done - before) : rc;
}

/* put_before() - a read met a bad address: what it had put before it counts. */
static ssize_t put_before(const struct uio *to, size_t before, ssize_t rc, int64_t *pos)
{
	ssize_t n = (ssize_t)(to->done - before);

	if (rc != -EFAULT || !n)
		return rc;
	*pos += n;
	return n;
}

ssize_t file_read(struct file *f, struct uio *to)
{
	size_t before = to->done;
	ssize_t rc;

	if (!file_readable(f) || (f->flags & O_PATH))
		return -EBADF;
	if (!f->ops->read)
		return S_ISDIR(f->inode->attr.mode) ? -EISDIR : -EINVAL;
	if (f->ops->seek) {
		lock_acquire(&f->lock);
		rc = f->ops->read(f, to, &f->pos);
		rc = put_before(to, before, rc, &f->pos);
		lock_release(&f->lock);
	} else {
		rc = move_stream(f, to, f->ops->read, READABLE, false);
	}
	if (rc > 0)
		notify_inode(f->inode, f->dentry, IN_ACCESS);
	return rc;
}

ssize_t file_write(struct file *f, struct uio *from)
{
	ssize_t rc;

	if (!file_writable(f) || (f->flags & O_PATH))
		return -EBADF;
	if (!f->ops->write)
		return -EINVAL;
	if (f->ops->seek) {
		lock_acquire(&f->lock);
		rc = f->ops->write(f, from, &f->pos);
		lock_release(&f->lock);
	} else {
		rc = move_stream(f, from, f->ops->write, WRITABLE, true);
	}
	if (rc > 0)
		notify_inode(f->inode, f->dentry, IN_MODIFY);
	return rc;
}

static int may_at(const struct file *f, bool allowed, const void *fn, int64_t pos)
{
	if (pos < 0)
		return -EINVAL;
	if (!allowed || (f->flags & O_PATH))
		return -EBADF;
	if (!f->ops->seek)
		return -ESPIPE;
	if (!fn)
		return S_ISDIR(f->inode->attr.mode) ? -EISDIR : -EINVAL;
	return 0;
}

ssize_t file_pread(struct file *f, struct uio *to, int64_t pos)
{
	ssize_t rc = may_at(f, file_readable(f), (const void *)f->ops->read, pos);

	if (rc == 0) {
		size_t before = to->done;

		rc = f->ops->read(f, to, &pos);
		rc = put_before(to, before, rc, &pos);
	}
	if (rc > 0)
		notify_inode(f->inode, f->dentry, IN_ACCESS);
	return rc;
}

ssize_t file_pwrite(struct file *f, struct uio *from, int64_t pos)
{
	ssize_t rc = may_at(f, file_writable(f), (const void *)f->ops->write, pos);

	if (rc == 0)
		rc = f->ops->write(f, from, &pos);
	if (rc > 0)
		notify_inode(f->inode, f->dentry, IN_MODIFY);
	return rc;
}

int64_t file_seek(struct file *f, int64_t offset, int whence)
{
	int64_t rc;

	if (f->flags & O_PATH)
		return -EBADF;
	if (!f->ops->seek)
		return -ESPIPE;
	lock_acquire(&f->lock);
	rc = f->ops->seek(f, offset, whence);
	lock_release(&f->lock);
	return rc;
}

int64_t file_seek_sized(struct file *f, int64_t offset, int whence, int64_t size)
{
	int64_t base = whence == SEEK_CUR ? f->pos : whence == SEEK_END ? size : 0, to;

	if (whence == SEEK_DATA || whence == SEEK_HOLE) {
		if (offset < 0 || offset >= size)
			return -ENXIO;
		base = 0;
		offset = whence == SEEK_DATA ? offset : size;
	} else if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END) {
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, offset, &to))
		return -EOVERFLOW;
	if (to < 0)
		return -EINVAL;
	return f->pos = to;
}
