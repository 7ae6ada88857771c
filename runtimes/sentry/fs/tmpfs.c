/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tmpfs: names and inodes; contents are fs/memfile.c's.
 *
 * A directory has its entries twice: in an array in the order they were made, each with a number
 * that only grows (what getdents goes on from), and in a hash.  A removed entry leaves a hole in
 * the array until half of it is holes.
 */
#include "runtimes/sentry/fs/tmpfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/statfs.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtimes/sentry/fs/options.h"
#include "runtimes/sentry/fs/tmpfs.h"
#include "runtimes/sentry/fs/xattrs.h"

#define FIRST_COOKIE 2	  /* after "." and ".." */
#define INODE_BYTES  1024 /* charged for each: inode, entry, cached name */

struct entry {
	struct entry *next_in_bucket;
	uint32_t hash;
	int64_t cookie;
	struct inode *inode;
	char name[];
};

/* What inode.data leads to. */
struct node {
	struct xattrs xattrs;
	/* directories */
	struct entry **order, **buckets;
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

static const struct inode_ops tmpfs_ops;

static struct node *node_of(const struct inode *i)
{
	return i->data;
}

/* --- inodes --- */

static int inode_new(struct filesystem *fs, struct inode *dir, mode_t mode, const struct cred *c,
		     struct inode **ret)
{
	struct tmpfs *t = fs->data;
	struct node *n;
	struct inode *i;

	if (__atomic_add_fetch(&t->n_inodes, 1, __ATOMIC_RELAXED) > t->max_inodes ||
	    memfile_charge(t->pool.parent, INODE_BYTES) < 0) {
		__atomic_sub_fetch(&t->n_inodes, 1, __ATOMIC_RELAXED);
		return -ENOSPC;
	}
	i = inode_create(fs, &tmpfs_ops, __atomic_add_fetch(&t->last_ino, 1, __ATOMIC_RELAXED),
			 mode);
	n = xnew(struct node);
	memfile_init(&n->file, &t->pool);
	i->data = n;
	if (c && dir)
		inode_init_owner(i, dir, mode, c);
	if (S_ISDIR(mode)) {
		i->attr.nlink = 2;
		n->parent = dir ? dir : i;
		n->last_cookie = FIRST_COOKIE - 1;
	}
	*ret = i;
	return 0;
}

static void tmpfs_free_inode(struct inode *i)
{
	struct tmpfs *t = i->fs->data;
	struct node *n = node_of(i);

	for (size_t k = 0; k < n->n_order; k++) {
		if (!n->order[k])
			continue;
		inode_put(n->order[k]->inode);
		free(n->order[k]);
	}
	free(n->order);
	free(n->buckets);
	free(n->target);
	memfile_finish(&n->file);
	xattrs_finish(&n->xattrs);
	free(n);
	__atomic_sub_fetch(&t->n_inodes, 1, __ATOMIC_RELAXED);
	memfile_uncharge(t->pool.parent, INODE_BYTES);
}

/* --- entries of a directory; the caller holds the directory's lock --- */

static uint32_t hash_of(const char *name)
{
	uint32_t h = 2166136261u;

	while (*name)
		h = (h ^ (unsigned char)*name++) * 16777619u;
	return h ^ h >> 15;
}

static struct entry **slot_of(struct node *n, const char *name)
{
	uint32_t h = hash_of(name);
	struct entry **p;

	if (!n->n_buckets)
		return NULL;
	for (p = &n->buckets[h & (n->n_buckets - 1)]; *p; p = &(*p)->next_in_bucket)
		if ((*p)->hash == h && strcmp((*p)->name, name) == 0)
			return p;
	return NULL;
}

static void rehash(struct node *n)
{
	n->n_buckets = MAX(8, n->n_buckets * 2);
	free(n->buckets);
	n->buckets = xcalloc(n->n_buckets, sizeof(*n->buckets));
	for (size_t k = 0; k < n->n_order; k++) {
		struct entry *e = n->order[k];

		if (!e)
			continue;
		e->next_in_bucket = n->buckets[e->hash & (n->n_buckets - 1)];
		n->buckets[e->hash & (n->n_buckets - 1)] = e;
	}
}

static void entry_add(struct inode *dir, const char *name, struct inode *i)
{
	struct node *n = node_of(dir);
	size_t len = strlen(name) + 1;
	struct entry *e = xmalloc(sizeof(*e) + len), **bucket;

	*e = (struct entry){ .hash = hash_of(name), .cookie = ++n->last_cookie };
	e->inode = inode_get(i);
	memcpy(e->name, name, len);
	if (n->n_order == n->cap) {
		n->cap = MAX(8, n->cap * 2);
		n->order = xrealloc(n->order, n->cap, sizeof(*n->order));
	}
	if (++n->live > n->n_buckets)
		rehash(n);
	n->order[n->n_order++] = e;
	bucket = &n->buckets[e->hash & (n->n_buckets - 1)];
	e->next_in_bucket = *bucket;
	*bucket = e;
	dir->attr.size = n->live * 20;
	inode_touch(dir, ATTR_MTIME);
}

/* position() - of the first entry whose number is at least @cookie. */
static size_t position(const struct node *n, int64_t cookie)
{
	size_t low = 0, high = n->n_order;

	while (low < high) {
		size_t middle = low + (high - low) / 2, k = middle;

		while (k < high && !n->order[k])
			k++;
		if (k == high || n->order[k]->cookie >= cookie)
			high = middle;
		else
			low = k + 1;
	}
	while (low < n->n_order && !n->order[low])
		low++;
	return low;
}

static void compact(struct node *n)
{
	size_t to = 0;

	for (size_t k = 0; k < n->n_order; k++)
		if (n->order[k])
			n->order[to++] = n->order[k];
	n->n_order = to;
}

/* entry_remove() - Return: its inode, whose reference the caller gives up. */
static struct inode *entry_remove(struct inode *dir, const char *name)
{
	struct node *n = node_of(dir);
	struct entry **p = slot_of(n, name), *e;
	struct inode *i;

	if (!p)
		return NULL;
	e = *p;
	*p = e->next_in_bucket;
	n->order[position(n, e->cookie)] = NULL;
	if (--n->live * 2 < n->n_order)
		compact(n);
	dir->attr.size = n->live * 20;
	inode_touch(dir, ATTR_MTIME);
	i = e->inode;
	free(e);
	return i;
}

/* --- operations on names --- */

static int tmpfs_lookup(struct inode *dir, const char *name, struct inode **ret)
{
	struct entry **p;

	LOCKED(&dir->lock);
	p = slot_of(node_of(dir), name);
	if (!p)
		return -ENOENT;
	*ret = inode_get((*p)->inode);
	return 0;
}

/* enter() - a new inode gets its name. Its reference stays the caller's. */
static int enter(struct inode *dir, const char *name, struct inode *i)
{
	LOCKED(&dir->lock);
	if (node_of(dir)->dead)
		return -ENOENT;
	entry_add(dir, name, i);
	if (S_ISDIR(i->attr.mode))
		dir->attr.nlink++;
	return 0;
}

static int make(struct inode *dir, const char *name, mode_t mode, dev_t dev, const struct cred *c,
		struct inode **ret)
{
	struct inode *i;
	int rc = inode_new(dir->fs, dir, mode, c, &i);

	if (rc < 0)
		return rc;
	i->attr.rdev = dev;
	rc = enter(dir, name, i);
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
		node_of(*ret)->target = xstrdup(target);
		(*ret)->attr.size = strlen(target);
	}
	return rc;
}

static int tmpfs_link(struct inode *dir, const char *name, struct inode *old)
{
	int rc = enter(dir, name, old);

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
	i = entry_remove(dir, name);
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
	if (node_of(i)->live)
		return -ENOTEMPTY;
	node_of(i)->dead = true;
	return 0;
}

static int tmpfs_rmdir(struct inode *dir, const char *name, struct inode *victim)
{
	struct inode *i;
	int rc = kill_directory(victim);

	if (rc < 0)
		return rc;
	lock_acquire(&dir->lock);
	i = entry_remove(dir, name);
	dir->attr.nlink--;
	lock_release(&dir->lock);
	if (i)
		drop_link(i, 2);
	return 0;
}

/* exchange() - the inodes of two entries. Preconditions: holds both locks. */
static int exchange(struct inode *a, const char *name_a, struct inode *b, const char *name_b)
{
	struct entry **pa = slot_of(node_of(a), name_a), **pb = slot_of(node_of(b), name_b);
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
		node_of(ia)->parent = b;
	if (S_ISDIR((*pa)->inode->attr.mode))
		node_of((*pa)->inode)->parent = a;
	inode_touch(a, ATTR_MTIME);
	inode_touch(b, ATTR_MTIME);
	return 0;
}

/* move() - Return: what new_name was before, to be dropped. Preconditions: holds both locks. */
static struct inode *move(struct inode *old_dir, const char *old_name, struct inode *new_dir,
			  const char *new_name)
{
	struct inode *before = entry_remove(new_dir, new_name);
	struct inode *i = entry_remove(old_dir, old_name);

	if (!i)
		return before;
	entry_add(new_dir, new_name, i);
	if (S_ISDIR(i->attr.mode)) {
		node_of(i)->parent = new_dir;
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
	if (node_of(new_dir)->dead)
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
	int rc = inode_new(dir->fs, dir, mode, c, ret);

	if (rc == 0)
		(*ret)->attr.nlink = 0;
	return rc;
}

static ssize_t tmpfs_readlink(struct inode *i, char *buf, size_t size)
{
	const char *target = node_of(i)->target;
	size_t len = MIN(strlen(target), size);

	memcpy(buf, target, len);
	return (ssize_t)len;
}

/* --- attributes --- */

static void show_size(struct inode *i)
{
	struct node *n = node_of(i);

	i->attr.size = n->file.size;
	i->attr.blocks = n->file.charged_bytes / 512;
}

static int resize(struct inode *i, uint64_t size)
{
	int rc;

	if (size > INT64_MAX)
		return -EFBIG;
	LOCKED(&i->lock);
	rc = memfile_truncate(&node_of(i)->file, size);
	if (rc < 0)
		return rc;
	show_size(i);
	inode_touch(i, ATTR_MTIME);
	return 0;
}

static int tmpfs_setattr(struct inode *i, unsigned int mask, const struct attr *to)
{
	int rc = 0;

	if (mask & ATTR_SIZE)
		rc = S_ISREG(i->attr.mode) ? resize(i, to->size) : -EINVAL;
	if (rc == 0)
		inode_apply_attr(i, mask, to);
	return rc;
}

static ssize_t tmpfs_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	LOCKED(&i->lock);
	return xattrs_get(&node_of(i)->xattrs, name, buf, size);
}

static int tmpfs_setxattr(struct inode *i, const char *name, const void *buf, size_t size,
			  int flags)
{
	LOCKED(&i->lock);
	return xattrs_set(&node_of(i)->xattrs, name, buf, size, flags);
}

static ssize_t tmpfs_listxattr(struct inode *i, char *buf, size_t size)
{
	LOCKED(&i->lock);
	return xattrs_list(&node_of(i)->xattrs, buf, size);
}

static int tmpfs_removexattr(struct inode *i, const char *name)
{
	LOCKED(&i->lock);
	return xattrs_remove(&node_of(i)->xattrs, name);
}

/* --- open files --- */

static ssize_t file_read_at(struct file *f, struct uio *to, int64_t *pos)
{
	struct inode *i = f->inode;
	ssize_t rc;

	LOCKED(&i->lock);
	rc = memfile_read(&node_of(i)->file, to, *pos);
	if (rc > 0)
		*pos += rc;
	return rc;
}

static ssize_t file_write_at(struct file *f, struct uio *from, int64_t *pos)
{
	struct inode *i = f->inode;
	struct memfile *m = &node_of(i)->file;
	ssize_t rc;

	LOCKED(&i->lock);
	if (f->flags & O_APPEND)
		*pos = (int64_t)m->size;
	rc = memfile_write(m, from, *pos);
	if (rc > 0) {
		*pos += rc;
		show_size(i);
		inode_touch(i, ATTR_MTIME);
	}
	return rc;
}

static int64_t file_seek_at(struct file *f, int64_t offset, int whence)
{
	struct memfile *m = &node_of(f->inode)->file;
	off_t at;

	if ((whence != SEEK_DATA && whence != SEEK_HOLE) || m->fd < 0)
		return file_seek_sized(f, offset, whence, (int64_t)m->size);
	at = lseek(m->fd, offset, whence);
	return at < 0 ? -errno : (f->pos = at);
}

static int file_map(struct file *f, bool shared, bool writable, int64_t *offset)
{
	(void)writable, (void)offset;
	LOCKED(&f->inode->lock);
	return memfile_map_fd(&node_of(f->inode)->file, shared && !file_writable(f));
}

static int file_truncate_to(struct file *f, int64_t length)
{
	return resize(f->inode, (uint64_t)length);
}

static int file_allocate(struct file *f, int mode, int64_t offset, int64_t length)
{
	struct inode *i = f->inode;
	int rc;

	LOCKED(&i->lock);
	rc = memfile_allocate(&node_of(i)->file, mode, offset, length);
	show_size(i);
	return rc;
}

static int no_sync(struct file *f, bool data_only)
{
	(void)f, (void)data_only;
	return 0;
}

static const struct file_ops regular_ops = {
	.read = file_read_at,
	.write = file_write_at,
	.seek = file_seek_at,
	.mmap = file_map,
	.truncate = file_truncate_to,
	.allocate = file_allocate,
	.sync = no_sync,
};

static int64_t dir_seek(struct file *f, int64_t offset, int whence)
{
	return file_seek_sized(f, offset, whence, node_of(f->inode)->last_cookie + 1);
}

static int dots(struct inode *dir, int64_t *pos, dirent_fn *fn, void *data)
{
	if (*pos == 0) {
		if (fn(data, ".", dir->ino, DT_DIR, 1))
			return 1;
		*pos = 1;
	}
	if (*pos == 1) {
		if (fn(data, "..", node_of(dir)->parent->ino, DT_DIR, 2))
			return 1;
		*pos = FIRST_COOKIE;
	}
	return 0;
}

static int dir_read(struct file *f, int64_t *pos, dirent_fn *fn, void *data)
{
	struct inode *dir = f->inode;
	struct node *n = node_of(dir);

	LOCKED(&dir->lock);
	if (n->dead)
		return -ENOENT;
	if (dots(dir, pos, fn, data))
		return 0;
	for (size_t k = position(n, *pos); k < n->n_order; k++) {
		struct entry *e = n->order[k];

		if (!e)
			continue;
		if (fn(data, e->name, e->inode->ino, IFTODT(e->inode->attr.mode), e->cookie + 1))
			break;
		*pos = e->cookie + 1;
	}
	return 0;
}

static const struct file_ops dir_ops = {
	.seek = dir_seek,
	.readdir = dir_read,
	.sync = no_sync,
};

static int tmpfs_open(struct inode *i, struct file *f)
{
	f->ops = S_ISDIR(i->attr.mode) ? &dir_ops : &regular_ops;
	return 0;
}

static const struct inode_ops tmpfs_ops = {
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

/* --- the file system --- */

#define DEFAULT_INODES (1u << 20)

static int tmpfs_statfs(struct filesystem *fs, struct statfs *ret)
{
	struct tmpfs *t = fs->data;
	uint64_t limit = t->pool.limit_bytes / 4096;
	uint64_t used = __atomic_load_n(&t->pool.used_bytes, __ATOMIC_RELAXED) / 4096;

	*ret = (struct statfs){
		.f_type = TMPFS_MAGIC,
		.f_bsize = 4096,
		.f_frsize = 4096,
		.f_blocks = limit,
		.f_bfree = limit > used ? limit - used : 0,
		.f_bavail = limit > used ? limit - used : 0,
		.f_files = t->max_inodes,
		.f_ffree = t->max_inodes - t->n_inodes,
		.f_namelen = 255,
	};
	return 0;
}

static void tmpfs_free(struct filesystem *fs)
{
	free(fs->data);
}

static const struct filesystem_ops tmpfs_fs_ops = { .statfs = tmpfs_statfs, .free = tmpfs_free };

struct root_attr {
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

static int parse(const char *options, struct tmpfs *t, struct root_attr *a)
{
	struct option o;
	int rc = 0;

	while (rc == 0 && option_next(&options, &o)) {
		uint64_t n = 0;

		if (str_eq(o.name, "size"))
			rc = option_size(&o, &t->pool.limit_bytes);
		else if (str_eq(o.name, "nr_inodes"))
			rc = option_size(&o, &t->max_inodes);
		else if (str_eq(o.name, "mode"))
			rc = option_octal(&o, &a->mode);
		else if (str_eq(o.name, "uid"))
			rc = option_number(&o, &n), a->uid = (uid_t)n;
		else if (str_eq(o.name, "gid"))
			rc = option_number(&o, &n), a->gid = (gid_t)n;
		else if (!str_eq(o.name, "inode64") && !str_eq(o.name, "huge") &&
			 !str_eq(o.name, "noswap"))
			rc = -EINVAL;
	}
	if (!t->max_inodes)
		t->max_inodes = DEFAULT_INODES;
	return rc;
}

int tmpfs_create(const char *source, const char *options, struct memfile_pool *parent,
		 struct filesystem **ret)
{
	struct tmpfs *t = xnew(struct tmpfs);
	struct root_attr a = { .mode = 01777 };
	struct filesystem *fs;
	struct inode *root;
	int rc;

	t->max_inodes = DEFAULT_INODES;
	t->pool.parent = parent;
	t->pool.limit_bytes = parent ? parent->limit_bytes / 2 : 0;
	rc = parse(options ? options : "", t, &a);
	if (rc < 0) {
		free(t);
		return rc;
	}
	fs = filesystem_create(&tmpfs_fs_ops, "tmpfs", source, str_empty(options) ? NULL : options);
	fs->data = t;
	rc = inode_new(fs, NULL, S_IFDIR | (a.mode & 07777), NULL, &root);
	if (rc < 0) {
		filesystem_put(fs);
		return rc;
	}
	root->attr.uid = a.uid;
	root->attr.gid = a.gid;
	fs->root = root;
	*ret = fs;
	return 0;
}

int tmpfs_node(struct filesystem *fs, struct inode *dir, const char *name, mode_t mode, dev_t dev,
	       struct inode **ret)
{
	struct inode *i;
	int rc = inode_new(fs, dir, mode, NULL, &i);

	if (rc < 0)
		return rc;
	i->attr.rdev = dev;
	rc = enter(dir, name, i);
	if (rc == 0 && ret)
		*ret = inode_get(i);
	inode_put(i);
	return rc;
}

int tmpfs_symlink(struct filesystem *fs, struct inode *dir, const char *name, const char *target)
{
	struct inode *i;
	int rc = tmpfs_node(fs, dir, name, S_IFLNK | 0777, 0, &i);

	if (rc < 0)
		return rc;
	node_of(i)->target = xstrdup(target);
	i->attr.size = strlen(target);
	inode_put(i);
	return 0;
}

struct memfile *tmpfs_memfile(struct inode *i)
{
	return i->ops == &tmpfs_ops && S_ISREG(i->attr.mode) ? &node_of(i)->file : NULL;
}

/* memfd_fs() - where files of memfd_create live; has no root. */
static struct filesystem *memfd_fs(void)
{
	static struct filesystem *fs;
	static struct lock lock = LOCK_INIT(LOCK_OBJECT);

	LOCKED(&lock);
	if (!fs) {
		struct tmpfs *t = xnew(struct tmpfs);

		t->max_inodes = UINT64_MAX;
		fs = filesystem_create(&tmpfs_fs_ops, "tmpfs", "tmpfs", NULL);
		fs->data = t;
	}
	return fs;
}

int tmpfs_memfd(const char *name, unsigned int flags, struct memfile_pool *pool, struct cred *c,
		struct file **ret)
{
	char shown[300];
	struct inode *i;
	struct file *f;
	int rc = inode_new(memfd_fs(), NULL, S_IFREG | 0777, NULL, &i);

	if (rc < 0)
		return rc;
	i->attr.nlink = 0;
	i->attr.uid = c->fsuid;
	i->attr.gid = c->fsgid;
	node_of(i)->file.pool = pool;
	node_of(i)->file.sealable = flags & MFD_ALLOW_SEALING;
	f = file_create(i, O_RDWR, c);
	snprintf(shown, sizeof(shown), "/memfd:%s (deleted)", name);
	f->dentry = dentry_create_detached(i, shown);
	f->mount = mount_get(mount_anonymous());
	f->ops = &regular_ops;
	inode_put(i);
	*ret = f;
	return 0;
}
