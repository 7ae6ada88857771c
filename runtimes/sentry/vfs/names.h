/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of names, for the files of vfs/ alone.
 *
 *   bucket[hash(parent, name)] -> dentry -> dentry -> ..
 *
 * A dentry that nobody references stays for the next walk; when there are more than
 * NAMES_CACHED, buckets are swept in turn and those not used since the last sweep go.
 */
#ifndef SENTRY_VFS_NAMES_H
#define SENTRY_VFS_NAMES_H

#include "runtimes/sentry/vfs/dentry.h"

#define NAMES_CACHED 8192 /* dentries, referenced ones included */

/* names_lock - LOCK_MOUNTS: the mount tree, and every dentry's name and parent. */
extern struct lock names_lock;

/* A name of a directory, as it was asked for. */
struct qname {
	const char *name; /* not terminated */
	size_t len;	  /* 1 to 255 */
	uint32_t hash;
};

struct qname qname_of(const struct dentry *parent, const char *name, size_t len);

/* names_find() - in the cache, with a reference; NULL: not known. */
struct dentry *names_find(struct dentry *parent, const struct qname *q);
/*
 * names_lookup_locked() - as the file system says; a negative dentry for a name that is not there.
 * Preconditions: holds parent->inode->names.  Return: 0 or -errno; *ret has a reference.
 */
int names_lookup_locked(struct dentry *parent, const struct qname *q, struct dentry **ret);
/* names_lookup() - from the cache, or as names_lookup_locked(). */
int names_lookup(struct dentry *parent, const struct qname *q, struct dentry **ret);
/* names_set() - the file system has made @i (reference taken over) for the negative @d. */
void names_set(struct dentry *d, struct inode *i);
/* names_forget() - @d's name leads nowhere any more; @negative: and the cache may remember that. */
void names_forget(struct dentry *d, bool negative);
/* names_absent() - remember that @q is not in @parent. Preconditions: as names_lookup_locked(). */
void names_absent(struct dentry *parent, const struct qname *q);
/* names_move() - @d is now @q of @parent; names_swap() - two exchange places. */
void names_move(struct dentry *d, struct dentry *parent, const struct qname *q);
void names_swap(struct dentry *a, struct dentry *b);
/* names_prune() - forget what is cached below the directory @d that is being removed. */
void names_prune(struct dentry *d);
/* names_count() - dentries that exist, for tests. */
uint32_t names_count(void);

/* mount_covering() - what is mounted on (m, d); NULL: nothing. With a reference. */
struct mount *mount_covering(struct mount *m, struct dentry *d);
/* mount_path_locked() - as vfs_path_string(). Preconditions: holds names_lock. */
ssize_t mount_path_locked(const struct path *p, const struct path *root, char *buf, size_t size);

#endif
