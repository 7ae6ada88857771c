/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eventfd(2), timerfd(2), signalfd(2), inotify(7).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "runtimes/sentry/fs/eventfd.h"
#include "runtimes/sentry/fs/inotify.h"
#include "runtimes/sentry/sys/file_at.h"
#include "runtimes/sentry/sys/files.h"

/* install() - The flags of all these calls are O_NONBLOCK and O_CLOEXEC by other names. */
static long install(struct task *t, struct file *f, uint64_t flags)
{
	int fd = fdtable_install(t->fds, f, 0, task_limit(t, RLIMIT_NOFILE), flags & O_CLOEXEC);

	if (fd < 0)
		file_put(f);
	return fd;
}

static bool bad_flags(uint64_t flags)
{
	return flags & ~(uint64_t)(O_NONBLOCK | O_CLOEXEC);
}

long sys_eventfd2(struct task *t, const uint64_t a[6])
{
	if (bad_flags(a[1] & ~(uint64_t)EFD_SEMAPHORE))
		return -EINVAL;
	return install(
		t, eventfd_create((uint32_t)a[0], a[1] & EFD_SEMAPHORE, a[1] & O_NONBLOCK, t->cred),
		a[1]);
}

long sys_eventfd(struct task *t, const uint64_t a[6])
{
	const uint64_t with_flags[6] = { a[0], 0 };

	return sys_eventfd2(t, with_flags);
}

long sys_timerfd_create(struct task *t, const uint64_t a[6])
{
	clockid_t clock = (clockid_t)a[0];

	if (bad_flags(a[1]))
		return -EINVAL;
	if (clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM)
		return -EPERM;
	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME)
		return -EINVAL;
	return install(t, timerfd_create_file(clock, a[1] & O_NONBLOCK, t->cred), a[1]);
}

long sys_timerfd_settime(struct task *t, const uint64_t a[6])
{
	struct itimerspec to, old;
	struct file *f;
	int rc;

	if (a[1] & ~(uint64_t)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	rc = sys_copy_in(t, &to, a[2], sizeof(to));
	if (rc < 0)
		return rc;
	f = sys_file(t, (int)a[0]);
	if (!f)
		return -EBADF;
	rc = timerfd_set(f, (int)a[1], &to, &old);
	file_put(f);
	if (rc == 0 && a[3])
		rc = sys_copy_out(t, a[3], &old, sizeof(old));
	return rc;
}

long sys_timerfd_gettime(struct task *t, const uint64_t a[6])
{
	struct file *f = sys_file(t, (int)a[0]);
	struct itimerspec its;
	int rc;

	if (!f)
		return -EBADF;
	rc = timerfd_get(f, &its);
	file_put(f);
	return rc < 0 ? rc : sys_copy_out(t, a[1], &its, sizeof(its));
}

static long signalfd_call(struct task *t, int fd, uint64_t mask, uint64_t size, uint64_t flags)
{
	struct file *f;
	uint64_t set;
	int rc;

	if (size != sizeof(set) || bad_flags(flags))
		return -EINVAL;
	rc = sys_copy_in(t, &set, mask, sizeof(set));
	if (rc < 0)
		return rc;
	if (fd == -1)
		return install(t, signalfd_create(set, flags & O_NONBLOCK, t->cred), flags);
	f = sys_file(t, fd);
	if (!f)
		return -EBADF;
	rc = signalfd_change(f, set);
	file_put(f);
	return rc < 0 ? rc : fd;
}

long sys_signalfd(struct task *t, const uint64_t a[6])
{
	return signalfd_call(t, (int)a[0], a[1], a[2], 0);
}

long sys_signalfd4(struct task *t, const uint64_t a[6])
{
	return signalfd_call(t, (int)a[0], a[1], a[2], a[3]);
}

long sys_inotify_init1(struct task *t, const uint64_t a[6])
{
	if (bad_flags(a[0]))
		return -EINVAL;
	return install(t, inotify_create(a[0] & O_NONBLOCK, t->cred), a[0]);
}

long sys_inotify_init(struct task *t, const uint64_t a[6])
{
	const uint64_t no_flags[6] = { 0 };

	(void)a;
	return sys_inotify_init1(t, no_flags);
}

long sys_inotify_add_watch(struct task *t, const uint64_t a[6])
{
	uint32_t mask = (uint32_t)a[2];
	struct file *f = sys_file(t, (int)a[0]);
	struct place p;
	int rc;

	if (!f)
		return -EBADF;
	rc = place_find(t, (uint64_t)AT_FDCWD, a[1], !(mask & IN_DONT_FOLLOW), false, &p);
	if (rc < 0) {
		file_put(f);
		return rc;
	}
	rc = inode_permission(p.inode, MAY_READ, t->cred);
	if (rc == 0 && (mask & IN_ONLYDIR) && !S_ISDIR(p.inode->attr.mode))
		rc = -ENOTDIR;
	if (rc == 0)
		rc = inotify_watch(f, p.inode, mask);
	place_end(&p);
	file_put(f);
	return rc;
}

long sys_inotify_rm_watch(struct task *t, const uint64_t a[6])
{
	struct file *f = sys_file(t, (int)a[0]);
	int rc = f ? inotify_unwatch(f, (int)a[1]) : -EBADF;

	file_put(f);
	return rc;
}
