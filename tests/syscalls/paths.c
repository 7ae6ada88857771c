/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every call on a name says about a bad one: one row a call.
 *
 * Each row is asked for a name whose parent is absent, is a file, a loop of links, closed to us;
 * one that is too long; one that runs into a page that is not ours; and, where it changes
 * something, one on a mount that is read-only.
 */
#include <linux/openat2.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#include "tests/syscalls/file_dirs.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

enum {
	AT = 1 << 0,	  /* begins at a descriptor */
	MAKES = 1 << 1,	  /* EEXIST for what is there */
	CHANGES = 1 << 2, /* EROFS */
	ROOT = 1 << 3,	  /* who is not root is refused before the name is looked at */
};

typedef long name_fn(int dir, const char *p);

static int watcher;
static struct open_how how_create = { .flags = O_RDWR | O_CREAT, .mode = 0600 };
static char *no_strings[] = { NULL };

/* NAMED() - a call by its number, with what stands where the name is not. */
#define NAMED(call, ...)                              \
	static long do_##call(int dir, const char *p) \
	{                                             \
		(void)dir;                            \
		return CALL(SYS_##call, __VA_ARGS__); \
	}

NAMED(open, p, O_RDWR)
NAMED(creat, p, 0600)
NAMED(stat, p, &(struct stat){ 0 })
NAMED(lstat, p, &(struct stat){ 0 })
NAMED(access, p, W_OK)
NAMED(chdir, p)
NAMED(chroot, p)
NAMED(mkdir, p, 0700)
NAMED(rmdir, p)
NAMED(unlink, p)
NAMED(rename, p, "renamed")
NAMED(link, p, "linked")
NAMED(symlink, "to", p)
NAMED(readlink, p, (char[8]){ 0 }, 8)
NAMED(chmod, p, 0600)
NAMED(chown, p, 0, 0)
NAMED(lchown, p, 0, 0)
NAMED(truncate, p, 0L)
NAMED(utime, p, NULL)
NAMED(utimes, p, NULL)
NAMED(mknod, p, S_IFREG | 0600, 0)
NAMED(statfs, p, &(struct statfs){ 0 })
NAMED(setxattr, p, "user.x", "1", 1, 0)
NAMED(lsetxattr, p, "user.x", "1", 1, 0)
NAMED(getxattr, p, "user.x", (char[8]){ 0 }, 8)
NAMED(lgetxattr, p, "user.x", (char[8]){ 0 }, 8)
NAMED(listxattr, p, (char[8]){ 0 }, 8)
NAMED(llistxattr, p, (char[8]){ 0 }, 8)
NAMED(removexattr, p, "user.x")
NAMED(lremovexattr, p, "user.x")
NAMED(execve, p, no_strings, no_strings)
NAMED(inotify_add_watch, watcher, p, IN_OPEN)
NAMED(mount, "none", p, "tmpfs", 0, NULL)
NAMED(umount2, p, 0)
NAMED(pivot_root, p, p)
NAMED(openat, dir, p, O_RDWR)
NAMED(openat2, dir, p, &how_create, sizeof(how_create))
NAMED(newfstatat, dir, p, &(struct stat){ 0 }, 0)
NAMED(statx, dir, p, 0, STATX_BASIC_STATS, &(struct statx){ 0 })
NAMED(faccessat, dir, p, W_OK)
NAMED(faccessat2, dir, p, W_OK, AT_EACCESS)
NAMED(mkdirat, dir, p, 0700)
NAMED(unlinkat, dir, p, 0)
NAMED(renameat, dir, p, dir, "renamed")
NAMED(renameat2, dir, p, dir, "renamed", 0)
NAMED(linkat, dir, p, dir, "linked", 0)
NAMED(symlinkat, "to", dir, p)
NAMED(readlinkat, dir, p, (char[8]){ 0 }, 8)
NAMED(fchmodat, dir, p, 0600)
NAMED(fchmodat2, dir, p, 0600, 0)
NAMED(fchownat, dir, p, 0, 0, 0)
NAMED(futimesat, dir, p, NULL)
NAMED(utimensat, dir, p, NULL, 0)
NAMED(mknodat, dir, p, S_IFREG | 0600, 0)
NAMED(execveat, dir, p, no_strings, no_strings, 0)

#define ROW(call, flags)                \
	{                               \
#call, do_##call, flags \
	}
static const struct row {
	const char *name;
	name_fn *fn;
	unsigned int flags;
} rows[] = {
	ROW(open, CHANGES),
	ROW(creat, CHANGES),
	ROW(stat, 0),
	ROW(lstat, 0),
	ROW(access, CHANGES),
	ROW(chdir, 0),
	ROW(chroot, 0),
	ROW(mkdir, MAKES | CHANGES),
	ROW(rmdir, CHANGES),
	ROW(unlink, CHANGES),
	ROW(rename, 0),
	ROW(link, 0),
	ROW(symlink, MAKES | CHANGES),
	ROW(readlink, 0),
	ROW(chmod, CHANGES),
	ROW(chown, CHANGES),
	ROW(lchown, CHANGES),
	ROW(truncate, CHANGES),
	ROW(utime, CHANGES),
	ROW(utimes, CHANGES),
	ROW(mknod, MAKES | CHANGES),
	ROW(statfs, 0),
	ROW(setxattr, CHANGES),
	ROW(lsetxattr, CHANGES),
	ROW(getxattr, 0),
	ROW(lgetxattr, 0),
	ROW(listxattr, 0),
	ROW(llistxattr, 0),
	ROW(removexattr, CHANGES),
	ROW(lremovexattr, CHANGES),
	ROW(execve, 0),
	ROW(inotify_add_watch, 0),
	ROW(mount, ROOT),
	ROW(umount2, ROOT),
	ROW(pivot_root, ROOT),
	ROW(openat, AT | CHANGES),
	ROW(openat2, AT | CHANGES),
	ROW(newfstatat, AT),
	ROW(statx, AT),
	ROW(faccessat, AT | CHANGES),
	ROW(faccessat2, AT | CHANGES),
	ROW(mkdirat, AT | MAKES | CHANGES),
	ROW(unlinkat, AT | CHANGES),
	ROW(renameat, AT),
	ROW(renameat2, AT),
	ROW(linkat, AT),
	ROW(symlinkat, AT | MAKES | CHANGES),
	ROW(readlinkat, AT),
	ROW(fchmodat, AT | CHANGES),
	ROW(fchmodat2, AT | CHANGES),
	ROW(fchownat, AT | CHANGES),
	ROW(futimesat, AT | CHANGES),
	ROW(utimensat, AT | CHANGES),
	ROW(mknodat, AT | MAKES | CHANGES),
	ROW(execveat, AT),
};

static char long_name[300], long_path[PATH_MAX + 2];

static void test_row(const struct row *r)
{
	char *end = edge(8);
	int file;

	is(r->fn(AT_FDCWD, "none/x"), -ENOENT, "%s: %s: ENOENT", on_what, r->name);
	is(r->fn(AT_FDCWD, ""), -ENOENT, "%s: %s of nothing: ENOENT", on_what, r->name);
	is(r->fn(AT_FDCWD, "file/x"), -ENOTDIR, "%s: %s: ENOTDIR", on_what, r->name);
	is(r->fn(AT_FDCWD, "loop/x"), -ELOOP, "%s: %s: ELOOP", on_what, r->name);
	is(r->fn(AT_FDCWD, long_name), -ENAMETOOLONG, "%s: %s: ENAMETOOLONG", on_what, r->name);
	is(r->fn(AT_FDCWD, long_path), -ENAMETOOLONG, "%s: %s of a long path", on_what, r->name);
	memcpy(end, "file/xyz", 8);
	is(r->fn(AT_FDCWD, end), -EFAULT, "%s: %s: EFAULT", on_what, r->name);
	if (!(r->flags & ROOT))
		is(as_user(_exit(r->fn(AT_FDCWD, "closed/x") != -EACCES)), 0, "%s: %s: EACCES",
		   on_what, r->name);
	if (r->flags & MAKES)
		is(r->fn(AT_FDCWD, "file"), -EEXIST, "%s: %s: EEXIST", on_what, r->name);
	if (r->flags & CHANGES)
		is(r->fn(AT_FDCWD, r->flags & MAKES	      ? "ro/new"
				   : strcmp(r->name, "rmdir") ? "ro/f"
							      : "ro/d"),
		   -EROFS, "%s: %s: EROFS", on_what, r->name);
	if (!(r->flags & AT))
		return;
	file = open("file", O_RDONLY);
	is(r->fn(99, "x"), -EBADF, "%s: %s: EBADF", on_what, r->name);
	is(r->fn(file, "x"), -ENOTDIR, "%s: %s from a file: ENOTDIR", on_what, r->name);
	close(file);
}

static void prepare(void)
{
	close(t_file("file", "text"));
	symlink("loop", "loop");
	mkdir("closed", 0700);
	mkdir("source", 0755);
	close(t_file("source/f", "text"));
	mkdir("source/d", 0755);
	mkdir("ro", 0755);
	mkdir("rw", 0755);
	if (mount("source", "rw", NULL, MS_BIND, NULL) ||
	    mount("source", "ro", NULL, MS_BIND, NULL) ||
	    mount(NULL, "ro", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOEXEC, NULL))
		ok(false, "%s: a read-only mount: %s", on_what, strerror(errno));
	chmod(".", 0755);
	memset(long_name, 'n', sizeof(long_name) - 1);
	memset(long_path, '/', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 2] = 'x';
}

/* Calls with two names: the second one. */
static void test_second(void)
{
	static const char *const bad[] = { "none/x", "file/x", "loop/x", long_name };
	static const int want[] = { -ENOENT, -ENOTDIR, -ELOOP, -ENAMETOOLONG };
	int dir = open(".", O_RDONLY);

	for (size_t n = 0; n < ARRAY_LEN(bad); n++) {
		is(CALL(SYS_rename, "file", bad[n]), want[n], "%s: rename to %.6s", on_what,
		   bad[n]);
		is(CALL(SYS_renameat, dir, "file", dir, bad[n]), want[n], "%s: renameat to %.6s",
		   on_what, bad[n]);
		is(CALL(SYS_renameat2, dir, "file", dir, bad[n], 0), want[n],
		   "%s: renameat2 to %.6s", on_what, bad[n]);
		is(CALL(SYS_link, "file", bad[n]), want[n], "%s: link to %.6s", on_what, bad[n]);
		is(CALL(SYS_linkat, dir, "file", dir, bad[n], 0), want[n], "%s: linkat to %.6s",
		   on_what, bad[n]);
	}
	is(CALL(SYS_rename, "ro/f", "ro/g"), -EROFS, "%s: rename: EROFS", on_what);
	is(CALL(SYS_renameat, dir, "ro/f", dir, "ro/g"), -EROFS, "%s: renameat: EROFS", on_what);
	is(CALL(SYS_renameat2, dir, "ro/f", dir, "ro/g", 0), -EROFS, "%s: renameat2: EROFS",
	   on_what);
	is(CALL(SYS_link, "ro/f", "ro/g"), -EROFS, "%s: link: EROFS", on_what);
	is(CALL(SYS_linkat, dir, "ro/f", dir, "ro/g", 0), -EROFS, "%s: linkat: EROFS", on_what);
	is(CALL(SYS_rename, "file", "ro/g"), -EXDEV, "%s: rename to another mount: EXDEV", on_what);
	is(CALL(SYS_renameat, dir, "file", dir, "ro/g"), -EXDEV, "%s: renameat: EXDEV", on_what);
	is(CALL(SYS_renameat2, dir, "file", dir, "ro/g", 0), -EXDEV, "%s: renameat2: EXDEV",
	   on_what);
	is(CALL(SYS_link, "file", "ro/g"), -EROFS, "%s: link to a read-only one: EROFS", on_what);
	is(CALL(SYS_link, "file", "rw/g"), -EXDEV, "%s: link: EXDEV", on_what);
	is(CALL(SYS_linkat, dir, "file", dir, "rw/g", 0), -EXDEV, "%s: linkat: EXDEV", on_what);
	is(CALL(SYS_link, "file", "source/f"), -EEXIST, "%s: link: EEXIST", on_what);
	is(CALL(SYS_linkat, dir, "file", dir, "source/f", 0), -EEXIST, "%s: linkat: EEXIST",
	   on_what);
	is(CALL(SYS_link, "source", "x"), -EPERM, "%s: link of a directory: EPERM", on_what);
	is(CALL(SYS_linkat, dir, "source", dir, "x", 0), -EPERM, "%s: linkat: EPERM", on_what);
	is(CALL(SYS_linkat, dir, "file", dir, "x", 1), -EINVAL, "%s: linkat: EINVAL", on_what);
	is(CALL(SYS_rename, "file", edge(0)), -EFAULT, "%s: rename to nowhere: EFAULT", on_what);
	is(CALL(SYS_symlink, edge(0), "x"), -EFAULT, "%s: symlink to nowhere: EFAULT", on_what);
	close(dir);
}

/* What names of directories and of what stands in them are refused. */
static void test_removing(void)
{
	int dir = open(".", O_RDONLY);

	is(CALL(SYS_unlink, "source"), -EISDIR, "%s: unlink of a directory: EISDIR", on_what);
	is(CALL(SYS_unlinkat, dir, "source", 0), -EISDIR, "%s: unlinkat: EISDIR", on_what);
	is(CALL(SYS_rmdir, "source"), -ENOTEMPTY, "%s: rmdir: ENOTEMPTY", on_what);
	is(CALL(SYS_unlinkat, dir, "source", AT_REMOVEDIR), -ENOTEMPTY, "%s: unlinkat: ENOTEMPTY",
	   on_what);
	is(CALL(SYS_unlinkat, dir, "file", 1), -EINVAL, "%s: unlinkat: EINVAL", on_what);
	is(CALL(SYS_rmdir, "ro"), -EBUSY, "%s: rmdir of a mount point: EBUSY", on_what);
	is(CALL(SYS_unlinkat, dir, "ro", AT_REMOVEDIR), -EBUSY, "%s: unlinkat: EBUSY", on_what);
	is(CALL(SYS_renameat, dir, "ro", dir, "x"), -EBUSY, "%s: renameat: EBUSY", on_what);
	is(CALL(SYS_renameat2, dir, "ro", dir, "x", 0), -EBUSY, "%s: renameat2: EBUSY", on_what);
	is(CALL(SYS_rmdir, "source/."), -EINVAL, "%s: rmdir of .: EINVAL", on_what);
	is(CALL(SYS_renameat, dir, "file", dir, "source"), -EISDIR, "%s: renameat: EISDIR",
	   on_what);
	is(CALL(SYS_renameat2, dir, "file", dir, "source", 0), -EISDIR, "%s: renameat2: EISDIR",
	   on_what);
	mkdir("empty", 0755);
	is(CALL(SYS_renameat, dir, "empty", dir, "source"), -ENOTEMPTY, "%s: renameat: ENOTEMPTY",
	   on_what);
	is(CALL(SYS_renameat2, dir, "empty", dir, "source", 0), -ENOTEMPTY,
	   "%s: renameat2: ENOTEMPTY", on_what);
	is(CALL(SYS_renameat, dir, "source", dir, "source/d/x"), -EINVAL, "%s: renameat: EINVAL",
	   on_what);
	is(CALL(SYS_renameat, dir, "file", 99, "x"), -EBADF, "%s: renameat to a bad one: EBADF",
	   on_what);
	close(dir);
}

/* A directory with the sticky bit: others' files stay. */
static void test_sticky(void)
{
	mkdir("sticky", 0755);
	chmod("sticky", 01777);
	close(t_file("sticky/f", ""));
	mkdir("sticky/d", 0755);
	is(as_user(_exit(CALL(SYS_unlink, "sticky/f") != -EPERM)), 0, "%s: unlink: EPERM", on_what);
	is(as_user(_exit(CALL(SYS_unlinkat, AT_FDCWD, "sticky/f", 0) != -EPERM)), 0,
	   "%s: unlinkat: EPERM", on_what);
	is(as_user(_exit(CALL(SYS_rmdir, "sticky/d") != -EPERM)), 0, "%s: rmdir: EPERM", on_what);
	is(as_user(_exit(CALL(SYS_rename, "sticky/f", "sticky/g") != -EPERM)), 0,
	   "%s: rename: EPERM", on_what);
	is(as_user(_exit(CALL(SYS_renameat, AT_FDCWD, "sticky/f", AT_FDCWD, "sticky/g") != -EPERM)),
	   0, "%s: renameat: EPERM", on_what);
	is(as_user(_exit(CALL(SYS_renameat2, AT_FDCWD, "sticky/f", AT_FDCWD, "sticky/g", 0) !=
			 -EPERM)),
	   0, "%s: renameat2: EPERM", on_what);
}

/* Who does not own a file changes nothing about it. */
static void test_owner(void)
{
	struct timespec t[2] = { { 1, 0 }, { 1, 0 } };

	chmod("file", 0666);
	is(as_user(_exit(CALL(SYS_chmod, "file", 0600) != -EPERM)), 0, "%s: chmod: EPERM", on_what);
	is(as_user(_exit(do_fchmodat(AT_FDCWD, "file") != -EPERM)), 0, "%s: fchmodat: EPERM",
	   on_what);
	is(as_user(_exit(do_fchmodat2(AT_FDCWD, "file") != -EPERM)), 0, "%s: fchmodat2: EPERM",
	   on_what);
	is(as_user(_exit(do_chown(AT_FDCWD, "file") != -EPERM)), 0, "%s: chown: EPERM", on_what);
	is(as_user(_exit(do_lchown(AT_FDCWD, "file") != -EPERM)), 0, "%s: lchown: EPERM", on_what);
	is(as_user(_exit(do_fchownat(AT_FDCWD, "file") != -EPERM)), 0, "%s: fchownat: EPERM",
	   on_what);
	is(as_user(_exit(CALL(SYS_utime, "file", t) != -EPERM)), 0, "%s: utime: EPERM", on_what);
	is(as_user(_exit(CALL(SYS_utimes, "file", t) != -EPERM)), 0, "%s: utimes: EPERM", on_what);
	is(as_user(_exit(CALL(SYS_futimesat, AT_FDCWD, "file", t) != -EPERM)), 0,
	   "%s: futimesat: EPERM", on_what);
	is(as_user(_exit(CALL(SYS_utimensat, AT_FDCWD, "file", t, 0) != -EPERM)), 0,
	   "%s: utimensat: EPERM", on_what);
	is(CALL(SYS_utime, "file", edge(8)), -EFAULT, "%s: utime of times: EFAULT", on_what);
	is(CALL(SYS_utimes, "file", edge(16)), -EFAULT, "%s: utimes of times: EFAULT", on_what);
	t[0].tv_nsec = 2000000000;
	is(CALL(SYS_utimensat, AT_FDCWD, "file", t, 0), -EINVAL, "%s: utimensat: EINVAL", on_what);
	is(CALL(SYS_utimes, "file", t), -EINVAL, "%s: utimes: EINVAL", on_what);
	is(CALL(SYS_futimesat, AT_FDCWD, "file", t), -EINVAL, "%s: futimesat: EINVAL", on_what);
	is(CALL(SYS_fchownat, AT_FDCWD, "file", 0, 0, 1), -EINVAL, "%s: fchownat: EINVAL", on_what);
	is(CALL(SYS_fchmodat2, AT_FDCWD, "file", 0600, 1), -EINVAL, "%s: fchmodat2: EINVAL",
	   on_what);
	is(CALL(SYS_fchmodat2, AT_FDCWD, "file", 0600, 0), 0, "%s: fchmodat2", on_what);
	is(CALL(SYS_faccessat2, AT_FDCWD, "file", 8, 0), -EINVAL, "%s: faccessat2: EINVAL",
	   on_what);
	is(CALL(SYS_faccessat, AT_FDCWD, "file", 8), -EINVAL, "%s: faccessat: EINVAL", on_what);
	is(CALL(SYS_truncate, "file", -1L), -EINVAL, "%s: truncate: EINVAL", on_what);
	is(as_user(_exit(CALL(SYS_truncate, "source/f", 0) != -EACCES)), 0, "%s: truncate: EACCES",
	   on_what);
}

/* What is open on a mount, and what a mount forbids. */
static void test_mounts(void)
{
	int ro = open("ro/f", O_RDONLY), rw = open("rw/f", O_RDONLY);

	is(CALL(SYS_fchmod, ro, 0600), -EROFS, "%s: fchmod: EROFS", on_what);
	is(CALL(SYS_fchown, ro, 0, 0), -EROFS, "%s: fchown: EROFS", on_what);
	is(CALL(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, ro, 0), -EPERM,
	   "%s: mmap of what may not run: EPERM", on_what);
	is(CALL(SYS_umount2, "rw", 0), -EBUSY, "%s: umount2 of what is in use: EBUSY", on_what);
	close(rw);
	close(ro);
	is(CALL(SYS_umount2, "rw", MNT_EXPIRE), -EAGAIN, "%s: umount2: EAGAIN", on_what);
	is(CALL(SYS_mount, NULL, "source", NULL, MS_REMOUNT | MS_BIND, NULL), -EINVAL,
	   "%s: mount: no mount to change: EINVAL", on_what);
	is(CALL(SYS_openat, AT_FDCWD, ".", O_TMPFILE | O_RDONLY, 0600), -EINVAL,
	   "%s: openat: EINVAL", on_what);
}

static void run(void)
{
	prepare();
	for (size_t n = 0; n < ARRAY_LEN(rows); n++)
		test_row(&rows[n]);
	test_second();
	test_removing();
	test_sticky();
	test_owner();
	test_mounts();
	is(CALL(SYS_umount2, "ro", MNT_DETACH), 0, "%s: umount2", on_what);
	is(CALL(SYS_umount2, "rw", 0), 0, "%s: of another", on_what);
	is(CALL(SYS_umount2, "rw", 0), -EINVAL, "%s: again: EINVAL", on_what);
}

int main(void)
{
	watcher = inotify_init();
	in_dirs(run);
	return tap_done();
}
