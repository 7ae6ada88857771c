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
	if (file_appends(f, u))
		pos = (int64_t)f->inode->attr.size;
	if ((uint64_t)pos >= limit) {
		info = signal_from_kernel(SIGXFSZ);
		signal_send_task(t, &info);
		return -EFBIG;
	}
	u->len = u->done + MIN(uio_left(u), limit - (uint64_t)pos);
	return 0;
}

/* One call of the family. */
struct transfer {
	bool write, at; /* at: at `pos`, and not where the description is */
	int64_t pos;
	unsigned int flags; /* RWF_* */
};

#define RWF_KNOWN (unsigned int)(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND)

static ssize_t read_file(struct file *f, struct uio *u, const struct transfer *how)
{
	if (how->at)
		return file_pread(f, u, how->pos);
	return socket_of(f) ? socket_read(f, u) : file_read(f, u);
}

/* settle() - RWF_DSYNC and RWF_SYNC. */
static ssize_t settle(struct file *f, const struct transfer *how, ssize_t rc)
{
	int failed = 0;

	if (rc > 0 && (how->flags & (RWF_DSYNC | RWF_SYNC)) && f->ops->sync)
		failed = f->ops->sync(f, !(how->flags & RWF_SYNC));
	return failed < 0 ? failed : rc;
}

static ssize_t put_to(struct file *f, struct uio *u, const struct transfer *how)
{
	if (how->at)
		return file_pwrite(f, u, how->pos);
	return socket_of(f) ? socket_write(f, u) : file_write(f, u);
}

/* A file takes what lies before a bad address, where pipes and sockets take nothing. */
static bool cut_bad_end(const struct file *f, struct uio *u)
{
	if (!S_ISREG(f->inode->attr.mode))
		return false;
	u->done = 0;
	u->len = sys_iov_readable(u);
	return u->len > 0;
}

static ssize_t write_file(struct task *t, struct file *f, struct uio *u, const struct transfer *how)
{
	ssize_t rc = how->at && how->pos < 0 ? -EINVAL : 0;

	u->append = how->flags & RWF_APPEND;
	if (rc == 0)
		rc = within_limit(t, f, u, how->at ? how->pos : f->pos);
	if (rc < 0)
		return rc;
	rc = put_to(f, u, how);
	if (rc == -EFAULT && cut_bad_end(f, u))
		rc = put_to(f, u, how);
	return settle(f, how, done_writing(t, rc));
}

static long move(struct task *t, struct file *f, struct uio *u, const struct transfer *how)
{
	if (how->flags & ~RWF_KNOWN)
		return -EOPNOTSUPP;
	u->nowait = how->flags & RWF_NOWAIT;
	return how->write ? write_file(t, f, u, how) : read_file(f, u, how);
}

static long one(struct task *t, const uint64_t a[6], const struct transfer *how)
{
	struct sys_iov v __attribute__((uninitialized));
	struct file *f = sys_file(t, (int)a[0]);
	long rc;

	if (!f)
		return -EBADF;
	sys_iov_one(t, a[1], a[2], &v);
	rc = move(t, f, &v.uio, how);
	file_put(f);
	return rc;
}

static long vector(struct task *t, const uint64_t a[6], const struct transfer *how)
{
	struct sys_iov v __attribute__((uninitialized));
	struct file *f = sys_file(t, (int)a[0]);
	long rc;

	if (!f)
		return -EBADF;
	rc = sys_iov(t, a[1], a[2], &v);
	if (rc == 0) {
		rc = move(t, f, &v.uio, how);
		sys_iov_free(&v);
	}
	file_put(f);
	return rc;
}

long sys_read(struct task *t, const uint64_t a[6])
{
	return one(t, a, &(struct transfer){ .write = false });
}

long sys_write(struct task *t, const uint64_t a[6])
{
	return one(t, a, &(struct transfer){ .write = true });
}

long sys_pread64(struct task *t, const uint64_t a[6])
{
	return one(t, a, &(struct transfer){ .at = true, .pos = (int64_t)a[3] });
}

long sys_pwrite64(struct task *t, const uint64_t a[6])
{
	return one(t, a, &(struct transfer){ .write = true, .at = true, .pos = (int64_t)a[3] });
}

long sys_readv(struct task *t, const uint64_t a[6])
{
	return vector(t, a, &(struct transfer){ .write = false });
}

long sys_writev(struct task *t, const uint64_t a[6])
{
	return vector(t, a, &(struct transfer){ .write = true });
}

long sys_preadv(struct task *t, const uint64_t a[6])
{
	return vector(t, a, &(struct transfer){ .at = true, .pos = (int64_t)a[3] });
}

long sys_pwritev(struct task *t, const uint64_t a[6])
{
	return vector(t, a, &(struct transfer){ .write = true, .at = true, .pos = (int64_t)a[3] });
}

/* with_flags() - position -1 is that of the description. */
static long with_flags(struct task *t, const uint64_t a[6], bool write)
{
	const struct transfer how = {
		.write = write,
		.at = (int64_t)a[3] != -1,
		.pos = (int64_t)a[3],
		.flags = (unsigned int)a[5],
	};

	return vector(t, a, &how);
}

long sys_preadv2(struct task *t, const uint64_t a[6])
{
	return with_flags(t, a, false);
}

long sys_pwritev2(struct task *t, const uint64_t a[6])
{
	return with_flags(t, a, true);
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

	if (!file_writable(f) || !S_ISREG(f->inode->attr.mode))
		return -EINVAL;
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

	if (!file_writable(f))
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
	struct file *f;
	mode_t mode;

	if ((unsigned int)a[3] & ~7u || (int64_t)a[1] < 0 || (int64_t)a[2] < 0)
		return -EINVAL;
	f = sys_file(t, (int)a[0]);
	if (!f)
		return -EBADF;
	mode = f->inode->attr.mode;
	file_put(f);
	return S_ISREG(mode) || S_ISDIR(mode) ? sync_file(t, a[0], true) : -ESPIPE;
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
