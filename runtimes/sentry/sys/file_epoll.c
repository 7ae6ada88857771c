/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoll(7).
 */
#include <errno.h>

#include "runtimes/sentry/net/socket.h"
#include "runtimes/sentry/platform/lease.h"
#include "runtimes/sentry/sys/files.h"
#include "runtimes/sentry/sys/trace.h"
#include "runtimes/sentry/task/alarm.h"
#include "runtimes/sentry/task/signal.h"
#include "runtimes/sentry/vfs/epoll.h"

#define AT_ONCE 64 /* events that one call gives at most: those behind stay ready */

static long create(struct task *t, bool cloexec)
{
	struct file *f;
	int fd, rc = epoll_create_file(t->cred, &f);

	if (rc < 0)
		return rc;
	fd = fdtable_install(t->fds, f, 0, task_limit(t, RLIMIT_NOFILE), cloexec);
	if (fd < 0)
		file_put(f);
	return fd;
}

long sys_epoll_create(struct task *t, const uint64_t a[6])
{
	return (int)a[0] <= 0 ? -EINVAL : create(t, false);
}

long sys_epoll_create1(struct task *t, const uint64_t a[6])
{
	if (a[0] & ~(uint64_t)EPOLL_CLOEXEC)
		return -EINVAL;
	return create(t, a[0] & EPOLL_CLOEXEC);
}

long sys_epoll_ctl(struct task *t, const uint64_t a[6])
{
	struct epoll_event e = { .events = 0 };
	struct file *ep, *f;
	int op = (int)a[1];
	long rc = 0;

	if (op != EPOLL_CTL_DEL && (rc = sys_copy_in(t, &e, a[3], sizeof(e))) < 0)
		return rc;
	ep = sys_file(t, (int)a[0]);
	f = sys_file(t, (int)a[2]);
	rc = ep && f ? epoll_control(ep, op, f, (int)a[2], &e) : -EBADF;
	file_put(ep);
	file_put(f);
	return rc;
}

/*
 * bring_along() - what can be read may go with the answer, so that the read needs no call of its
 * own.  Not when calls are looked at one by one: by filters, or by who traces them.
 */
static void bring_along(void *data, struct file *f, int fd, uint32_t events)
{
	struct socket *s = socket_of(f);
	struct task *t = data;
	struct file *now;

	if (!s || !s->ops->ahead || !(events & EPOLLIN) ||
	    (events & (EPOLLERR | EPOLLHUP | EPOLLPRI | EPOLLRDHUP)))
		return;
	if (t->seccomp || sys_trace_on())
		return;
	s->ops->ahead(s, t->stub, fd);
	/* After it, so that whoever gives the number to another file finds it. */
	now = sys_file(t, fd);
	if (now != f)
		s->ops->settle(s);
	file_put(now);
}

static long wait_events(struct task *t, const uint64_t a[6], int64_t deadline_ns)
{
	struct epoll_event out[AT_ONCE] __attribute__((uninitialized));
	struct file *ep;
	int max = (int)a[2], n;

	if (max <= 0 || max > INT32_MAX / (int)sizeof(out[0]))
		return -EINVAL;
	ep = sys_file(t, (int)a[0]);
	if (!ep)
		return -EBADF;
	stub_leases_clear(t->stub);
	n = epoll_collect(ep, out, MIN(max, AT_ONCE), deadline_ns, bring_along, t);
	file_put(ep);
	if (n == -ERESTARTSYS)
		return -EINTR;
	if (n > 0 && sys_copy_out(t, a[1], out, (size_t)n * sizeof(out[0])) < 0)
		return -EFAULT;
	return n;
}

long sys_epoll_wait(struct task *t, const uint64_t a[6])
{
	return wait_events(t, a, sys_deadline_of_ms((int)a[3]));
}

long sys_epoll_pwait(struct task *t, const uint64_t a[6])
{
	int rc = sys_mask_for_call(t, a[4], a[5]);

	return rc < 0 ? rc : wait_events(t, a, sys_deadline_of_ms((int)a[3]));
}

long sys_epoll_pwait2(struct task *t, const uint64_t a[6])
{
	int64_t deadline_ns;
	int rc = sys_deadline_or_now(t, a[3], &deadline_ns);

	if (rc == 0)
		rc = sys_mask_for_call(t, a[4], a[5]);
	return rc < 0 ? rc : wait_events(t, a, deadline_ns);
}
