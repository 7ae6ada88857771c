/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on names: making, removing, moving, listing; root and working directory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>

#include "runtimes/sentry/sys/file_at.h"
#include "runtimes/sentry/sys/files.h"

#define CWD ((uint64_t)AT_FDCWD)

static long mkdir_at(struct task *t, uint64_t dirfd, uint64_t name, uint64_t mode)
{
	struct at at AT_UNSET;
	int rc = at_fetch(t, dirfd, name, &at);

	if (rc < 0)
		return rc;
	rc = vfs_mkdir(t->fs, at_start(&at), at.name, (mode_t)mode, t->cred);
	at_end(&at);
	return rc;
}

long sys_mkdir(struct task *t, const uint64_t a[6])
{
	return mkdir_at(t, CWD, a[0], a[1]);
}

long sys_mkdirat(struct task *t, const uint64_t a[6])
{
	return mkdir_at(t, a[0], a[1], a[2]);
}

static long unlink_at(struct task *t, uint64_t dirfd, uint64_t name, bool directory)
{
	struct at at AT_UNSET;
	int rc = at_fetch(t, dirfd, name, &at);

	if (rc < 0)
		return rc;
	rc = vfs_unlink(t->fs, at_start(&at), at.name, directory, t->cred);
	at_end(&at);
	return rc;
}

long sys_rmdir(struct task *t, const uint64_t a[6])
{
	return unlink_at(t, CWD, a[0], true);
}

long sys_unlink(struct task *t, const uint64_t a[6])
{
	return unlink_at(t, CWD, a[0], false);
}

long sys_unlinkat(struct task *t, const uint64_t a[6])
{
	if (a[2] & ~(uint64_t)AT_REMOVEDIR)
		return -EINVAL;
	return unlink_at(t, a[0], a[1], a[2] & AT_REMOVEDIR);
}

static long rename_at(struct task *t, uint64_t old_fd, uint64_t old, uint64_t new_fd, uint64_t new,
		      uint64_t flags)
{
	struct at from AT_UNSET, to AT_UNSET;
	int rc = at_fetch(t, old_fd, old, &from);

	if (rc < 0)
		return rc;
	rc = at_fetch(t, new_fd, new, &to);
	if (rc == 0) {
		rc = vfs_rename(t->fs, at_start(&from), from.name, at_start(&to), to.name,
				(unsigned int)flags, t->cred);
		at_end(&to);
	}
	at_end(&from);
	return rc;
}

long sys_rename(struct task *t, const uint64_t a[6])
{
	return rename_at(t, CWD, a[0], CWD, a[1], 0);
}

long sys_renameat(struct task *t, const uint64_t a[6])
{
	return rename_at(t, a[0], a[1], a[2], a[3], 0);
}

long sys_renameat2(struct task *t, const uint64_t a[6])
{
	return rename_at(t, a[0], a[1], a[2], a[3], a[4]);
}

static long link_at(struct task *t, uint64_t old_fd, uint64_t old, uint64_t new_fd, uint64_t new,
		    uint64_t flags)
{
	struct at to AT_UNSET;
	struct place p;
	int rc;

	if (flags & ~(uint64_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	rc = place_find(t, old_fd, old, flags & AT_SYMLINK_FOLLOW, flags & AT_EMPTY_PATH, &p);
	if (rc < 0)
		return rc;
	rc = at_fetch(t, new_fd, new, &to);
	if (rc == 0) {
		rc = p.path.dentry ? vfs_link(t->fs, &p.path, at_start(&to), to.name, t->cred)
				   : -EXDEV;
		at_end(&to);
	}
	place_end(&p);
	return rc;
}

long sys_link(struct task *t, const uint64_t a[6])
{
	return link_at(t, CWD, a[0], CWD, a[1], 0);
}

long sys_linkat(struct task *t, const uint64_t a[6])
{
	return link_at(t, a[0], a[1], a[2], a[3], a[4]);
}

static long symlink_at(struct task *t, uint64_t target, uint64_t dirfd, uint64_t name)
{
	char text[4096] AT_UNSET;
	struct at at AT_UNSET;
	int rc = sys_path(t, target, text);

	if (rc < 0)
		return rc;
	rc = at_fetch(t, dirfd, name, &at);
	if (rc < 0)
		return rc;
	rc = vfs_symlink(t->fs, at_start(&at), at.name, text, t->cred);
	at_end(&at);
	return rc;
}

long sys_symlink(struct task *t, const uint64_t a[6])
{
	return symlink_at(t, a[0], CWD, a[1]);
}

long sys_symlinkat(struct task *t, const uint64_t a[6])
{
	return symlink_at(t, a[0], a[1], a[2]);
}

static long mknod_at(struct task *t, uint64_t dirfd, uint64_t name, uint64_t mode, uint64_t dev)
{
	struct at at AT_UNSET;
	int rc;

	switch (mode & S_IFMT) {
	case 0:
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	rc = at_fetch(t, dirfd, name, &at);
	if (rc < 0)
		return rc;
	rc = vfs_mknod(t->fs, at_start(&at), at.name, (mode_t)mode, dev, t->cred, NULL);
	at_end(&at);
	return rc;
}

long sys_mknod(struct task *t, const uint64_t a[6])
{
	return mknod_at(t, CWD, a[0], a[1], a[2]);
}

long sys_mknodat(struct task *t, const uint64_t a[6])
{
	return mknod_at(t, a[0], a[1], a[2], a[3]);
}

/* --- listing --- */

#define DENTS_BYTES (32u << 10) /* what libraries ask for; more is given in parts */
#define PAGE_BYTES  4096u

/* Entries on their way: gathered here, as no guest memory is touched under locks. */
struct dents {
	char *buf;
	size_t size, used;
	bool old; /* getdents(2): the type stands in the last byte */
	int rc;
};

static int add_dent(void *data, const char *name, uint64_t ino, unsigned int type, int64_t next_pos)
{
	struct dents *d = data;
	size_t len = strlen(name), header = d->old ? 18 : 19;
	size_t reclen = (header + len + (d->old ? 2 : 1) + 7) & ~(size_t)7;
	char *to = d->buf + d->used;
	uint16_t reclen16 = (uint16_t)reclen;

	if (reclen > d->size - d->used) {
		if (!d->used)
			d->rc = -EINVAL;
		return 1;
	}
	memset(to, 0, reclen);
	memcpy(to, &ino, 8);
	memcpy(to + 8, &next_pos, 8);
	memcpy(to + 16, &reclen16, 2);
	if (d->old)
		to[reclen - 1] = (char)type;
	else
		to[18] = (char)type;
	memcpy(to + header, name, len);
	d->used += reclen;
	return 0;
}

static int read_directory(struct file *f, struct dents *d, int64_t *ret_before)
{
	int64_t before;
	int rc;

	if (!f->ops->readdir)
		return -ENOTDIR;
	LOCKED(&f->lock);
	before = f->pos;
	rc = f->ops->readdir(f, &f->pos, add_dent, d);
	if (rc < 0)
		f->pos = before;
	*ret_before = before;
	return rc < 0 ? rc : d->rc;
}

/* list_to() - at most @size bytes by way of our own memory; the position stays where they end. */
static long list_to(struct task *t, struct file *f, struct dents *d, uint64_t to, size_t size)
{
	cleanup_free char *buf = xmalloc(MAX(size, 1));
	int64_t before;
	long rc;

	d->buf = buf;
	d->size = size;
	d->used = 0;
	rc = read_directory(f, d, &before);
	if (rc == 0 && sys_copy_out(t, to, buf, d->used) < 0) {
		file_seek(f, before, SEEK_SET);
		return -EFAULT;
	}
	return rc;
}

static long list(struct task *t, const uint64_t a[6], bool old)
{
	struct dents d = { .old = old, .size = MIN((unsigned int)a[2], DENTS_BYTES) };
	struct file *f = sys_file(t, (int)a[0]);
	size_t in_page = PAGE_BYTES - a[1] % PAGE_BYTES;
	int64_t before;
	long rc;

	if (!f)
		return -EBADF;
	d.buf = stub_window(t->stub, a[1], d.size, true);
	if (d.buf)
		rc = read_directory(f, &d, &before);
	else
		rc = list_to(t, f, &d, a[1], d.size);
	/* Entries before a bad address count, if there are any. */
	if (rc == -EFAULT && d.used > in_page && list_to(t, f, &d, a[1], in_page) == 0)
		rc = 0;
	file_put(f);
	return rc < 0 ? rc : (long)d.used;
}

long sys_getdents(struct task *t, const uint64_t a[6])
{
	return list(t, a, true);
}

long sys_getdents64(struct task *t, const uint64_t a[6])
{
	return list(t, a, false);
}

/* --- root and working directory --- */

/* check_directory() - @p is a directory that may be searched. */
static int check_directory(struct task *t, const struct place *p)
{
	if (!S_ISDIR(p->inode->attr.mode) || !p->path.dentry)
		return -ENOTDIR;
	return inode_permission(p->inode, MAY_EXEC, t->cred);
}

long sys_chdir(struct task *t, const uint64_t a[6])
{
	struct place p;
	int rc = place_find(t, CWD, a[0], true, false, &p);

	if (rc < 0)
		return rc;
	rc = check_directory(t, &p);
	if (rc == 0)
		fs_context_set_cwd(t->fs, &p.path);
	place_end(&p);
	return rc;
}

long sys_fchdir(struct task *t, const uint64_t a[6])
{
	struct place p;
	int rc = place_of_fd(t, a[0], true, &p);

	if (rc < 0)
		return rc;
	rc = check_directory(t, &p);
	if (rc == 0)
		fs_context_set_cwd(t->fs, &p.path);
	place_end(&p);
	return rc;
}

long sys_chroot(struct task *t, const uint64_t a[6])
{
	struct place p;
	int rc = place_find(t, CWD, a[0], true, false, &p);

	if (rc < 0)
		return rc;
	rc = check_directory(t, &p);
	if (rc == 0 && !cred_has(t->cred, CAP_SYS_CHROOT))
		rc = -EPERM;
	if (rc == 0)
		fs_context_set_root(t->fs, &p.path);
	place_end(&p);
	return rc;
}

long sys_getcwd(struct task *t, const uint64_t a[6])
{
	char name[4096] AT_UNSET;
	struct path root, cwd;
	ssize_t len;
	long rc;

	fs_context_root(t->fs, &root);
	fs_context_cwd(t->fs, &cwd);
	len = vfs_path_string(&cwd, &root, name, sizeof(name));
	if (cwd.dentry->unlinked)
		len = -ENOENT;
	path_put(&root);
	path_put(&cwd);
	if (len < 0)
		return len;
	if ((uint64_t)len + 1 > a[1])
		return -ERANGE;
	rc = sys_copy_out(t, a[0], name, (size_t)len + 1);
	return rc < 0 ? rc : len + 1;
}
