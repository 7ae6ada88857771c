/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets of the pod's network, whatever stack they are of.
 *
 * Theory of operation.  What a guest may ask is decided here, before its stack hears of it: raw
 * sockets and low ports take the guest's own capabilities, addresses are of the socket's own
 * family, control messages of the levels IP, IPv6 and UDP, options among those in inet_options.c,
 * and netlink asks but never changes.  Bytes go between the stack and the channel's windows where
 * these hold all of them, so that they are copied once; else through memory of ours.
 */
#include "runtimes/sentry/net/inet.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/epoll.h>

#include "base/mem.h"
#include "runtimes/sentry/net/inet_internal.h"

#define BOUNCE_BYTES (64 << 10)
#define PARTS	     8 /* of a message that are used in place */
#define FLAGS_SEND \
	(MSG_OOB | MSG_DONTROUTE | MSG_EOR | MSG_MORE | MSG_CONFIRM | MSG_NOSIGNAL | MSG_DONTWAIT)
#define FLAGS_RECEIVE (MSG_OOB | MSG_PEEK | MSG_TRUNC | MSG_ERRQUEUE | MSG_DONTWAIT)

static const struct stack_ops *current;
static const struct socket_ops inet_ops;

void inet_use(const struct stack_ops *stack)
{
	current = stack;
}

/* --- life ------------------------------------------------------------------------------------- */

static struct inet_socket *make(const struct stack_ops *stack, int domain, int type, int protocol)
{
	struct inet_socket *i = xnew(struct inet_socket);

	socket_init(&i->s, &inet_ops, domain, type, protocol);
	i->stack = stack;
	lock_init(&i->ahead.lock, LOCK_OBJECT);
	return i;
}

static int default_protocol(int type, int protocol)
{
	if (protocol)
		return protocol;
	return type == SOCK_STREAM ? IPPROTO_TCP : type == SOCK_DGRAM ? IPPROTO_UDP : 0;
}

/* check_kind() - what a stack cannot know; what it does not have it says itself. */
static int check_kind(int domain, int type, const struct cred *c)
{
	if (domain != AF_INET && domain != AF_INET6 && domain != AF_NETLINK)
		return -EAFNOSUPPORT;
	if (!current)
		return -EAFNOSUPPORT;
	if (type != SOCK_DGRAM && type != SOCK_RAW && (type != SOCK_STREAM || domain == AF_NETLINK))
		return -ESOCKTNOSUPPORT;
	if (type == SOCK_RAW && domain != AF_NETLINK && !(c && cred_has(c, CAP_NET_RAW)))
		return -EPERM;
	return 0;
}

int inet_create(int domain, int type, int protocol, const struct cred *c, struct socket **ret)
{
	struct inet_socket *i;
	int rc = check_kind(domain, type, c);

	if (rc < 0)
		return rc;
	i = make(current, domain, type,
		 domain == AF_NETLINK ? protocol : default_protocol(type, protocol));
	rc = current->open(domain, type, protocol, &i->s.queue, &i->end);
	if (rc < 0) {
		free(i);
		return rc;
	}
	*ret = &i->s;
	return 0;
}

static void release(struct socket *s)
{
	static const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	struct inet_socket *i = inet_of(s);

	/* Bytes that nobody has read: the other side is told by a reset, as it would be. */
	if (inet_ahead_drop(i))
		i->stack->set_option(i->end, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	i->stack->close(i->end);
	free(i);
}

/* --- names ------------------------------------------------------------------------------------ */

static int check_address(const struct socket *s, const struct socket_address *a)
{
	if (a->len < sizeof(sa_family_t))
		return -EINVAL;
	if (a->sa.sa_family != s->domain && a->sa.sa_family != AF_UNSPEC)
		return -EAFNOSUPPORT;
	return 0;
}

static int bind_(struct socket *s, const struct socket_address *a, const struct cred *c)
{
	struct inet_socket *i = inet_of(s);
	bool low = s->domain != AF_NETLINK && cred_has(c, CAP_NET_BIND_SERVICE);
	int rc = check_address(s, a);

	return rc < 0 ? rc : i->stack->bind(i->end, &a->sa, a->len, low);
}

static int connect_(struct socket *s, const struct socket_address *a)
{
	struct inet_socket *i = inet_of(s);
	int rc = check_address(s, a);

	if (rc < 0)
		return rc;
	rc = i->stack->connect(i->end, &a->sa, a->len);
	if (rc == 0 && a->sa.sa_family == AF_UNSPEC)
		inet_ahead_drop(i);
	return rc;
}

static int listen_(struct socket *s, int backlog)
{
	inet_ahead_off(inet_of(s)); /* what can be read there are connections */
	return inet_of(s)->stack->listen(inet_of(s)->end, backlog);
}

static int accept_(struct socket *s, struct socket_address *peer, struct socket **ret)
{
	struct inet_socket *i = inet_of(s);
	struct inet_socket *made = make(i->stack, s->domain, s->type, s->protocol);
	int rc;

	peer->len = sizeof(peer->storage);
	rc = i->stack->accept(i->end, &made->s.queue, &peer->sa, &peer->len, &made->end);
	if (rc < 0) {
		free(made);
		return rc;
	}
	*ret = &made->s;
	return 0;
}

static int name(struct socket *s, bool peer, struct socket_address *ret)
{
	ret->len = sizeof(ret->storage);
	return inet_of(s)->stack->name(inet_of(s)->end, peer, &ret->sa, &ret->len);
}

static int shutdown_(struct socket *s, int how)
{
	return inet_of(s)->stack->shutdown(inet_of(s)->end, how);
}

/* --- data ------------------------------------------------------------------------------------- */

/*
 * only_asks() - netlink: of a request that would change something the stack gets no more than it
 * takes to be refused with an answer, as Linux answers who has no right to. Return: bytes left.
 */
static size_t only_asks(char *data, size_t len)
{
	size_t at = 0, to = 0;

	while (len - at >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr *n = (struct nlmsghdr *)(void *)(data + at);
		size_t whole = n->nlmsg_len, keep = whole;

		if (whole < sizeof(*n) || whole > len - at)
			break;
		/* new, del, get, set; below RTM_BASE nothing is done */
		if (n->nlmsg_type >= RTM_BASE && (n->nlmsg_type - RTM_BASE) % 4 != 2)
			keep = MIN(whole, (size_t)NLMSG_LENGTH(sizeof(struct rtgenmsg)));
		n->nlmsg_len = (uint32_t)keep;
		memmove(data + to, n, keep);
		to = MIN(to + NLMSG_ALIGN(keep), len);
		at = MIN(at + NLMSG_ALIGN(whole), len);
	}
	return to;
}

static int check_control(const struct socket_message *m)
{
	struct msghdr h = { .msg_control = m->control, .msg_controllen = m->control_len };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c))
		if (c->cmsg_level != IPPROTO_IP && c->cmsg_level != IPPROTO_IPV6 &&
		    c->cmsg_level != IPPROTO_UDP)
			return -EINVAL;
	return 0;
}

/* in_place() - the next @len bytes of @u as they lie. Return: parts, 0: not all lie somewhere. */
static size_t in_place(struct uio *u, size_t len, bool to_write, struct iovec iov[PARTS])
{
	size_t done = 0, n = 0;

	if (!u->ops->direct)
		return 0;
	while (done < len) {
		void *at;
		size_t k = n < PARTS ? u->ops->direct(u, u->done + done, to_write, &at) : 0;

		if (!k)
			return 0;
		k = MIN(k, len - done);
		iov[n++] = (struct iovec){ .iov_base = at, .iov_len = k };
		done += k;
	}
	return n;
}

/* own_memory() - for @len bytes. Return: what the caller frees; NULL: there is none. */
static void *own_memory(size_t len, struct iovec iov[PARTS])
{
	iov[0] = (struct iovec){ .iov_base = malloc(MAX(len, (size_t)1)), .iov_len = len };
	return iov[0].iov_base;
}

/* gather() - what shall be sent. Requests that are looked at first are copied. */
static int gather(struct socket *s, struct uio *u, size_t len, struct iovec iov[PARTS],
		  size_t *ret_n, void **ret_bounce)
{
	int rc;

	*ret_n = s->domain == AF_NETLINK ? 0 : in_place(u, len, false, iov);
	if (*ret_n)
		return 0;
	*ret_n = 1;
	*ret_bounce = own_memory(len, iov);
	if (!*ret_bounce)
		return -ENOMEM;
	rc = uio_get(u, *ret_bounce, len);
	if (rc == 0 && s->domain == AF_NETLINK)
		iov[0].iov_len = only_asks(*ret_bounce, len);
	return rc;
}

static ssize_t send_(struct socket *s, struct socket_message *m)
{
	size_t len = uio_left(m->uio), before = m->uio->done;
	void *bounce cleanup_free = NULL;
	struct iovec iov[PARTS];
	struct msghdr h = { .msg_iov = iov };
	ssize_t n;
	int rc = check_control(m);

	if (s->type == SOCK_STREAM)
		len = MIN(len, (size_t)BOUNCE_BYTES);
	else if (len > BOUNCE_BYTES * 2)
		return -EMSGSIZE;
	if (rc == 0 && m->address && m->address->len) {
		h.msg_name = m->address->bytes;
		h.msg_namelen = m->address->len;
		rc = check_address(s, m->address);
	}
	if (rc == 0)
		rc = gather(s, m->uio, len, iov, &h.msg_iovlen, &bounce);
	if (rc < 0)
		return rc;
	if (m->control_len) {
		h.msg_control = m->control;
		h.msg_controllen = m->control_len;
	}
	n = inet_of(s)->stack->send(inet_of(s)->end, &h, m->flags & FLAGS_SEND);
	if (n >= 0 && s->domain == AF_NETLINK)
		n = (ssize_t)len; /* also what it was not told */
	m->uio->done = before + (n > 0 ? (size_t)n : 0);
	return n;
}

/* throws_away() - nothing is written: our memory is what it was before. */
static bool throws_away(const struct socket *s, int flags)
{
	return s->type == SOCK_STREAM && (flags & MSG_TRUNC);
}

static ssize_t receive_from_stack(struct socket *s, struct socket_message *m)
{
	size_t len = MIN(uio_left(m->uio), (size_t)BOUNCE_BYTES * 2), got;
	void *bounce cleanup_free = NULL;
	struct iovec iov[PARTS];
	struct msghdr h = { .msg_iov = iov,
			    .msg_iovlen = in_place(m->uio, len, true, iov),
			    .msg_control = m->control,
			    .msg_controllen = m->control_size };
	ssize_t n;

	if (!h.msg_iovlen) {
		h.msg_iovlen = 1;
		bounce = own_memory(len, iov);
		if (!bounce)
			return -ENOMEM;
	}
	if (m->address) {
		h.msg_name = m->address->bytes;
		h.msg_namelen = sizeof(m->address->storage);
	}
	n = inet_of(s)->stack->receive(inet_of(s)->end, &h, m->flags & FLAGS_RECEIVE);
	if (n < 0)
		return n;
	m->control_len = h.msg_controllen;
	m->out_flags |= h.msg_flags;
	if (m->address)
		m->address->len = h.msg_namelen;
	got = MIN((size_t)n, len); /* MSG_TRUNC tells more than there is */
	if (!bounce || throws_away(s, m->flags)) {
		m->uio->done += got;
		return n;
	}
	if (uio_put(m->uio, bounce, got) == 0)
		return n;
	if (s->type == SOCK_STREAM && !(m->flags & MSG_PEEK))
		inet_ahead_keep(inet_of(s), bounce, got);
	return -EFAULT;
}

static ssize_t receive(struct socket *s, struct socket_message *m)
{
	return s->type == SOCK_STREAM ? inet_ahead_receive(s, m, receive_from_stack)
				      : receive_from_stack(s, m);
}

static uint32_t poll_(struct socket *s)
{
	struct inet_socket *i = inet_of(s);
	uint32_t events = 0;
	int error;

	if (inet_ahead_bytes(i, &error))
		events |= EPOLLIN | EPOLLRDNORM;
	if (error)
		events |= EPOLLIN | EPOLLERR;
	return events | i->stack->poll(i->end);
}

static const struct socket_ops inet_ops = {
	.bind = bind_,
	.connect = connect_,
	.listen = listen_,
	.accept = accept_,
	.name = name,
	.send = send_,
	.receive = receive,
	.shutdown = shutdown_,
	.set_option = inet_set_option,
	.get_option = inet_get_option,
	.ioctl = inet_ioctl,
	.poll = poll_,
	.ahead = inet_ahead,
	.settle = inet_ahead_settle,
	.release = release,
};
