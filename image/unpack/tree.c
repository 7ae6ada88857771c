/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names inside the layer's directory, never outside it.
 *
 * Every path from the archive is walked by openat2(BENEATH, NO_SYMLINKS): a layer cannot reach
 * out of its directory even if the process could.  An entry below a symlink is refused, as its
 * place depends on the layers under it.
 *
 * Whiteouts follow the image spec: they speak of lower layers only, in whatever order entries
 * come.  So a name that is in this layer too keeps what this layer has; if that is a directory,
 * it becomes opaque, which says the same.  An overlay mounted userxattr lists whiteouts in a
 * directory with nothing to merge, unless that has an (empty) origin mark: see storage/overlay.c.
 */
#include "image/unpack/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"

#define DEPTH_MAX 512

void tree_init(struct tree *t, int root)
{
	t->root = root;
	t->parent = -1;
	t->cached[0] = '\0';
}

static void forget(struct tree *t)
{
	close_fd(&t->parent);
	t->cached[0] = '\0';
}

void tree_finish(struct tree *t)
{
	forget(t);
}

int tree_clean(const char *raw, char out[PATH_MAX], struct error *err)
{
	size_t used = 0, depth = 0;

	for (const char *p = raw; *p;) {
		size_t len = strcspn(p, "/");

		if (len == 2 && p[0] == '.' && p[1] == '.')
			return error_set(err, EINVAL, "leaves the layer");
		if (len > NAME_MAX)
			return error_set(err, ENAMETOOLONG, "a name of %zu bytes, more than %d",
					 len, NAME_MAX);
		if (len > 0 && !(len == 1 && p[0] == '.')) {
			if (used + len + 2 > PATH_MAX || ++depth > DEPTH_MAX)
				return error_set(err, ENAMETOOLONG, "path too long or too deep");
			if (used)
				out[used++] = '/';
			memcpy(out + used, p, len);
			used += len;
		}
		p += len;
		p += *p == '/';
	}
	out[used] = '\0';
	return 0;
}

/* --- directories ------------------------------------------------------------------------------ */

static int open_beneath(int dirfd, const char *path)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static int dir_error(int errnum, const char *path, struct error *err)
{
	if (errnum == ELOOP)
		return error_set(err, ELOOP, "'%.200s' passes through a symbolic link", path);
	if (errnum == ENOTDIR)
		return error_set(err, ENOTDIR, "'%.200s' passes through what is not a directory",
				 path);
	return error_errno(err, errnum, "open directory '%.200s'", path);
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* replaceable() - a directory may be made at @name: nothing is there, or a whiteout. */
static bool replaceable(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || is_whiteout(&st);
}

/* make_dirs() - open @path from the root, making what is missing. */
static int make_dirs(struct tree *t, const char *path, struct error *err)
{
	char name[NAME_MAX + 1];
	int at = -1, next, rc;

	while (*path) {
		int from = at < 0 ? t->root : at;
		size_t len = strcspn(path, "/");

		memcpy(name, path, MIN(len, NAME_MAX));
		name[MIN(len, NAME_MAX)] = '\0';
		next = open_beneath(from, name);
		if ((next == -ENOENT || next == -ENOTDIR) && replaceable(from, name)) {
			rc = tree_mkdir(t, from, name, err);
			next = rc < 0 ? rc : open_beneath(from, name);
		}
		close_fd(&at);
		if (next < 0)
			return next;
		at = next;
		path += len + (path[len] == '/');
	}
	return at;
}

/* enter() - the parent of @path, from the cache when entries come in order. */
static int enter(struct tree *t, const char *path, bool make, const char **ret_name,
		 struct error *err)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	char dir[PATH_MAX];
	int fd;

	*ret_name = slash ? slash + 1 : path;
	if (len == 0)
		return t->root;
	memcpy(dir, path, len);
	dir[len] = '\0';
	if (t->parent >= 0 && str_eq(t->cached, dir))
		return t->parent;
	fd = open_beneath(t->root, dir);
	if (make && (fd == -ENOENT || fd == -ENOTDIR)) {
		struct error why = ERROR_INIT;

		fd = make_dirs(t, dir, &why);
		if (fd < 0 && why.code)
			return error_copy(err, &why);
	}
	if (fd < 0)
		return dir_error(-fd, dir, err);
	forget(t);
	t->parent = fd;
	memcpy(t->cached, dir, len + 1);
	return fd;
}

int tree_parent(struct tree *t, const char *path, const char **ret_name, struct error *err)
{
	return enter(t, path, true, ret_name, err);
}

int tree_find(struct tree *t, const char *path, const char **ret_name, struct error *err)
{
	return enter(t, path, false, ret_name, err);
}

int tree_open_dir(struct tree *t, const char *path, struct error *err)
{
	int fd = open_beneath(t->root, *path ? path : ".");

	return fd < 0 ? dir_error(-fd, path, err) : fd;
}

/* --- names ------------------------------------------------------------------------------------ */

int tree_remove(struct tree *t, int dirfd, const char *name, bool *ret_whiteout, struct error *err)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_errno(err, errno, "look up the old entry");
	*ret_whiteout = is_whiteout(&st);
	if (!S_ISDIR(st.st_mode))
		return unlinkat(dirfd, name, 0) < 0
			       ? error_errno(err, errno, "remove the old entry")
			       : 0;
	if (dirfd != t->parent)
		forget(t); /* what is cached may be below */
	return path_remove_tree(dirfd, name, err);
}

int tree_mkdir(struct tree *t, int dirfd, const char *name, struct error *err)
{
	bool whiteout = false;
	struct stat st;
	int rc;

	if (mkdirat(dirfd, name, 0755) == 0)
		return 0;
	if (errno != EEXIST)
		return error_errno(err, errno, "mkdir '%s'", name);
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		return 0;
	rc = tree_remove(t, dirfd, name, &whiteout, err);
	if (rc < 0)
		return rc;
	if (mkdirat(dirfd, name, 0755) < 0)
		return error_errno(err, errno, "mkdir '%s'", name);
	if (whiteout) {
		int fd cleanup_close = open_beneath(dirfd, name);

		return fd < 0 ? dir_error(-fd, name, err) : tree_opaque(fd, err);
	}
	return 0;
}

int tree_whiteout(int dirfd, const char *name, struct error *err)
{
	struct stat st;

	if (fgetxattr(dirfd, TREE_OPAQUE, NULL, 0) > 0)
		return 0; /* nothing below shows anyway */
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		int fd cleanup_close = -1;

		if (!S_ISDIR(st.st_mode))
			return 0;
		fd = open_beneath(dirfd, name);
		return fd < 0 ? dir_error(-fd, name, err) : tree_opaque(fd, err);
	}
	if (mknodat(dirfd, name, S_IFCHR, 0) < 0)
		return error_errno(err, errno, "make the whiteout");
	if (fsetxattr(dirfd, TREE_ORIGIN, "", 0, 0) < 0)
		return error_errno(err, errno, "set " TREE_ORIGIN);
	return 0;
}

/* drop_whiteouts() - those that came before the opaque mark: they would be listed. */
static int drop_whiteouts(int dirfd, struct error *err)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;

	if (!dir) {
		close_fd(&fd);
		return error_errno(err, errno, "list the opaque directory");
	}
	while ((e = readdir(dir)))
		if (e->d_type == DT_CHR && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    is_whiteout(&st))
			unlinkat(fd, e->d_name, 0);
	closedir(dir);
	return 0;
}

int tree_opaque(int dirfd, struct error *err)
{
	if (fsetxattr(dirfd, TREE_OPAQUE, "y", 1, 0) < 0)
		return error_errno(err, errno, "set " TREE_OPAQUE);
	return drop_whiteouts(dirfd, err);
}
