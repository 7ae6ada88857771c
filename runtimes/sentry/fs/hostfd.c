/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors of the host: pipes, sockets, terminals, regular files.
 *
 * Reads and writes never wait on the host: descriptors are non-blocking, sockets are asked with
 * MSG_DONTWAIT; the poller (net/poller.h) tells when to try again.  A regular file keeps the host's
 * position, which others who hold the description go on from.
 */
#include "runtimes/sentry/fs/hostfd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

#include "base/mem.h"
#include "runtimes/sentry/net/poller.h"

#define BOUNCE_BYTES (16 << 10)

struct hostfd {
	uint32_t refs; /* of its inode and of open files */
	int fd;
	mode_t type; /* S_IF* */
	struct wait_queue queue;
	struct poller_watch watch;
};

/* --- moving bytes ----------------------------------------------------------------------------- */

static ssize_t host_read(const struct hostfd *h, void *to, size_t len)
{
	ssize_t n = S_ISSOCK(h->type) ? recv(h->fd, to, len, MSG_DONTWAIT) : read(h->fd, to, len);

	return n < 0 ? -errno : n;
}

static ssize_t host_write(const struct hostfd *h, const void *from, size_t len)
{
	ssize_t n = S_ISSOCK(h->type) ? send(h->fd, from, len, MSG_DONTWAIT | MSG_NOSIGNAL)
				      : write(h->fd, from, len);

	return n < 0 ? -errno : n;
}

static ssize_t stream_read(struct file *f, struct uio *to, int64_t *pos)
{
	const struct hostfd *h = f->object;
	size_t len = MIN(uio_left(to), (size_t)BOUNCE_BYTES);
	char bounce[BOUNCE_BYTES] __attribute__((uninitialized));
	ssize_t n = host_read(h, bounce, len);

	(void)pos;
	if (n <= 0)
		return n;
	return uio_put(to, bounce, (size_t)n) < 0 ? -EFAULT : n;
}

static ssize_t stream_write(struct file *f, struct uio *from, int64_t *pos)
{
	const struct hostfd *h = f->object;
	size_t len = MIN(uio_left(from), (size_t)BOUNCE_BYTES), before = from->done;
	char bounce[BOUNCE_BYTES] __attribute__((uninitialized));
	ssize_t n;

	(void)pos;
	if (uio_get(from, bounce, len) < 0)
		return -EFAULT;
	n = host_write(h, bounce, len);
	from->done = before + (n > 0 ? (size_t)n : 0);
	return n;
}

static uint32_t stream_poll(struct file *f)
{
	const struct hostfd *h = f->object;
	struct pollfd p = { .fd = h->fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };

	return poll(&p, 1, 0) <= 0 ? 0 : (uint32_t)p.revents;
}

static struct wait_queue *stream_queue(struct file *f)
{
	return &((struct hostfd *)f->object)->queue;
}

static void hostfd_put(struct hostfd *h)
{
	if (__atomic_sub_fetch(&h->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	poller_remove(&h->watch);
	close(h->fd);
	free(h);
}

static void hostfd_release(struct file *f)
{
	hostfd_put(f->object);
}

/* --- terminals -------------------------------------------------------------------------------- */

/* Sizes of what the calls that are passed on carry; others are the host's business. */
static size_t ioctl_size(unsigned int cmd, bool *ret_in)
{
	*ret_in = cmd == TCSETS || cmd == TCSETSW || cmd == TCSETSF || cmd == TIOCSWINSZ;
	switch (cmd) {
	case TCGETS:
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return 36; /* the kernel's struct termios */
	case TIOCGWINSZ:
	case TIOCSWINSZ:
		return sizeof(struct winsize);
	case FIONREAD:
	case TIOCOUTQ:
		return sizeof(int);
	default:
		return 0;
	}
}

static long stream_ioctl(struct file *f, unsigned int cmd, uint64_t arg, struct ioctl_memory *m)
{
	const struct hostfd *h = f->object;
	char value[64] = { 0 };
	bool in;
	size_t size = ioctl_size(cmd, &in);

	if (cmd == TCFLSH || cmd == TCSBRK || cmd == TCXONC)
		return ioctl(h->fd, cmd, (unsigned long)(uint32_t)arg) < 0 ? -errno : 0;
	if (size == 0)
		return -ENOTTY;
	if (in && m->in(m, value, arg, size) < 0)
		return -EFAULT;
	if (ioctl(h->fd, cmd, value) < 0)
		return -errno;
	return !in && m->out(m, arg, value, size) < 0 ? -EFAULT : 0;
}

static const struct file_ops stream_ops = {
	.read = stream_read,
	.write = stream_write,
	.poll = stream_poll,
	.queue = stream_queue,
	.ioctl = stream_ioctl,
	.release = hostfd_release,
};

/* --- regular files ---------------------------------------------------------------------------- */

/* in_order() - whether this is read(2) or write(2), which go on where the host's description is. */
static bool in_order(const struct file *f, const int64_t *pos)
{
	return pos == &f->pos;
}

static ssize_t regular_read(struct file *f, struct uio *to, int64_t *pos)
{
	const struct hostfd *h = f->object;
	char bounce[BOUNCE_BYTES] __attribute__((uninitialized));
	ssize_t done = 0, n = 0;

	while (uio_left(to) > 0) {
		size_t len = MIN(uio_left(to), sizeof(bounce));

		n = in_order(f, pos) ? read(h->fd, bounce, len) : pread(h->fd, bounce, len, *pos);
		if (n <= 0)
			break;
		if (uio_put(to, bounce, (size_t)n) < 0)
			return -EFAULT;
		*pos += n;
		done += n;
	}
	return done > 0 || n == 0 ? done : -errno;
}

static ssize_t regular_write_some(struct file *f, const void *from, size_t len, int64_t *pos)
{
	const struct hostfd *h = f->object;
	ssize_t n = in_order(f, pos) ? write(h->fd, from, len) : pwrite(h->fd, from, len, *pos);

	if (n < 0)
		return -errno;
	*pos = in_order(f, pos) ? lseek(h->fd, 0, SEEK_CUR) : *pos + n;
	return n;
}

static ssize_t regular_write(struct file *f, struct uio *from, int64_t *pos)
{
	char bounce[BOUNCE_BYTES] __attribute__((uninitialized));
	ssize_t done = 0, n = 0;

	while (uio_left(from) > 0) {
		size_t len = MIN(uio_left(from), sizeof(bounce));

		if (uio_get(from, bounce, len) < 0)
			return done > 0 ? done : -EFAULT;
		n = regular_write_some(f, bounce, len, pos);
		if (n <= 0)
			break;
		done += n;
	}
	return done > 0 ? done : n;
}

static int64_t regular_seek(struct file *f, int64_t offset, int whence)
{
	const struct hostfd *h = f->object;
	off_t to = lseek(h->fd, offset, whence);

	return to < 0 ? -errno : (f->pos = to);
}

static int regular_truncate(struct file *f, int64_t length)
{
	return ftruncate(((struct hostfd *)f->object)->fd, length) < 0 ? -errno : 0;
}

static int regular_sync(struct file *f, bool data_only)
{
	int fd = ((struct hostfd *)f->object)->fd;

	return (data_only ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0;
}

static const struct file_ops regular_ops = {
	.read = regular_read,
	.write = regular_write,
	.seek = regular_seek,
	.truncate = regular_truncate,
	.sync = regular_sync,
	.release = hostfd_release,
};

/* --- making one ------------------------------------------------------------------------------- */

/*
 * /dev/stderr and its like: programs open their log there.  The host's description is shared, and
 * what is a FIFO or a terminal there is none of ours.
 */
static int hostfd_open(struct inode *i, struct file *f)
{
	struct hostfd *h = i->data;

	__atomic_add_fetch(&h->refs, 1, __ATOMIC_RELAXED);
	f->object = h;
	f->ops = S_ISREG(h->type) ? &regular_ops : &stream_ops;
	return 0;
}

/* A container may own its stdio; the host's file keeps its owner. */
static int hostfd_setattr(struct inode *i, unsigned int mask, const struct attr *to)
{
	inode_apply_attr(i, mask, to);
	return 0;
}

static void hostfd_free_inode(struct inode *i)
{
	hostfd_put(i->data);
}

static const struct inode_ops hostfd_inode_ops = {
	.open = hostfd_open,
	.setattr = hostfd_setattr,
	.free = hostfd_free_inode,
};

static void take_attr(struct inode *i, const struct stat *st, const struct cred *c)
{
	i->attr.mode = st->st_mode;
	i->attr.uid = c->fsuid; /* host ids mean nothing inside */
	i->attr.gid = c->fsgid;
	i->attr.size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0;
	i->attr.rdev = S_ISCHR(st->st_mode) ? st->st_rdev : 0;
	i->attr.nlink = 1;
}

int hostfd_create(int fd, struct cred *c, struct file **ret)
{
	struct hostfd *h;
	struct stat st;
	int flags = fcntl(fd, F_GETFL), rc = 0;

	if (flags < 0 || fstat(fd, &st) < 0) {
		rc = -errno;
		close_fd(&fd);
		return rc;
	}
	h = xnew(struct hostfd);
	h->refs = 2;
	h->fd = fd;
	h->type = st.st_mode & S_IFMT;
	wait_queue_init(&h->queue);
	h->watch = (struct poller_watch){ .fd = fd, .queue = &h->queue };
	if (!S_ISREG(st.st_mode))
		rc = poller_add(&h->watch);
	if (rc < 0 && rc != -EPERM) {
		close(fd);
		free(h);
		return rc;
	}
	*ret = file_create_anonymous(S_ISREG(st.st_mode) ? &regular_ops : &stream_ops, "host", h,
				     (unsigned int)flags & (O_ACCMODE | O_APPEND), c);
	(*ret)->inode->ops = &hostfd_inode_ops;
	(*ret)->inode->data = h;
	take_attr((*ret)->inode, &st, c);
	if (S_ISREG(st.st_mode))
		(*ret)->pos = MAX(lseek(fd, 0, SEEK_CUR), 0);
	return 0;
}
