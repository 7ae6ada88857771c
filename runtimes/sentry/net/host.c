/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's stack: sockets that the helper made, readiness by the poller.
 *
 * Each end is a non-blocking descriptor of the host.  Opening it, and what takes a right, is the
 * helper's; all else is one call of the host.
 */
#include "runtimes/sentry/net/host.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtimes/sentry/net/helper.h"
#include "runtimes/sentry/net/poller.h"

struct stack_end {
	int fd;
	struct poller_watch watch;
};

/* adopt() - @fd (taken over) as an end. */
static int adopt(int fd, struct wait_queue *queue, struct stack_end **ret)
{
	struct stack_end *e = xnew(struct stack_end);
	int rc;

	e->fd = fd;
	e->watch = (struct poller_watch){ .fd = fd, .queue = queue };
	rc = poller_add(&e->watch);
	if (rc < 0) {
		close(fd);
		free(e);
		return rc;
	}
	*ret = e;
	return 0;
}

static int open_(int domain, int type, int protocol, struct wait_queue *queue,
		 struct stack_end **ret)
{
	int fd = helper_allowed(domain, type, protocol) ? helper_socket(domain, type, protocol)
							: -EPROTONOSUPPORT;

	return fd < 0 ? fd : adopt(fd, queue, ret);
}

static void close_(struct stack_end *e)
{
	poller_remove(&e->watch);
	close(e->fd);
	free(e);
}

static int bind_(struct stack_end *e, const struct sockaddr *a, socklen_t len, bool low)
{
	if (bind(e->fd, a, len) == 0)
		return 0;
	return errno == EACCES && low ? helper_bind(e->fd, a, len) : -errno;
}

static int connect_(struct stack_end *e, const struct sockaddr *a, socklen_t len)
{
	return connect(e->fd, a, len) < 0 ? -errno : 0;
}

static int listen_(struct stack_end *e, int backlog)
{
	return listen(e->fd, backlog) < 0 ? -errno : 0;
}

static int accept_(struct stack_end *e, struct wait_queue *queue, struct sockaddr *peer,
		   socklen_t *len, struct stack_end **ret)
{
	int fd = accept4(e->fd, peer, len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	return fd < 0 ? -errno : adopt(fd, queue, ret);
}

static int name(struct stack_end *e, bool peer, struct sockaddr *a, socklen_t *len)
{
	int rc = peer ? getpeername(e->fd, a, len) : getsockname(e->fd, a, len);

	return rc < 0 ? -errno : 0;
}

/* plain() - what send(2) and recv(2) do as well, which copy no header. */
static bool plain(const struct msghdr *m)
{
	return !m->msg_name && !m->msg_controllen && m->msg_iovlen == 1;
}

static ssize_t send_(struct stack_end *e, const struct msghdr *m, int flags)
{
	ssize_t n;

	flags |= MSG_NOSIGNAL | MSG_DONTWAIT;
	n = plain(m) ? send(e->fd, m->msg_iov->iov_base, m->msg_iov->iov_len, flags)
		     : sendmsg(e->fd, m, flags);
	return n < 0 ? -errno : n;
}

/* A datagram that was cut must be told of: that takes a header. */
static ssize_t receive(struct stack_end *e, struct msghdr *m, int flags)
{
	ssize_t n = recvmsg(e->fd, m, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	m->msg_flags &= ~MSG_CMSG_CLOEXEC;
	return n < 0 ? -errno : n;
}

static int shutdown_(struct stack_end *e, int how)
{
	return shutdown(e->fd, how) < 0 ? -errno : 0;
}

static int set_option(struct stack_end *e, int level, int option, const void *value, socklen_t len)
{
	if (setsockopt(e->fd, level, option, value, len) == 0)
		return 0;
	return errno == EPERM && helper_option_allowed(level, option)
		       ? helper_option(e->fd, level, option, value, len)
		       : -errno;
}

static int get_option(struct stack_end *e, int level, int option, void *value, socklen_t *len)
{
	return getsockopt(e->fd, level, option, value, len) < 0 ? -errno : 0;
}

static int ioctl_(struct stack_end *e, unsigned int cmd, void *value)
{
	return ioctl(e->fd, cmd, value) < 0 ? -errno : 0;
}

static uint32_t poll_(struct stack_end *e)
{
	struct pollfd p = { .fd = e->fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };

	if (poll(&p, 1, 0) <= 0)
		return 0;
	return (uint32_t)p.revents | (p.revents & POLLIN ? EPOLLRDNORM : 0) |
	       (p.revents & POLLOUT ? EPOLLWRNORM : 0);
}

const struct stack_ops host_stack = {
	.open = open_,
	.close = close_,
	.bind = bind_,
	.connect = connect_,
	.listen = listen_,
	.accept = accept_,
	.name = name,
	.send = send_,
	.receive = receive,
	.shutdown = shutdown_,
	.set_option = set_option,
	.get_option = get_option,
	.ioctl = ioctl_,
	.poll = poll_,
};
