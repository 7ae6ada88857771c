/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling watchers what happens to files (inotify).
 *
 * An inode that nobody watches costs one look at an empty list.
 */
#ifndef SENTRY_VFS_NOTIFY_H
#define SENTRY_VFS_NOTIFY_H

#include <stdint.h>

#include "runtimes/sentry/vfs/inode.h"

struct notify_watch;
/* Called with the inode's lock held: may take LOCK_OBJECT and above. @name may be NULL. */
typedef void notify_fn(struct notify_watch *w, uint32_t mask, uint32_t cookie, const char *name);

struct notify_watch {
	struct list in_inode;
	struct inode *inode; /* a reference */
	uint32_t mask;	     /* IN_* it is interested in */
	notify_fn *fn;
};

/* notify_add() - @w->inode is set and referenced by the caller. */
void notify_add(struct notify_watch *w);
/* notify_remove() - after it no call is made any more. */
void notify_remove(struct notify_watch *w);

/* notify_inode() - @mask of IN_* happened to @i, opened as @d (may be NULL): told to its directory
 * too. */
void notify_inode(struct inode *i, struct dentry *d, uint32_t mask);
/* notify_name() - IN_CREATE, IN_DELETE, IN_MOVED_* of a name in @dir. */
void notify_name(struct inode *dir, uint32_t mask, uint32_t cookie, const char *name);
/* notify_cookie() - joins the two halves of a rename. */
uint32_t notify_cookie(void);

#endif
