/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on one file: attributes, descriptors, extended attributes.
 *
 * Calls that have no form for O_PATH descriptors reach the file by its own entry of
 * /proc/self/fd, which is the working directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/mem.h"
#include "runtimes/gofer/serve.h"

static struct gofer_time time_of(const struct statx_timestamp *t)
{
	return (struct gofer_time){ .sec = t->tv_sec, .nsec = t->tv_nsec };
}

int gofer_attr_of(int fd, struct gofer_attr *ret)
{
	struct statx s;

	if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME,
		  &s) < 0)
		return -errno;
	*ret = (struct gofer_attr){
		.ino = s.stx_ino,
		.dev = makedev(s.stx_dev_major, s.stx_dev_minor),
		.rdev = makedev(s.stx_rdev_major, s.stx_rdev_minor),
		.size = s.stx_size,
		.blocks = s.stx_blocks,
		.mode = s.stx_mode,
		.nlink = s.stx_nlink,
		.uid = s.stx_uid,
		.gid = s.stx_gid,
		.blksize = s.stx_blksize,
		.atime = time_of(&s.stx_atime),
		.mtime = time_of(&s.stx_mtime),
		.ctime = time_of(&s.stx_ctime),
		.btime = time_of(&s.stx_btime),
	};
	return 0;
}

int gofer_do_getattr(struct gofer_call *c)
{
	return gofer_attr_of(c->handle.fd, &c->answer->reply.attr);
}

/* type_of() - S_IF*, or 0 when it cannot be told. */
static mode_t type_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : st.st_mode & S_IFMT;
}

/* reopen() - regular files and directories only: no open of ours starts a device or waits. */
static int reopen(const struct gofer_call *c, int flags)
{
	mode_t type = type_of(c->handle.fd);
	char self[12];
	int fd;

	if (type == S_IFDIR && (flags & O_ACCMODE) == O_RDONLY)
		flags |= O_DIRECTORY;
	else if (type == S_IFDIR)
		return -EISDIR;
	else if (type != S_IFREG)
		return -ENXIO;
	gofer_self_name(c->handle.fd, self);
	fd = open(self, flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int gofer_do_open(struct gofer_call *c)
{
	int fd;

	if (c->rq->flags != O_RDONLY && c->rq->flags != O_RDWR)
		return -EINVAL;
	if (c->rq->flags == O_RDWR && c->handle.read_only)
		return -EROFS;
	fd = reopen(c, (int)c->rq->flags);
	if (fd < 0)
		return fd;
	c->answer->fd = fd;
	return 0;
}

int gofer_do_readlink(struct gofer_call *c)
{
	ssize_t n = readlinkat(c->handle.fd, "", c->answer->data, GOFER_TARGET_MAX + 1);

	if (n < 0)
		return -errno;
	c->answer->reply.data_len = (uint32_t)n;
	return 0;
}

/* --- changing attributes ---------------------------------------------------------------------- */

static int set_owner(const struct gofer_call *c)
{
	const struct gofer_request *rq = c->rq;
	uid_t uid = rq->mask & GOFER_SET_UID ? rq->uid : (uid_t)-1;
	gid_t gid = rq->mask & GOFER_SET_GID ? rq->gid : (gid_t)-1;

	if (!(rq->mask & (GOFER_SET_UID | GOFER_SET_GID)))
		return 0;
	return fchownat(c->handle.fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0
		       ? -errno
		       : 0;
}

static int set_mode(const struct gofer_call *c)
{
	char self[12];

	if (!(c->rq->mask & GOFER_SET_MODE))
		return 0;
	if (type_of(c->handle.fd) == S_IFLNK)
		return -EOPNOTSUPP;
	gofer_self_name(c->handle.fd, self);
	return fchmodat(AT_FDCWD, self, c->rq->mode & 07777, 0) < 0 ? -errno : 0;
}

static int set_size(const struct gofer_call *c)
{
	int fd cleanup_close = -1;

	if (!(c->rq->mask & GOFER_SET_SIZE))
		return 0;
	if (c->rq->size > INT64_MAX)
		return -EINVAL;
	fd = reopen(c, O_WRONLY);
	if (fd < 0)
		return fd == -ENXIO ? -EINVAL : fd;
	return ftruncate(fd, (off_t)c->rq->size) < 0 ? -errno : 0;
}

static struct timespec timespec_of(const struct gofer_time *t, bool set)
{
	if (!set)
		return (struct timespec){ .tv_nsec = UTIME_OMIT };
	return (struct timespec){ .tv_sec = t->sec, .tv_nsec = t->nsec };
}

static int set_times(const struct gofer_call *c)
{
	const struct gofer_request *rq = c->rq;
	const struct timespec times[2] = {
		timespec_of(&rq->atime, rq->mask & GOFER_SET_ATIME),
		timespec_of(&rq->mtime, rq->mask & GOFER_SET_MTIME),
	};

	if (!(rq->mask & (GOFER_SET_ATIME | GOFER_SET_MTIME)))
		return 0;
	if (rq->atime.nsec >= 1000000000 || rq->mtime.nsec >= 1000000000)
		return -EINVAL;
	return utimensat(c->handle.fd, "", times, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int gofer_do_setattr(struct gofer_call *c)
{
	int rc = c->rq->mask & ~(uint32_t)GOFER_SET_ALL ? -EINVAL : set_owner(c);

	if (rc == 0)
		rc = set_mode(c);
	if (rc == 0)
		rc = set_size(c);
	if (rc == 0)
		rc = set_times(c);
	return rc < 0 ? rc : gofer_attr_of(c->handle.fd, &c->answer->reply.attr);
}

/* --- extended attributes ---------------------------------------------------------------------- */

/* xattr_name_ok() - others are the host's business, or need rights that we lack. */
static bool xattr_name_ok(const char *name)
{
	return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0 ||
	       strcmp(name, "system.posix_acl_access") == 0 ||
	       strcmp(name, "system.posix_acl_default") == 0;
}

int gofer_do_getxattr(struct gofer_call *c)
{
	char self[12];
	ssize_t n;

	if (!xattr_name_ok(c->name))
		return -ENODATA;
	gofer_self_name(c->handle.fd, self);
	n = getxattr(self, c->name, c->answer->data, sizeof(c->answer->data));
	if (n < 0)
		return -errno;
	c->answer->reply.data_len = (uint32_t)n;
	return 0;
}

int gofer_do_setxattr(struct gofer_call *c)
{
	char self[12];

	if (!xattr_name_ok(c->name))
		return -EOPNOTSUPP;
	if (c->rq->flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	gofer_self_name(c->handle.fd, self);
	return setxattr(self, c->name, c->data, c->data_len, (int)c->rq->flags) < 0 ? -errno : 0;
}

/* The list is thinned out in place. */
int gofer_do_listxattr(struct gofer_call *c)
{
	char *all = c->answer->data;
	char self[12];
	size_t len, out = 0;
	ssize_t n;

	gofer_self_name(c->handle.fd, self);
	n = listxattr(self, all, GOFER_DATA_MAX - 1);
	if (n < 0)
		return -errno;
	all[n] = '\0';
	for (ssize_t i = 0; i < n; i += (ssize_t)len) {
		len = strlen(all + i) + 1;
		if (!xattr_name_ok(all + i))
			continue;
		memmove(all + out, all + i, len);
		out += len;
	}
	c->answer->reply.data_len = (uint32_t)out;
	return 0;
}

int gofer_do_removexattr(struct gofer_call *c)
{
	char self[12];

	if (!xattr_name_ok(c->name))
		return -EOPNOTSUPP;
	gofer_self_name(c->handle.fd, self);
	return removexattr(self, c->name) < 0 ? -errno : 0;
}

/* --- file systems ----------------------------------------------------------------------------- */

int gofer_do_statfs(struct gofer_call *c)
{
	struct statfs st;

	if (fstatfs(c->handle.fd, &st) < 0)
		return -errno;
	memcpy(c->answer->data, &st, sizeof(st));
	c->answer->reply.data_len = sizeof(st);
	return 0;
}

int gofer_do_sync(struct gofer_call *c)
{
	int fd cleanup_close = reopen(c, O_RDONLY);

	if (fd < 0)
		return fd;
	return syncfs(fd) < 0 ? -errno : 0;
}
