/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read(2), write(2) and their family.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/uio.h>

#include "runtimes/sentry/net/socket.h"
#include "runtimes/sentry/sys/file_at.h"
#include "runtimes/sentry/sys/files.h"
#include "runtimes/sentry/task/signal.h"
#include "runtimes/sentry/vfs/notify.h"

/* done_writing() - EPIPE comes with its signal. */
static long done_writing(struct task *t, ssize_t rc)
{
	if (rc == -EPIPE) {
		siginfo_t info = signal_from_task(t, SIGPIPE, SI_USER);

		signal_send_task(t, &info);
	}
	return rc;
}

/* within_limit() - RLIMIT_FSIZE: cut what goes beyond it. Return: 0 or -EFBIG with SIGXFSZ. */
static int within_limit(struct task *t, struct file *f, struct uio *u, int64_t pos)
{
	uint64_t limit = task_limit(t, RLIMIT_FSIZE);
	siginfo_t info;

	if (limit == RLIM_INFINITY || !S_ISREG(f->inode->attr.mode))
		return 0;
	if (f->flags & O_APPEND)
		pos = (int64_t)f->inode->attr.size;
	if ((uint64_t)pos >= limit) {
		info = signal_from_kernel(SIGXFSZ);
		signal_send_task(t, &info);
		return -EFBIG;
	}
	u->len = u->done + MIN(uio_left(u), limit - (uint64_t)pos);
	return 0;
}

static long read_file(struct task *t, uint64_t fd, struct uio *u)
{
	struct file *f = sys_file(t, (int)fd);
	ssize_t rc;

	if (!f)
		return -EBADF;
	rc = socket_of(f) ? socket_read(f, u) : file_read(f, u);
	file_put(f);
	return rc;
}

static long write_file(struct task *t, uint64_t fd, struct uio *u)
{
	struct file *f = sys_file(t, (int)fd);
	ssize_t rc;

	if (!f)
		return -EBADF;
	rc = within_limit(t, f, u, f->pos);
	if (rc == 0)
		rc = socket_of(f) ? socket_write(f, u) : file_write(f, u);
	file_put(f);
	return done_writing(t, rc);
}

static long pread_file(struct task *t, uint64_t fd, struct uio *u, int64_t pos)
{
	struct file *f = sys_file(t, (int)fd);
	ssize_t rc;

	if (!f)
		return -EBADF;
	rc = file_pread(f, u, pos);
	file_put(f);
	return rc;
}

static long pwrite_file(struct task *t, uint64_t fd, struct uio *u, int64_t pos)
{
	struct file *f = sys_file(t, (int)fd);
	ssize_t rc;

	if (!f)
		return -EBADF;
	rc = pos < 0 ? -EINVAL : within_limit(t, f, u, pos);
	if (rc == 0)
		rc = file_pwrite(f, u, pos);
	file_put(f);
	return done_writing(t, rc);
}

long sys_read(struct task *t, const uint64_t a[6])
{
	struct sys_iov v __attribute__((uninitialized));

	sys_iov_one(t, a[1], a[2], &v);
	return read_file(t, a[0], &v.uio);
}

long sys_write(struct task *t, const uint64_t a[6])
{
	struct sys_iov v __attribute__((uninitialized));

	sys_iov_one(t, a[1], a[2], &v);
	return write_file(t, a[0], &v.uio);
}

long sys_pread64(struct task *t, const uint64_t a[6])
{
	struct sys_iov v __attribute__((uninitialized));

	sys_iov_one(t, a[1], a[2], &v);
	return pread_file(t, a[0], &v.uio, (int64_t)a[3]);
}

long sys_pwrite64(struct task *t, const uint64_t a[6])
{
	struct sys_iov v __attribute__((uninitialized));

	sys_iov_one(t, a[1], a[2], &v);
	return pwrite_file(t, a[0], &v.uio, (int64_t)a[3]);
}

long sys_readv(struct task *t, const uint64_t a[6])
{
	struct sys_iov v;
	long rc = sys_iov(t, a[1], a[2], &v);

	if (rc < 0)
		return rc;
	rc = read_file(t, a[0], &v.uio);
	sys_iov_free(&v);
	return rc;
}

long sys_writev(struct task *t, const uint64_t a[6])
{
	struct sys_iov v;
	long rc = sys_iov(t, a[1], a[2], &v);

	if (rc < 0)
		return rc;
	rc = write_file(t, a[0], &v.uio);
	sys_iov_free(&v);
	return rc;
}

long sys_preadv(struct task *t, const uint64_t a[6])
{
	struct sys_iov v;
	long rc = sys_iov(t, a[1], a[2], &v);

	if (rc < 0)
		return rc;
	rc = pread_file(t, a[0], &v.uio, (int64_t)a[3]);
	sys_iov_free(&v);
	return rc;
}

long sys_pwritev(struct task *t, const uint64_t a[6])
{
	struct sys_iov v;
	long rc = sys_iov(t, a[1], a[2], &v);

	if (rc < 0)
		return rc;
	rc = pwrite_file(t, a[0], &v.uio, (int64_t)a[3]);
	sys_iov_free(&v);
	return rc;
}

/* check_rwf() - flags of preadv2: those that only hint or sync are taken. */
static int check_rwf(struct task *t, uint64_t fd, uint64_t flags)
{
	struct file *f;
	int rc = 0;

	if (flags & ~(uint64_t)(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND))
		return -EOPNOTSUPP;
	if (!(flags & RWF_NOWAIT))
		return 0;
	f = sys_file(t, (int)fd);
	if (f && !(f->flags & O_NONBLOCK) && f->ops->queue)
		rc = -EOPNOTSUPP;
	file_put(f);
	return rc;
}

long sys_preadv2(struct task *t, const uint64_t a[6])
{
	int rc = check_rwf(t, a[0], a[5]);

	if (rc < 0)
		return rc;
	return (int64_t)a[3] == -1 ? sys_readv(t, a) : sys_preadv(t, a);
}

long sys_pwritev2(struct task *t, const uint64_t a[6])
{
	long rc = check_rwf(t, a[0], a[5]);

	if (rc < 0)
		return rc;
	if (a[5] & RWF_APPEND)
		return -EOPNOTSUPP;
	rc = (int64_t)a[3] == -1 ? sys_writev(t, a) : sys_pwritev(t, a);
	if (rc > 0 && (a[5] & (RWF_DSYNC | RWF_SYNC)))
		sys_fdatasync(t, a);
	return rc;
}

long sys_lseek(struct task *t, const uint64_t a[6])
{
	struct file *f = sys_file(t, (int)a[0]);
	int64_t rc;

	if (!f)
		return -EBADF;
	rc = file_seek(f, (int64_t)a[1], (int)a[2]);
	file_put(f);
	return rc;
}

static int check_size(struct task *t, int64_t length)
{
	siginfo_t info;

	if (length < 0)
		return -EINVAL;
	if ((uint64_t)length <= task_limit(t, RLIMIT_FSIZE))
		return 0;
	info = signal_from_kernel(SIGXFSZ);
	signal_send_task(t, &info);
	return -EFBIG;
}

long sys_truncate(struct task *t, const uint64_t a[6])
{
	struct place p;
	long rc = check_size(t, (int64_t)a[1]);

	if (rc == 0)
		rc = place_find(t, (uint64_t)AT_FDCWD, a[0], true, false, &p);
	if (rc < 0)
		return rc;
	rc = vfs_truncate(&p.path, (int64_t)a[1], t->cred);
	place_end(&p);
	return rc;
}

static int truncate_file(struct task *t, struct file *f, int64_t length)
{
	struct attr to = { .size = (uint64_t)length };
	int rc;

	if (!file_writable(f) || !S_ISREG(f->inode->attr.mode) || (f->flags & O_PATH))
		return f->flags & O_PATH ? -EBADF : -EINVAL;
	rc = f->ops->truncate ? f->ops->truncate(f, length)
			      : inode_setattr(f->inode, ATTR_SIZE, &to, t->cred);
	if (rc == 0)
		notify_inode(f->inode, f->dentry, IN_MODIFY);
	return rc;
}

long sys_ftruncate(struct task *t, const uint64_t a[6])
{
	struct file *f = sys_file(t, (int)a[0]);
	int rc;

	if (!f)
		return -EBADF;
	rc = check_size(t, (int64_t)a[1]);
	if (rc == 0)
		rc = truncate_file(t, f, (int64_t)a[1]);
	file_put(f);
	return rc;
}

static int allocate(struct file *f, int mode, int64_t offset, int64_t length)
{
	int64_t end;

	if (!file_writable(f) || (f->flags & O_PATH))
		return -EBADF;
	if (S_ISFIFO(f->inode->attr.mode))
		return -ESPIPE;
	if (S_ISDIR(f->inode->attr.mode))
		return -EISDIR;
	if (!S_ISREG(f->inode->attr.mode))
		return -ENODEV;
	if (__builtin_add_overflow(offset, length, &end))
		return -EFBIG;
	return f->ops->allocate ? f->ops->allocate(f, mode, offset, length) : -EOPNOTSUPP;
}

long sys_fallocate(struct task *t, const uint64_t a[6])
{
	int64_t offset = (int64_t)a[2], length = (int64_t)a[3];
	struct file *f = sys_file(t, (int)a[0]);
	int rc;

	if (!f)
		return -EBADF;
	rc = offset < 0 || length <= 0 ? -EINVAL : allocate(f, (int)a[1], offset, length);
	file_put(f);
	return rc;
}

static long sync_file(struct task *t, uint64_t fd, bool data_only)
{
	struct file *f = sys_file(t, (int)fd);
	int rc;

	if (!f)
		return -EBADF;
	if (f->flags & O_PATH)
		rc = -EBADF;
	else
		rc = f->ops->sync ? f->ops->sync(f, data_only) : -EINVAL;
	file_put(f);
	return rc;
}

long sys_fsync(struct task *t, const uint64_t a[6])
{
	return sync_file(t, a[0], false);
}

long sys_fdatasync(struct task *t, const uint64_t a[6])
{
	return sync_file(t, a[0], true);
}

long sys_sync_file_range(struct task *t, const uint64_t a[6])
{
	if ((unsigned int)a[3] & ~7u || (int64_t)a[1] < 0 || (int64_t)a[2] < 0)
		return -EINVAL;
	return sync_file(t, a[0], true);
}

static int sync_filesystem(struct filesystem *fs)
{
	return fs->ops && fs->ops->sync ? fs->ops->sync(fs) : 0;
}

long sys_syncfs(struct task *t, const uint64_t a[6])
{
	struct place p;
	int rc = place_of_fd(t, a[0], false, &p);

	if (rc < 0)
		return rc;
	rc = sync_filesystem(p.inode->fs);
	place_end(&p);
	return rc;
}

/* The file systems that a guest can write to are few: each is synced by itself. */
long sys_sync(struct task *t, const uint64_t a[6])
{
	struct path root;

	(void)a;
	fs_context_root(t->fs, &root);
	sync_filesystem(root.dentry->inode->fs);
	path_put(&root);
	return 0;
}

/* Hints: checked as Linux does, the host reads ahead by itself. */
long sys_readahead(struct task *t, const uint64_t a[6])
{
	struct file *f = sys_file(t, (int)a[0]);
	int rc = 0;

	if (!f || !file_readable(f))
		rc = -EBADF;
	else if (!S_ISREG(f->inode->attr.mode))
		rc = -EINVAL;
	file_put(f);
	return rc;
}

long sys_fadvise64(struct task *t, const uint64_t a[6])
{
	struct file *f = sys_file(t, (int)a[0]);
	int rc = 0;

	if (!f)
		return -EBADF;
	if (S_ISFIFO(f->inode->attr.mode))
		rc = -ESPIPE;
	else if ((int64_t)a[2] < 0 || a[3] > POSIX_FADV_NOREUSE)
		rc = -EINVAL;
	file_put(f);
	return rc;
}
