/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets as open files, and waiting for them.
 */
#include "runtimes/sentry/net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <time.h>

#include "base/mem.h"
#include "runtimes/sentry/net/inet.h"

void socket_init(struct socket *s, const struct socket_ops *ops, int domain, int type, int protocol)
{
	s->ops = ops;
	s->domain = domain;
	s->type = type;
	s->protocol = protocol;
	wait_queue_init(&s->queue);
}

/* --- as files --------------------------------------------------------------------------------- */

static ssize_t file_receive(struct file *f, struct uio *to, int64_t *pos)
{
	struct socket *s = f->object;
	struct socket_message m = { .uio = to, .flags = to->nowait ? MSG_DONTWAIT : 0 };

	(void)pos;
	return s->ops->receive ? s->ops->receive(s, &m) : -EOPNOTSUPP;
}

static ssize_t file_send(struct file *f, struct uio *from, int64_t *pos)
{
	struct socket *s = f->object;
	struct socket_message m = { .uio = from, .flags = from->nowait ? MSG_DONTWAIT : 0 };

	(void)pos;
	return s->ops->send ? s->ops->send(s, &m) : -EOPNOTSUPP;
}

static uint32_t file_poll_(struct file *f)
{
	struct socket *s = f->object;

	return s->ops->poll(s);
}

static struct wait_queue *file_queue_(struct file *f)
{
	return &((struct socket *)f->object)->queue;
}

static long file_ioctl_(struct file *f, unsigned int cmd, uint64_t arg, struct ioctl_memory *m)
{
	struct socket *s = f->object;

	long rc = s->ops->ioctl ? s->ops->ioctl(s, cmd, arg, m) : -ENOTTY;

	/* As Linux: interfaces are asked for with a socket of any family; libc takes AF_UNIX. */
	return rc == -ENOTTY ? inet_ask_interfaces(cmd, arg, m) : rc;
}

static int file_flush_(struct file *f)
{
	struct socket *s = f->object;

	if (s->ops->settle)
		s->ops->settle(s);
	return 0;
}

static void file_release_(struct file *f)
{
	struct socket *s = f->object;

	s->ops->release(s);
}

static const struct file_ops socket_file_ops = {
	.read = file_receive,
	.write = file_send,
	.poll = file_poll_,
	.queue = file_queue_,
	.ioctl = file_ioctl_,
	.flush = file_flush_,
	.release = file_release_,
};

struct file *socket_file(struct socket *s, unsigned int flags, struct cred *c)
{
	struct inode *i = anonymous_inode("socket", S_IFSOCK | 0777);
	struct file *f = file_create(i, O_RDWR | flags, c);

	i->attr.uid = c->fsuid;
	i->attr.gid = c->fsgid;
	inode_put(i);
	f->ops = &socket_file_ops;
	f->object = s;
	return f;
}

struct socket *socket_of(const struct file *f)
{
	return f->ops == &socket_file_ops ? f->object : NULL;
}

/* --- waiting ---------------------------------------------------------------------------------- */

static int64_t deadline_of(int64_t timeout_ns)
{
	struct timespec now;

	if (timeout_ns == 0)
		return WAIT_FOREVER;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec + timeout_ns;
}

/* A call that is tried until it does not say -EAGAIN. */
typedef ssize_t try_fn(struct socket *s, void *data);

static ssize_t try_until(struct socket *s, try_fn *fn, void *data, uint32_t events,
			 int64_t timeout_ns)
{
	int64_t deadline = deadline_of(timeout_ns);
	struct wait_entry e = { .queue = NULL };
	ssize_t rc;
	int slept;

	wait_begin(&s->queue, &e, events | EPOLLERR | EPOLLHUP | EPOLLRDHUP);
	while ((rc = fn(s, data)) == -EAGAIN) {
		slept = wait_sleep(deadline);
		if (slept < 0) {
			rc = slept == -ETIMEDOUT ? -EAGAIN : slept;
			break;
		}
	}
	wait_end(&e);
	/* a call with a time limit is not restarted (signal(7)) */
	return rc == -ERESTARTSYS && timeout_ns ? -EINTR : rc;
}

static bool may_wait(const struct file *f, int flags)
{
	return !(f->flags & O_NONBLOCK) && !(flags & MSG_DONTWAIT);
}

static ssize_t try_send(struct socket *s, void *data)
{
	return s->ops->send(s, data);
}

/* A stream takes all of it, in as many pieces as there is room for. */
ssize_t socket_send(struct file *f, struct socket_message *m)
{
	struct socket *s = f->object;
	size_t before = m->uio->done;
	ssize_t rc;

	if (!s->ops->send)
		return -EOPNOTSUPP;
	for (;;) {
		rc = s->ops->send(s, m);
		if (rc == -EAGAIN && may_wait(f, m->flags))
			rc = try_until(s, try_send, m, EPOLLOUT, s->send_timeout_ns);
		if (rc <= 0 || s->type != SOCK_STREAM || uio_left(m->uio) == 0)
			break;
		m->n_files = 0; /* they went with the first bytes */
	}
	return m->uio->done > before ? (ssize_t)(m->uio->done - before) : rc;
}

static ssize_t try_receive(struct socket *s, void *data)
{
	return s->ops->receive(s, data);
}

ssize_t socket_receive(struct file *f, struct socket_message *m)
{
	struct socket *s = f->object;
	bool all = (m->flags & MSG_WAITALL) && s->type == SOCK_STREAM && !(m->flags & MSG_PEEK);
	size_t before = m->uio->done;
	ssize_t rc;

	if (!s->ops->receive)
		return -EOPNOTSUPP;
	do {
		rc = s->ops->receive(s, m);
		if (rc == -EAGAIN && may_wait(f, m->flags))
			rc = try_until(s, try_receive, m, EPOLLIN, s->receive_timeout_ns);
	} while (rc > 0 && all && uio_left(m->uio) > 0 && m->n_files == 0);
	return all && m->uio->done > before ? (ssize_t)(m->uio->done - before) : rc;
}

ssize_t socket_read(struct file *f, struct uio *to)
{
	struct socket_message m = { .uio = to };

	if (uio_left(to) == 0) /* as Linux: read(2) of nothing, unlike recv(2) */
		return 0;
	return socket_receive(f, &m);
}

ssize_t socket_write(struct file *f, struct uio *from)
{
	struct socket_message m = { .uio = from };

	return socket_send(f, &m);
}

struct connecting {
	const struct socket_address *a;
};

/* try_connect() - how a connect that goes on has ended: -EAGAIN, not yet. */
static ssize_t try_connect(struct socket *s, void *data)
{
	struct connecting *c = data;
	int rc;

	if (!(s->ops->poll(s) & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		return -EAGAIN;
	rc = s->ops->connect(s, c->a);
	return rc == -EISCONN ? 0 : rc == -EALREADY || rc == -EINPROGRESS ? -EAGAIN : rc;
}

int socket_connect(struct file *f, const struct socket_address *a)
{
	struct socket *s = f->object;
	struct connecting c = { .a = a };
	int rc;

	if (!s->ops->connect)
		return -EOPNOTSUPP;
	rc = s->ops->connect(s, a);
	if ((rc != -EINPROGRESS && rc != -EAGAIN) || !may_wait(f, 0))
		return rc;
	rc = (int)try_until(s, try_connect, &c, EPOLLOUT, s->send_timeout_ns);
	return rc == -EAGAIN ? -EINPROGRESS : rc;
}

struct accepting {
	struct socket_address *peer;
	struct socket **ret;
};

static ssize_t try_accept(struct socket *s, void *data)
{
	struct accepting *a = data;

	return s->ops->accept(s, a->peer, a->ret);
}

int socket_accept(struct file *f, struct socket_address *peer, struct socket **ret)
{
	struct socket *s = f->object;
	struct accepting a = { peer, ret };
	int rc;

	if (!s->ops->accept)
		return -EOPNOTSUPP;
	rc = s->ops->accept(s, peer, ret);
	if (rc == -EAGAIN && may_wait(f, 0))
		rc = (int)try_until(s, try_accept, &a, EPOLLIN, s->receive_timeout_ns);
	return rc;
}

/* --- options of all families ------------------------------------------------------------------ */

static int set_timeout(int64_t *to, const void *value, uint32_t len)
{
	struct timeval tv;

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, value, sizeof(tv));
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EDOM;
	if (tv.tv_sec < 0 || tv.tv_sec > INT32_MAX)
		*to = 0;
	else
		*to = tv.tv_sec * INT64_C(1000000000) + tv.tv_usec * 1000;
	return 0;
}

int socket_set_option(struct socket *s, int level, int name, const void *value, uint32_t len,
		      const struct cred *c)
{
	if (level == SOL_SOCKET && (name == SO_RCVTIMEO_OLD || name == SO_RCVTIMEO_NEW))
		return set_timeout(&s->receive_timeout_ns, value, len);
	if (level == SOL_SOCKET && (name == SO_SNDTIMEO_OLD || name == SO_SNDTIMEO_NEW))
		return set_timeout(&s->send_timeout_ns, value, len);
	return s->ops->set_option ? s->ops->set_option(s, level, name, value, len, c)
				  : -ENOPROTOOPT;
}

static int give(void *value, uint32_t *len, const void *from, uint32_t size)
{
	memcpy(value, from, MIN(*len, size));
	*len = MIN(*len, size);
	return 0;
}

static int give_int(void *value, uint32_t *len, int n)
{
	return give(value, len, &n, sizeof(n));
}

static int give_timeout(void *value, uint32_t *len, int64_t ns)
{
	struct timeval tv = { .tv_sec = ns / 1000000000, .tv_usec = ns % 1000000000 / 1000 };

	return give(value, len, &tv, sizeof(tv));
}

int socket_get_option(struct socket *s, int level, int name, void *value, uint32_t *len)
{
	if (level == SOL_SOCKET) {
		switch (name) {
		case SO_TYPE:
			return give_int(value, len, s->type);
		case SO_DOMAIN:
			return give_int(value, len, s->domain);
		case SO_PROTOCOL:
			return give_int(value, len, s->protocol);
		case SO_RCVTIMEO_OLD:
		case SO_RCVTIMEO_NEW:
			return give_timeout(value, len, s->receive_timeout_ns);
		case SO_SNDTIMEO_OLD:
		case SO_SNDTIMEO_NEW:
			return give_timeout(value, len, s->send_timeout_ns);
		}
	}
	return s->ops->get_option ? s->ops->get_option(s, level, name, value, len) : -ENOPROTOOPT;
}
