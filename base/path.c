/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths and directory trees.
 */
#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/mem.h"
#include "base/str.h"

#define TREE_MAX_DEPTH 64

char *path_join(const char *a, const char *b)
{
	size_t len = strlen(a);

	while (len > 1 && a[len - 1] == '/')
		len--;
	while (*b == '/')
		b++;
	return xasprintf("%.*s%s%s", (int)len, a, len == 1 && *a == '/' ? "" : "/", b);
}

bool path_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

int path_mkdirs(const char *path, mode_t mode, struct error *err)
{
	char *part cleanup_free = xstrdup(path);
	struct stat st;

	for (char *p = part + 1;; p++) {
		char saved = *p;

		if (saved != '/' && saved != '\0')
			continue;
		*p = '\0';
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return error_errno(err, errno, "mkdir %s", part);
		*p = saved;
		if (saved == '\0')
			break;
	}
	if (stat(path, &st) < 0)
		return error_errno(err, errno, "stat %s", path);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ENOTDIR, "%s is not a directory", path);
	return 0;
}

/* --- removing trees --------------------------------------------------------------------------- */

/*
 * One removal.  Whoever wrote the tree chose how deep it is, and a level costs a descriptor and
 * stack: what lies deeper than TREE_MAX_DEPTH moves up to the top, which is then read again.
 */
struct removal {
	int top;
	dev_t device;
	bool moved;
};

static int remove_entries(struct removal *r, int fd, unsigned int depth, struct error *err);

static int move_up(struct removal *r, int dirfd, const char *name, struct error *err)
{
	char to[33];

	str_random_hex(to, 16);
	if (renameat(dirfd, name, r->top, to) < 0)
		return error_errno(err, errno, "move %s up", name);
	r->moved = true;
	return 0;
}

static int remove_one(struct removal *r, int dirfd, const char *name, unsigned int depth,
		      struct error *err)
{
	struct stat st;
	int fd, rc;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return error_errno(err, errno, "unlink %s", name);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(err, errno, "open %s", name);
	if (fstat(fd, &st) < 0 || (depth > 0 && st.st_dev != r->device)) {
		close(fd);
		return error_set(err, EBUSY, "%s is a mount point", name);
	}
	if (depth == TREE_MAX_DEPTH) {
		close(fd);
		return move_up(r, dirfd, name, err);
	}
	if (depth == 0) {
		r->top = fd;
		r->device = st.st_dev;
	}
	rc = remove_entries(r, fd, depth + 1, err);
	if (rc == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		rc = error_errno(err, errno, "rmdir %s", name);
	return rc;
}

/* remove_entries() - everything below @fd, which it closes. */
static int remove_entries(struct removal *r, int fd, unsigned int depth, struct error *err)
{
	DIR *dir = fdopendir(fd);
	struct dirent *e;
	bool again;
	int rc = 0;

	if (!dir) {
		close(fd);
		return error_errno(err, errno, "opendir");
	}
	do {
		while (rc == 0 && (e = readdir(dir)))
			if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
				rc = remove_one(r, dirfd(dir), e->d_name, depth, err);
		again = rc == 0 && depth == 1 && r->moved;
		if (again) {
			r->moved = false;
			rewinddir(dir);
		}
	} while (again);
	closedir(dir);
	return rc;
}

int path_remove_tree(int dirfd, const char *name, struct error *err)
{
	struct removal r = { .top = -1 };
	struct error why = ERROR_INIT;

	if (remove_one(&r, dirfd, name, 0, &why) < 0) {
		error_copy(err, &why);
		return error_wrap(err, "remove %s", name);
	}
	return 0;
}

/* --- look-up ---------------------------------------------------------------------------------- */

int path_open_in_root(int rootfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned int)flags,
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, rootfd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

int path_open_below(int dirfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned int)(flags | O_CLOEXEC),
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
	};
	long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

bool path_is_clean(const char *path)
{
	if (!path || path[0] != '/')
		return false;
	while (*path) {
		size_t len = strcspn(++path, "/");

		if (len == 0 && (*path || path[-1] != '/'))
			return false;
		if ((len == 1 && path[0] == '.') || (len == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += len;
	}
	return true;
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

char *path_find_program(const char *name)
{
	const char *path = str_or(getenv("PATH"), "/usr/local/sbin:/usr/local/bin:/usr/sbin:"
						  "/usr/bin:/sbin:/bin");

	if (strchr(name, '/'))
		return is_program(name) ? xstrdup(name) : NULL;
	while (*path) {
		size_t len = strcspn(path, ":");
		char *full = xasprintf("%.*s/%s", (int)len, path, name);

		if (len > 0 && is_program(full))
			return full;
		free(full);
		path += len + (path[len] == ':');
	}
	return NULL;
}

char *path_sibling_program(const char *name)
{
	static const char *const places[] = { "", "../libexec/bulkhead/", "../../libexec/bulkhead/",
					      "../../bin/" };
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		*(strrchr(self, '/') + 1) = '\0';
		for (size_t i = 0; i < ARRAY_LEN(places); i++) {
			char *path = xasprintf("%s%s%s", self, places[i], name);

			if (is_program(path))
				return path;
			free(path);
		}
	}
	return path_find_program(name);
}
