/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams that are read before anybody asks.
 *
 * Theory of operation.  epoll_wait() has just said that a stream can be read, so its reader will
 * ask for the bytes next: they go along with the answer as a lease (platform/lease.h), and the read
 * needs no exchange with the sentry.  The socket keeps the bytes until the lease has ended, which
 * every other operation on it sees to first; what was not taken then is what receives give first.
 *
 * A reader that gets less than it has room for thinks that the stream is empty, and waits for an
 * edge that has been already.  So only all there is at that moment is leased, and a receive goes on
 * with what the stack has behind these bytes.  A socket whose readers do not take what they are
 * given is left alone after some misses.
 */
#include <errno.h>

#include "base/mem.h"
#include "runtimes/sentry/net/inet_internal.h"
#include "runtimes/sentry/platform/lease.h"

#define AHEAD_BYTES 2048
#define MISSES_MAX  4

static void forget(struct ahead *h)
{
	free(h->data);
	h->data = NULL;
	h->at = h->len = 0;
}

/* settle() - end the lease. Preconditions: holds the lock. */
static void settle(struct ahead *h)
{
	if (!h->lease)
		return;
	if (stub_lease_end(steal_ptr(h->lease))) {
		h->misses = 0;
		forget(h);
	} else {
		h->misses++;
	}
}

/* append() - behind what is there. Preconditions: holds the lock. */
static void append(struct ahead *h, const void *from, size_t len)
{
	size_t old = h->len - h->at;
	uint8_t *data = xcalloc(1, old + len);

	if (old)
		memcpy(data, h->data + h->at, old);
	memcpy(data + old, from, len);
	forget(h);
	h->data = data;
	h->len = old + len;
}

void inet_ahead_keep(struct inet_socket *i, const void *from, size_t len)
{
	if (len)
		append(&i->ahead, from, len);
}

/* fill() - what the stack has now. Preconditions: holds the lock. Return: whether that is all. */
static bool fill(struct inet_socket *i)
{
	uint8_t bytes[AHEAD_BYTES] __attribute__((uninitialized));
	struct ahead *h = &i->ahead;
	struct iovec iov = { .iov_base = bytes };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (h->len - h->at >= sizeof(bytes))
		return false;
	iov.iov_len = sizeof(bytes) - (h->len - h->at);
	n = i->stack->receive(i->end, &m, 0);
	if (n < 0 && n != -EAGAIN && n != -ENOTCONN)
		h->error = (int)n;
	if (n > 0) /* 0, the end, is there for every receive */
		append(h, bytes, (size_t)n);
	return n < (ssize_t)iov.iov_len;
}

void inet_ahead(struct socket *s, struct stub_thread *t, int fd)
{
	struct inet_socket *i = inet_of(s);
	struct ahead *h = &i->ahead;

	if (s->type != SOCK_STREAM)
		return;
	LOCKED(&h->lock);
	settle(h);
	if (h->off || h->misses >= MISSES_MAX || h->error)
		return;
	if (!fill(i))
		h->misses++;
	else if (h->data)
		h->lease = stub_lease(t, fd, h->data + h->at, h->len - h->at);
}

void inet_ahead_settle(struct socket *s)
{
	struct ahead *h = &inet_of(s)->ahead;

	LOCKED(&h->lock);
	settle(h);
}

bool inet_ahead_drop(struct inet_socket *i)
{
	struct ahead *h = &i->ahead;
	bool any;

	LOCKED(&h->lock);
	settle(h);
	any = h->data != NULL;
	forget(h);
	h->error = 0;
	return any;
}

size_t inet_ahead_bytes(struct inet_socket *i, int *ret_error)
{
	struct ahead *h = &i->ahead;

	LOCKED(&h->lock);
	settle(h);
	*ret_error = h->error;
	return h->len - h->at;
}

int inet_ahead_take_error(struct inet_socket *i)
{
	struct ahead *h = &i->ahead;
	int error;

	LOCKED(&h->lock);
	error = h->error;
	h->error = 0;
	return error;
}

void inet_ahead_off(struct inet_socket *i)
{
	LOCKED(&i->ahead.lock);
	i->ahead.off = true;
}

/* give() - those bytes. Return: how many, -EFAULT. */
static ssize_t give(struct ahead *h, struct socket_message *m)
{
	size_t n = MIN(h->len - h->at, uio_left(m->uio));

	if (m->flags & MSG_TRUNC) /* of a stream: they are thrown away */
		m->uio->done += n;
	else if (uio_put(m->uio, h->data + h->at, n) < 0)
		return -EFAULT;
	m->control_len = 0;
	if (m->address)
		m->address->len = 0;
	return (ssize_t)n;
}

/* add() - what the stack has behind them; an error of it is for the next one. */
static ssize_t add(struct socket *s, struct socket_message *m, ssize_t n, inet_receive_fn *fn)
{
	ssize_t more = fn(s, m);

	if (more < 0 && more != -EAGAIN && more != -EFAULT)
		inet_of(s)->ahead.error = (int)more;
	return more > 0 ? n + more : n;
}

ssize_t inet_ahead_receive(struct socket *s, struct socket_message *m, inet_receive_fn *fn)
{
	struct ahead *h = &inet_of(s)->ahead;
	bool all;
	ssize_t n;

	LOCKED(&h->lock);
	settle(h);
	if (m->flags & (MSG_OOB | MSG_ERRQUEUE))
		return fn(s, m);
	if (!h->data) {
		n = h->error;
		h->error = 0;
		return n ? n : fn(s, m);
	}
	n = give(h, m);
	if (n < 0)
		return n;
	all = (size_t)n == h->len - h->at;
	if (!(m->flags & MSG_PEEK)) {
		h->at += (size_t)n;
		if (all)
			forget(h);
	}
	return all && uio_left(m->uio) ? add(s, m, n, fn) : n;
}
