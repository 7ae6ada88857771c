/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that change names: mkdir, mknod, symlink, link, unlink, rename.
 *
 * Each walks to the parent, then holds the parent's names lock from the lookup of the last name
 * to the end of the file system's work, so that what it has checked stays true.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/inotify.h>

#include "base/mem.h"
#include "runtimes/sentry/vfs/notify.h"
#include "runtimes/sentry/vfs/walk.h"

/* Renames from one directory to another are made one at a time: two could make a loop. */
static struct lock rename_lock = LOCK_INIT(LOCK_FDTABLE);

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int may_create(const struct path *dir, const struct cred *c)
{
	int rc = mount_may_write(dir->mount);

	if (rc == 0 && dir->dentry->unlinked)
		rc = -ENOENT;
	if (rc == 0)
		rc = inode_permission(dir->dentry->inode, MAY_WRITE | MAY_EXEC, c);
	return rc;
}

/* may_delete() - the sticky bit protects what belongs to others (inode(7)). */
static int may_delete(const struct path *dir, struct inode *victim, const struct cred *c)
{
	struct inode *i = dir->dentry->inode;
	int rc = may_create(dir, c);

	if (rc < 0)
		return rc;
	if ((i->attr.mode & S_ISVTX) && i->attr.uid != c->fsuid && victim->attr.uid != c->fsuid &&
	    !cred_has(c, CAP_FOWNER))
		return -EPERM;
	return 0;
}

static struct qname last_of(const struct walk *w)
{
	return qname_of(w->path.dentry, w->last, strlen(w->last));
}

/* Making one thing with a new name. */
struct making {
	const struct cred *cred;
	mode_t mode;
	dev_t dev;
	const char *target; /* symlink */
	struct inode *old;  /* link */
	bool crosses;	    /* a link would lead to another mount */
};

typedef int make_fn(struct inode *dir, const char *name, const struct making *m,
		    struct inode **ret);

/* make_at() - @w was walked to with WALK_PARENT and is given up. */
static int make_at(struct walk *w, make_fn *fn, const struct making *m, struct inode **ret)
{
	struct inode *dir = w->path.dentry->inode, *i = NULL;
	struct qname q = last_of(w);
	struct dentry *d = NULL;
	int rc;

	if (!*w->last || is_dots(w->last)) {
		path_put(&w->path);
		return -EEXIST;
	}
	lock_acquire(&dir->names);
	rc = names_lookup_locked(w->path.dentry, &q, &d);
	if (rc == 0 && d->inode)
		rc = -EEXIST;
	if (rc == 0 && w->trailing_slash && !S_ISDIR(m->mode))
		rc = -ENOENT;
	if (rc == 0)
		rc = may_create(&w->path, m->cred);
	if (rc == 0)
		rc = fn(dir, d->name, m, &i);
	if (rc == 0) {
		names_set(d, i);
		if (ret)
			*ret = inode_get(i);
		notify_name(dir, IN_CREATE | (S_ISDIR(m->mode) ? IN_ISDIR : 0), 0, d->name);
	}
	lock_release(&dir->names);
	dentry_put(d);
	path_put(&w->path);
	return rc;
}

static int make(struct fs_context *fs, const struct path *start, const char *name, make_fn *fn,
		const struct making *m, struct inode **ret)
{
	struct walk w;
	int rc = path_walk(fs, start, name, WALK_PARENT, m->cred, &w);

	return rc < 0 ? rc : make_at(&w, fn, m, ret);
}

static int do_mkdir(struct inode *dir, const char *name, const struct making *m, struct inode **ret)
{
	return dir->ops->mkdir ? dir->ops->mkdir(dir, name, m->mode, m->cred, ret) : -EPERM;
}

int vfs_mkdir(struct fs_context *fs, const struct path *start, const char *name, mode_t mode,
	      const struct cred *c)
{
	struct making m = { .cred = c, .mode = S_IFDIR | (mode & 01777 & ~fs->umask) };

	return make(fs, start, name, do_mkdir, &m, NULL);
}

static int do_mknod(struct inode *dir, const char *name, const struct making *m, struct inode **ret)
{
	if (S_ISREG(m->mode))
		return dir->ops->create ? dir->ops->create(dir, name, m->mode, m->cred, ret)
					: -EPERM;
	return dir->ops->mknod ? dir->ops->mknod(dir, name, m->mode, m->dev, m->cred, ret) : -EPERM;
}

int vfs_mknod(struct fs_context *fs, const struct path *start, const char *name, mode_t mode,
	      dev_t dev, const struct cred *c, struct inode **ret)
{
	struct making m = { .cred = c, .mode = mode & ~fs->umask, .dev = dev };

	if (!(m.mode & S_IFMT))
		m.mode |= S_IFREG;
	if ((S_ISCHR(m.mode) || S_ISBLK(m.mode)) && !cred_has(c, CAP_MKNOD))
		return -EPERM;
	if (S_ISDIR(m.mode))
		return -EPERM;
	return make(fs, start, name, do_mknod, &m, ret);
}

static int do_symlink(struct inode *dir, const char *name, const struct making *m,
		      struct inode **ret)
{
	return dir->ops->symlink ? dir->ops->symlink(dir, name, m->target, m->cred, ret) : -EPERM;
}

int vfs_symlink(struct fs_context *fs, const struct path *start, const char *name,
		const char *target, const struct cred *c)
{
	struct making m = { .cred = c, .mode = S_IFLNK | 0777, .target = target };

	return *target ? make(fs, start, name, do_symlink, &m, NULL) : -ENOENT;
}

/* may_link() - fs.protected_hardlinks: only to what one could as well write to. */
static int may_link(struct inode *old, const struct cred *c)
{
	mode_t mode = old->attr.mode;

	if (S_ISDIR(mode))
		return -EPERM;
	if (inode_owner_or_capable(old, c))
		return 0;
	if (!S_ISREG(mode) || (mode & S_ISUID) ||
	    (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		return -EPERM;
	return inode_permission(old, MAY_READ | MAY_WRITE, c) < 0 ? -EPERM : 0;
}

static int do_link(struct inode *dir, const char *name, const struct making *m, struct inode **ret)
{
	int rc;

	if (m->crosses)
		return -EXDEV;
	rc = may_link(m->old, m->cred);
	if (rc < 0)
		return rc;
	if (!dir->ops->link)
		return -EPERM;
	rc = dir->ops->link(dir, name, m->old);
	if (rc == 0)
		*ret = inode_get(m->old);
	return rc;
}

int vfs_link(struct fs_context *fs, const struct path *old, const struct path *start,
	     const char *name, const struct cred *c)
{
	struct making m = { .cred = c, .old = old->dentry->inode };
	struct walk w;
	int rc;

	m.mode = m.old->attr.mode;
	rc = path_walk(fs, start, name, WALK_PARENT, c, &w);
	if (rc < 0)
		return rc;
	m.crosses = w.path.mount != old->mount || w.path.dentry->inode->fs != m.old->fs;
	rc = make_at(&w, do_link, &m, NULL);
	if (rc == 0)
		notify_inode(m.old, NULL, IN_ATTRIB);
	return rc;
}

/* is_mounted_on() - in the namespace of the caller. */
static bool is_mounted_on(const struct mount *m, struct dentry *d)
{
	struct mount *cover;

	if (!d->is_mountpoint || !(cover = mount_covering((struct mount *)m, d)))
		return false;
	mount_put(cover);
	return true;
}

static int check_victim(const struct walk *w, struct dentry *d, bool directory,
			const struct cred *c)
{
	struct inode *victim = d->inode;
	int rc;

	if (!victim)
		return -ENOENT;
	rc = may_delete(&w->path, victim, c);
	if (rc < 0)
		return rc;
	if (directory && !S_ISDIR(victim->attr.mode))
		return -ENOTDIR;
	if (!directory && S_ISDIR(victim->attr.mode))
		return -EISDIR;
	if (!directory && w->trailing_slash)
		return -ENOTDIR;
	return is_mounted_on(w->path.mount, d) ? -EBUSY : 0;
}

static int remove_name(struct inode *dir, struct dentry *d, bool directory)
{
	struct inode *victim = d->inode;

	if (directory)
		return dir->ops->rmdir ? dir->ops->rmdir(dir, d->name, victim) : -EPERM;
	return dir->ops->unlink ? dir->ops->unlink(dir, d->name, victim) : -EPERM;
}

/* removed() - tell the watchers of @d, which had @name in @dir. */
static void removed(struct inode *dir, struct dentry *d, bool directory)
{
	notify_name(dir, IN_DELETE | (directory ? IN_ISDIR : 0), 0, d->name);
	notify_inode(d->inode, NULL, IN_ATTRIB);
	if (d->inode->attr.nlink == 0 || directory)
		notify_inode(d->inode, NULL, IN_DELETE_SELF);
}

static int unlink_at(struct walk *w, bool directory, const struct cred *c)
{
	struct inode *dir = w->path.dentry->inode;
	struct qname q = last_of(w);
	struct dentry *d = NULL;
	int rc;

	lock_acquire(&dir->names);
	rc = names_lookup_locked(w->path.dentry, &q, &d);
	if (rc == 0)
		rc = check_victim(w, d, directory, c);
	if (rc == 0)
		rc = remove_name(dir, d, directory);
	if (rc == 0) {
		names_forget(d, true);
		if (directory)
			names_prune(d);
		removed(dir, d, directory);
	}
	lock_release(&dir->names);
	dentry_put(d);
	return rc;
}

static int bad_last(const char *last, bool directory)
{
	if (!directory)
		return -EISDIR;
	if (!*last)
		return -EBUSY;
	return strcmp(last, ".") == 0 ? -EINVAL : -ENOTEMPTY;
}

int vfs_unlink(struct fs_context *fs, const struct path *start, const char *name, bool directory,
	       const struct cred *c)
{
	struct walk w;
	int rc = path_walk(fs, start, name, WALK_PARENT, c, &w);

	if (rc < 0)
		return rc;
	if (!*w.last || is_dots(w.last))
		rc = bad_last(w.last, directory);
	else
		rc = unlink_at(&w, directory, c);
	path_put(&w.path);
	return rc;
}

/* A rename on its way: from (a, da) to (b, db). */
struct renaming {
	struct walk a, b;
	struct dentry *da, *db;
	unsigned int flags;
	const struct cred *cred;
};

/* is_ancestor() - @top is @d or above it, in one file system. */
static bool is_ancestor(const struct dentry *top, const struct dentry *d)
{
	LOCKED(&names_lock);
	for (; d != top; d = d->parent)
		if (d->parent == d)
			return false;
	return true;
}

static int check_kinds(const struct renaming *r)
{
	bool dir_a = S_ISDIR(r->da->inode->attr.mode);

	if (!dir_a && (r->a.trailing_slash || (r->b.trailing_slash && !r->db->inode)))
		return -ENOTDIR;
	if (!r->db->inode)
		return r->flags & RENAME_EXCHANGE ? -ENOENT : 0;
	if (r->flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (r->flags & RENAME_EXCHANGE)
		return 0;
	if (dir_a && !S_ISDIR(r->db->inode->attr.mode))
		return -ENOTDIR;
	if (!dir_a && S_ISDIR(r->db->inode->attr.mode))
		return -EISDIR;
	return 0;
}

static int check_rename(const struct renaming *r)
{
	int rc;

	if (!r->da->inode)
		return -ENOENT;
	if (is_ancestor(r->da, r->b.path.dentry))
		return -EINVAL;
	if (r->db->inode && is_ancestor(r->db, r->a.path.dentry))
		return r->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	rc = check_kinds(r);
	if (rc < 0)
		return rc;
	rc = may_delete(&r->a.path, r->da->inode, r->cred);
	if (rc == 0)
		rc = r->db->inode ? may_delete(&r->b.path, r->db->inode, r->cred)
				  : may_create(&r->b.path, r->cred);
	/* ".." of a directory changes: it must be writable. */
	if (rc == 0 && S_ISDIR(r->da->inode->attr.mode) && r->a.path.dentry != r->b.path.dentry)
		rc = inode_permission(r->da->inode, MAY_WRITE, r->cred);
	if (rc == 0 &&
	    (is_mounted_on(r->a.path.mount, r->da) || is_mounted_on(r->b.path.mount, r->db)))
		rc = -EBUSY;
	return rc;
}

/* renamed() - the file system has done it: the cache and the watchers follow. */
static void renamed(struct renaming *r)
{
	struct inode *dir_a = r->a.path.dentry->inode, *dir_b = r->b.path.dentry->inode;
	struct qname to = last_of(&r->b), from = last_of(&r->a);
	uint32_t is_dir = S_ISDIR(r->da->inode->attr.mode) ? IN_ISDIR : 0;
	uint32_t cookie = notify_cookie();

	if (r->flags & RENAME_EXCHANGE) {
		names_swap(r->da, r->db);
	} else {
		names_forget(r->db, false);
		if (r->db->inode && S_ISDIR(r->db->inode->attr.mode))
			names_prune(r->db);
		names_move(r->da, r->b.path.dentry, &to);
		names_absent(r->a.path.dentry, &from);
	}
	notify_name(dir_a, IN_MOVED_FROM | is_dir, cookie, r->a.last);
	notify_name(dir_b, IN_MOVED_TO | is_dir, cookie, r->b.last);
	notify_inode(r->da->inode, NULL, IN_MOVE_SELF);
}

static int rename_locked(struct renaming *r)
{
	struct inode *dir = r->a.path.dentry->inode;
	struct qname qa = last_of(&r->a), qb = last_of(&r->b);
	int rc = names_lookup_locked(r->a.path.dentry, &qa, &r->da);

	if (rc == 0)
		rc = names_lookup_locked(r->b.path.dentry, &qb, &r->db);
	if (rc == 0)
		rc = check_rename(r);
	if (rc < 0)
		return rc;
	if (r->da->inode == r->db->inode)
		return 0; /* two names of one file: rename(2) does nothing */
	if (!dir->ops->rename)
		return -EPERM;
	rc = dir->ops->rename(dir, r->a.last, r->b.path.dentry->inode, r->b.last, r->db->inode,
			      r->flags);
	if (rc == 0)
		renamed(r);
	return rc;
}

static int rename_walked(struct renaming *r)
{
	struct lock *la = &r->a.path.dentry->inode->names, *lb = &r->b.path.dentry->inode->names;
	bool across = la != lb;
	int rc;

	if (r->a.path.mount != r->b.path.mount)
		return -EXDEV;
	if (!*r->a.last || !*r->b.last || is_dots(r->a.last) || is_dots(r->b.last))
		return -EBUSY;
	if (across)
		lock_acquire(&rename_lock);
	lock_acquire_two(la, lb);
	rc = rename_locked(r);
	lock_release_two(la, lb);
	if (across)
		lock_release(&rename_lock);
	dentry_put(r->da);
	dentry_put(r->db);
	return rc;
}

int vfs_rename(struct fs_context *fs, const struct path *old_start, const char *old_name,
	       const struct path *new_start, const char *new_name, unsigned int flags,
	       const struct cred *c)
{
	struct renaming r = { .flags = flags, .cred = c };
	int rc;

	if ((flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE)) ||
	    flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	rc = path_walk(fs, old_start, old_name, WALK_PARENT, c, &r.a);
	if (rc < 0)
		return rc;
	rc = path_walk(fs, new_start, new_name, WALK_PARENT, c, &r.b);
	if (rc == 0) {
		rc = rename_walked(&r);
		path_put(&r.b.path);
	}
	path_put(&r.a.path);
	return rc;
}
