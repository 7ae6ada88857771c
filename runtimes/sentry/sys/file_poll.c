/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poll(2) and select(2).
 *
 * Everything is looked at once; only when nothing is ready does the thread enter the queues, look
 * again, and sleep.
 */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>

#include "runtimes/sentry/sys/files.h"
#include "runtimes/sentry/task/alarm.h"
#include "runtimes/sentry/task/signal.h"

#define ON_STACK 8
#define MOST	 (1u << 16) /* descriptors of one call: what it takes is the sentry's memory */

/* One descriptor that is waited for. */
struct polled {
	struct file *file; /* NULL: not asked for, or not open */
	struct wait_entry entry;
};

static struct file *find_one(struct task *t, struct pollfd *p)
{
	struct file *f;

	p->revents = 0;
	if (p->fd < 0)
		return NULL;
	f = sys_file(t, p->fd);
	if (!f)
		p->revents = POLLNVAL;
	return f;
}

/* look() - Return: how many have something to tell. */
static int look(struct pollfd *fds, const struct polled *p, size_t n)
{
	int ready = 0;

	for (size_t k = 0; k < n; k++) {
		uint32_t wanted = (uint16_t)fds[k].events | EPOLLERR | EPOLLHUP;

		if (p[k].file)
			fds[k].revents = (short)(file_poll(p[k].file) & wanted);
		ready += fds[k].revents != 0;
	}
	return ready;
}

static void enter(const struct pollfd *fds, struct polled *p, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		struct wait_queue *q = p[k].file ? file_queue(p[k].file) : NULL;

		if (q)
			wait_begin(q, &p[k].entry, (uint16_t)fds[k].events | EPOLLERR | EPOLLHUP);
	}
}

static int wait_until(struct pollfd *fds, struct polled *p, size_t n, int64_t deadline_ns)
{
	int rc;

	enter(fds, p, n);
	while (!(rc = look(fds, p, n))) {
		rc = wait_sleep(deadline_ns);
		if (rc < 0)
			break;
	}
	for (size_t k = 0; k < n; k++)
		wait_end(&p[k].entry);
	return rc == -ETIMEDOUT ? 0 : rc;
}

/* poll_fds() - Return: how many are ready, 0 at the deadline, -ERESTARTSYS. */
static int poll_fds(struct task *t, struct pollfd *fds, size_t n, int64_t deadline_ns)
{
	struct polled on_stack[ON_STACK] = { { .file = NULL } }, *p = on_stack;
	int rc;

	if (n > ON_STACK)
		p = xcalloc(n, sizeof(*p));
	for (size_t k = 0; k < n; k++)
		p[k] = (struct polled){ .file = find_one(t, &fds[k]) };
	rc = look(fds, p, n);
	if (!rc && deadline_ns != 0)
		rc = wait_until(fds, p, n, deadline_ns);
	for (size_t k = 0; k < n; k++)
		file_put(p[k].file);
	if (p != on_stack)
		free(p);
	return rc;
}

/* poll_guest() - of an array in guest memory. */
static long poll_guest(struct task *t, uint64_t at, uint64_t n, int64_t deadline_ns)
{
	struct pollfd on_stack[ON_STACK], *fds = on_stack;
	long rc;

	if (n > task_limit(t, RLIMIT_NOFILE))
		return -EINVAL;
	if (n > MOST)
		return -ENOMEM;
	if (n > ON_STACK)
		fds = xcalloc(n, sizeof(*fds));
	rc = sys_copy_in(t, fds, at, n * sizeof(*fds));
	if (rc == 0)
		rc = poll_fds(t, fds, n, deadline_ns);
	if (rc >= 0 && sys_copy_out(t, at, fds, n * sizeof(*fds)) < 0)
		rc = -EFAULT;
	if (fds != on_stack)
		free(fds);
	return rc;
}

static long poll_again(struct task *t)
{
	long rc = poll_guest(t, t->restart.args[0], t->restart.args[1], t->restart.deadline_ns);

	return rc == -ERESTARTSYS ? -ERESTART_RESTARTBLOCK : rc;
}

long sys_poll(struct task *t, const uint64_t a[6])
{
	int64_t deadline_ns = sys_deadline_of_ms((int)a[2]);
	long rc = poll_guest(t, a[0], (unsigned int)a[1], deadline_ns);
	if (rc != -ERESTARTSYS)
		return rc;
	t->restart = (struct restart){ .fn = poll_again,
				       .args = { a[0], (unsigned int)a[1] },
				       .deadline_ns = deadline_ns };
	return -ERESTART_RESTARTBLOCK;
}

static int64_t left_ns(int64_t deadline_ns)
{
	return deadline_ns ? MAX(deadline_ns - alarm_now_ns(), 0) : 0;
}

/* tell_left() - Linux writes back what is left of the time, if it can. */
static long tell_left(struct task *t, uint64_t timespec, int64_t deadline_ns, long rc)
{
	int64_t left = left_ns(deadline_ns);
	struct timespec ts = { left / 1000000000, left % 1000000000 };

	if (rc == -ERESTARTSYS)
		rc = -ERESTARTNOHAND;
	if (timespec && deadline_ns != WAIT_FOREVER &&
	    sys_copy_out(t, timespec, &ts, sizeof(ts)) < 0 && rc == -ERESTARTNOHAND)
		rc = -EINTR;
	return rc;
}

long sys_ppoll(struct task *t, const uint64_t a[6])
{
	int64_t deadline_ns;
	long rc = sys_deadline_or_now(t, a[2], &deadline_ns);

	if (rc == 0)
		rc = sys_mask_for_call(t, a[3], a[4]);
	if (rc < 0)
		return rc;
	rc = poll_guest(t, a[0], (unsigned int)a[1], deadline_ns);
	return tell_left(t, a[2], deadline_ns, rc);
}

/* --- select --- */

#define SELECT_IN     (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define SELECT_OUT    (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)
#define SELECT_EXCEPT POLLPRI

/* Three sets as the guest has them, and what of them is waited for. */
struct selecting {
	int n;
	size_t bytes; /* of one set */
	uint64_t at[3];
	uint64_t *sets; /* three times `bytes` */
	struct pollfd *fds;
	size_t n_fds;
};

static const short select_events[3] = { SELECT_IN, SELECT_OUT, SELECT_EXCEPT };

static uint64_t *set_of(const struct selecting *s, int which)
{
	return s->sets + which * (s->bytes / 8);
}

static int fetch_sets(struct task *t, struct selecting *s)
{
	for (int k = 0; k < 3; k++)
		if (s->at[k] && sys_copy_in(t, set_of(s, k), s->at[k], s->bytes) < 0)
			return -EFAULT;
	for (int fd = 0; fd < s->n; fd++) {
		short events = 0;

		for (int k = 0; k < 3; k++)
			if (set_of(s, k)[fd / 64] >> (fd % 64) & 1)
				events |= select_events[k];
		if (events)
			s->fds[s->n_fds++] = (struct pollfd){ .fd = fd, .events = events };
	}
	return 0;
}

/* settle() - only what is ready stays in the sets. Return: how many bits, -EBADF. */
static long settle(struct task *t, struct selecting *s)
{
	long bits = 0;

	memset(s->sets, 0, 3 * s->bytes);
	for (size_t n = 0; n < s->n_fds; n++) {
		const struct pollfd *p = &s->fds[n];

		if (p->revents & POLLNVAL)
			return -EBADF;
		for (int k = 0; k < 3; k++) {
			bool asked = (p->events & select_events[k]) == select_events[k];

			if (!asked || !s->at[k] || !(p->revents & select_events[k]))
				continue;
			set_of(s, k)[p->fd / 64] |= (uint64_t)1 << (p->fd % 64);
			bits++;
		}
	}
	for (int k = 0; k < 3; k++)
		if (s->at[k] && sys_copy_out(t, s->at[k], set_of(s, k), s->bytes) < 0)
			return -EFAULT;
	return bits;
}

static bool any_invalid(const struct selecting *s, struct task *t)
{
	for (size_t n = 0; n < s->n_fds; n++)
		if (fdtable_get_cloexec(t->fds, s->fds[n].fd) < 0)
			return true;
	return false;
}

static long select_guest(struct task *t, const uint64_t a[6], int64_t deadline_ns)
{
	struct selecting s = { .n = (int)a[0], .at = { a[1], a[2], a[3] } };
	long rc;

	if (s.n < 0)
		return -EINVAL;
	/* As Linux: descriptors far beyond what the table has room for are not looked at. */
	s.n = MIN(s.n, MIN(MAX(fdtable_slots(t->fds), FD_SETSIZE), (int)MOST));
	s.bytes = ((size_t)s.n + 63) / 64 * 8;
	s.sets = xcalloc(3, MAX(s.bytes, 8));
	s.fds = xcalloc((size_t)MAX(s.n, 1), sizeof(*s.fds));
	rc = fetch_sets(t, &s);
	if (rc == 0 && any_invalid(&s, t))
		rc = -EBADF;
	if (rc == 0)
		rc = poll_fds(t, s.fds, s.n_fds, deadline_ns);
	if (rc >= 0)
		rc = settle(t, &s);
	free(s.sets);
	free(s.fds);
	return rc;
}

long sys_select(struct task *t, const uint64_t a[6])
{
	int64_t deadline_ns = WAIT_FOREVER, left;
	struct timeval tv;
	long rc;

	if (a[4]) {
		rc = sys_copy_in(t, &tv, a[4], sizeof(tv));
		if (rc < 0)
			return rc;
		if (tv.tv_sec < 0 || tv.tv_usec < 0)
			return -EINVAL;
		deadline_ns = 0;
		if (tv.tv_sec > 1LL << 32)
			deadline_ns = WAIT_FOREVER;
		else if (tv.tv_sec || tv.tv_usec)
			deadline_ns = alarm_now_ns() + tv.tv_sec * 1000000000 + tv.tv_usec * 1000;
	}
	rc = select_guest(t, a, deadline_ns);
	if (rc == -ERESTARTSYS)
		rc = -ERESTARTNOHAND;
	if (a[4] && deadline_ns != WAIT_FOREVER) {
		left = left_ns(deadline_ns);
		tv = (struct timeval){ left / 1000000000, left % 1000000000 / 1000 };
		if (sys_copy_out(t, a[4], &tv, sizeof(tv)) < 0 && rc == -ERESTARTNOHAND)
			rc = -EINTR;
	}
	return rc;
}

long sys_pselect6(struct task *t, const uint64_t a[6])
{
	uint64_t mask[2] = { 0, 0 }; /* address, size */
	int64_t deadline_ns;
	long rc = sys_deadline_or_now(t, a[4], &deadline_ns);

	if (rc == 0 && a[5])
		rc = sys_copy_in(t, mask, a[5], sizeof(mask));
	if (rc == 0)
		rc = sys_mask_for_call(t, mask[0], mask[1]);
	if (rc < 0)
		return rc;
	rc = select_guest(t, a, deadline_ns);
	return tell_left(t, a[4], deadline_ns, rc);
}
