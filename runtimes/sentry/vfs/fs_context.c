/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Root, working directory and umask of a process.
 */
#include "base/mem.h"
#include "runtimes/sentry/vfs/dentry.h"

struct fs_context *fs_context_create(const struct path *root)
{
	struct fs_context *c = xnew(struct fs_context);

	c->refs = 1;
	lock_init(&c->lock, LOCK_FDTABLE);
	c->root = c->cwd = *root;
	path_get(&c->root);
	path_get(&c->cwd);
	c->umask = 022;
	return c;
}

struct fs_context *fs_context_copy(struct fs_context *c)
{
	struct fs_context *copy;

	LOCKED(&c->lock);
	copy = fs_context_create(&c->root);
	path_put(&copy->cwd);
	copy->cwd = c->cwd;
	path_get(&copy->cwd);
	copy->umask = c->umask;
	return copy;
}

struct fs_context *fs_context_get(struct fs_context *c)
{
	__atomic_fetch_add(&c->refs, 1, __ATOMIC_RELAXED);
	return c;
}

void fs_context_put(struct fs_context *c)
{
	if (!c || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL))
		return;
	path_put(&c->cwd);
	path_put(&c->root);
	free(c);
}

static void set(struct fs_context *c, struct path *which, const struct path *p)
{
	struct path old;

	path_get(p);
	lock_acquire(&c->lock);
	old = *which;
	*which = *p;
	lock_release(&c->lock);
	path_put(&old);
}

void fs_context_set_cwd(struct fs_context *c, const struct path *p)
{
	set(c, &c->cwd, p);
}

void fs_context_set_root(struct fs_context *c, const struct path *p)
{
	set(c, &c->root, p);
}

static void copy_out(struct fs_context *c, const struct path *which, struct path *ret)
{
	LOCKED(&c->lock);
	*ret = *which;
	path_get(ret);
}

void fs_context_cwd(struct fs_context *c, struct path *ret)
{
	copy_out(c, &c->cwd, ret);
}

void fs_context_root(struct fs_context *c, struct path *ret)
{
	copy_out(c, &c->root, ret);
}
