/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes.
 *
 * Who may: user.* as the contents, trusted.* with CAP_SYS_ADMIN, security.* to read by all and to
 * write with CAP_SYS_ADMIN (security.capability: CAP_SETFCAP), system.* by the owner.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/xattr.h>

#include "base/str.h"
#include "runtimes/sentry/sys/file_at.h"
#include "runtimes/sentry/sys/files.h"

#define CWD	  ((uint64_t)AT_FDCWD)
#define MAX_NAME  255
#define MAX_VALUE (64u << 10)

static int fetch_name(struct task *t, uint64_t from, char name[MAX_NAME + 1])
{
	ssize_t len = stub_read_string(t->stub, name, MAX_NAME + 1, from);

	if (len == -ENAMETOOLONG || len == 0)
		return -ERANGE;
	return len < 0 ? (int)len : 0;
}

static int may_user(struct task *t, const struct inode *i, int may)
{
	mode_t mode = i->attr.mode;

	if (!S_ISREG(mode) && !S_ISDIR(mode))
		return may & MAY_WRITE ? -EPERM : -ENODATA;
	if (S_ISDIR(mode) && (mode & S_ISVTX) && (may & MAY_WRITE) &&
	    !inode_owner_or_capable(i, t->cred))
		return -EPERM;
	return inode_permission((struct inode *)i, may, t->cred);
}

static int may_touch(struct task *t, const struct inode *i, const char *name, int may)
{
	bool write = may & MAY_WRITE;

	if (str_has_prefix(name, "user."))
		return may_user(t, i, may);
	if (str_has_prefix(name, "trusted.")) {
		if (cred_has(t->cred, CAP_SYS_ADMIN))
			return 0;
		return write ? -EPERM : -ENODATA;
	}
	if (str_has_prefix(name, "security.")) {
		int cap = str_eq(name, "security.capability") ? CAP_SETFCAP : CAP_SYS_ADMIN;

		return !write || cred_has(t->cred, cap) ? 0 : -EPERM;
	}
	if (str_has_prefix(name, "system."))
		return !write || inode_owner_or_capable(i, t->cred) ? 0 : -EPERM;
	return -EOPNOTSUPP;
}

/* --- the four, each of a place, which is given up --- */

/* may_change() - @name of @p. Return: 0 or -errno. */
static int may_change(struct task *t, const struct place *p, const char *name)
{
	int rc = place_may_write(p);

	return rc < 0 ? rc : may_touch(t, p->inode, name, MAY_WRITE);
}

static long set(struct task *t, struct place *p, const uint64_t a[6])
{
	char name[MAX_NAME + 1];
	size_t size = a[3];
	void *value = NULL;
	int rc = fetch_name(t, a[1], name);

	if (rc == 0 && (a[4] & ~(uint64_t)(XATTR_CREATE | XATTR_REPLACE)))
		rc = -EINVAL;
	if (rc == 0 && size > MAX_VALUE)
		rc = -E2BIG;
	if (rc == 0) {
		value = xmalloc(MAX(size, 1));
		rc = sys_copy_in(t, value, a[2], size);
	}
	if (rc == 0)
		rc = may_change(t, p, name);
	if (rc == 0)
		rc = p->inode->ops->setxattr
			     ? p->inode->ops->setxattr(p->inode, name, value, size, (int)a[4])
			     : -EOPNOTSUPP;
	free(value);
	place_end(p);
	return rc;
}

static long get(struct task *t, struct place *p, const uint64_t a[6])
{
	size_t size = MIN(a[3], MAX_VALUE);
	char name[MAX_NAME + 1];
	void *value = NULL;
	ssize_t len = fetch_name(t, a[1], name);

	if (len == 0)
		len = may_touch(t, p->inode, name, MAY_READ);
	if (len == 0) {
		value = xmalloc(MAX(size, 1));
		len = p->inode->ops->getxattr ? p->inode->ops->getxattr(p->inode, name, value, size)
					      : -EOPNOTSUPP;
	}
	if (len > 0 && size && sys_copy_out(t, a[2], value, (size_t)len) < 0)
		len = -EFAULT;
	free(value);
	place_end(p);
	return len;
}

static long list(struct task *t, struct place *p, const uint64_t a[6])
{
	size_t size = MIN(a[2], MAX_VALUE);
	char *names = xmalloc(MAX(size, 1));
	ssize_t len = 0;

	if (p->inode->ops->listxattr)
		len = p->inode->ops->listxattr(p->inode, names, size);
	if (len > 0 && size && sys_copy_out(t, a[1], names, (size_t)len) < 0)
		len = -EFAULT;
	free(names);
	place_end(p);
	return len;
}

static long drop(struct task *t, struct place *p, const uint64_t a[6])
{
	char name[MAX_NAME + 1];
	int rc = fetch_name(t, a[1], name);

	if (rc == 0)
		rc = may_change(t, p, name);
	if (rc == 0)
		rc = p->inode->ops->removexattr ? p->inode->ops->removexattr(p->inode, name)
						: -EOPNOTSUPP;
	place_end(p);
	return rc;
}

typedef long do_fn(struct task *t, struct place *p, const uint64_t a[6]);

static long by_name(struct task *t, const uint64_t a[6], bool follow, do_fn *fn)
{
	struct place p;
	int rc = place_find(t, CWD, a[0], follow, false, &p);

	return rc < 0 ? rc : fn(t, &p, a);
}

static long by_fd(struct task *t, const uint64_t a[6], do_fn *fn)
{
	struct place p;
	int rc = place_of_fd(t, a[0], false, &p);

	return rc < 0 ? rc : fn(t, &p, a);
}

/* Each is three calls: by a name, by one whose last link is not followed, by a descriptor. */
#define THREE_CALLS(fn, call, lcall, fcall)             \
	long call(struct task *t, const uint64_t a[6])  \
	{                                               \
		return by_name(t, a, true, fn);         \
	}                                               \
	long lcall(struct task *t, const uint64_t a[6]) \
	{                                               \
		return by_name(t, a, false, fn);        \
	}                                               \
	long fcall(struct task *t, const uint64_t a[6]) \
	{                                               \
		return by_fd(t, a, fn);                 \
	}

THREE_CALLS(set, sys_setxattr, sys_lsetxattr, sys_fsetxattr)
THREE_CALLS(get, sys_getxattr, sys_lgetxattr, sys_fgetxattr)
THREE_CALLS(list, sys_listxattr, sys_llistxattr, sys_flistxattr)
THREE_CALLS(drop, sys_removexattr, sys_lremovexattr, sys_fremovexattr)
