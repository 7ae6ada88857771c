/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stat, statx, access, chmod, chown, utimensat, statfs, extended attributes.
 */
#include <linux/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <utime.h>

#include "tests/syscalls/file_dirs.h"

#define SYS_FCHMODAT2  452
#define SYS_FACCESSAT2 439

static void test_stat(void)
{
	struct stat a, b;
	struct statx x;
	int fd = t_file("f", "12345"), dir = open(".", O_RDONLY);

	is(CALL(SYS_stat, "f", &a), 0, "%s: stat", on_what);
	ok(S_ISREG(a.st_mode) && a.st_size == 5 && a.st_nlink == 1 && a.st_uid == 0,
	   "%s: tells type, size, links, owner", on_what);
	is(CALL(SYS_fstat, fd, &b), 0, "%s: fstat", on_what);
	ok(memcmp(&a, &b, sizeof(a)) == 0, "%s: tells the same", on_what);
	symlink("f", "l");
	is(CALL(SYS_lstat, "l", &a), 0, "%s: lstat", on_what);
	ok(S_ISLNK(a.st_mode) && a.st_size == 1 && (a.st_mode & 0777) == 0777, "%s: of the link",
	   on_what);
	is(CALL(SYS_newfstatat, dir, "l", &b, 0), 0, "%s: newfstatat", on_what);
	ok(S_ISREG(b.st_mode), "%s: follows", on_what);
	is(CALL(SYS_newfstatat, fd, "", &b, AT_EMPTY_PATH), 0, "%s: AT_EMPTY_PATH", on_what);
	is(CALL(SYS_newfstatat, fd, "", &b, 0), -ENOENT, "%s: or ENOENT", on_what);
	is(CALL(SYS_newfstatat, fd, "x", &b, 0), -ENOTDIR, "%s: from a file: ENOTDIR", on_what);
	is(CALL(SYS_newfstatat, dir, "f", &b, 0x10000), -EINVAL, "%s: newfstatat: EINVAL", on_what);
	is(CALL(SYS_stat, "none", &a), -ENOENT, "%s: stat: ENOENT", on_what);
	is(CALL(SYS_stat, "f", BAD), -EFAULT, "%s: stat: EFAULT", on_what);
	is(CALL(SYS_stat, BAD, &a), -EFAULT, "%s: stat: EFAULT for the name", on_what);
	is(CALL(SYS_fstat, 99, &a), -EBADF, "%s: fstat: EBADF", on_what);
	is(CALL(SYS_statx, dir, "f", 0, STATX_BASIC_STATS, &x), 0, "%s: statx", on_what);
	ok(x.stx_size == 5 && S_ISREG(x.stx_mode) &&
		   (x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS,
	   "%s: tells it too", on_what);
	is(CALL(SYS_statx, dir, "f", 0, 1u << 31, &x), -EINVAL, "%s: statx: EINVAL", on_what);
	is(CALL(SYS_statx, dir, "f", 0x6000, 0, &x), -EINVAL, "%s: both ways to sync: EINVAL",
	   on_what);
	is(CALL(SYS_statx, dir, "f", 0, STATX_ALL, BAD), -EFAULT, "%s: statx: EFAULT", on_what);
	stat(".", &a);
	mkdir("sub", 0755);
	stat(".", &b);
	close(dir);
	close(fd);
}

static void test_access(void)
{
	close(t_file("acc", ""));
	chmod("acc", 0644);
	is(CALL(SYS_access, "acc", F_OK), 0, "%s: access", on_what);
	is(CALL(SYS_access, "acc", R_OK | W_OK), 0, "%s: root may", on_what);
	is(CALL(SYS_access, "acc", X_OK), -EACCES, "%s: but not run it: EACCES", on_what);
	is(CALL(SYS_access, "none", F_OK), -ENOENT, "%s: access: ENOENT", on_what);
	is(CALL(SYS_access, "acc", 8), -EINVAL, "%s: access: EINVAL", on_what);
	is(CALL(SYS_access, BAD, F_OK), -EFAULT, "%s: access: EFAULT", on_what);
	is(CALL(SYS_faccessat, AT_FDCWD, "acc", R_OK), 0, "%s: faccessat", on_what);
	is(CALL(SYS_FACCESSAT2, AT_FDCWD, "acc", R_OK, AT_EACCESS), 0, "%s: faccessat2", on_what);
	is(CALL(SYS_FACCESSAT2, AT_FDCWD, "acc", R_OK, 1), -EINVAL, "%s: faccessat2: EINVAL",
	   on_what);
	chmod(".", 0755);
	is(as_user(if (CALL(SYS_access, "acc", R_OK)) _exit(1);
		   _exit(CALL(SYS_access, "acc", W_OK) != -EACCES)),
	   0, "%s: a user may read only", on_what);
}

static void test_chmod(void)
{
	int fd = t_file("m", "");
	struct stat st;

	is(CALL(SYS_chmod, "m", 04751), 0, "%s: chmod", on_what);
	stat("m", &st);
	is(st.st_mode & 07777, 04751, "%s: sets the mode", on_what);
	is(CALL(SYS_fchmod, fd, 0600), 0, "%s: fchmod", on_what);
	is(CALL(SYS_fchmodat, AT_FDCWD, "m", 0640), 0, "%s: fchmodat", on_what);
	is(CALL(SYS_FCHMODAT2, AT_FDCWD, "m", 0644, 0), 0, "%s: fchmodat2", on_what);
	is(CALL(SYS_FCHMODAT2, AT_FDCWD, "m", 0644, 1), -EINVAL, "%s: fchmodat2: EINVAL", on_what);
	symlink("m", "ml");
	is(CALL(SYS_FCHMODAT2, AT_FDCWD, "ml", 0644, AT_SYMLINK_NOFOLLOW), -EOPNOTSUPP,
	   "%s: of a link: EOPNOTSUPP", on_what);
	is(CALL(SYS_chmod, "none", 0), -ENOENT, "%s: chmod: ENOENT", on_what);
	is(CALL(SYS_chmod, BAD, 0), -EFAULT, "%s: chmod: EFAULT", on_what);
	is(CALL(SYS_fchmod, 99, 0), -EBADF, "%s: fchmod: EBADF", on_what);
	is(as_user(_exit(CALL(SYS_chmod, "m", 0777) != -EPERM)), 0, "%s: by others: EPERM",
	   on_what);
	close(fd);
}

static void test_chown(void)
{
	int fd = t_file("o", "");
	struct stat st;

	chmod("o", 06755);
	is(CALL(SYS_chown, "o", 1000, 1001), 0, "%s: chown", on_what);
	stat("o", &st);
	ok(st.st_uid == 1000 && st.st_gid == 1001, "%s: sets both", on_what);
	is(st.st_mode & 07777, 0755, "%s: and drops set-id bits", on_what);
	is(CALL(SYS_fchown, fd, -1, 5), 0, "%s: fchown of one", on_what);
	stat("o", &st);
	ok(st.st_uid == 1000 && st.st_gid == 5, "%s: leaves the other", on_what);
	symlink("o", "ol");
	is(CALL(SYS_lchown, "ol", 7, 7), 0, "%s: lchown", on_what);
	lstat("ol", &st);
	is(st.st_uid, 7, "%s: of the link", on_what);
	is(CALL(SYS_fchownat, AT_FDCWD, "ol", 8, 8, 0), 0, "%s: fchownat", on_what);
	stat("o", &st);
	is(st.st_uid, 8, "%s: follows", on_what);
	is(CALL(SYS_fchownat, AT_FDCWD, "o", 8, 8, 1), -EINVAL, "%s: fchownat: EINVAL", on_what);
	is(CALL(SYS_chown, "none", 0, 0), -ENOENT, "%s: chown: ENOENT", on_what);
	is(CALL(SYS_chown, BAD, 0, 0), -EFAULT, "%s: chown: EFAULT", on_what);
	chown("o", 1000, 1000);
	chmod(".", 0777);
	is(as_user(_exit(CALL(SYS_chown, "o", 0, -1) != -EPERM)), 0, "%s: given away: EPERM",
	   on_what);
	is(as_user(_exit(CALL(SYS_chown, "o", -1, 1000) != 0)), 0, "%s: to the own group", on_what);
	close(fd);
}

static void test_times(void)
{
	struct timespec ts[2] = { { 100, 5 }, { 200, 6 } },
			omit[2] = { { 0, UTIME_OMIT }, { 300, 0 } };
	struct timespec wrong[2] = { { 0, 1000000000 }, { 0, 0 } };
	struct timeval tv[2] = { { 10, 1 }, { 20, 2 } };
	struct utimbuf ub = { 1, 2 };
	int fd = t_file("t", "");
	struct stat st;

	is(CALL(SYS_utimensat, AT_FDCWD, "t", ts, 0), 0, "%s: utimensat", on_what);
	stat("t", &st);
	ok(st.st_atim.tv_sec == 100 && st.st_mtim.tv_sec == 200 && st.st_mtim.tv_nsec == 6,
	   "%s: sets both times", on_what);
	is(CALL(SYS_utimensat, fd, NULL, omit, 0), 0, "%s: of a descriptor", on_what);
	stat("t", &st);
	ok(st.st_atim.tv_sec == 100 && st.st_mtim.tv_sec == 300, "%s: one alone", on_what);
	is(CALL(SYS_utimensat, AT_FDCWD, "t", wrong, 0), -EINVAL, "%s: utimensat: EINVAL", on_what);
	is(CALL(SYS_utimensat, AT_FDCWD, "none", ts, 0), -ENOENT, "%s: utimensat: ENOENT", on_what);
	is(CALL(SYS_utimensat, AT_FDCWD, "t", BAD, 0), -EFAULT, "%s: utimensat: EFAULT", on_what);
	is(CALL(SYS_utimes, "t", tv), 0, "%s: utimes", on_what);
	stat("t", &st);
	ok(st.st_mtim.tv_sec == 20 && st.st_mtim.tv_nsec == 2000, "%s: in microseconds", on_what);
	is(CALL(SYS_futimesat, AT_FDCWD, "t", tv), 0, "%s: futimesat", on_what);
	is(CALL(SYS_utime, "t", &ub), 0, "%s: utime", on_what);
	stat("t", &st);
	is(st.st_mtim.tv_sec, 2, "%s: in seconds", on_what);
	is(CALL(SYS_utime, "t", NULL), 0, "%s: to now", on_what);
	stat("t", &st);
	ok(st.st_mtim.tv_sec >= time(NULL) - 5, "%s: is now", on_what);
	chmod("t", 0666);
	is(as_user(_exit(CALL(SYS_utimensat, AT_FDCWD, "t", ts, 0) != -EPERM)), 0,
	   "%s: another's time: EPERM", on_what);
	is(as_user(_exit(CALL(SYS_utimensat, AT_FDCWD, "t", NULL, 0) != 0)), 0,
	   "%s: but now, with write permission", on_what);
	close(fd);
}

static void test_statfs(void)
{
	int fd = open(".", O_RDONLY);
	struct statfs st;

	is(CALL(SYS_statfs, ".", &st), 0, "%s: statfs", on_what);
	ok(st.f_bsize > 0 && st.f_namelen == 255, "%s: tells sizes", on_what);
	is(CALL(SYS_fstatfs, fd, &st), 0, "%s: fstatfs", on_what);
	is(CALL(SYS_fstatfs, 99, &st), -EBADF, "%s: fstatfs: EBADF", on_what);
	is(CALL(SYS_statfs, "none", &st), -ENOENT, "%s: statfs: ENOENT", on_what);
	is(CALL(SYS_statfs, ".", BAD), -EFAULT, "%s: statfs: EFAULT", on_what);
	close(fd);
}

static void test_xattrs(void)
{
	int fd = t_file("x", "");
	char buf[64];

	is(CALL(SYS_setxattr, "x", "user.a", "val", 3, 0), 0, "%s: setxattr", on_what);
	is(CALL(SYS_getxattr, "x", "user.a", buf, sizeof(buf)), 3, "%s: getxattr", on_what);
	ok(memcmp(buf, "val", 3) == 0, "%s: gives it", on_what);
	is(CALL(SYS_getxattr, "x", "user.a", NULL, 0), 3, "%s: its size", on_what);
	is(CALL(SYS_getxattr, "x", "user.a", buf, 2), -ERANGE, "%s: no room: ERANGE", on_what);
	is(CALL(SYS_getxattr, "x", "user.b", buf, 2), -ENODATA, "%s: none: ENODATA", on_what);
	is(CALL(SYS_setxattr, "x", "user.a", "v", 1, XATTR_CREATE), -EEXIST, "%s: CREATE: EEXIST",
	   on_what);
	is(CALL(SYS_setxattr, "x", "user.b", "v", 1, XATTR_REPLACE), -ENODATA,
	   "%s: REPLACE: ENODATA", on_what);
	is(CALL(SYS_setxattr, "x", "user.b", "v", 1, 4), -EINVAL, "%s: setxattr: EINVAL", on_what);
	is(CALL(SYS_setxattr, "x", "what.b", "v", 1, 0), -EOPNOTSUPP, "%s: unknown: EOPNOTSUPP",
	   on_what);
	is(CALL(SYS_setxattr, "x", "user.b", BAD, 1, 0), -EFAULT, "%s: setxattr: EFAULT", on_what);
	is(CALL(SYS_fsetxattr, fd, "user.c", "", 0, 0), 0, "%s: fsetxattr of nothing", on_what);
	is(CALL(SYS_fgetxattr, fd, "user.c", buf, 8), 0, "%s: fgetxattr", on_what);
	ok(CALL(SYS_listxattr, "x", buf, sizeof(buf)) >= 14, "%s: listxattr", on_what);
	ok(CALL(SYS_flistxattr, fd, NULL, 0) >= 14, "%s: flistxattr, the size", on_what);
	is(CALL(SYS_listxattr, "x", buf, 5), -ERANGE, "%s: listxattr: ERANGE", on_what);
	is(CALL(SYS_removexattr, "x", "user.a"), 0, "%s: removexattr", on_what);
	is(CALL(SYS_removexattr, "x", "user.a"), -ENODATA, "%s: again: ENODATA", on_what);
	is(CALL(SYS_fremovexattr, fd, "user.c"), 0, "%s: fremovexattr", on_what);
	symlink("x", "xl");
	is(CALL(SYS_lsetxattr, "xl", "user.l", "1", 1, 0), -EPERM, "%s: of a link: EPERM", on_what);
	is(CALL(SYS_lgetxattr, "xl", "user.l", buf, 8), -ENODATA, "%s: there is none", on_what);
	is(CALL(SYS_setxattr, "xl", "user.l", "1", 1, 0), 0, "%s: but of its file", on_what);
	is(CALL(SYS_lgetxattr, "x", "user.l", buf, 8), 1, "%s: lgetxattr", on_what);
	ok(CALL(SYS_llistxattr, "x", buf, 64) >= 7, "%s: llistxattr", on_what);
	is(CALL(SYS_lremovexattr, "x", "user.l"), 0, "%s: lremovexattr", on_what);
	is(CALL(SYS_fgetxattr, 99, "user.c", buf, 8), -EBADF, "%s: fgetxattr: EBADF", on_what);
	is(as_user(_exit(CALL(SYS_setxattr, "x", "trusted.u", "v", 1, 0) != -EPERM)), 0,
	   "%s: trusted by a user: EPERM", on_what);
	close(fd);
}

static void run(void)
{
	test_stat();
	test_access();
	test_chmod();
	test_chown();
	test_times();
	test_statfs();
	test_xattrs();
}

int main(void)
{
	in_dirs(run);
	return tap_done();
}
