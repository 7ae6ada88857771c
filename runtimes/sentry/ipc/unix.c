/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_UNIX sockets: making, connecting, accepting, closing.
 *
 * connect() on a listener makes the server's end at once and puts it into the backlog; accept()
 * takes it from there.
 */
#include "runtimes/sentry/ipc/unix.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "base/mem.h"
#include "runtimes/sentry/ipc/unix_internal.h"

static const struct socket_ops unix_ops;

/* --- life ------------------------------------------------------------------------------------- */

static struct unix_socket *create(int type)
{
	struct unix_socket *u = xnew(struct unix_socket);

	socket_init(&u->s, &unix_ops, AF_UNIX, type, 0);
	u->refs = 1;
	lock_init(&u->lock, LOCK_OBJECT);
	list_init(&u->messages);
	list_init(&u->blocked);
	list_init(&u->backlog);
	return u;
}

struct unix_socket *unix_get(struct unix_socket *u)
{
	__atomic_fetch_add(&u->refs, 1, __ATOMIC_RELAXED);
	return u;
}

void unix_put(struct unix_socket *u)
{
	if (!u || __atomic_sub_fetch(&u->refs, 1, __ATOMIC_ACQ_REL))
		return;
	free(u);
}

struct unix_socket *unix_peer(struct unix_socket *u)
{
	LOCKED(&u->lock);
	return u->peer ? unix_get(u->peer) : NULL;
}

int unix_create(int type, struct socket **ret)
{
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	*ret = &create(type)->s;
	return 0;
}

int unix_create_pair(int type, const struct ucred *owner, struct socket *ret[2])
{
	struct unix_socket *a, *b;

	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	a = create(type);
	b = create(type);
	a->peer = unix_get(b);
	b->peer = unix_get(a);
	a->state = b->state = UNIX_CONNECTED;
	a->s.owner = b->s.owner = *owner;
	ret[0] = &a->s;
	ret[1] = &b->s;
	return 0;
}

/* lose_peer() - the other side of @u has closed. No lock held. */
static void lose_peer(struct unix_socket *u, struct unix_socket *gone, bool unread)
{
	struct unix_socket *mine = NULL;

	lock_acquire(&u->lock);
	if (u->peer == gone) {
		mine = steal_ptr(u->peer);
		u->peer_gone = true;
		if (unread && u->s.type != SOCK_DGRAM)
			u->error = ECONNRESET;
	}
	lock_release(&u->lock);
	if (!mine)
		return;
	wait_wake(&u->s.queue, 0);
	unix_put(mine);
}

/* close_one() - everything that @u holds goes. */
static void close_one(struct unix_socket *u)
{
	struct unix_message *m, *next;
	struct unix_socket *peer, *waiting, *after;
	struct list messages, backlog;
	bool unread;

	unix_unbind(u);
	list_init(&messages);
	list_init(&backlog);
	lock_acquire(&u->lock);
	u->state = UNIX_CLOSED;
	peer = steal_ptr(u->peer);
	unread = !list_empty(&u->messages);
	list_for_each_safe(m, next, &u->messages, in_queue) {
		list_remove(&m->in_queue);
		list_add(&messages, &m->in_queue);
	}
	list_for_each_safe(waiting, after, &u->backlog, in_backlog) {
		list_remove(&waiting->in_backlog);
		list_add(&backlog, &waiting->in_backlog);
	}
	lock_release(&u->lock);
	unix_wake_blocked(u);
	list_for_each_safe(m, next, &messages, in_queue)
		unix_message_free(m);
	list_for_each_safe(waiting, after, &backlog, in_backlog)
		close_one(waiting);
	if (peer)
		lose_peer(peer, u, unread);
	unix_put(peer);
	unix_put(u);
}

static void release(struct socket *s)
{
	close_one(unix_of(s));
}

/* --- connections ------------------------------------------------------------------------------ */

static int connect_dgram(struct unix_socket *u, const struct socket_address *a)
{
	struct unix_socket *to = NULL, *old;
	int rc = a->sa.sa_family == AF_UNSPEC ? 0 : unix_find(a, &to);

	if (rc < 0)
		return rc;
	if (to && to->s.type != SOCK_DGRAM) {
		unix_put(to);
		return -EPROTOTYPE;
	}
	lock_acquire(&u->lock);
	old = u->peer;
	u->peer = to;
	u->state = to ? UNIX_CONNECTED : UNIX_NEW;
	lock_release(&u->lock);
	unix_put(old);
	return 0;
}

/* enqueue() - @server waits at @listener for accept(). */
static int enqueue(struct unix_socket *listener, struct unix_socket *server)
{
	LOCKED(&listener->lock);
	if (listener->state != UNIX_LISTENING)
		return -ECONNREFUSED;
	if (listener->n_backlog > listener->max_backlog)
		return -EAGAIN;
	server->name = listener->name;
	server->name.inode = NULL;
	server->s.owner = listener->s.owner;
	list_add(&listener->backlog, &server->in_backlog);
	listener->n_backlog++;
	return 0;
}

/* begin_connect() - only one of two calls at a time gets through. */
static int begin_connect(struct unix_socket *u)
{
	LOCKED(&u->lock);
	if (u->state == UNIX_CONNECTED)
		return -EISCONN;
	if (u->state != UNIX_NEW)
		return -EINVAL;
	u->state = UNIX_CONNECTED;
	return 0;
}

static void undo_connect(struct unix_socket *u)
{
	LOCKED(&u->lock);
	u->state = UNIX_NEW;
}

static int connect_stream(struct unix_socket *u, const struct socket_address *a)
{
	struct unix_socket *listener, *server;
	int rc = unix_find(a, &listener);

	if (rc < 0)
		return rc;
	rc = listener->s.type == u->s.type ? begin_connect(u) : -EPROTOTYPE;
	if (rc == 0) {
		server = create(u->s.type);
		server->state = UNIX_CONNECTED;
		server->peer = unix_get(u);
		u->peer = unix_get(server);
		rc = enqueue(listener, server);
		if (rc < 0) {
			u->peer = NULL;
			unix_put(server); /* u's */
			server->peer = NULL;
			unix_put(u);
			unix_put(server);
			undo_connect(u);
		}
	}
	if (rc == 0) {
		wait_wake(&listener->s.queue, EPOLLIN | EPOLLRDNORM);
		wait_wake(&u->s.queue, EPOLLOUT | EPOLLWRNORM);
	}
	unix_put(listener);
	return rc;
}

static int connect_(struct socket *s, const struct socket_address *a)
{
	return s->type == SOCK_DGRAM ? connect_dgram(unix_of(s), a) : connect_stream(unix_of(s), a);
}

static int listen_(struct socket *s, int backlog)
{
	struct unix_socket *u = unix_of(s);

	if (s->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	LOCKED(&u->lock);
	if (u->state != UNIX_NEW && u->state != UNIX_LISTENING)
		return -EINVAL;
	if (!u->name.len)
		return -EINVAL;
	u->state = UNIX_LISTENING;
	u->max_backlog = MIN(MAX(backlog, 0), UNIX_BACKLOG_MAX);
	return 0;
}

static int name(struct socket *s, bool peer, struct socket_address *ret)
{
	struct unix_socket *u = unix_of(s), *of = peer ? unix_peer(u) : unix_get(u);

	if (!of)
		return -ENOTCONN;
	*ret = of->name;
	ret->inode = NULL;
	if (!ret->len) {
		ret->un.sun_family = AF_UNIX;
		ret->len = sizeof(sa_family_t);
	}
	unix_put(of);
	return 0;
}

/* next_waiting() - the first of the backlog, taken off it. */
static int next_waiting(struct socket *s, struct socket **ret)
{
	struct unix_socket *u = unix_of(s), *server;

	LOCKED(&u->lock);
	if (s->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	if (u->state != UNIX_LISTENING)
		return -EINVAL;
	if (list_empty(&u->backlog))
		return u->no_more_input ? -EINVAL : -EAGAIN;
	server = list_first(&u->backlog, struct unix_socket, in_backlog);
	list_remove(&server->in_backlog);
	u->n_backlog--;
	*ret = &server->s;
	return 0;
}

static int accept_(struct socket *s, struct socket_address *peer, struct socket **ret)
{
	int rc = next_waiting(s, ret);

	if (rc == 0 && name(*ret, true, peer) < 0)
		peer->len = 0; /* gone again */
	return rc;
}

/* stop() - one direction of @u ends. */
static void stop(struct unix_socket *u, bool input, bool output)
{
	lock_acquire(&u->lock);
	u->no_more_input |= input;
	u->no_more_output |= output;
	lock_release(&u->lock);
	wait_wake(&u->s.queue, 0);
}

static int shutdown_(struct socket *s, int how)
{
	bool input = how == SHUT_RD || how == SHUT_RDWR,
	     output = how == SHUT_WR || how == SHUT_RDWR;
	struct unix_socket *u = unix_of(s), *peer;

	if (!input && !output)
		return -EINVAL;
	peer = unix_peer(u);
	if (!peer && s->type != SOCK_DGRAM && u->state != UNIX_LISTENING && !u->peer_gone)
		return -ENOTCONN;
	stop(u, input, output);
	if (peer && s->type != SOCK_DGRAM)
		stop(peer, output, input);
	unix_put(peer);
	return 0;
}

/* --- the rest --------------------------------------------------------------------------------- */

static uint32_t poll_input(struct unix_socket *u)
{
	if (!list_empty(&u->messages) || !list_empty(&u->backlog) || u->no_more_input ||
	    u->peer_gone)
		return EPOLLIN | EPOLLRDNORM;
	return 0;
}

static uint32_t poll_(struct socket *s)
{
	struct unix_socket *u = unix_of(s), *peer;
	uint32_t events;

	lock_acquire(&u->lock);
	events = poll_input(u);
	if (u->no_more_input || u->peer_gone)
		events |= EPOLLRDHUP;
	if (u->peer_gone || (u->no_more_input && u->no_more_output))
		events |= EPOLLHUP;
	if (s->type != SOCK_DGRAM && u->state == UNIX_NEW)
		events |= EPOLLHUP;
	if (u->error)
		events |= EPOLLERR;
	peer = u->peer ? unix_get(u->peer) : NULL;
	if (u->state != UNIX_LISTENING && (!peer || unix_has_room(peer)))
		events |= EPOLLOUT | EPOLLWRNORM;
	lock_release(&u->lock);
	unix_put(peer);
	return events;
}

static int get_int(void *value, uint32_t *len, int n)
{
	memcpy(value, &n, MIN(*len, (uint32_t)sizeof(n)));
	*len = MIN(*len, (uint32_t)sizeof(n));
	return 0;
}

static int get_peer_cred(struct unix_socket *u, void *value, uint32_t *len)
{
	struct unix_socket *peer = unix_peer(u);
	struct ucred none = { .uid = (uid_t)-1, .gid = (gid_t)-1 };

	memcpy(value, peer ? &peer->s.owner : &none, MIN(*len, (uint32_t)sizeof(none)));
	*len = MIN(*len, (uint32_t)sizeof(none));
	unix_put(peer);
	return 0;
}

static int get_option(struct socket *s, int level, int option, void *value, uint32_t *len)
{
	struct unix_socket *u = unix_of(s);
	int error;

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	switch (option) {
	case SO_ERROR:
		lock_acquire(&u->lock);
		error = u->error;
		u->error = 0;
		lock_release(&u->lock);
		return get_int(value, len, error);
	case SO_ACCEPTCONN:
		return get_int(value, len, u->state == UNIX_LISTENING);
	case SO_PASSCRED:
		return get_int(value, len, u->pass_cred);
	case SO_SNDBUF:
	case SO_RCVBUF:
		return get_int(value, len, UNIX_BUFFER_BYTES);
	case SO_PEERCRED:
		return get_peer_cred(u, value, len);
	case SO_REUSEADDR:
	case SO_KEEPALIVE:
	case SO_BROADCAST:
	case SO_LINGER:
		return get_int(value, len, 0);
	default:
		return -ENOPROTOOPT;
	}
}

/* Those that mean nothing here are taken, as Linux takes them. */
static int set_option(struct socket *s, int level, int option, const void *value, uint32_t len,
		      const struct cred *c)
{
	struct unix_socket *u = unix_of(s);
	int n;

	(void)c;
	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (len < sizeof(n))
		return -EINVAL;
	memcpy(&n, value, sizeof(n));
	switch (option) {
	case SO_PASSCRED:
		u->pass_cred = n != 0;
		return 0;
	case SO_SNDBUF:
	case SO_RCVBUF:
	case SO_REUSEADDR:
	case SO_KEEPALIVE:
	case SO_BROADCAST:
	case SO_LINGER:
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static long ioctl_(struct socket *s, unsigned int cmd, uint64_t arg, struct ioctl_memory *m)
{
	struct unix_socket *u = unix_of(s);
	struct unix_message *msg;
	int n = 0;

	if (cmd != FIONREAD)
		return -ENOTTY;
	lock_acquire(&u->lock);
	list_for_each(msg, &u->messages, in_queue) {
		n += (int)(msg->len - msg->at);
		if (s->type != SOCK_STREAM)
			break;
	}
	lock_release(&u->lock);
	return m->out(m, arg, &n, sizeof(n));
}

static const struct socket_ops unix_ops = {
	.bind = unix_bind,
	.connect = connect_,
	.listen = listen_,
	.accept = accept_,
	.name = name,
	.send = unix_send,
	.receive = unix_receive,
	.shutdown = shutdown_,
	.set_option = set_option,
	.get_option = get_option,
	.ioctl = ioctl_,
	.poll = poll_,
	.release = release,
};
