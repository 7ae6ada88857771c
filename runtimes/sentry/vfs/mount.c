/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mount tree: what covers what, for each mount namespace.
 *
 * A mount is held by its namespace, by its children, and by every path and open file on it; so
 * umount finds out whether it is in use by counting.  Propagation does not exist: all mounts are
 * private.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>

#include "base/mem.h"
#include "runtimes/sentry/vfs/names.h"

static uint32_t last_id = 20; /* small numbers look odd in mountinfo */

/* root_dentry() - of @fs, shared by all its mounts. Preconditions: holds names_lock. */
static struct dentry *root_dentry(struct filesystem *fs)
{
	if (!fs->root_dentry)
		fs->root_dentry = dentry_create_root(fs->root);
	return fs->root_dentry;
}

/* mount_create() - in no namespace yet. Preconditions: holds names_lock. */
static struct mount *mount_create(struct filesystem *fs, struct dentry *root, unsigned long flags)
{
	struct mount *m = xnew(struct mount);

	m->refs = 1;
	m->id = (int)++last_id;
	m->fs = filesystem_get(fs);
	m->root = dentry_get(root ? root : root_dentry(fs));
	m->flags = flags;
	return m;
}

struct mount *mount_get(struct mount *m)
{
	__atomic_fetch_add(&m->refs, 1, __ATOMIC_RELAXED);
	return m;
}

void mount_put(struct mount *m)
{
	while (m && __atomic_sub_fetch(&m->refs, 1, __ATOMIC_ACQ_REL) == 0) {
		struct mount *parent = m->parent;

		dentry_put(m->at);
		dentry_put(m->root);
		filesystem_put(m->fs);
		free(m);
		m = parent;
	}
}

void path_get(const struct path *p)
{
	mount_get(p->mount);
	dentry_get(p->dentry);
}

void path_put(struct path *p)
{
	dentry_put(p->dentry);
	mount_put(p->mount);
	*p = (struct path){ NULL, NULL };
}

/* attach() - @m (reference taken over by the namespace) at a place; NULL: as the root. */
static void attach(struct mount_namespace *ns, struct mount *m, struct mount *parent,
		   struct dentry *at)
{
	m->ns = ns;
	m->parent_id = m->id;
	if (parent) {
		m->parent = mount_get(parent);
		m->at = dentry_get(at);
		m->parent_id = parent->id;
		at->is_mountpoint = true;
	}
	list_add(&ns->mounts, &m->in_namespace);
}

static void changed(struct mount_namespace *ns)
{
	ns->changes++;
	wait_wake(&ns->changed, 0);
}

static struct mount_namespace *namespace_create(void)
{
	struct mount_namespace *ns = xnew(struct mount_namespace);

	ns->refs = 1;
	list_init(&ns->mounts);
	wait_queue_init(&ns->changed);
	return ns;
}

struct mount_namespace *mount_namespace_create(struct filesystem *fs, unsigned long flags)
{
	struct mount_namespace *ns = namespace_create();

	LOCKED(&names_lock);
	ns->root = mount_create(fs, NULL, flags);
	attach(ns, ns->root, NULL, NULL);
	return ns;
}

/* counterpart() - of @m in @copy, whose mounts stand in the same order. */
static struct mount *counterpart(struct mount_namespace *ns, struct mount_namespace *copy,
				 const struct mount *m)
{
	struct list *to = copy->mounts.next;
	struct mount *it;

	list_for_each(it, &ns->mounts, in_namespace) {
		if (it == m)
			return CONTAINER_OF(to, struct mount, in_namespace);
		to = to->next;
	}
	return NULL;
}

struct mount_namespace *mount_namespace_copy(struct mount_namespace *ns)
{
	struct mount_namespace *copy = namespace_create();
	struct mount *it;

	LOCKED(&names_lock);
	list_for_each(it, &ns->mounts, in_namespace) {
		struct mount *m = mount_create(it->fs, it->root, it->flags);

		attach(copy, m, it->parent ? counterpart(ns, copy, it->parent) : NULL, it->at);
		if (it == ns->root)
			copy->root = m;
	}
	return copy;
}

void mount_translate(struct mount_namespace *copy, struct path *p)
{
	struct mount *to;

	lock_acquire(&names_lock);
	to = p->mount->ns ? counterpart(p->mount->ns, copy, p->mount) : NULL;
	if (to)
		mount_get(to);
	lock_release(&names_lock);
	if (!to)
		return;
	mount_put(p->mount);
	p->mount = to;
}

struct mount_namespace *mount_namespace_get(struct mount_namespace *ns)
{
	__atomic_fetch_add(&ns->refs, 1, __ATOMIC_RELAXED);
	return ns;
}

void mount_namespace_put(struct mount_namespace *ns)
{
	struct mount *m;

	if (!ns || __atomic_sub_fetch(&ns->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (;;) {
		lock_acquire(&names_lock);
		m = list_empty(&ns->mounts)
			    ? NULL
			    : CONTAINER_OF(ns->mounts.prev, struct mount, in_namespace);
		if (m) {
			list_remove(&m->in_namespace);
			m->ns = NULL;
		}
		lock_release(&names_lock);
		if (!m)
			break;
		mount_put(m);
	}
	free(ns);
}

static struct mount *covering_locked(const struct mount_namespace *ns, const struct mount *m,
				     const struct dentry *d)
{
	struct mount *it, *found = NULL;

	list_for_each(it, &ns->mounts, in_namespace)
		if (it->parent == m && it->at == d)
			found = it;
	return found;
}

struct mount *mount_covering(struct mount *m, struct dentry *d)
{
	struct mount *found;

	LOCKED(&names_lock);
	found = m->ns ? covering_locked(m->ns, m, d) : NULL;
	return found ? mount_get(found) : NULL;
}

static bool same_kind(const struct dentry *a, const struct dentry *b)
{
	return S_ISDIR(a->inode->attr.mode) == S_ISDIR(b->inode->attr.mode);
}

int mount_add(const struct path *at, struct filesystem *fs, struct dentry *root,
	      unsigned long flags, struct mount **ret)
{
	struct mount_namespace *ns;
	struct mount *m;

	LOCKED(&names_lock);
	ns = at->mount->ns;
	if (!ns)
		return -EINVAL;
	if (at->dentry->unlinked)
		return -ENOENT;
	if (!same_kind(at->dentry, root ? root : root_dentry(fs)))
		return -ENOTDIR;
	m = mount_create(fs, root, flags);
	attach(ns, m, at->mount, at->dentry);
	changed(ns);
	if (ret)
		*ret = mount_get(m);
	return 0;
}

/* is_below() - @m is @top or mounted somewhere below it. */
static bool is_below(const struct mount *m, const struct mount *top)
{
	for (; m; m = m->parent)
		if (m == top)
			return true;
	return false;
}

/* dentry_is_below() - in one file system. Preconditions: holds names_lock. */
static bool dentry_is_below(const struct dentry *d, const struct dentry *top)
{
	for (; d != top; d = d->parent)
		if (d->parent == d)
			return false;
	return true;
}

/* bind_children() - what is mounted below (from, root) also below the new mount @to. */
static void bind_children(struct mount *from, struct mount *to, struct dentry *root)
{
	struct mount_namespace *ns = from->ns;
	struct list *last = ns->mounts.prev; /* those that are added here are no sources */
	struct mount *it;

	for (struct list *l = ns->mounts.next;; l = l->next) {
		struct mount *m;

		it = CONTAINER_OF(l, struct mount, in_namespace);
		if (it->parent == from && it != to && dentry_is_below(it->at, root)) {
			m = mount_create(it->fs, it->root, it->flags);
			attach(to->ns, m, to, it->at);
			bind_children(it, m, it->root);
		}
		if (l == last)
			break;
	}
}

int mount_bind(const struct path *at, const struct path *from, bool recursive, unsigned long flags)
{
	struct mount *m;

	LOCKED(&names_lock);
	if (!at->mount->ns || (recursive && !from->mount->ns))
		return -EINVAL;
	if (at->dentry->unlinked || from->dentry->unlinked)
		return -ENOENT;
	if (!same_kind(at->dentry, from->dentry))
		return -ENOTDIR;
	m = mount_create(from->mount->fs, from->dentry, from->mount->flags | flags);
	attach(at->mount->ns, m, at->mount, at->dentry);
	if (recursive)
		bind_children(from->mount, m, from->dentry);
	changed(m->ns);
	return 0;
}

int mount_remove(const struct path *at, int flags)
{
	struct mount *m = at->mount, *it, *next;
	struct mount_namespace *ns;
	struct list gone;

	list_init(&gone);
	lock_acquire(&names_lock);
	ns = m->ns;
	if (!ns || at->dentry != m->root || m == ns->root) {
		lock_release(&names_lock);
		return -EINVAL;
	}
	/* One reference is the namespace's, one the caller's. */
	if (!(flags & MNT_DETACH) && __atomic_load_n(&m->refs, __ATOMIC_RELAXED) > 2) {
		lock_release(&names_lock);
		return -EBUSY;
	}
	list_for_each_safe(it, next, &ns->mounts, in_namespace) {
		if (!is_below(it, m))
			continue;
		list_remove(&it->in_namespace);
		list_add(&gone, &it->in_namespace);
		it->ns = NULL;
	}
	changed(ns);
	lock_release(&names_lock);
	/* Parents stay while a child holds them: children stand behind their parents. */
	list_for_each_safe(it, next, &gone, in_namespace)
		mount_put(it);
	return 0;
}

int mount_move(const struct path *from, const struct path *at)
{
	struct mount *m = from->mount, *old_parent;
	struct dentry *old_at;

	lock_acquire(&names_lock);
	if (!m->ns || m->ns != at->mount->ns || from->dentry != m->root || m == m->ns->root ||
	    is_below(at->mount, m)) {
		lock_release(&names_lock);
		return is_below(at->mount, m) ? -ELOOP : -EINVAL;
	}
	if (!same_kind(at->dentry, m->root)) {
		lock_release(&names_lock);
		return -ENOTDIR;
	}
	old_parent = m->parent, old_at = m->at;
	m->parent = mount_get(at->mount);
	m->at = dentry_get(at->dentry);
	m->parent_id = at->mount->id;
	m->at->is_mountpoint = true;
	changed(m->ns);
	lock_release(&names_lock);
	mount_put(old_parent);
	dentry_put(old_at);
	return 0;
}

int mount_change(const struct path *at, unsigned long flags)
{
	LOCKED(&names_lock);
	if (!at->mount->ns || at->dentry != at->mount->root)
		return -EINVAL;
	at->mount->flags = flags;
	changed(at->mount->ns);
	return 0;
}

int mount_pivot(const struct path *new_root, const struct path *put_old)
{
	struct mount *m = new_root->mount, *old;
	struct mount_namespace *ns;
	struct mount *old_parent;
	struct dentry *old_at;

	lock_acquire(&names_lock);
	ns = m->ns;
	if (!ns || put_old->mount->ns != ns || new_root->dentry != m->root || m == ns->root ||
	    !is_below(put_old->mount, m)) {
		int rc = ns && m == ns->root ? -EBUSY : -EINVAL;

		lock_release(&names_lock);
		return rc;
	}
	old = ns->root;
	old_parent = m->parent, old_at = m->at;
	m->parent = NULL, m->at = NULL;
	m->parent_id = m->id;
	ns->root = m;
	old->parent = mount_get(put_old->mount);
	old->at = dentry_get(put_old->dentry);
	old->parent_id = put_old->mount->id;
	old->at->is_mountpoint = true;
	changed(ns);
	lock_release(&names_lock);
	dentry_put(old_at);
	mount_put(old_parent);
	return 0;
}

void mount_root(struct mount_namespace *ns, struct path *ret)
{
	LOCKED(&names_lock);
	ret->mount = ns->root;
	ret->dentry = ns->root->root;
	path_get(ret);
}

struct wait_queue *mount_changed(struct mount_namespace *ns)
{
	return &ns->changed;
}

int mount_may_write(const struct mount *m)
{
	return m->flags & MS_RDONLY ? -EROFS : 0;
}

struct mount *mount_anonymous(void)
{
	static struct mount *anonymous;
	struct inode *i = anonymous_inode("root", S_IFDIR | 0755);

	LOCKED(&names_lock);
	if (!anonymous) {
		i->fs->root = inode_get(i);
		anonymous = mount_create(i->fs, NULL, MS_NOSUID | MS_NODEV);
	}
	inode_put(i);
	return anonymous;
}
