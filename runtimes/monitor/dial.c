/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dialling inside the pod's network namespace, which is ours.
 */
#include "runtimes/monitor/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"

#define DIAL_MS 1800 /* the client waits 2 s */

struct dial {
	struct monitor *m;
	struct conn *conn;
	uint16_t port;
	bool v6;
	int fd;
	struct loop_fd *watch;
	struct loop_timer *timer;
	int errnum; /* of the first address: that of the second is seldom of use */
};

static void destroy(struct dial *d)
{
	loop_fd_remove(d->watch);
	loop_timer_remove(d->timer);
	close_fd(&d->fd);
	free(d);
}

static void fail(struct dial *d)
{
	struct error err = ERROR_INIT;

	error_errno(&err, d->errnum, "connect to port %u in pod %s", d->port, d->m->id);
	serve_fail(d->conn, &err);
	destroy(d);
}

static void on_late(void *data)
{
	struct dial *d = data;

	d->errnum = ETIMEDOUT;
	fail(d);
}

static void connected(struct dial *d)
{
	Monitor__Reply reply = MONITOR__REPLY__INIT;

	fd_set_nonblock(d->fd, false);
	serve_finish(d->conn, &reply, &d->fd, 1);
	destroy(d);
}

static int begin_connect(struct dial *d)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET,
				  .sin_port = htons(d->port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_port = htons(d->port),
				   .sin6_addr = in6addr_loopback };
	int rc;

	d->fd = socket(d->v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (d->fd < 0)
		return -errno;
	rc = d->v6 ? connect(d->fd, (struct sockaddr *)&v6, sizeof(v6))
		   : connect(d->fd, (struct sockaddr *)&v4, sizeof(v4));
	return rc < 0 ? -errno : 0;
}

static void attempt(struct dial *d);

/* refused() - the next address, or the end. */
static void refused(struct dial *d, int errnum)
{
	loop_fd_remove(d->watch);
	d->watch = NULL;
	close_fd(&d->fd);
	if (d->errnum == 0)
		d->errnum = errnum;
	if (d->v6) {
		fail(d);
		return;
	}
	d->v6 = true;
	attempt(d);
}

static void on_result(void *data, uint32_t events)
{
	struct dial *d = data;
	int errnum = 0;
	socklen_t len = sizeof(errnum);

	(void)events;
	if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &errnum, &len) < 0)
		errnum = errno;
	if (errnum)
		refused(d, errnum);
	else
		connected(d);
}

static void attempt(struct dial *d)
{
	int rc = begin_connect(d);

	if (rc == 0)
		connected(d);
	else if (rc == -EINPROGRESS)
		d->watch = loop_add_fd(d->m->loop, d->fd, EPOLLOUT, on_result, d);
	else
		refused(d, -rc);
}

static void on_gone(void *data)
{
	destroy(data);
}

int dial_start(struct monitor *m, struct conn *c, uint32_t port, struct error *err)
{
	struct dial *d;

	if (port == 0 || port > UINT16_MAX)
		return error_set(err, EINVAL, "port %u is out of range", port);
	d = xnew(struct dial);
	*d = (struct dial){ .m = m, .conn = c, .port = (uint16_t)port, .fd = -1 };
	d->timer = loop_add_timer(m->loop, on_late, d);
	loop_timer_arm(d->timer, DIAL_MS);
	serve_on_gone(c, on_gone, d);
	attempt(d);
	return 0;
}
