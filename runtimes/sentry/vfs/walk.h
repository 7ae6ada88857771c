/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk along a path name, component by component, for the files of vfs/ alone.
 */
#ifndef SENTRY_VFS_WALK_H
#define SENTRY_VFS_WALK_H

#include "runtimes/sentry/vfs/names.h"

struct walker {
	const struct cred *cred;
	struct path root, at; /* references */
	struct mount *first;  /* where it began, for WALK_NO_XDEV; not followed, only compared */
	unsigned int flags;   /* WALK_* */
	unsigned int links;   /* symlinks so far */
	const char *rest;     /* of the name */
	char *links_buf;      /* two halves, from the first symlink on */
	bool in_second_half;
	bool must_be_directory; /* a '/' stood behind the last component */
	const char *last;	/* the last component, not terminated */
	size_t last_len;	/* 0: the name was "/" */
	bool last_slash;
};

/* walker_begin() - Return: 0 or -errno; with 0, walker_end() must follow. */
int walker_begin(struct walker *w, struct fs_context *fs, const struct path *start,
		 const char *name, unsigned int flags, const struct cred *c);
void walker_end(struct walker *w);
/* walker_parents() - go to the parent of the last component, which then stands in w->last. */
int walker_parents(struct walker *w);
/*
 * walker_last() - go on to the last component; @follow: also where a symlink leads.
 * Return: 0 arrived, 1 a symlink was met: walker_parents() again, or -errno.
 */
int walker_last(struct walker *w, bool follow);
/* walker_enter() - @d (reference taken over), a child of w->at, and what is mounted on it. */
int walker_enter(struct walker *w, struct dentry *d);
/* walker_link() - follow the symlink @d, a child of w->at. Return: 1 or -errno; 0: arrived. */
int walker_link(struct walker *w, struct dentry *d);
/* walker_last_q() - the last component as a name of w->at. */
struct qname walker_last_q(const struct walker *w);
bool walker_last_is_dots(const struct walker *w); /* "." or ".." */

#endif
