/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host sockets: the host's stack does the work, its readiness comes by the poller.
 *
 * Theory of operation.  The helper makes the socket, non-blocking; everything else is done here on
 * its descriptor.  What a guest could do harm with is checked: addresses are of the socket's own
 * family, control messages of the levels IP and IPv6, netlink asks but never changes, options are
 * among those in host_options.c.
 */
#include "runtimes/sentry/net/host.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "base/mem.h"
#include "runtimes/sentry/net/helper.h"
#include "runtimes/sentry/net/host_internal.h"

#define BOUNCE_BYTES (64 << 10)
#define HOST_FLAGS_SEND \
	(MSG_OOB | MSG_DONTROUTE | MSG_EOR | MSG_MORE | MSG_CONFIRM | MSG_NOSIGNAL | MSG_DONTWAIT)
#define HOST_FLAGS_RECEIVE (MSG_OOB | MSG_PEEK | MSG_TRUNC | MSG_ERRQUEUE | MSG_DONTWAIT)

static const struct socket_ops host_ops;

/* --- life ------------------------------------------------------------------------------------- */

/* adopt() - @fd (taken over) as a socket. */
static int adopt(int fd, int domain, int type, int protocol, struct socket **ret)
{
	struct host_socket *h = xnew(struct host_socket);
	int rc;

	socket_init(&h->s, &host_ops, domain, type, protocol);
	h->fd = fd;
	h->watch = (struct poller_watch){ .fd = fd, .queue = &h->s.queue };
	rc = poller_add(&h->watch);
	if (rc < 0) {
		close(fd);
		free(h);
		return rc;
	}
	*ret = &h->s;
	return 0;
}

static int default_protocol(int type, int protocol)
{
	if (protocol)
		return protocol;
	return type == SOCK_STREAM ? IPPROTO_TCP : type == SOCK_DGRAM ? IPPROTO_UDP : 0;
}

int host_socket_create(int domain, int type, int protocol, const struct cred *c,
		       struct socket **ret)
{
	int fd;

	if (domain != AF_INET && domain != AF_INET6 && domain != AF_NETLINK)
		return -EAFNOSUPPORT;
	if (!helper_available())
		return -EAFNOSUPPORT;
	if (type == SOCK_RAW && domain != AF_NETLINK && !cred_has(c, CAP_NET_RAW))
		return -EPERM;
	if (!helper_allowed(domain, type, protocol))
		return -EPROTONOSUPPORT;
	fd = helper_socket(domain, type, protocol);
	if (fd < 0)
		return fd;
	if (domain != AF_NETLINK)
		protocol = default_protocol(type, protocol);
	return adopt(fd, domain, type, protocol, ret);
}

static void release(struct socket *s)
{
	struct host_socket *h = host_of(s);

	poller_remove(&h->watch);
	close(h->fd);
	free(h);
}

/* --- addresses -------------------------------------------------------------------------------- */

static int check_address(const struct socket *s, const struct socket_address *a)
{
	if (a->len < sizeof(sa_family_t))
		return -EINVAL;
	if (a->sa.sa_family != s->domain && a->sa.sa_family != AF_UNSPEC)
		return -EAFNOSUPPORT;
	return 0;
}

static unsigned int port_of(const struct socket_address *a)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)a->bytes;

	return a->len >= sizeof(*in) ? ntohs(in->sin_port) : 0; /* the same place in IPv6 */
}

/* A low port may need a right: the guest's own is asked first. */
static int bind_(struct socket *s, const struct socket_address *a, const struct cred *c)
{
	struct host_socket *h = host_of(s);
	int rc = check_address(s, a);

	if (rc < 0)
		return rc;
	if (bind(h->fd, &a->sa, a->len) == 0)
		return 0;
	if (errno != EACCES || s->domain == AF_NETLINK)
		return -errno;
	if (port_of(a) < 1024 && !cred_has(c, CAP_NET_BIND_SERVICE))
		return -EACCES;
	return helper_bind(h->fd, &a->sa, a->len);
}

static int connect_(struct socket *s, const struct socket_address *a)
{
	int rc = check_address(s, a);

	if (rc < 0)
		return rc;
	return connect(host_of(s)->fd, &a->sa, a->len) < 0 ? -errno : 0;
}

static int listen_(struct socket *s, int backlog)
{
	return listen(host_of(s)->fd, backlog) < 0 ? -errno : 0;
}

static int accept_(struct socket *s, struct socket **ret)
{
	int fd = accept4(host_of(s)->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	return fd < 0 ? -errno : adopt(fd, s->domain, s->type, s->protocol, ret);
}

static int name(struct socket *s, bool peer, struct socket_address *ret)
{
	int fd = host_of(s)->fd, rc;

	ret->len = sizeof(ret->storage);
	rc = peer ? getpeername(fd, &ret->sa, &ret->len) : getsockname(fd, &ret->sa, &ret->len);
	return rc < 0 ? -errno : 0;
}

static int shutdown_(struct socket *s, int how)
{
	return shutdown(host_of(s)->fd, how) < 0 ? -errno : 0;
}

/* --- data ------------------------------------------------------------------------------------- */

/* may_ask() - netlink: requests that read. */
static int may_ask(const void *data, size_t len)
{
	const struct nlmsghdr *n = data;

	for (; NLMSG_OK(n, len); n = NLMSG_NEXT(n, len)) {
		if (n->nlmsg_type < RTM_BASE) /* NOOP, DONE: nothing is done */
			continue;
		if ((n->nlmsg_type - RTM_BASE) % 4 != 2) /* new, del, get, set */
			return -EPERM;
	}
	return 0;
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

/* memory_for() - where @len bytes of @u are: ours already, or *bounce that is allocated. */
static void *memory_for(struct uio *u, size_t *len, void **bounce)
{
	void *direct = NULL;
	size_t n = u->ops->direct ? u->ops->direct(u, u->done, true, &direct) : 0;

	*bounce = NULL;
	if (n >= *len)
		return direct;
	*bounce = malloc(MAX(*len, (size_t)1));
	return *bounce;
}

static ssize_t send_from(struct socket *s, struct socket_message *m, void *data, size_t len)
{
	struct iovec iov = { .iov_base = data, .iov_len = len };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;
	int rc = s->domain == AF_NETLINK ? may_ask(data, len) : check_control(m);

	if (rc == 0 && m->address && m->address->len) {
		h.msg_name = m->address->bytes;
		h.msg_namelen = m->address->len;
		rc = check_address(s, m->address);
	}
	if (rc < 0)
		return rc;
	if (m->control_len) {
		h.msg_control = m->control;
		h.msg_controllen = m->control_len;
	}
	n = sendmsg(host_of(s)->fd, &h, (m->flags & HOST_FLAGS_SEND) | MSG_NOSIGNAL | MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

static ssize_t send_(struct socket *s, struct socket_message *m)
{
	size_t len = uio_left(m->uio), before = m->uio->done;
	void *bounce cleanup_free = NULL;
	void *data;
	ssize_t n;

	if (s->type == SOCK_STREAM)
		len = MIN(len, (size_t)BOUNCE_BYTES);
	else if (len > BOUNCE_BYTES * 2)
		return -EMSGSIZE;
	data = memory_for(m->uio, &len, &bounce);
	if (!data && len)
		return -ENOMEM;
	if (bounce && uio_get(m->uio, bounce, len) < 0)
		return -EFAULT;
	n = send_from(s, m, data, len);
	m->uio->done = before + (n > 0 ? (size_t)n : 0);
	return n;
}

static ssize_t receive_into(struct socket *s, struct socket_message *m, void *data, size_t len)
{
	struct iovec iov = { .iov_base = data, .iov_len = len };
	struct msghdr h = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = m->control,
			    .msg_controllen = m->control_size };
	ssize_t n;

	if (m->address) {
		h.msg_name = m->address->bytes;
		h.msg_namelen = sizeof(m->address->storage);
	}
	n = recvmsg(host_of(s)->fd, &h,
		    (m->flags & HOST_FLAGS_RECEIVE) | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	m->control_len = h.msg_controllen;
	m->out_flags |= h.msg_flags & ~MSG_CMSG_CLOEXEC;
	if (m->address)
		m->address->len = h.msg_namelen;
	return n;
}

static ssize_t receive(struct socket *s, struct socket_message *m)
{
	size_t len = uio_left(m->uio), got;
	void *bounce cleanup_free = NULL;
	void *data;
	ssize_t n;

	len = MIN(len, (size_t)BOUNCE_BYTES * 2);
	data = memory_for(m->uio, &len, &bounce);
	if (!data && len)
		return -ENOMEM;
	n = receive_into(s, m, data, len);
	if (n < 0)
		return n;
	got = MIN((size_t)n, len); /* MSG_TRUNC tells more than there is */
	if (bounce && uio_put(m->uio, bounce, got) < 0)
		return -EFAULT;
	if (!bounce)
		m->uio->done += got;
	return n;
}

/* --- the rest --------------------------------------------------------------------------------- */

static uint32_t poll_(struct socket *s)
{
	struct pollfd p = { .fd = host_of(s)->fd,
			    .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };

	if (poll(&p, 1, 0) <= 0)
		return 0;
	return (uint32_t)p.revents | (p.revents & POLLIN ? EPOLLRDNORM : 0) |
	       (p.revents & POLLOUT ? EPOLLWRNORM : 0);
}

/* Sizes of the structures behind the calls that read; others are refused. */
static size_t ioctl_size(unsigned int cmd)
{
	switch (cmd) {
	case FIONREAD:
	case TIOCOUTQ:
	case SIOCATMARK:
		return sizeof(int);
	case SIOCGIFNAME:
	case SIOCGIFINDEX:
	case SIOCGIFFLAGS:
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFMETRIC:
	case SIOCGIFMTU:
	case SIOCGIFHWADDR:
	case SIOCGIFTXQLEN:
		return sizeof(struct ifreq);
	default:
		return 0;
	}
}

/* list_interfaces() - SIOCGIFCONF, whose structure points to where the list shall go. */
static long list_interfaces(struct socket *s, uint64_t arg, struct ioctl_memory *m)
{
	struct ifconf c;
	void *list cleanup_free = NULL;
	uint64_t to;
	int rc = m->in(m, &c, arg, sizeof(c));

	if (rc < 0)
		return rc;
	to = (uint64_t)(uintptr_t)c.ifc_buf;
	if (c.ifc_len < 0)
		return -EINVAL;
	c.ifc_len = MIN(c.ifc_len, 64 << 10);
	list = to ? xcalloc(1, (size_t)c.ifc_len + 1) : NULL;
	c.ifc_buf = list;
	if (ioctl(host_of(s)->fd, SIOCGIFCONF, &c) < 0)
		return -errno;
	if (list && m->out(m, to, list, (size_t)c.ifc_len) < 0)
		return -EFAULT;
	c.ifc_buf = (char *)(uintptr_t)to;
	return m->out(m, arg, &c, sizeof(c));
}

static long ioctl_(struct socket *s, unsigned int cmd, uint64_t arg, struct ioctl_memory *m)
{
	char value[sizeof(struct ifreq)] = { 0 };
	size_t size = ioctl_size(cmd);

	if (cmd == SIOCGIFCONF)
		return list_interfaces(s, arg, m);
	if (!size)
		return -ENOTTY;
	if (m->in(m, value, arg, size) < 0)
		return -EFAULT;
	if (ioctl(host_of(s)->fd, cmd, value) < 0)
		return -errno;
	return m->out(m, arg, value, size);
}

static const struct socket_ops host_ops = {
	.bind = bind_,
	.connect = connect_,
	.listen = listen_,
	.accept = accept_,
	.name = name,
	.send = send_,
	.receive = receive,
	.shutdown = shutdown_,
	.set_option = host_set_option,
	.get_option = host_get_option,
	.ioctl = ioctl_,
	.poll = poll_,
	.release = release,
};
