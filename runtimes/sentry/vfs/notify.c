/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling watchers what happens to files.
 */
#include "runtimes/sentry/vfs/notify.h"

#include <sys/inotify.h>

#include "runtimes/sentry/vfs/dentry.h"

static uint32_t n_watches; /* of all inodes: mostly 0, and then nothing else is looked at */

void notify_add(struct notify_watch *w)
{
	__atomic_fetch_add(&n_watches, 1, __ATOMIC_RELAXED);
	LOCKED(&w->inode->lock);
	list_add(&w->inode->watches, &w->in_inode);
}

void notify_remove(struct notify_watch *w)
{
	LOCKED(&w->inode->lock);
	if (!w->in_inode.next)
		return;
	list_remove(&w->in_inode);
	__atomic_fetch_sub(&n_watches, 1, __ATOMIC_RELAXED);
}

static bool anybody(void)
{
	return __atomic_load_n(&n_watches, __ATOMIC_RELAXED) != 0;
}

void notify_name(struct inode *dir, uint32_t mask, uint32_t cookie, const char *name)
{
	struct notify_watch *w, *next;

	if (!anybody())
		return;
	LOCKED(&dir->lock);
	list_for_each_safe(w, next, &dir->watches, in_inode)
		if (w->mask & mask)
			w->fn(w, mask, cookie, name);
}

void notify_inode(struct inode *i, struct dentry *d, uint32_t mask)
{
	struct dentry *parent;
	char name[256];

	if (!anybody())
		return;
	if (S_ISDIR(i->attr.mode) && !(mask & (IN_DELETE_SELF | IN_MOVE_SELF)))
		mask |= IN_ISDIR;
	notify_name(i, mask, 0, NULL);
	if (!d || !(parent = dentry_parent(d, name)))
		return;
	notify_name(parent->inode, mask, 0, name);
	dentry_put(parent);
}

uint32_t notify_cookie(void)
{
	static uint32_t last;

	return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}
