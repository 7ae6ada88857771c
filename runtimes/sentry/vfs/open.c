/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open(2): find or create, check, make an open file.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/inotify.h>
#include <sys/mount.h>

#include "runtimes/sentry/vfs/device.h"
#include "runtimes/sentry/vfs/notify.h"
#include "runtimes/sentry/vfs/pipe.h"
#include "runtimes/sentry/vfs/walk.h"

/* What F_GETFL never shows. */
#define ONLY_AT_OPEN (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC)
#define LARGEFILE    0100000u /* O_LARGEFILE is 0 where all files are large, but F_GETFL shows it */

static int access_of(unsigned int flags)
{
	static const int may[4] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE,
				    MAY_READ | MAY_WRITE };
	int rc = may[flags & O_ACCMODE];

	return flags & O_TRUNC ? rc | MAY_WRITE : rc;
}

static int check_kind(const struct inode *i, unsigned int flags)
{
	mode_t mode = i->attr.mode;

	if ((flags & O_DIRECTORY) && !S_ISDIR(mode))
		return -ENOTDIR;
	if (flags & O_PATH)
		return 0;
	if (S_ISLNK(mode))
		return -ELOOP;
	if (S_ISDIR(mode) && (access_of(flags) & MAY_WRITE))
		return -EISDIR;
	return S_ISSOCK(mode) ? -ENXIO : 0;
}

static int check_access(const struct path *p, unsigned int flags, const struct cred *c)
{
	struct inode *i = p->dentry->inode;
	int may = access_of(flags), rc;

	if ((may & MAY_WRITE) && S_ISREG(i->attr.mode) && (rc = mount_may_write(p->mount)) < 0)
		return rc;
	rc = inode_permission(i, may, c);
	if (rc < 0)
		return rc;
	if ((flags & O_NOATIME) && !inode_owner_or_capable(i, c))
		return -EPERM;
	return 0;
}

int inode_open_special(struct inode *i, struct file *f)
{
	mode_t mode = i->attr.mode;

	if (S_ISFIFO(mode))
		return pipe_open_fifo(i, f);
	if ((S_ISCHR(mode) || S_ISBLK(mode)) && (f->mount->flags & MS_NODEV))
		return -EACCES;
	return S_ISCHR(mode) ? device_open(i, f) : -ENXIO;
}

static int truncate_new(struct file *f)
{
	struct attr to = { .size = 0 };

	if (!S_ISREG(f->inode->attr.mode))
		return 0;
	if (f->ops->truncate)
		return f->ops->truncate(f, 0);
	return f->inode->ops->setattr ? f->inode->ops->setattr(f->inode, ATTR_SIZE, &to) : -EINVAL;
}

/* open_place() - @created: this open made the file, so its mode does not matter. */
static int open_place(const struct path *p, unsigned int flags, bool created, struct cred *c,
		      struct file **ret)
{
	static const struct file_ops path_only;
	struct inode *i = p->dentry->inode;
	struct file *f;
	int rc = check_kind(i, flags);

	if (rc == 0 && !(flags & O_PATH) && !created && (rc = inode_refresh(i)) == 0)
		rc = check_access(p, flags, c);
	if (rc < 0)
		return rc;
	f = file_create(i, flags, c);
	f->dentry = dentry_get(p->dentry);
	f->mount = mount_get(p->mount);
	f->ops = &path_only;
	if (flags & O_PATH) {
		f->flags = flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW);
		*ret = f;
		return 0;
	}
	rc = i->ops->open ? i->ops->open(i, f) : -ENXIO;
	if (rc == 0 && (flags & O_TRUNC) && !created)
		rc = truncate_new(f);
	if (rc < 0) {
		file_put(f);
		return rc;
	}
	f->flags = (f->flags & ~(unsigned int)ONLY_AT_OPEN) | LARGEFILE;
	notify_inode(i, f->dentry, IN_OPEN);
	*ret = f;
	return 0;
}

/* create_here() - w->last is not there. Preconditions: holds the directory's names lock. */
static int create_here(struct walker *w, struct dentry *d, mode_t mode)
{
	struct inode *dir = w->at.dentry->inode, *i;
	int rc = mount_may_write(w->at.mount);

	if (rc == 0 && w->at.dentry->unlinked)
		rc = -ENOENT;
	if (rc == 0)
		rc = inode_permission(dir, MAY_WRITE | MAY_EXEC, w->cred);
	if (rc < 0)
		return rc;
	if (!dir->ops->create)
		return -EPERM;
	rc = dir->ops->create(dir, d->name, S_IFREG | (mode & 07777), w->cred, &i);
	if (rc < 0)
		return rc;
	names_set(d, i);
	notify_name(dir, IN_CREATE, 0, d->name);
	return 0;
}

/* find_or_create() - Return: 0 with *ret (a reference), *created; or -errno. */
static int find_or_create(struct walker *w, mode_t mode, struct dentry **ret, bool *created)
{
	struct dentry *dir = w->at.dentry;
	struct qname q = walker_last_q(w);
	int rc;

	if (!S_ISDIR(dir->inode->attr.mode))
		return -ENOTDIR;
	rc = inode_permission(dir->inode, MAY_EXEC, w->cred);
	if (rc < 0)
		return rc;
	rc = names_lookup(dir, &q, ret);
	if (rc < 0 || __atomic_load_n(&(*ret)->inode, __ATOMIC_ACQUIRE))
		return rc;
	dentry_put(*ret);
	LOCKED(&dir->inode->names);
	rc = names_lookup_locked(dir, &q, ret);
	if (rc < 0 || (*ret)->inode)
		return rc;
	rc = create_here(w, *ret, mode);
	if (rc < 0)
		dentry_put(*ret);
	*created = rc == 0;
	return rc;
}

/* open_last() - O_CREAT at w->last. Return: 0, 1 a symlink was met, -errno. */
static int open_last(struct walker *w, unsigned int flags, mode_t mode, bool *created)
{
	struct dentry *d;
	int rc;

	if (!w->last_len || walker_last_is_dots(w) || w->must_be_directory)
		return -EISDIR;
	rc = find_or_create(w, mode, &d, created);
	if (rc < 0)
		return rc;
	if (*created)
		return walker_enter(w, d);
	if (flags & O_EXCL) {
		dentry_put(d);
		return -EEXIST;
	}
	if (!S_ISLNK(d->inode->attr.mode) || (flags & O_NOFOLLOW))
		return walker_enter(w, d);
	w->rest = "";
	rc = walker_link(w, d);
	dentry_put(d);
	return rc;
}

static int open_creating(struct walker *w, unsigned int flags, mode_t mode, struct cred *c,
			 struct file **ret)
{
	bool created = false;
	int rc;

	do {
		rc = walker_parents(w);
		if (rc == 0)
			rc = open_last(w, flags, mode, &created);
	} while (rc == 1);
	return rc < 0 ? rc : open_place(&w->at, flags, created, c, ret);
}

/* open_nameless() - O_TMPFILE in the directory w->at. */
static int open_nameless(struct walker *w, unsigned int flags, mode_t mode, struct cred *c,
			 struct file **ret)
{
	struct inode *dir = w->at.dentry->inode, *i;
	struct path p = { .mount = w->at.mount };
	int rc = mount_may_write(w->at.mount);

	if (rc == 0 && !(access_of(flags) & MAY_WRITE))
		rc = -EINVAL;
	if (rc == 0)
		rc = inode_permission(dir, MAY_WRITE | MAY_EXEC, c);
	if (rc < 0)
		return rc;
	if (!dir->ops->tmpfile)
		return -EOPNOTSUPP;
	rc = dir->ops->tmpfile(dir, S_IFREG | (mode & 07777), c, &i);
	if (rc < 0)
		return rc;
	p.dentry = dentry_create_detached(i, "/ (deleted)");
	inode_put(i);
	rc = open_place(&p, flags & ~(unsigned int)O_TMPFILE, true, c, ret);
	dentry_put(p.dentry);
	return rc;
}

static int open_found(struct walker *w, unsigned int flags, struct cred *c, struct file **ret)
{
	int rc;

	do {
		rc = walker_parents(w);
		if (rc == 0)
			rc = walker_last(w, !(flags & O_NOFOLLOW));
	} while (rc == 1);
	if (rc < 0)
		return rc;
	if (w->must_be_directory)
		flags |= O_DIRECTORY;
	return open_place(&w->at, flags, false, c, ret);
}

int vfs_open(struct fs_context *fs, const struct path *start, const char *name, unsigned int flags,
	     mode_t mode, unsigned int walk_flags, struct cred *c, struct file **ret)
{
	bool nameless = (flags & O_TMPFILE) == O_TMPFILE;
	struct walker w;
	int rc;

	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	rc = walker_begin(&w, fs, start, name, walk_flags, c);
	if (rc < 0)
		return rc;
	mode &= ~fs->umask;
	if (nameless) {
		do {
			rc = walker_parents(&w);
			if (rc == 0)
				rc = walker_last(&w, true);
		} while (rc == 1);
		if (rc == 0 && !S_ISDIR(w.at.dentry->inode->attr.mode))
			rc = -ENOTDIR;
		if (rc == 0)
			rc = open_nameless(&w, flags, mode, c, ret);
	} else if (flags & O_CREAT) {
		rc = open_creating(&w, flags, mode, c, ret);
	} else {
		rc = open_found(&w, flags, c, ret);
	}
	walker_end(&w);
	return rc;
}

int vfs_open_path(const struct path *p, unsigned int flags, struct cred *c, struct file **ret)
{
	return open_place(p, flags, false, c, ret);
}

int vfs_truncate(const struct path *p, int64_t length, const struct cred *c)
{
	struct inode *i = p->dentry->inode;
	struct attr to = { .size = (uint64_t)length };
	int rc;

	if (length < 0)
		return -EINVAL;
	if (S_ISDIR(i->attr.mode))
		return -EISDIR;
	if (!S_ISREG(i->attr.mode))
		return -EINVAL;
	rc = mount_may_write(p->mount);
	if (rc == 0)
		rc = inode_refresh(i);
	if (rc == 0)
		rc = inode_permission(i, MAY_WRITE, c);
	if (rc == 0)
		rc = inode_setattr(i, ATTR_SIZE, &to, c);
	if (rc == 0)
		notify_inode(i, p->dentry, IN_MODIFY);
	return rc;
}
