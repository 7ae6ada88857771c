/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tmpfs: a file system in the sentry's memory; memfd_create.
 */
#ifndef SENTRY_FS_TMPFS_H
#define SENTRY_FS_TMPFS_H

#include "runtimes/sentry/fs/memfile.h"
#include "runtimes/sentry/vfs/dentry.h"

/*
 * tmpfs_create() - @options as mount(8) has them: size, nr_inodes, mode, uid, gid; unknown ones
 * are -EINVAL.  @parent: the pool that is charged besides, may be NULL.
 */
int tmpfs_create(const char *source, const char *options, struct memfile_pool *parent,
		 struct filesystem **ret);
/* tmpfs_node() - a device node or link made without checks, for /dev. */
int tmpfs_node(struct filesystem *fs, struct inode *dir, const char *name, mode_t mode, dev_t dev,
	       struct inode **ret /* may be NULL */);
int tmpfs_symlink(struct filesystem *fs, struct inode *dir, const char *name, const char *target);
/* tmpfs_memfd() - memfd_create(2) with the flags it has checked. */
int tmpfs_memfd(const char *name, unsigned int flags, struct memfile_pool *pool, struct cred *c,
		struct file **ret);
/* tmpfs_memfile() - contents of a regular file of tmpfs, or NULL. For seals; holds no lock. */
struct memfile *tmpfs_memfile(struct inode *i);

#endif
