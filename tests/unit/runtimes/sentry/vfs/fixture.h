/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small tree of tmpfs for the tests of vfs/ and fs/: root user, one mount, short calls.
 */
#ifndef TESTS_UNIT_SENTRY_VFS_FIXTURE_H
#define TESTS_UNIT_SENTRY_VFS_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "runtimes/sentry/fs/tmpfs.h"
#include "runtimes/sentry/vfs/dentry.h"
#include "tests/unit/tap.h"

struct tree {
	struct cred *root, *user;
	struct mount_namespace *ns;
	struct fs_context *fs;
};

static struct tree tree;

__attribute__((unused)) static void tree_init(const char *options)
{
	struct filesystem *fs;
	struct path root;

	tree.root = cred_create();
	tree.root->effective = ~(uint64_t)0;
	tree.user = cred_create();
	tree.user->uid = tree.user->euid = tree.user->fsuid = 1000;
	tree.user->gid = tree.user->egid = tree.user->fsgid = 1000;
	if (tmpfs_create("tmpfs", options, NULL, &fs) < 0)
		abort();
	tree.ns = mount_namespace_create(fs, 0);
	filesystem_put(fs);
	mount_root(tree.ns, &root);
	tree.fs = fs_context_create(&root);
	tree.fs->umask = 0;
	path_put(&root);
}

__attribute__((unused)) static void tree_finish(void)
{
	fs_context_put(tree.fs);
	mount_namespace_put(tree.ns);
	cred_put(tree.root);
	cred_put(tree.user);
}

/* t_open() - as root. Return: the file, or NULL with errno. */
__attribute__((unused)) static struct file *t_open_as(struct cred *c, const char *name, int flags,
						      mode_t mode)
{
	struct file *f;
	int rc = vfs_open(tree.fs, NULL, name, (unsigned int)flags, mode, 0, c, &f);

	errno = -rc;
	return rc < 0 ? NULL : f;
}

__attribute__((unused)) static struct file *t_open(const char *name, int flags, mode_t mode)
{
	return t_open_as(tree.root, name, flags, mode);
}

/* t_open_errno() - what opening it fails with; 0: it does not. */
__attribute__((unused)) static int t_open_errno(struct cred *c, const char *name, int flags)
{
	struct file *f = t_open_as(c, name, flags, 0600);
	int rc = f ? 0 : -errno;

	file_put(f);
	return rc;
}

__attribute__((unused)) static int t_touch(const char *name, mode_t mode)
{
	struct file *f = t_open(name, O_CREAT | O_WRONLY, mode);

	file_put(f);
	return f ? 0 : -errno;
}

__attribute__((unused)) static int t_mkdir(const char *name, mode_t mode)
{
	return vfs_mkdir(tree.fs, NULL, name, mode, tree.root);
}

__attribute__((unused)) static int t_symlink(const char *target, const char *name)
{
	return vfs_symlink(tree.fs, NULL, name, target, tree.root);
}

__attribute__((unused)) static int t_rename(const char *a, const char *b, unsigned int flags)
{
	return vfs_rename(tree.fs, NULL, a, NULL, b, flags, tree.root);
}

__attribute__((unused)) static int t_unlink(const char *name)
{
	return vfs_unlink(tree.fs, NULL, name, false, tree.root);
}

__attribute__((unused)) static int t_rmdir(const char *name)
{
	return vfs_unlink(tree.fs, NULL, name, true, tree.root);
}

/* t_walk() - Return: 0 with a place, or -errno. */
__attribute__((unused)) static int t_walk(const char *name, unsigned int flags, struct path *ret)
{
	struct walk w;
	int rc = path_walk(tree.fs, NULL, name, flags, tree.root, &w);

	if (rc == 0)
		*ret = w.path;
	return rc;
}

__attribute__((unused)) static int t_stat(const char *name, struct stat *st)
{
	struct path p;
	int rc = t_walk(name, WALK_NOFOLLOW, &p);

	if (rc < 0)
		return rc;
	rc = inode_stat(p.dentry->inode, st);
	path_put(&p);
	return rc;
}

/* t_exists() - 0 or why not. */
__attribute__((unused)) static int t_exists(const char *name)
{
	struct stat st;

	return t_stat(name, &st);
}

__attribute__((unused)) static ssize_t t_write(struct file *f, const char *text)
{
	struct iovec iov;
	struct uio u = uio_of_buffer(&iov, (char *)text, strlen(text));

	return file_write(f, &u);
}

/* t_read() - as a string. */
__attribute__((unused)) static ssize_t t_read(struct file *f, char *buf, size_t size)
{
	struct iovec iov;
	struct uio u = uio_of_buffer(&iov, buf, size - 1);
	ssize_t n = file_read(f, &u);

	buf[n > 0 ? n : 0] = 0;
	return n;
}

/* t_path() - the name of a place as the root sees it; in a static buffer. */
__attribute__((unused)) static const char *t_path(const struct path *p)
{
	static char buf[4096];
	struct path root;

	fs_context_root(tree.fs, &root);
	if (vfs_path_string(p, &root, buf, sizeof(buf)) < 0)
		strcpy(buf, "?");
	path_put(&root);
	return buf;
}

#endif
