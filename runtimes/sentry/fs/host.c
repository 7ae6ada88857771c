/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of the host: inodes and names.
 *
 * Theory of operation.  Every inode holds a handle of the gofer; a table by (device, inode number)
 * makes two names of one file one inode.  A root file system belongs to its pod alone: what was
 * told once stays true, and what the sentry changes itself it knows, but for times and sizes that
 * the host decides: these are marked stale and fetched when somebody looks, from a descriptor of
 * our own if one is open.  A shared file system (a volume) is asked each time.
 */
#include "runtimes/sentry/fs/host.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/mem.h"
#include "runtimes/sentry/fs/host_inode.h"

static const struct inode_ops host_inode_ops;

/* --- attributes ------------------------------------------------------------------------------- */

static struct timespec time_of(const struct gofer_time *t)
{
	return (struct timespec){ .tv_sec = t->sec, .tv_nsec = t->nsec };
}

void host_attr_take(struct inode *i, const struct gofer_attr *a)
{
	i->attr = (struct attr){
		.mode = a->mode,
		.uid = a->uid,
		.gid = a->gid,
		.size = a->size,
		.blocks = a->blocks,
		.nlink = a->nlink,
		.blksize = a->blksize,
		.rdev = a->rdev,
		.atime = time_of(&a->atime),
		.mtime = time_of(&a->mtime),
		.ctime = time_of(&a->ctime),
		.btime = time_of(&a->btime),
	};
	host_inode_of(i)->stale = false;
}

int host_attr_fetch(struct inode *i, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	/* Not the owner: the sentry's user namespace has no names for most of them. */
	i->attr.mode = st.st_mode;
	i->attr.size = (uint64_t)st.st_size;
	i->attr.blocks = (uint64_t)st.st_blocks;
	i->attr.nlink = (uint32_t)st.st_nlink;
	i->attr.atime = st.st_atim;
	i->attr.mtime = st.st_mtim;
	i->attr.ctime = st.st_ctim;
	host_inode_of(i)->stale = false;
	return 0;
}

void host_stale(struct inode *i)
{
	__atomic_store_n(&host_inode_of(i)->stale, true, __ATOMIC_RELAXED);
}

static int revalidate(struct inode *i)
{
	struct host_inode *h = host_inode_of(i);
	struct gofer_attr a;
	int rc;

	if (!host_fs_of(i)->shared && !__atomic_load_n(&h->stale, __ATOMIC_RELAXED))
		return 0;
	LOCKED(&i->lock);
	if (h->opens > 0)
		return host_attr_fetch(i, h->fd_both >= 0 ? h->fd_both : h->fd_read);
	rc = gofer_getattr(host_fs_of(i)->gofer, h->handle, &a);
	if (rc == 0)
		host_attr_take(i, &a);
	return rc;
}

static struct gofer_time gofer_time_of(const struct timespec *t)
{
	return (struct gofer_time){ .sec = t->tv_sec, .nsec = (uint32_t)t->tv_nsec };
}

static unsigned int gofer_mask(unsigned int mask)
{
	return (mask & ATTR_MODE ? GOFER_SET_MODE : 0) | (mask & ATTR_UID ? GOFER_SET_UID : 0) |
	       (mask & ATTR_GID ? GOFER_SET_GID : 0) | (mask & ATTR_SIZE ? GOFER_SET_SIZE : 0) |
	       (mask & ATTR_ATIME ? GOFER_SET_ATIME : 0) |
	       (mask & ATTR_MTIME ? GOFER_SET_MTIME : 0);
}

static int setattr(struct inode *i, unsigned int mask, const struct attr *to)
{
	struct gofer_attr a = {
		.mode = to->mode,
		.uid = to->uid,
		.gid = to->gid,
		.size = to->size,
		.atime = gofer_time_of(&to->atime),
		.mtime = gofer_time_of(&to->mtime),
	};
	int rc;

	if (mask & ATTR_SIZE) {
		rc = host_resize(i, (int64_t)to->size);
		if (rc < 0)
			return rc;
		if (rc == 0)
			mask &= ~(unsigned int)ATTR_SIZE;
	}
	if (!mask)
		return 0;
	LOCKED(&i->lock);
	rc = gofer_setattr(host_fs_of(i)->gofer, host_inode_of(i)->handle, gofer_mask(mask), &a,
			   &a);
	if (rc == 0)
		host_attr_take(i, &a);
	return rc;
}

/* --- the table of inodes ---------------------------------------------------------------------- */

static struct host_inode **bucket_of(struct host_fs *fs, uint64_t dev, uint64_t ino)
{
	return &fs->buckets[(ino * 0x9e3779b97f4a7c15ULL ^ dev) >> 32 & (HOST_BUCKETS - 1)];
}

/* get_living() - a reference, unless the last one is just going. */
static struct inode *get_living(struct inode *i)
{
	uint32_t refs = __atomic_load_n(&i->refs, __ATOMIC_RELAXED);

	while (refs > 0)
		if (__atomic_compare_exchange_n(&i->refs, &refs, refs + 1, true, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return i;
	return NULL;
}

/* Preconditions: holds fs->lock. */
static struct inode *find_locked(struct host_fs *fs, const struct gofer_attr *a)
{
	for (struct host_inode *h = *bucket_of(fs, a->dev, a->ino); h; h = h->next)
		if (h->ino == a->ino && h->dev == a->dev && get_living(h->inode))
			return h->inode;
	return NULL;
}

static struct inode *make_inode(struct filesystem *fs, const struct gofer_node *n)
{
	struct inode *i = inode_create(fs, &host_inode_ops, n->attr.ino, n->attr.mode);
	struct host_inode *h = xnew(struct host_inode);

	*h = (struct host_inode){
		.inode = i,
		.handle = n->handle,
		.dev = n->attr.dev,
		.ino = n->attr.ino,
		.fd_read = -1,
		.fd_both = -1,
	};
	i->data = h;
	host_attr_take(i, &n->attr);
	return i;
}

/* inode_of() - the inode that @n (its handle is taken over) is, with a reference. */
static struct inode *inode_of(struct filesystem *fs, const struct gofer_node *n)
{
	struct host_fs *hfs = fs->data;
	struct inode *i, *fresh = NULL;

	lock_acquire(&hfs->lock);
	i = find_locked(hfs, &n->attr);
	if (!i) {
		struct host_inode **bucket = bucket_of(hfs, n->attr.dev, n->attr.ino);

		fresh = make_inode(fs, n);
		host_inode_of(fresh)->next = *bucket;
		*bucket = host_inode_of(fresh);
	}
	lock_release(&hfs->lock);
	if (fresh)
		return fresh;
	gofer_close(hfs->gofer, n->handle);
	LOCKED(&i->lock);
	host_attr_take(i, &n->attr);
	return i;
}

static void free_inode(struct inode *i)
{
	struct host_fs *fs = host_fs_of(i);
	struct host_inode *h = host_inode_of(i), **at;

	lock_acquire(&fs->lock);
	for (at = bucket_of(fs, h->dev, h->ino); *at && *at != h; at = &(*at)->next)
		;
	if (*at)
		*at = h->next;
	lock_release(&fs->lock);
	host_close_descriptors(i);
	if (h->handle >= GOFER_TREES_MAX)
		gofer_close(fs->gofer, h->handle);
	free(h);
}

/* --- names ------------------------------------------------------------------------------------ */

static struct gofer *gofer_of(const struct inode *i)
{
	return host_fs_of(i)->gofer;
}

static int lookup(struct inode *dir, const char *name, struct inode **ret)
{
	struct gofer_node n;
	int rc = gofer_lookup(gofer_of(dir), host_inode_of(dir)->handle, name, &n);

	if (rc == 0)
		*ret = inode_of(dir->fs, &n);
	return rc;
}

/* new_attr() - owner and mode of what @c makes in @dir. */
static struct attr new_attr(struct inode *dir, mode_t mode, const struct cred *c)
{
	struct inode i = { 0 };

	inode_init_owner(&i, dir, mode, c);
	return i.attr;
}

static int create(struct inode *dir, const char *name, mode_t mode, const struct cred *c,
		  struct inode **ret)
{
	struct attr a = new_attr(dir, S_IFREG | mode, c);
	struct gofer_node n;
	int fd, rc = gofer_create_file(gofer_of(dir), host_inode_of(dir)->handle, name, a.mode,
				       a.uid, a.gid, &n, &fd);

	if (rc < 0)
		return rc;
	*ret = inode_of(dir->fs, &n);
	host_give_descriptor(*ret, fd);
	if (name)
		host_stale(dir);
	return 0;
}

static int tmpfile_(struct inode *dir, mode_t mode, const struct cred *c, struct inode **ret)
{
	return create(dir, NULL, mode, c, ret);
}

static int make(struct inode *dir, const char *name, mode_t mode, const struct cred *c,
		struct inode **ret)
{
	struct attr a = new_attr(dir, mode, c);
	struct gofer_node n;
	int rc = gofer_make(gofer_of(dir), host_inode_of(dir)->handle, name, a.mode, a.uid, a.gid,
			    &n);

	if (rc < 0)
		return rc;
	*ret = inode_of(dir->fs, &n);
	host_stale(dir);
	return 0;
}

static int mkdir_(struct inode *dir, const char *name, mode_t mode, const struct cred *c,
		  struct inode **ret)
{
	return make(dir, name, S_IFDIR | (mode & 07777), c, ret);
}

/* Devices of the pod are the sentry's own (/dev): on the host's files there are none. */
static int mknod_(struct inode *dir, const char *name, mode_t mode, dev_t dev, const struct cred *c,
		  struct inode **ret)
{
	(void)dev;
	if (S_ISCHR(mode) || S_ISBLK(mode))
		return -EPERM;
	if (S_ISREG(mode))
		return create(dir, name, mode & 07777, c, ret);
	return make(dir, name, mode, c, ret);
}

static int symlink_(struct inode *dir, const char *name, const char *target, const struct cred *c,
		    struct inode **ret)
{
	struct attr a = new_attr(dir, S_IFLNK | 0777, c);
	struct gofer_node n;
	int rc = gofer_symlink(gofer_of(dir), host_inode_of(dir)->handle, name, target, a.uid,
			       a.gid, &n);

	if (rc < 0)
		return rc;
	*ret = inode_of(dir->fs, &n);
	host_stale(dir);
	return 0;
}

static int link_(struct inode *dir, const char *name, struct inode *old)
{
	int rc = gofer_link(gofer_of(dir), host_inode_of(dir)->handle, name,
			    host_inode_of(old)->handle);

	if (rc == 0) {
		host_stale(dir);
		host_stale(old);
	}
	return rc;
}

static int remove_(struct inode *dir, const char *name, struct inode *victim, int flags)
{
	int rc = gofer_unlink(gofer_of(dir), host_inode_of(dir)->handle, name, flags);

	if (rc == 0) {
		host_stale(dir);
		host_stale(victim);
	}
	return rc;
}

static int unlink_(struct inode *dir, const char *name, struct inode *victim)
{
	return remove_(dir, name, victim, 0);
}

static int rmdir_(struct inode *dir, const char *name, struct inode *victim)
{
	return remove_(dir, name, victim, AT_REMOVEDIR);
}

static int rename_(struct inode *old_dir, const char *old_name, struct inode *new_dir,
		   const char *new_name, struct inode *victim, unsigned int flags)
{
	int rc = gofer_rename(gofer_of(old_dir), host_inode_of(old_dir)->handle, old_name,
			      host_inode_of(new_dir)->handle, new_name, flags);

	if (rc < 0)
		return rc;
	host_stale(old_dir);
	host_stale(new_dir);
	if (victim)
		host_stale(victim);
	return 0;
}

static ssize_t readlink_(struct inode *i, char *buf, size_t size)
{
	return gofer_readlink(gofer_of(i), host_inode_of(i)->handle, buf, size);
}

/* --- extended attributes ---------------------------------------------------------------------- */

static ssize_t getxattr_(struct inode *i, const char *name, void *buf, size_t size)
{
	return gofer_getxattr(gofer_of(i), host_inode_of(i)->handle, name, buf, size);
}

static ssize_t listxattr_(struct inode *i, char *buf, size_t size)
{
	return gofer_listxattr(gofer_of(i), host_inode_of(i)->handle, buf, size);
}

static int setxattr_(struct inode *i, const char *name, const void *buf, size_t size, int flags)
{
	host_stale(i); /* an ACL changes the mode */
	return gofer_setxattr(gofer_of(i), host_inode_of(i)->handle, name, buf, size, flags);
}

static int removexattr_(struct inode *i, const char *name)
{
	host_stale(i);
	return gofer_removexattr(gofer_of(i), host_inode_of(i)->handle, name);
}

static const struct inode_ops host_inode_ops = {
	.lookup = lookup,
	.create = create,
	.mkdir = mkdir_,
	.mknod = mknod_,
	.symlink = symlink_,
	.link = link_,
	.unlink = unlink_,
	.rmdir = rmdir_,
	.rename = rename_,
	.tmpfile = tmpfile_,
	.readlink = readlink_,
	.open = host_open,
	.revalidate = revalidate,
	.setattr = setattr,
	.getxattr = getxattr_,
	.setxattr = setxattr_,
	.listxattr = listxattr_,
	.removexattr = removexattr_,
	.free = free_inode,
};

/* --- the file system -------------------------------------------------------------------------- */

static int fs_statfs(struct filesystem *fs, struct statfs *ret)
{
	struct host_fs *h = fs->data;

	return gofer_statfs(h->gofer, h->tree, ret);
}

static int fs_sync(struct filesystem *fs)
{
	struct host_fs *h = fs->data;

	return gofer_sync(h->gofer, h->tree);
}

static void fs_free(struct filesystem *fs)
{
	free(fs->data);
}

static const struct filesystem_ops host_filesystem_ops = {
	.statfs = fs_statfs,
	.sync = fs_sync,
	.free = fs_free,
};

int host_filesystem_create(struct gofer *g, uint32_t tree, const char *type, const char *source,
			   bool shared, struct filesystem **ret)
{
	struct gofer_node root = { .handle = tree };
	struct filesystem *fs;
	struct host_fs *h;
	int rc = gofer_getattr(g, tree, &root.attr);

	if (rc < 0)
		return rc;
	fs = filesystem_create(&host_filesystem_ops, type, source, NULL);
	h = xnew(struct host_fs);
	h->gofer = g;
	h->tree = tree;
	h->shared = shared;
	lock_init(&h->lock, LOCK_WAIT);
	fs->data = h;
	fs->volatile_names = shared;
	fs->root = inode_of(fs, &root);
	*ret = fs;
	return 0;
}
