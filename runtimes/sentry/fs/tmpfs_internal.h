/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tmpfs: what its files share.
 *
 *   tmpfs.c        the file system: options, root, nodes of /dev, memfd
 *   tmpfs_names.c  inodes, and operations on names
 *   tmpfs_dir.c    the entries of a directory
 *   tmpfs_file.c   attributes, and open files; contents are fs/memfile.c's
 */
#ifndef SENTRY_FS_TMPFS_INTERNAL_H
#define SENTRY_FS_TMPFS_INTERNAL_H

#include "runtimes/sentry/fs/tmpfs.h"
#include "runtimes/sentry/fs/xattrs.h"

#define TMPFS_INODE_BYTES 1024 /* charged for each: inode, entry, cached name */

struct tmpfs_entry {
	struct tmpfs_entry *next_in_bucket;
	uint32_t hash;
	int64_t cookie;
	struct inode *inode;
	char name[];
};

/* What inode.data leads to. */
struct tmpfs_inode {
	struct xattrs xattrs;
	/* directories */
	struct tmpfs_entry **order, **buckets;
	size_t n_order, cap, live, n_buckets;
	int64_t last_cookie;
	struct inode *parent; /* for "..": no reference; itself for the root */
	bool dead;	      /* removed: nothing is made in it any more */
	/* others */
	struct memfile file;
	char *target;
};

struct tmpfs {
	struct memfile_pool pool;
	uint64_t max_inodes, n_inodes, last_ino;
};

static inline struct tmpfs_inode *tmpfs_node_of(const struct inode *i)
{
	return i->data;
}

/* tmpfs_names.c */
extern const struct inode_ops tmpfs_inode_ops;
/* tmpfs_inode_new() - @dir, @c: whose it is; may be NULL. Return: 0 or -ENOSPC. */
int tmpfs_inode_new(struct filesystem *fs, struct inode *dir, mode_t mode, const struct cred *c,
		    struct inode **ret);
/* tmpfs_enter() - a new inode gets its name. Its reference stays the caller's. */
int tmpfs_enter(struct inode *dir, const char *name, struct inode *i);

/* tmpfs_dir.c; the caller holds the directory's lock */
extern const struct file_ops tmpfs_dir_ops;
void tmpfs_dir_init(struct inode *dir, struct inode *parent);
/* tmpfs_dir_finish() - the directory goes away, and with it what is still in it. */
void tmpfs_dir_finish(struct tmpfs_inode *n);
/* tmpfs_entry_slot() - where the entry hangs; NULL: there is none. */
struct tmpfs_entry **tmpfs_entry_slot(struct tmpfs_inode *n, const char *name);
void tmpfs_entry_add(struct inode *dir, const char *name, struct inode *i);
/* tmpfs_entry_remove() - Return: its inode, whose reference the caller gives up; may be NULL. */
struct inode *tmpfs_entry_remove(struct inode *dir, const char *name);

/* tmpfs_file.c */
extern const struct file_ops tmpfs_file_ops;
int tmpfs_setattr(struct inode *i, unsigned int mask, const struct attr *to);
ssize_t tmpfs_getxattr(struct inode *i, const char *name, void *buf, size_t size);
int tmpfs_setxattr(struct inode *i, const char *name, const void *buf, size_t size, int flags);
ssize_t tmpfs_listxattr(struct inode *i, char *buf, size_t size);
int tmpfs_removexattr(struct inode *i, const char *name);
/* tmpfs_no_sync() - there is no disk. */
int tmpfs_no_sync(struct file *f, bool data_only);

#endif
