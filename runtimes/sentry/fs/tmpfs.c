/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tmpfs: the file system, and files without names in one (memfd_create).
 */
#include "runtimes/sentry/fs/tmpfs_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/statfs.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtimes/sentry/fs/options.h"

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
	rc = tmpfs_inode_new(fs, NULL, S_IFDIR | (a.mode & 07777), NULL, &root);
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
	int rc = tmpfs_inode_new(fs, dir, mode, NULL, &i);

	if (rc < 0)
		return rc;
	i->attr.rdev = dev;
	rc = tmpfs_enter(dir, name, i);
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
	tmpfs_node_of(i)->target = xstrdup(target);
	i->attr.size = strlen(target);
	inode_put(i);
	return 0;
}

struct memfile *tmpfs_memfile(struct inode *i)
{
	return i->ops == &tmpfs_inode_ops && S_ISREG(i->attr.mode) ? &tmpfs_node_of(i)->file : NULL;
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
	int rc = tmpfs_inode_new(memfd_fs(), NULL, S_IFREG | 0777, NULL, &i);

	if (rc < 0)
		return rc;
	i->attr.nlink = 0;
	i->attr.uid = c->fsuid;
	i->attr.gid = c->fsgid;
	tmpfs_node_of(i)->file.pool = pool;
	tmpfs_node_of(i)->file.sealable = flags & MFD_ALLOW_SEALING;
	f = file_create(i, O_RDWR, c);
	snprintf(shown, sizeof(shown), "/memfd:%s (deleted)", name);
	f->dentry = dentry_create_detached(i, shown);
	f->mount = mount_get(mount_anonymous());
	f->ops = &tmpfs_file_ops;
	inode_put(i);
	*ret = f;
	return 0;
}
