/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving bytes from file to file: sendfile(2), splice(2), copy_file_range(2).
 *
 * They go through a buffer of the sentry: pages of the guest never move between files.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>

#include "runtimes/sentry/sys/files.h"
#include "runtimes/sentry/task/signal.h"
#include "runtimes/sentry/vfs/pipe.h"

#define PIECE (16u << 10)

/* One side: a file, and where in it; NULL: its own position. */
struct side {
	struct file *file;
	int64_t *pos;
};

static ssize_t read_side(const struct side *s, char *buf, size_t len)
{
	struct iovec iov;
	struct uio u = uio_of_buffer(&iov, buf, len);
	ssize_t n = s->pos ? file_pread(s->file, &u, *s->pos) : file_read(s->file, &u);

	if (n > 0 && s->pos)
		*s->pos += n;
	return n;
}

static ssize_t write_side(const struct side *s, char *buf, size_t len)
{
	struct iovec iov;
	struct uio u = uio_of_buffer(&iov, buf, len);
	ssize_t n = s->pos ? file_pwrite(s->file, &u, *s->pos) : file_write(s->file, &u);

	if (n > 0 && s->pos)
		*s->pos += n;
	return n;
}

/* take_back() - bytes were read that found no place: where reading goes on is set back. */
static void take_back(const struct side *s, size_t bytes)
{
	if (s->pos)
		*s->pos -= (int64_t)bytes;
	else if (s->file->ops->seek)
		file_seek(s->file, -(int64_t)bytes, SEEK_CUR);
}

/*
 * await_room() - what has been read from a pipe cannot be put back, so there must be room before.
 * Return: 0, or -errno.
 */
static int await_room(const struct side *to, bool wait)
{
	uint32_t now = to->file->ops->poll ? file_poll(to->file) : EPOLLOUT;

	if (pipe_is(to->file) && (now & EPOLLERR))
		return -EPIPE;
	if (now & (EPOLLOUT | EPOLLERR | EPOLLHUP))
		return 0;
	return wait ? file_wait(to->file, EPOLLOUT, WAIT_FOREVER) : -EAGAIN;
}

/* move() - up to @len bytes; stops where the source has no more for now. */
static ssize_t move(const struct side *from, const struct side *to, size_t len, bool nonblock)
{
	char buf[PIECE] __attribute__((uninitialized));
	size_t done = 0;

	while (done < len) {
		bool wait = !done && !nonblock && !(to->file->flags & O_NONBLOCK);
		ssize_t n = await_room(to, wait), put;

		if (n < 0)
			return done ? (ssize_t)done : n;
		if (done && from->file->ops->poll && !(file_poll(from->file) & EPOLLIN))
			break;
		if (nonblock && from->file->ops->poll &&
		    !(file_poll(from->file) & (EPOLLIN | EPOLLHUP)))
			return done ? (ssize_t)done : -EAGAIN;
		n = read_side(from, buf, MIN(len - done, sizeof(buf)));
		if (n <= 0)
			return done ? (ssize_t)done : n;
		put = write_side(to, buf, (size_t)n);
		if (put < n)
			take_back(from, (size_t)(n - MAX(put, 0)));
		if (put <= 0)
			return done ? (ssize_t)done : put;
		done += (size_t)put;
		if (put < n)
			break;
	}
	return (ssize_t)done;
}

static long with_sigpipe(struct task *t, ssize_t rc)
{
	if (rc == -EPIPE) {
		siginfo_t info = signal_from_task(t, SIGPIPE, SI_USER);

		signal_send_task(t, &info);
	}
	return rc;
}

static int fetch_pos(struct task *t, uint64_t at, int64_t *pos, struct side *s)
{
	int rc;

	if (!at)
		return 0;
	rc = sys_copy_in(t, pos, at, sizeof(*pos));
	if (rc < 0)
		return rc;
	s->pos = pos;
	return *pos < 0 ? -EINVAL : 0;
}

static long put_pos(struct task *t, uint64_t at, const int64_t *pos, long rc)
{
	if (at && rc >= 0 && sys_copy_out(t, at, pos, sizeof(*pos)) < 0)
		return -EFAULT;
	return rc;
}

/* fetch_sides() - Return: 0 or -EBADF; the files are given back by put_sides(). */
static int fetch_sides(struct task *t, uint64_t in, uint64_t out, struct side *from,
		       struct side *to)
{
	*from = (struct side){ .file = sys_file(t, (int)in) };
	*to = (struct side){ .file = sys_file(t, (int)out) };
	if (!from->file || !to->file || !file_readable(from->file) || !file_writable(to->file))
		return -EBADF;
	return 0;
}

static void put_sides(struct side *from, struct side *to)
{
	file_put(from->file);
	file_put(to->file);
}

#define MAX_LEN (INT32_MAX - 4095)

long sys_sendfile(struct task *t, const uint64_t a[6])
{
	struct side from, to;
	int64_t pos;
	long rc = fetch_sides(t, a[1], a[0], &from, &to);

	if (rc == 0)
		rc = fetch_pos(t, a[2], &pos, &from);
	if (rc == 0 && !from.file->ops->seek && !S_ISSOCK(from.file->inode->attr.mode))
		rc = a[2] ? -ESPIPE : -EINVAL;
	if (rc == 0 && (to.file->flags & O_APPEND))
		rc = -EINVAL;
	if (rc == 0)
		rc = move(&from, &to, MIN(a[3], MAX_LEN), false);
	put_sides(&from, &to);
	return with_sigpipe(t, put_pos(t, a[2], &pos, rc));
}

long sys_splice(struct task *t, const uint64_t a[6])
{
	int64_t in_pos, out_pos;
	struct side from, to;
	long rc = fetch_sides(t, a[0], a[2], &from, &to);

	if (rc == 0 && (a[5] & ~0xfull))
		rc = -EINVAL;
	if (rc == 0 && !pipe_is(from.file) && !pipe_is(to.file))
		rc = -EINVAL;
	if (rc == 0 && ((pipe_is(from.file) && a[1]) || (pipe_is(to.file) && a[3])))
		rc = -ESPIPE;
	if (rc == 0 && pipe_is(from.file) && pipe_is(to.file) && from.file->inode == to.file->inode)
		rc = -EINVAL;
	if (rc == 0 && (to.file->flags & O_APPEND))
		rc = -EINVAL;
	if (rc == 0)
		rc = fetch_pos(t, a[1], &in_pos, &from);
	if (rc == 0)
		rc = fetch_pos(t, a[3], &out_pos, &to);
	if (rc == 0)
		rc = move(&from, &to, MIN(a[4], MAX_LEN), a[5] & SPLICE_F_NONBLOCK);
	put_sides(&from, &to);
	rc = put_pos(t, a[1], &in_pos, rc);
	return with_sigpipe(t, put_pos(t, a[3], &out_pos, rc));
}

/* vmsplice is a read or write of the pipe: pages are copied and not given. */
long sys_vmsplice(struct task *t, const uint64_t a[6])
{
	struct file *f = sys_file(t, (int)a[0]);
	bool is_pipe = f && pipe_is(f), writable = f && file_writable(f);

	file_put(f);
	if (!is_pipe)
		return -EBADF;
	return writable ? sys_writev(t, a) : sys_readv(t, a);
}

long sys_tee(struct task *t, const uint64_t a[6])
{
	struct side from, to;
	char buf[PIECE] __attribute__((uninitialized));
	long rc = fetch_sides(t, a[0], a[1], &from, &to);
	ssize_t n;

	if (rc == 0 && (!pipe_is(from.file) || !pipe_is(to.file) ||
			from.file->inode == to.file->inode || (a[3] & ~0xfull)))
		rc = -EINVAL;
	if (rc == 0) {
		n = pipe_peek(from.file, buf, MIN(a[2], sizeof(buf)), a[3] & SPLICE_F_NONBLOCK);
		rc = n <= 0 ? n : write_side(&to, buf, (size_t)n);
	}
	put_sides(&from, &to);
	return with_sigpipe(t, rc);
}

static int check_ranges(const struct side *from, const struct side *to, size_t len)
{
	int64_t a = from->pos ? *from->pos : from->file->pos;
	int64_t b = to->pos ? *to->pos : to->file->pos;

	if (S_ISDIR(from->file->inode->attr.mode) || S_ISDIR(to->file->inode->attr.mode))
		return -EISDIR;
	if (!S_ISREG(from->file->inode->attr.mode) || !S_ISREG(to->file->inode->attr.mode))
		return -EINVAL;
	if (to->file->flags & O_APPEND)
		return -EBADF;
	if (from->file->inode == to->file->inode && a < b + (int64_t)len && b < a + (int64_t)len)
		return -EINVAL;
	return 0;
}

long sys_copy_file_range(struct task *t, const uint64_t a[6])
{
	size_t len = MIN(a[4], MAX_LEN);
	int64_t in_pos, out_pos;
	struct side from, to;
	long rc = fetch_sides(t, a[0], a[2], &from, &to);

	if (rc == 0 && a[5])
		rc = -EINVAL;
	if (rc == 0)
		rc = fetch_pos(t, a[1], &in_pos, &from);
	if (rc == 0)
		rc = fetch_pos(t, a[3], &out_pos, &to);
	if (rc == 0)
		rc = check_ranges(&from, &to, len);
	if (rc == 0)
		rc = move(&from, &to, len, false);
	put_sides(&from, &to);
	rc = put_pos(t, a[1], &in_pos, rc);
	return put_pos(t, a[3], &out_pos, rc);
}
