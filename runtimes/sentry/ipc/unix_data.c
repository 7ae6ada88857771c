/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data of AF_UNIX sockets: messages, descriptors, credentials.
 *
 * Guest memory is copied while no lock is held: a sender fills a message before it queues it, a
 * reader takes the first one off the queue and puts it back when something of it is left.  One
 * reader at a time does that, so that bytes keep their order.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/mem.h"
#include "runtimes/sentry/ipc/unix_internal.h"

#define PIECE_BYTES (64 << 10) /* of a stream, at most in one message */

void unix_message_free(struct unix_message *m)
{
	for (size_t i = 0; i < m->n_files; i++)
		file_put(m->files[i]);
	free(m->files);
	free(m->from);
	free(m);
}

/* --- sending ---------------------------------------------------------------------------------- */

/* Preconditions: holds to->lock, or a stale answer does no harm. */
bool unix_has_room(struct unix_socket *to)
{
	return to->bytes < UNIX_BUFFER_BYTES;
}

static int fill(struct unix_socket *u, struct socket_message *m, size_t len,
		struct unix_message **ret)
{
	struct unix_message *msg = malloc(sizeof(*msg) + len);
	size_t before = m->uio->done;

	if (!msg)
		return -ENOBUFS;
	memset(msg, 0, sizeof(*msg));
	msg->len = len;
	msg->cred = m->has_cred ? m->cred : u->s.owner;
	if (uio_get(m->uio, msg->data, len) < 0) {
		free(msg);
		return -EFAULT;
	}
	m->uio->done = before; /* until it is queued */
	if (u->s.type == SOCK_DGRAM && u->name.len) {
		msg->from = xmemdup(&u->name, sizeof(u->name));
		msg->from->inode = NULL;
	}
	*ret = msg;
	return 0;
}

/* take_files() - they go with this message; the sender's array is used up. */
static void take_files(struct unix_message *msg, struct socket_message *m)
{
	if (m->n_files == 0)
		return;
	msg->files = xmemdup(m->files, m->n_files * sizeof(*m->files));
	msg->n_files = m->n_files;
	m->n_files = 0;
}

/* destination() - with a reference. */
static int destination(struct unix_socket *u, struct socket_message *m, struct unix_socket **ret)
{
	int rc;

	if (u->s.type == SOCK_DGRAM && m->address && m->address->len) {
		rc = unix_find(m->address, ret);
		if (rc == 0 && (*ret)->s.type != SOCK_DGRAM) {
			unix_put(*ret);
			return -EPROTOTYPE;
		}
		return rc;
	}
	*ret = unix_peer(u);
	if (*ret)
		return 0;
	if (u->peer_gone)
		return u->s.type == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE;
	return u->s.type == SOCK_DGRAM	    ? -ENOTCONN
	       : u->state == UNIX_CONNECTED ? -EPIPE
					    : -ENOTCONN;
}

/* wait_for() - a datagram's sender is woken when @to has room. Preconditions: holds to->lock. */
static void wait_for(struct unix_socket *to, struct unix_socket *sender)
{
	struct unix_blocked *b;

	list_for_each(b, &to->blocked, in_list) {
		if (b->sender == sender)
			return;
	}
	b = xnew(struct unix_blocked);
	b->sender = unix_get(sender);
	list_add(&to->blocked, &b->in_list);
}

/* queue() - Return: 0, -EAGAIN, -EPIPE, -ECONNREFUSED. */
static int queue(struct unix_socket *u, struct unix_socket *to, struct unix_message *msg)
{
	LOCKED(&to->lock);
	if (to->state == UNIX_CLOSED || to->no_more_input)
		return u->s.type == SOCK_DGRAM && to->state == UNIX_CLOSED ? -ECONNREFUSED : -EPIPE;
	if (!unix_has_room(to)) {
		if (u->s.type == SOCK_DGRAM)
			wait_for(to, u);
		return -EAGAIN;
	}
	list_add(&to->messages, &msg->in_queue);
	to->bytes += msg->len + 1; /* empty ones count too */
	return 0;
}

ssize_t unix_send(struct socket *s, struct socket_message *m)
{
	struct unix_socket *u = unix_of(s), *to;
	size_t len = uio_left(m->uio);
	struct unix_message *msg;
	int rc;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (u->no_more_output)
		return -EPIPE;
	if (s->type == SOCK_STREAM)
		len = MIN(len, (size_t)PIECE_BYTES);
	else if (len > UNIX_BUFFER_BYTES)
		return -EMSGSIZE;
	if (s->type == SOCK_STREAM && len == 0 && m->n_files == 0)
		return 0;
	rc = destination(u, m, &to);
	if (rc < 0)
		return rc;
	rc = unix_has_room(to) || s->type == SOCK_DGRAM ? fill(u, m, len, &msg) : -EAGAIN;
	if (rc == 0) {
		rc = queue(u, to, msg);
		if (rc == 0) {
			take_files(msg, m);
			m->uio->done += len;
		} else {
			unix_message_free(msg);
		}
	}
	if (rc == 0)
		wait_wake(&to->s.queue, EPOLLIN | EPOLLRDNORM);
	unix_put(to);
	return rc < 0 ? rc : (ssize_t)len;
}

/* --- receiving -------------------------------------------------------------------------------- */

void unix_wake_blocked(struct unix_socket *u)
{
	struct list woken;
	struct unix_blocked *b, *next;

	list_init(&woken);
	lock_acquire(&u->lock);
	list_for_each_safe(b, next, &u->blocked, in_list) {
		list_remove(&b->in_list);
		list_add(&woken, &b->in_list);
	}
	lock_release(&u->lock);
	list_for_each_safe(b, next, &woken, in_list) {
		wait_wake(&b->sender->s.queue, EPOLLOUT | EPOLLWRNORM);
		unix_put(b->sender);
		free(b);
	}
}

/* take_first() - off the queue, and nobody else reads until put_back(). */
static int take_first(struct unix_socket *u, struct unix_message **ret)
{
	LOCKED(&u->lock);
	if (u->reading)
		return -EAGAIN;
	if (!list_empty(&u->messages)) {
		*ret = list_first(&u->messages, struct unix_message, in_queue);
		list_remove(&(*ret)->in_queue);
		u->reading = true;
		return 0;
	}
	if (u->error) {
		int rc = -u->error;

		u->error = 0;
		return rc;
	}
	if (u->no_more_input || u->peer_gone)
		return 1; /* end of file */
	if (u->s.type != SOCK_DGRAM && u->state != UNIX_CONNECTED)
		return u->s.type == SOCK_STREAM ? -EINVAL : -ENOTCONN;
	return -EAGAIN;
}

/* done_with() - @msg goes back to the front, or goes away (@keep false). */
static void done_with(struct unix_socket *u, struct unix_message *msg, bool keep)
{
	struct unix_socket *peer;

	lock_acquire(&u->lock);
	u->reading = false;
	if (keep) {
		struct list *first = u->messages.next;

		msg->in_queue.prev = &u->messages;
		msg->in_queue.next = first;
		first->prev = &msg->in_queue;
		u->messages.next = &msg->in_queue;
	} else {
		u->bytes -= msg->len + 1;
	}
	lock_release(&u->lock);
	if (keep) {
		wait_wake(&u->s.queue, EPOLLIN | EPOLLRDNORM);
		return;
	}
	unix_message_free(msg);
	unix_wake_blocked(u);
	peer = unix_peer(u);
	if (peer)
		wait_wake(&peer->s.queue, EPOLLOUT | EPOLLWRNORM);
	unix_put(peer);
}

/* give_extras() - address, credentials, descriptors of one message. */
static void give_extras(struct unix_socket *u, struct unix_message *msg, struct socket_message *m,
			bool peek)
{
	if (m->address && msg->from)
		*m->address = *msg->from;
	if (u->pass_cred) {
		m->has_cred = true;
		m->cred = msg->cred;
	}
	if (msg->n_files > m->max_files)
		m->out_flags |= MSG_CTRUNC;
	for (size_t i = 0; i < msg->n_files && m->n_files < m->max_files; i++)
		m->files[m->n_files++] = file_get(msg->files[i]);
	if (peek)
		return;
	for (size_t i = 0; i < msg->n_files; i++)
		file_put(msg->files[i]);
	msg->n_files = 0;
}

static ssize_t give(struct unix_socket *u, struct unix_message *msg, struct socket_message *m)
{
	bool stream = u->s.type == SOCK_STREAM, peek = m->flags & MSG_PEEK;
	size_t n = MIN(uio_left(m->uio), msg->len - msg->at);
	int rc = uio_put(m->uio, msg->data + msg->at, n);
	size_t all = msg->len - msg->at;

	if (rc < 0) {
		done_with(u, msg, stream || peek);
		return -EFAULT;
	}
	give_extras(u, msg, m, peek);
	if (!stream && n < all)
		m->out_flags |= MSG_TRUNC;
	if (!peek)
		msg->at += n;
	done_with(u, msg, peek || (stream && msg->at < msg->len));
	return !stream && (m->flags & MSG_TRUNC) ? (ssize_t)all : (ssize_t)n;
}

ssize_t unix_receive(struct socket *s, struct socket_message *m)
{
	struct unix_socket *u = unix_of(s);
	struct unix_message *msg;
	ssize_t done = 0, n;
	int rc;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	do {
		rc = take_first(u, &msg);
		if (rc != 0)
			break;
		n = give(u, msg, m);
		if (n < 0)
			return done > 0 ? done : n;
		done += n;
		/* messages with descriptors are not joined with others */
	} while (s->type == SOCK_STREAM && !(m->flags & MSG_PEEK) && uio_left(m->uio) > 0 &&
		 m->n_files == 0 && n > 0);
	if (done > 0 || rc == 0)
		return done;
	return rc > 0 ? 0 : rc;
}
