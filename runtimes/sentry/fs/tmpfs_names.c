/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tmpfs: inodes, and operations on names.
 */
#include "runtimes/sentry/fs/tmpfs_internal.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"

int tmpfs_inode_new(struct filesystem *fs, struct inode *dir, mode_t mode, const struct cred *c,
		    struct inode **ret)
{
	struct tmpfs *t = fs->data;
	struct tmpfs_inode *n;
	struct inode *i;

	if (__atomic_add_fetch(&t->n_inodes, 1, __ATOMIC_RELAXED) > t->max_inodes ||
	    memfile_charge(t->pool.parent, TMPFS_INODE_BYTES) < 0) {
		__atomic_sub_fetch(&t->n_inodes, 1, __ATOMIC_RELAXED);
		return -ENOSPC;
	}
	i = inode_create(fs, &tmpfs_inode_ops,
			 __atomic_add_fetch(&t->last_ino, 1, __ATOMIC_RELAXED), mode);
	n = xnew(struct tmpfs_inode);
	memfile_init(&n->file, &t->pool);
	i->data = n;
	if (c && dir)
		inode_init_owner(i, dir, mode, c);
	if (S_ISDIR(mode))
		tmpfs_dir_init(i, dir ? dir : i);
	*ret = i;
	return 0;
}

static void tmpfs_free_inode(struct inode *i)
{
	struct tmpfs *t = i->fs->data;
	struct tmpfs_inode *n = tmpfs_node_of(i);

	tmpfs_dir_finish(n);
	free(n->target);
	memfile_finish(&n->file);
	xattrs_finish(&n->xattrs);
	free(n);
	__atomic_sub_fetch(&t->n_inodes, 1, __ATOMIC_RELAXED);
	memfile_uncharge(t->pool.parent, TMPFS_INODE_BYTES);
}

/* --- operations on names --- */

static int tmpfs_lookup(struct inode *dir, const char *name, struct inode **ret)
{
	struct tmpfs_entry **p;

	LOCKED(&dir->lock);
	p = tmpfs_entry_slot(tmpfs_node_of(dir), name);
	if (!p)
		return -ENOENT;
	*ret = inode_get((*p)->inode);
	return 0;
}

int tmpfs_enter(struct inode *dir, const char *name, struct inode *i)
{
	LOCKED(&dir->lock);
	if (tmpfs_node_of(dir)->dead)
		return -ENOENT;
	tmpfs_entry_add(dir, name, i);
	if (S_ISDIR(i->attr.mode))
		dir->attr.nlink++;
	return 0;
}

static int make(struct inode *dir, const char *name, mode_t mode, dev_t dev, const struct cred *c,
		struct inode **ret)
{
	struct inode *i;
	int rc = tmpfs_inode_new(dir->fs, dir, mode, c, &i);

	if (rc < 0)
		return rc;
	i->attr.rdev = dev;
	rc = tmpfs_enter(dir, name, i);
	if (rc < 0)
		inode_put(i);
	else
		*ret = i;
	return rc;
}

static int tmpfs_create_file(struct inode *dir, const char *name, mode_t mode, const struct cred *c,
			     struct inode **ret)
{
	return make(dir, name, mode, 0, c, ret);
}

static int tmpfs_mkdir(struct inode *dir, const char *name, mode_t mode, const struct cred *c,
		       struct inode **ret)
{
	return make(dir, name, mode, 0, c, ret);
}

static int tmpfs_mknod(struct inode *dir, const char *name, mode_t mode, dev_t dev,
		       const struct cred *c, struct inode **ret)
{
	return make(dir, name, mode, dev, c, ret);
}

static int tmpfs_make_symlink(struct inode *dir, const char *name, const char *target,
			      const struct cred *c, struct inode **ret)
{
	int rc = make(dir, name, S_IFLNK | 0777, 0, c, ret);

	if (rc == 0) {
		tmpfs_node_of(*ret)->target = xstrdup(target);
		(*ret)->attr.size = strlen(target);
	}
	return rc;
}

static int tmpfs_link(struct inode *dir, const char *name, struct inode *old)
{
	int rc = tmpfs_enter(dir, name, old);

	if (rc < 0)
		return rc;
	LOCKED(&old->lock);
	old->attr.nlink++;
	inode_touch(old, ATTR_MTIME);
	return 0;
}

/* drop_link() - a name of @i is gone; its reference is given up. */
static void drop_link(struct inode *i, unsigned int links)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	lock_acquire(&i->lock);
	i->attr.nlink -= MIN(links, i->attr.nlink);
	i->attr.ctime = now;
	lock_release(&i->lock);
	inode_put(i);
}

static int tmpfs_unlink(struct inode *dir, const char *name, struct inode *victim)
{
	struct inode *i;

	(void)victim;
	lock_acquire(&dir->lock);
	i = tmpfs_entry_remove(dir, name);
	lock_release(&dir->lock);
	if (!i)
		return -ENOENT;
	drop_link(i, 1);
	return 0;
}

/* kill_directory() - if it is empty; from then on nothing is made in it. */
static int kill_directory(struct inode *i)
{
	LOCKED(&i->lock);
	if (tmpfs_node_of(i)->live)
		return -ENOTEMPTY;
	tmpfs_node_of(i)->dead = true;
	return 0;
}

static int tmpfs_rmdir(struct inode *dir, const char *name, struct inode *victim)
{
	struct inode *i;
	int rc = kill_directory(victim);

	if (rc < 0)
		return rc;
	lock_acquire(&dir->lock);
	i = tmpfs_entry_remove(dir, name);
	dir->attr.nlink--;
	lock_release(&dir->lock);
	if (i)
		drop_link(i, 2);
	return 0;
}

/* exchange() - the inodes of two entries. Preconditions: holds both locks. */
static int exchange(struct inode *a, const char *name_a, struct inode *b, const char *name_b)
{
	struct tmpfs_entry **pa = tmpfs_entry_slot(tmpfs_node_of(a), name_a),
			   **pb = tmpfs_entry_slot(tmpfs_node_of(b), name_b);
	struct inode *ia;
	int dirs;

	if (!pa || !pb)
		return -ENOENT;
	ia = (*pa)->inode;
	(*pa)->inode = (*pb)->inode;
	(*pb)->inode = ia;
	dirs = (int)S_ISDIR((*pa)->inode->attr.mode) - (int)S_ISDIR(ia->attr.mode);
	a->attr.nlink += (uint32_t)dirs;
	b->attr.nlink -= (uint32_t)dirs;
	if (S_ISDIR(ia->attr.mode))
		tmpfs_node_of(ia)->parent = b;
	if (S_ISDIR((*pa)->inode->attr.mode))
		tmpfs_node_of((*pa)->inode)->parent = a;
	inode_touch(a, ATTR_MTIME);
	inode_touch(b, ATTR_MTIME);
	return 0;
}

/* move() - Return: what new_name was before, to be dropped. Preconditions: holds both locks. */
static struct inode *move(struct inode *old_dir, const char *old_name, struct inode *new_dir,
			  const char *new_name)
{
	struct inode *before = tmpfs_entry_remove(new_dir, new_name);
	struct inode *i = tmpfs_entry_remove(old_dir, old_name);

	if (!i)
		return before;
	tmpfs_entry_add(new_dir, new_name, i);
	if (S_ISDIR(i->attr.mode)) {
		tmpfs_node_of(i)->parent = new_dir;
		old_dir->attr.nlink--;
		new_dir->attr.nlink += before ? 0 : 1;
	}
	inode_put(i);
	return before;
}

static int tmpfs_rename(struct inode *old_dir, const char *old_name, struct inode *new_dir,
			const char *new_name, struct inode *victim, unsigned int flags)
{
	struct inode *before = NULL;
	int rc = 0;

	if (victim && S_ISDIR(victim->attr.mode) && !(flags & RENAME_EXCHANGE))
		rc = kill_directory(victim);
	if (rc < 0)
		return rc;
	lock_acquire_two(&old_dir->lock, &new_dir->lock);
	if (tmpfs_node_of(new_dir)->dead)
		rc = -ENOENT;
	else if (flags & RENAME_EXCHANGE)
		rc = exchange(old_dir, old_name, new_dir, new_name);
	else
		before = move(old_dir, old_name, new_dir, new_name);
	lock_release_two(&old_dir->lock, &new_dir->lock);
	if (before)
		drop_link(before, S_ISDIR(before->attr.mode) ? 2 : 1);
	return rc;
}

static int tmpfs_tmpfile(struct inode *dir, mode_t mode, const struct cred *c, struct inode **ret)
{
	int rc = tmpfs_inode_new(dir->fs, dir, mode, c, ret);

	if (rc == 0)
		(*ret)->attr.nlink = 0;
	return rc;
}

static ssize_t tmpfs_readlink(struct inode *i, char *buf, size_t size)
{
	const char *target = tmpfs_node_of(i)->target;
	size_t len = MIN(strlen(target), size);

	memcpy(buf, target, len);
	return (ssize_t)len;
}

static int tmpfs_open(struct inode *i, struct file *f)
{
	if (S_ISREG(i->attr.mode))
		f->ops = &tmpfs_file_ops;
	else if (S_ISDIR(i->attr.mode))
		f->ops = &tmpfs_dir_ops;
	else
		return inode_open_special(i, f);
	return 0;
}

const struct inode_ops tmpfs_inode_ops = {
	.lookup = tmpfs_lookup,
	.create = tmpfs_create_file,
	.mkdir = tmpfs_mkdir,
	.mknod = tmpfs_mknod,
	.symlink = tmpfs_make_symlink,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_rmdir,
	.rename = tmpfs_rename,
	.tmpfile = tmpfs_tmpfile,
	.readlink = tmpfs_readlink,
	.open = tmpfs_open,
	.setattr = tmpfs_setattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
	.free = tmpfs_free_inode,
};
