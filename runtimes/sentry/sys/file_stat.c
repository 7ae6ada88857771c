/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stat(2) and what else tells about files.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "runtimes/sentry/sys/file_at.h"
#include "runtimes/sentry/sys/files.h"

static long stat_place(struct task *t, struct place *p, uint64_t to)
{
	struct stat st;
	int rc = inode_stat(p->inode, &st);

	place_end(p);
	return rc < 0 ? rc : sys_copy_out(t, to, &st, sizeof(st));
}

static long stat_at(struct task *t, uint64_t dirfd, uint64_t name, uint64_t to, bool follow,
		    bool empty)
{
	struct place p;
	int rc = place_find(t, dirfd, name, follow, empty, &p);

	return rc < 0 ? rc : stat_place(t, &p, to);
}

long sys_stat(struct task *t, const uint64_t a[6])
{
	return stat_at(t, (uint64_t)AT_FDCWD, a[0], a[1], true, false);
}

long sys_lstat(struct task *t, const uint64_t a[6])
{
	return stat_at(t, (uint64_t)AT_FDCWD, a[0], a[1], false, false);
}

long sys_fstat(struct task *t, const uint64_t a[6])
{
	struct place p;
	int rc = place_of_fd(t, a[0], true, &p);

	return rc < 0 ? rc : stat_place(t, &p, a[1]);
}

#define STAT_FLAGS (AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT)

long sys_newfstatat(struct task *t, const uint64_t a[6])
{
	if (a[3] & ~(uint64_t)STAT_FLAGS)
		return -EINVAL;
	return stat_at(t, a[0], a[1], a[2], !(a[3] & AT_SYMLINK_NOFOLLOW), a[3] & AT_EMPTY_PATH);
}

static struct statx_timestamp stamp(const struct timespec *ts)
{
	return (struct statx_timestamp){ .tv_sec = ts->tv_sec, .tv_nsec = (uint32_t)ts->tv_nsec };
}

static void fill_statx(struct statx *x, const struct stat *st, const struct place *p)
{
	*x = (struct statx){
		.stx_mask = STATX_BASIC_STATS,
		.stx_blksize = (uint32_t)st->st_blksize,
		.stx_nlink = (uint32_t)st->st_nlink,
		.stx_uid = st->st_uid,
		.stx_gid = st->st_gid,
		.stx_mode = (uint16_t)st->st_mode,
		.stx_ino = st->st_ino,
		.stx_size = (uint64_t)st->st_size,
		.stx_blocks = (uint64_t)st->st_blocks,
		.stx_atime = stamp(&st->st_atim),
		.stx_mtime = stamp(&st->st_mtim),
		.stx_ctime = stamp(&st->st_ctim),
		.stx_rdev_major = major(st->st_rdev),
		.stx_rdev_minor = minor(st->st_rdev),
		.stx_dev_major = major(st->st_dev),
		.stx_dev_minor = minor(st->st_dev),
	};
	if (p->inode->attr.btime.tv_sec) {
		x->stx_mask |= STATX_BTIME;
		x->stx_btime = stamp(&p->inode->attr.btime);
	}
	if (!p->path.mount)
		return;
	x->stx_mask |= STATX_MNT_ID;
	x->stx_mnt_id = (uint64_t)p->path.mount->id;
	x->stx_attributes_mask = STATX_ATTR_MOUNT_ROOT;
	if (p->path.dentry == p->path.mount->root)
		x->stx_attributes = STATX_ATTR_MOUNT_ROOT;
}

long sys_statx(struct task *t, const uint64_t a[6])
{
	struct statx x;
	struct place p;
	struct stat st;
	int rc;

	if ((a[2] & ~(uint64_t)(STAT_FLAGS | AT_STATX_SYNC_TYPE)) || (a[3] & STATX__RESERVED))
		return -EINVAL;
	if ((a[2] & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	rc = place_find(t, a[0], a[1], !(a[2] & AT_SYMLINK_NOFOLLOW), a[2] & AT_EMPTY_PATH, &p);
	if (rc < 0)
		return rc;
	rc = inode_stat(p.inode, &st);
	if (rc == 0)
		fill_statx(&x, &st, &p);
	place_end(&p);
	return rc < 0 ? rc : sys_copy_out(t, a[4], &x, sizeof(x));
}

/* real_cred() - what access(2) judges by: the real ids. With a reference. */
static struct cred *real_cred(struct task *t)
{
	struct cred *c;

	if (t->cred->fsuid == t->cred->uid && t->cred->fsgid == t->cred->gid)
		return cred_get(t->cred);
	c = cred_copy(t->cred);
	c->fsuid = c->uid;
	c->fsgid = c->gid;
	c->effective = c->uid == 0 ? c->permitted : 0;
	return c;
}

static int check_access(const struct place *p, int mode, const struct cred *c)
{
	int may = (mode & R_OK ? MAY_READ : 0) | (mode & W_OK ? MAY_WRITE : 0) |
		  (mode & X_OK ? MAY_EXEC : 0);
	mode_t kind = p->inode->attr.mode;
	int rc = inode_refresh(p->inode);

	if (rc < 0 || !may)
		return rc;
	rc = inode_permission(p->inode, may, c);
	if (rc == 0 && (may & MAY_EXEC) && S_ISREG(kind) && p->path.mount &&
	    (p->path.mount->flags & MS_NOEXEC))
		rc = -EACCES;
	if (rc == 0 && (may & MAY_WRITE) && (S_ISREG(kind) || S_ISDIR(kind) || S_ISLNK(kind)))
		rc = place_may_write(p);
	return rc;
}

static long access_at(struct task *t, uint64_t dirfd, uint64_t name, uint64_t mode, uint64_t flags)
{
	struct place p;
	struct cred *c;
	int rc;

	if ((mode & ~7ull) ||
	    (flags & ~(uint64_t)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
		return -EINVAL;
	rc = place_find(t, dirfd, name, !(flags & AT_SYMLINK_NOFOLLOW), flags & AT_EMPTY_PATH, &p);
	if (rc < 0)
		return rc;
	c = flags & AT_EACCESS ? cred_get(t->cred) : real_cred(t);
	rc = check_access(&p, (int)mode, c);
	cred_put(c);
	place_end(&p);
	return rc;
}

long sys_access(struct task *t, const uint64_t a[6])
{
	return access_at(t, (uint64_t)AT_FDCWD, a[0], a[1], 0);
}

long sys_faccessat(struct task *t, const uint64_t a[6])
{
	return access_at(t, a[0], a[1], a[2], 0);
}

long sys_faccessat2(struct task *t, const uint64_t a[6])
{
	return access_at(t, a[0], a[1], a[2], a[3]);
}

static ssize_t read_link(struct inode *i, char *buf, size_t size)
{
	if (!S_ISLNK(i->attr.mode) || !i->ops->readlink)
		return -EINVAL;
	return i->ops->readlink(i, buf, size);
}

static bool is_empty_name(struct task *t, uint64_t name)
{
	char first;

	return sys_copy_in(t, &first, name, 1) == 0 && !first;
}

static long readlink_at(struct task *t, uint64_t dirfd, uint64_t name, uint64_t buf, uint64_t size)
{
	char text[4096] AT_UNSET;
	struct place p;
	ssize_t len;
	int rc;

	if ((int)size <= 0)
		return -EINVAL;
	rc = place_find(t, dirfd, name, false, true, &p);
	if (rc < 0)
		return rc;
	len = read_link(p.inode, text, MIN(size, sizeof(text)));
	place_end(&p);
	/* An empty name is allowed for descriptors of links, and nothing else. */
	if (len == -EINVAL && is_empty_name(t, name))
		return -ENOENT;
	if (len < 0)
		return len;
	rc = sys_copy_out(t, buf, text, (size_t)len);
	return rc < 0 ? rc : len;
}

long sys_readlink(struct task *t, const uint64_t a[6])
{
	return readlink_at(t, (uint64_t)AT_FDCWD, a[0], a[1], a[2]);
}

long sys_readlinkat(struct task *t, const uint64_t a[6])
{
	return readlink_at(t, a[0], a[1], a[2], a[3]);
}

static long statfs_flags(unsigned long mount_flags)
{
	/* ST_* equal MS_* for those; ST_VALID says that they are filled in. */
	return (long)(mount_flags &
		      (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME)) |
	       (mount_flags & MS_RELATIME ? 0x1000 : 0) | 0x20;
}

static long statfs_place(struct task *t, struct place *p, uint64_t to)
{
	struct filesystem *fs = p->inode->fs;
	struct statfs st = { .f_type = 0x09041934, .f_bsize = 4096, .f_namelen = 255 };
	int rc = fs->ops && fs->ops->statfs ? fs->ops->statfs(fs, &st) : 0;

	if (p->path.mount)
		st.f_flags = statfs_flags(p->path.mount->flags);
	place_end(p);
	return rc < 0 ? rc : sys_copy_out(t, to, &st, sizeof(st));
}

long sys_statfs(struct task *t, const uint64_t a[6])
{
	struct place p;
	int rc = place_find(t, (uint64_t)AT_FDCWD, a[0], true, false, &p);

	return rc < 0 ? rc : statfs_place(t, &p, a[1]);
}

long sys_fstatfs(struct task *t, const uint64_t a[6])
{
	struct place p;
	int rc = place_of_fd(t, a[0], true, &p);

	return rc < 0 ? rc : statfs_place(t, &p, a[1]);
}
