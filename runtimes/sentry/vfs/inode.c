/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inodes and file systems: life, attributes, permission.
 */
#include "runtimes/sentry/vfs/inode.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/sysmacros.h>

#include "base/mem.h"
#include "runtimes/sentry/vfs/dentry.h"
#include "runtimes/sentry/vfs/locks.h"
#include "runtimes/sentry/vfs/pipe.h"

static struct timespec now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME_COARSE, &ts);
	return ts;
}

struct inode *inode_create(struct filesystem *fs, const struct inode_ops *ops, uint64_t ino,
			   mode_t mode)
{
	struct inode *i = xnew(struct inode);
	struct timespec ts = now();

	i->ops = ops;
	i->fs = fs;
	i->refs = 1;
	i->ino = ino;
	lock_init(&i->lock, LOCK_INODE);
	lock_init(&i->names, fs->shows_tasks ? LOCK_SHOWN_NAMES : LOCK_DIRECTORY);
	list_init(&i->watches);
	i->attr = (struct attr){
		.mode = mode,
		.nlink = 1,
		.blksize = 4096,
		.atime = ts,
		.mtime = ts,
		.ctime = ts,
		.btime = ts,
	};
	__atomic_fetch_add(&fs->inodes, 1, __ATOMIC_RELAXED);
	return i;
}

struct inode *inode_get(struct inode *i)
{
	__atomic_fetch_add(&i->refs, 1, __ATOMIC_RELAXED);
	return i;
}

/* forget_inode() - one of @fs's inodes, or its own hold on itself, is gone. */
static void forget_inode(struct filesystem *fs)
{
	if (__atomic_sub_fetch(&fs->inodes, 1, __ATOMIC_ACQ_REL))
		return;
	if (fs->ops && fs->ops->free)
		fs->ops->free(fs);
	free(fs->source);
	free(fs->options);
	free(fs);
}

void inode_put(struct inode *i)
{
	struct filesystem *fs;

	if (!i || __atomic_sub_fetch(&i->refs, 1, __ATOMIC_ACQ_REL))
		return;
	fs = i->fs;
	locks_free(i);
	pipe_put(i->fifo);
	if (i->ops->free)
		i->ops->free(i);
	free(i);
	forget_inode(fs);
}

int inode_refresh(struct inode *i)
{
	return i->ops->revalidate ? i->ops->revalidate(i) : 0;
}

int inode_stat(struct inode *i, struct stat *ret)
{
	int rc = inode_refresh(i);

	if (rc < 0)
		return rc;
	LOCKED(&i->lock);
	*ret = (struct stat){
		.st_dev = i->fs->dev,
		.st_ino = i->ino,
		.st_nlink = i->attr.nlink,
		.st_mode = i->attr.mode,
		.st_uid = i->attr.uid,
		.st_gid = i->attr.gid,
		.st_rdev = i->attr.rdev,
		.st_size = (off_t)i->attr.size,
		.st_blksize = i->attr.blksize,
		.st_blocks = (blkcnt_t)i->attr.blocks,
		.st_atim = i->attr.atime,
		.st_mtim = i->attr.mtime,
		.st_ctim = i->attr.ctime,
	};
	return 0;
}

/* by_capability() - what the mode refuses may still be allowed (capabilities(7)). */
static bool by_capability(mode_t mode, int may, const struct cred *c)
{
	bool executable = S_ISDIR(mode) || (mode & 0111);

	if (cred_has(c, CAP_DAC_OVERRIDE) && (!(may & MAY_EXEC) || executable))
		return true;
	if (!cred_has(c, CAP_DAC_READ_SEARCH))
		return false;
	return may == MAY_READ || (S_ISDIR(mode) && !(may & MAY_WRITE));
}

int inode_permission(struct inode *i, int may, const struct cred *c)
{
	mode_t mode = i->attr.mode, bits = mode;

	if (i->ops->permission)
		return i->ops->permission(i, may, c);
	if (i->attr.uid == c->fsuid)
		bits >>= 6;
	else if (cred_in_group(c, i->attr.gid))
		bits >>= 3;
	if ((bits & (mode_t)may) == (mode_t)may || by_capability(mode, may, c))
		return 0;
	return -EACCES;
}

bool inode_owner_or_capable(const struct inode *i, const struct cred *c)
{
	return i->attr.uid == c->fsuid || cred_has(c, CAP_FOWNER);
}

/* may_change_owner() - chown(2): root may all, the owner may give it to groups of their own. */
static bool may_change_owner(const struct inode *i, unsigned int mask, const struct attr *to,
			     const struct cred *c)
{
	bool mine = i->attr.uid == c->fsuid;

	if (cred_has(c, CAP_CHOWN))
		return true;
	if ((mask & ATTR_UID) && !(mine && to->uid == i->attr.uid))
		return false;
	if ((mask & ATTR_GID) && !(mine && (to->gid == i->attr.gid || cred_in_group(c, to->gid))))
		return false;
	return true;
}

static int may_set_times(struct inode *i, unsigned int mask, const struct cred *c)
{
	if (inode_owner_or_capable(i, c))
		return 0;
	if (!(mask & ATTR_TOUCH))
		return -EPERM;
	return inode_permission(i, MAY_WRITE, c);
}

/* drop_privilege_bits() - set-id bits do not survive a new owner or new contents. */
static mode_t drop_privilege_bits(mode_t mode)
{
	mode &= ~(mode_t)S_ISUID;
	if (mode & S_IXGRP)
		mode &= ~(mode_t)S_ISGID;
	return mode;
}

int inode_setattr(struct inode *i, unsigned int mask, const struct attr *to, const struct cred *c)
{
	struct attr a = *to;
	int rc = inode_refresh(i);

	if (rc < 0)
		return rc;
	if (!may_change_owner(i, mask, to, c))
		return -EPERM;
	if ((mask & ATTR_MODE) && !inode_owner_or_capable(i, c))
		return -EPERM;
	if ((mask & (ATTR_ATIME | ATTR_MTIME)) && !(mask & ATTR_SIZE) &&
	    (rc = may_set_times(i, mask, c)) < 0)
		return rc;
	if (!i->ops->setattr)
		return -EPERM;
	if (mask & ATTR_MODE) {
		gid_t gid = mask & ATTR_GID ? to->gid : i->attr.gid;

		a.mode = (a.mode & 07777) | (i->attr.mode & S_IFMT);
		if (!cred_in_group(c, gid) && !cred_has(c, CAP_FSETID))
			a.mode &= ~(mode_t)S_ISGID;
	} else if (((mask & (ATTR_UID | ATTR_GID)) && !S_ISDIR(i->attr.mode)) ||
		   ((mask & ATTR_SIZE) && !cred_has(c, CAP_FSETID))) {
		a.mode = drop_privilege_bits(i->attr.mode);
		if (a.mode != i->attr.mode)
			mask |= ATTR_MODE;
	}
	return i->ops->setattr(i, mask & ~(unsigned int)ATTR_TOUCH, &a);
}

void inode_apply_attr(struct inode *i, unsigned int mask, const struct attr *to)
{
	LOCKED(&i->lock);
	if (mask & ATTR_MODE)
		i->attr.mode = to->mode;
	if (mask & ATTR_UID)
		i->attr.uid = to->uid;
	if (mask & ATTR_GID)
		i->attr.gid = to->gid;
	if (mask & ATTR_ATIME)
		i->attr.atime = to->atime;
	if (mask & ATTR_MTIME)
		i->attr.mtime = to->mtime;
	i->attr.ctime = now();
}

void inode_init_owner(struct inode *i, const struct inode *dir, mode_t mode, const struct cred *c)
{
	i->attr.uid = c->fsuid;
	i->attr.gid = c->fsgid;
	if (dir->attr.mode & S_ISGID) {
		i->attr.gid = dir->attr.gid;
		if (S_ISDIR(mode))
			mode |= S_ISGID;
		else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
			 !cred_in_group(c, i->attr.gid) && !cred_has(c, CAP_FSETID))
			mode &= ~(mode_t)S_ISGID;
	}
	i->attr.mode = mode;
}

void inode_touch(struct inode *i, unsigned int mask)
{
	struct timespec ts = now();

	if (mask & ATTR_ATIME)
		i->attr.atime = ts;
	if (mask & ATTR_MTIME)
		i->attr.mtime = i->attr.ctime = ts;
}

struct filesystem *filesystem_create(const struct filesystem_ops *ops, const char *type,
				     const char *source, const char *options)
{
	static uint32_t last_minor;
	struct filesystem *fs = xnew(struct filesystem);

	fs->ops = ops;
	fs->type = type;
	fs->source = xstrdup(source);
	fs->options = options ? xstrdup(options) : NULL;
	fs->refs = 1;
	fs->inodes = 1;
	fs->dev = makedev(0, __atomic_add_fetch(&last_minor, 1, __ATOMIC_RELAXED));
	return fs;
}

struct filesystem *filesystem_get(struct filesystem *fs)
{
	__atomic_fetch_add(&fs->refs, 1, __ATOMIC_RELAXED);
	return fs;
}

void filesystem_put(struct filesystem *fs)
{
	if (__atomic_sub_fetch(&fs->refs, 1, __ATOMIC_ACQ_REL))
		return;
	if (fs->root_dentry) {
		dentry_prune_filesystem(fs);
		dentry_put(fs->root_dentry);
	}
	inode_put(fs->root);
	forget_inode(fs);
}
