/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of the host: contents.
 *
 * Data moves on descriptors that the gofer opened, one read-only and one for both an inode, shared
 * by all who have it open (positions are the sentry's).  They stay open for the next open; of
 * files that nobody has open, the IDLE_MAX used last.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/syscall.h>

#include "base/mem.h"
#include "runtimes/sentry/fs/host_inode.h"
#include "runtimes/sentry/fs/hostio.h"

#define IDLE_MAX	256
#define DIRECTORY_BYTES (32 << 10)

static struct lock idle_lock = LOCK_INIT(LOCK_WAIT);
static struct list idle = { &idle, &idle };
static unsigned int n_idle;

/* --- descriptors ------------------------------------------------------------------------------ */

static void idle_remove(struct host_inode *h)
{
	LOCKED(&idle_lock);
	if (!h->in_idle.next)
		return;
	list_remove(&h->in_idle);
	n_idle--;
}

/* take_descriptors() - Preconditions: holds the inode's lock, or nobody else knows it. */
static void take_descriptors(struct host_inode *h, int fds[2])
{
	fds[0] = steal_fd(&h->fd_read);
	fds[1] = steal_fd(&h->fd_both);
}

static void close_both(int fds[2])
{
	close_fd(&fds[0]);
	close_fd(&fds[1]);
}

void host_close_descriptors(struct inode *i)
{
	int fds[2];

	idle_remove(host_inode_of(i));
	take_descriptors(host_inode_of(i), fds);
	close_both(fds);
}

/*
 * idle_add() - nobody has @h open any more.  Return: whom to close instead, or NULL; it cannot be
 * freed meanwhile, as free_inode() must take it off the list first.
 */
static void idle_add(struct host_inode *h)
{
	int fds[2] = { -1, -1 };

	lock_acquire(&idle_lock);
	if (!h->in_idle.next) {
		list_add(&idle, &h->in_idle);
		n_idle++;
	}
	if (n_idle > IDLE_MAX) {
		struct host_inode *old = list_first(&idle, struct host_inode, in_idle);

		/* its opener takes it off the list before it looks at the descriptors */
		list_remove(&old->in_idle);
		n_idle--;
		take_descriptors(old, fds);
	}
	lock_release(&idle_lock);
	close_both(fds);
}

/* descriptor() - of @i, opened if need be. Preconditions: holds i->lock, off the idle list. */
static int descriptor(struct inode *i, bool both)
{
	struct host_inode *h = host_inode_of(i);
	int *fd = both ? &h->fd_both : &h->fd_read;
	int rc = 0;

	if (*fd < 0)
		rc = gofer_open(host_fs_of(i)->gofer, h->handle, both ? O_RDWR : O_RDONLY, fd);
	return rc < 0 ? rc : *fd;
}

void host_give_descriptor(struct inode *i, int fd)
{
	struct host_inode *h = host_inode_of(i);

	LOCKED(&i->lock);
	idle_remove(h);
	if (h->fd_both < 0)
		h->fd_both = steal_fd(&fd);
	close_fd(&fd);
	if (h->opens == 0)
		idle_add(h);
}

/* any_descriptor() - one that reads. Preconditions: the file is open, so none goes away. */
static int any_descriptor(const struct inode *i)
{
	const struct host_inode *h = host_inode_of(i);

	return h->fd_both >= 0 ? h->fd_both : h->fd_read;
}

/* --- data ------------------------------------------------------------------------------------- */

static bool older(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec <= b->tv_nsec;
}

/* accessed() - as the host does with relatime, without asking it. */
static void accessed(struct file *f)
{
	struct inode *i = f->inode;

	if (!(f->flags & O_NOATIME) && older(&i->attr.atime, &i->attr.mtime)) {
		LOCKED(&i->lock);
		inode_touch(i, ATTR_ATIME);
	}
}

static ssize_t file_read_(struct file *f, struct uio *to, int64_t *pos)
{
	ssize_t n = host_pread(any_descriptor(f->inode), to, uio_left(to), *pos);

	if (n > 0) {
		*pos += n;
		accessed(f);
	}
	return n;
}

/* settle() - O_SYNC and O_DSYNC: a write is on the disk before it returns. */
static int settle(const struct file *f, int fd)
{
	int rc = 0;

	if ((f->flags & O_SYNC) == O_SYNC)
		rc = fsync(fd);
	else if (f->flags & O_DSYNC)
		rc = fdatasync(fd);
	return rc < 0 ? -errno : 0;
}

/* end_of() - where O_APPEND writes. Preconditions: holds the inode's lock. */
static int64_t end_of(struct inode *i, int fd)
{
	struct stat st;

	if (host_fs_of(i)->shared && fstat(fd, &st) == 0)
		i->attr.size = (uint64_t)st.st_size;
	return (int64_t)i->attr.size;
}

static ssize_t file_write_(struct file *f, struct uio *from, int64_t *pos)
{
	struct inode *i = f->inode;
	int fd = host_inode_of(i)->fd_both, rc;
	int64_t at = *pos;
	ssize_t n;

	LOCKED(&i->lock);
	if (file_appends(f, from))
		at = end_of(i, fd);
	n = host_pwrite(fd, from, uio_left(from), at);
	if (n <= 0)
		return n;
	*pos = at + n;
	i->attr.size = MAX(i->attr.size, (uint64_t)*pos);
	host_stale(i);
	rc = settle(f, fd);
	return rc < 0 ? rc : n;
}

static int64_t file_seek_(struct file *f, int64_t offset, int whence)
{
	off_t found;
	int rc = 0;

	if (whence == SEEK_DATA || whence == SEEK_HOLE) {
		found = lseek(any_descriptor(f->inode), offset, whence);
		if (found < 0)
			return -errno;
		return f->pos = found;
	}
	if (whence == SEEK_END)
		rc = inode_refresh(f->inode);
	return rc < 0 ? rc : file_seek_sized(f, offset, whence, (int64_t)f->inode->attr.size);
}

/* A read-only description never lends the descriptor that writes: the guest may mprotect(). */
static int file_mmap_(struct file *f, bool shared, bool writable, int64_t *offset)
{
	bool both = file_writable(f) && shared;
	int fd;

	(void)offset;
	if (both && writable)
		host_stale(f->inode);
	LOCKED(&f->inode->lock);
	fd = descriptor(f->inode, both);
	return fd;
}

/* resize() - Preconditions: holds the lock; fd_both is open. */
static int resize(struct inode *i, int64_t length)
{
	if (ftruncate(host_inode_of(i)->fd_both, length) < 0)
		return -errno;
	i->attr.size = (uint64_t)length;
	host_stale(i);
	return 0;
}

int host_resize(struct inode *i, int64_t length)
{
	struct host_inode *h = host_inode_of(i);

	LOCKED(&i->lock);
	return h->opens > 0 && h->fd_both >= 0 ? resize(i, length) : 1;
}

static int file_truncate_(struct file *f, int64_t length)
{
	LOCKED(&f->inode->lock);
	return resize(f->inode, length);
}

static int file_allocate_(struct file *f, int mode, int64_t offset, int64_t length)
{
	struct inode *i = f->inode;

	LOCKED(&i->lock);
	if (fallocate(host_inode_of(i)->fd_both, mode, offset, length) < 0)
		return -errno;
	host_stale(i);
	return host_attr_fetch(i, host_inode_of(i)->fd_both);
}

static int file_sync_(struct file *f, bool data_only)
{
	int fd = any_descriptor(f->inode);

	return (data_only ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0;
}

/* release_file() - the last one leaves the descriptors for the next open. */
static void file_release_(struct file *f)
{
	struct inode *i = f->inode;

	LOCKED(&i->lock);
	if (--host_inode_of(i)->opens == 0)
		idle_add(host_inode_of(i));
}

static const struct file_ops host_file_ops = {
	.read = file_read_,
	.write = file_write_,
	.seek = file_seek_,
	.mmap = file_mmap_,
	.truncate = file_truncate_,
	.allocate = file_allocate_,
	.sync = file_sync_,
	.release = file_release_,
};

/* --- directories ------------------------------------------------------------------------------ */

/* An open directory: a piece of what the host lists, and how much of it has been given on. */
struct host_dir {
	int fd;
	int64_t next_pos; /* of the entry at `at` */
	size_t at, len;
	char buf[DIRECTORY_BYTES];
};

struct host_dirent {
	uint64_t ino;
	int64_t next;
	uint16_t len;
	uint8_t type;
	char name[];
};

static int dir_fill(struct host_dir *d, int64_t pos)
{
	long n;

	if (d->next_pos != pos && lseek(d->fd, pos, SEEK_SET) < 0)
		return -errno;
	n = syscall(SYS_getdents64, d->fd, d->buf, sizeof(d->buf));
	if (n < 0)
		return -errno;
	d->at = 0;
	d->len = (size_t)n;
	d->next_pos = pos;
	return n > 0;
}

static int dir_readdir(struct file *f, int64_t *pos, dirent_fn *fn, void *data)
{
	struct host_dir *d = f->object;
	int rc;

	if (d->next_pos != *pos)
		d->len = d->at = 0;
	for (;;) {
		const struct host_dirent *e = (const struct host_dirent *)(d->buf + d->at);

		if (d->at >= d->len) {
			rc = dir_fill(d, *pos);
			if (rc <= 0)
				return rc;
			continue;
		}
		if (fn(data, e->name, e->ino, e->type, e->next) != 0)
			return 0;
		d->at += e->len;
		d->next_pos = *pos = e->next;
	}
}

static int64_t dir_seek(struct file *f, int64_t offset, int whence)
{
	if (whence == SEEK_CUR)
		offset += f->pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	return offset < 0 ? -EINVAL : (f->pos = offset);
}

static int dir_sync(struct file *f, bool data_only)
{
	int fd = ((struct host_dir *)f->object)->fd;

	return (data_only ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0;
}

static void dir_release(struct file *f)
{
	struct host_dir *d = f->object;

	close(d->fd);
	free(d);
}

static const struct file_ops host_dir_ops = {
	.readdir = dir_readdir,
	.seek = dir_seek,
	.sync = dir_sync,
	.release = dir_release,
};

static int open_dir(struct inode *i, struct file *f)
{
	int fd, rc = gofer_open(host_fs_of(i)->gofer, host_inode_of(i)->handle, O_RDONLY, &fd);
	struct host_dir *d;

	if (rc < 0)
		return rc;
	d = malloc(sizeof(*d));
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	d->fd = fd;
	d->next_pos = 0;
	d->at = d->len = 0;
	f->object = d;
	f->ops = &host_dir_ops;
	return 0;
}

static int open_regular(struct inode *i, struct file *f)
{
	struct host_inode *h = host_inode_of(i);
	int fd;

	LOCKED(&i->lock);
	idle_remove(h);
	fd = file_writable(f) || h->fd_both < 0 ? descriptor(i, file_writable(f)) : h->fd_both;
	if (fd < 0) {
		if (h->opens == 0)
			idle_add(h);
		return fd;
	}
	h->opens++;
	f->ops = &host_file_ops;
	return 0;
}

int host_open(struct inode *i, struct file *f)
{
	if (S_ISREG(i->attr.mode))
		return open_regular(i, f);
	if (S_ISDIR(i->attr.mode))
		return open_dir(i, f);
	return inode_open_special(i, f);
}
