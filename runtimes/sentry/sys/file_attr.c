/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chmod(2), chown(2), utimensat(2) and their older forms.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/time.h>
#include <utime.h>

#include "runtimes/sentry/sys/file_at.h"
#include "runtimes/sentry/sys/files.h"
#include "runtimes/sentry/vfs/notify.h"

#define CWD ((uint64_t)AT_FDCWD)

/* change() - @p is given up. */
static long change(struct task *t, struct place *p, unsigned int mask, const struct attr *to)
{
	int rc = place_may_write(p);

	if (rc == 0)
		rc = inode_setattr(p->inode, mask, to, t->cred);
	if (rc == 0)
		notify_inode(p->inode, p->path.dentry, IN_ATTRIB);
	place_end(p);
	return rc;
}

static long chmod_at(struct task *t, uint64_t dirfd, uint64_t name, uint64_t mode, uint64_t flags)
{
	struct attr to = { .mode = (mode_t)mode & 07777 };
	struct place p;
	int rc;

	if (flags & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	rc = place_find(t, dirfd, name, !(flags & AT_SYMLINK_NOFOLLOW), flags & AT_EMPTY_PATH, &p);
	if (rc < 0)
		return rc;
	if (S_ISLNK(p.inode->attr.mode)) {
		place_end(&p);
		return -EOPNOTSUPP;
	}
	return change(t, &p, ATTR_MODE, &to);
}

long sys_chmod(struct task *t, const uint64_t a[6])
{
	return chmod_at(t, CWD, a[0], a[1], 0);
}

long sys_fchmodat(struct task *t, const uint64_t a[6])
{
	return chmod_at(t, a[0], a[1], a[2], 0);
}

long sys_fchmodat2(struct task *t, const uint64_t a[6])
{
	return chmod_at(t, a[0], a[1], a[2], a[3]);
}

long sys_fchmod(struct task *t, const uint64_t a[6])
{
	struct attr to = { .mode = (mode_t)a[1] & 07777 };
	struct place p;
	int rc = place_of_fd(t, a[0], false, &p);

	return rc < 0 ? rc : change(t, &p, ATTR_MODE, &to);
}

/* owner_mask() - -1 leaves an owner as it is. */
static unsigned int owner_mask(uint64_t uid, uint64_t gid, struct attr *to)
{
	to->uid = (uid_t)uid;
	to->gid = (gid_t)gid;
	return (to->uid != (uid_t)-1 ? ATTR_UID : 0u) | (to->gid != (gid_t)-1 ? ATTR_GID : 0u);
}

static long chown_at(struct task *t, uint64_t dirfd, uint64_t name, uint64_t uid, uint64_t gid,
		     uint64_t flags)
{
	struct attr to = { .mode = 0 };
	unsigned int mask = owner_mask(uid, gid, &to);
	struct place p;
	int rc;

	if (flags & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	rc = place_find(t, dirfd, name, !(flags & AT_SYMLINK_NOFOLLOW), flags & AT_EMPTY_PATH, &p);
	return rc < 0 ? rc : change(t, &p, mask, &to);
}

long sys_chown(struct task *t, const uint64_t a[6])
{
	return chown_at(t, CWD, a[0], a[1], a[2], 0);
}

long sys_lchown(struct task *t, const uint64_t a[6])
{
	return chown_at(t, CWD, a[0], a[1], a[2], AT_SYMLINK_NOFOLLOW);
}

long sys_fchownat(struct task *t, const uint64_t a[6])
{
	return chown_at(t, a[0], a[1], a[2], a[3], a[4]);
}

long sys_fchown(struct task *t, const uint64_t a[6])
{
	struct attr to = { .mode = 0 };
	unsigned int mask = owner_mask(a[1], a[2], &to);
	struct place p;
	int rc = place_of_fd(t, a[0], false, &p);

	return rc < 0 ? rc : change(t, &p, mask, &to);
}

/* --- times --- */

static int one_time(const struct timespec *ts, unsigned int bit, unsigned int *mask,
		    struct timespec *to)
{
	if (ts->tv_nsec == UTIME_OMIT)
		return 0;
	*mask |= bit;
	if (ts->tv_nsec == UTIME_NOW) {
		clock_gettime(CLOCK_REALTIME, to);
		return 0;
	}
	if (ts->tv_nsec < 0 || ts->tv_nsec > 999999999)
		return -EINVAL;
	*to = *ts;
	return 0;
}

/* set_times() - @ts: two of them, NULL: now. @p is given up. */
static long set_times(struct task *t, struct place *p, const struct timespec *ts)
{
	static const struct timespec now[2] = { { 0, UTIME_NOW }, { 0, UTIME_NOW } };
	struct attr to = { .mode = 0 };
	unsigned int mask = 0;
	int rc;

	if (!ts)
		ts = now;
	rc = one_time(&ts[0], ATTR_ATIME, &mask, &to.atime);
	if (rc == 0)
		rc = one_time(&ts[1], ATTR_MTIME, &mask, &to.mtime);
	if (rc < 0 || !mask) {
		place_end(p);
		return rc;
	}
	if (ts[0].tv_nsec == UTIME_NOW && ts[1].tv_nsec == UTIME_NOW)
		mask |= ATTR_TOUCH;
	return change(t, p, mask, &to);
}

static long times_at(struct task *t, uint64_t dirfd, uint64_t name, const struct timespec *ts,
		     uint64_t flags)
{
	struct place p;
	int rc;

	if (flags & ~(uint64_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	/* futimens() is utimensat() without a name. */
	if (!name && !(flags & AT_EMPTY_PATH))
		rc = (int)dirfd == AT_FDCWD ? -EFAULT : place_of_fd(t, dirfd, false, &p);
	else
		rc = place_find(t, dirfd, name, !(flags & AT_SYMLINK_NOFOLLOW),
				flags & AT_EMPTY_PATH, &p);
	return rc < 0 ? rc : set_times(t, &p, ts);
}

long sys_utimensat(struct task *t, const uint64_t a[6])
{
	struct timespec ts[2];
	int rc = a[2] ? sys_copy_in(t, ts, a[2], sizeof(ts)) : 0;

	return rc < 0 ? rc : times_at(t, a[0], a[1], a[2] ? ts : NULL, a[3]);
}

/* timevals() - Return: 0 with *ret, or -errno. */
static int timevals(struct task *t, uint64_t at, struct timespec ret[2])
{
	struct timeval tv[2];
	int rc = sys_copy_in(t, tv, at, sizeof(tv));

	for (int n = 0; n < 2 && rc == 0; n++) {
		if (tv[n].tv_usec < 0 || tv[n].tv_usec > 999999)
			return -EINVAL;
		ret[n] = (struct timespec){ tv[n].tv_sec, tv[n].tv_usec * 1000 };
	}
	return rc;
}

long sys_futimesat(struct task *t, const uint64_t a[6])
{
	struct timespec ts[2];
	int rc = a[2] ? timevals(t, a[2], ts) : 0;

	return rc < 0 ? rc : times_at(t, a[0], a[1], a[2] ? ts : NULL, 0);
}

long sys_utimes(struct task *t, const uint64_t a[6])
{
	const uint64_t with_cwd[6] = { CWD, a[0], a[1] };

	return sys_futimesat(t, with_cwd);
}

long sys_utime(struct task *t, const uint64_t a[6])
{
	struct timespec ts[2] = { { 0, 0 }, { 0, 0 } };
	struct utimbuf times;
	int rc = a[1] ? sys_copy_in(t, &times, a[1], sizeof(times)) : 0;

	if (rc < 0)
		return rc;
	if (a[1]) {
		ts[0].tv_sec = times.actime;
		ts[1].tv_sec = times.modtime;
	}
	return times_at(t, CWD, a[0], a[1] ? ts : NULL, 0);
}
