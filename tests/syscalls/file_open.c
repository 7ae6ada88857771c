/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open, openat, openat2, creat, close, dup, close_range, pipe, memfd_create, umask.
 */
#include <linux/openat2.h>

#include "tests/syscalls/file_dirs.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static void test_open(void)
{
	struct stat st;
	int fd, dir;

	is(CALL(SYS_open, "o", O_RDONLY), -ENOENT, "%s: open: ENOENT", on_what);
	fd = (int)CALL(SYS_open, "o", O_CREAT | O_WRONLY | O_EXCL, 0666);
	ok(fd >= 0, "%s: O_CREAT", on_what);
	fstat(fd, &st);
	is(st.st_mode & 07777, 0644, "%s: with the umask", on_what);
	is(fcntl(fd, F_GETFL) & (O_ACCMODE | O_CREAT), O_WRONLY, "%s: flags", on_what);
	is(CALL(SYS_open, "o", O_CREAT | O_EXCL, 0666), -EEXIST, "%s: O_EXCL: EEXIST", on_what);
	close(fd);
	is(CALL(SYS_open, "o", O_RDONLY | O_DIRECTORY), -ENOTDIR, "%s: O_DIRECTORY", on_what);
	is(CALL(SYS_open, ".", O_RDWR), -EISDIR, "%s: a directory to write: EISDIR", on_what);
	is(CALL(SYS_open, ".", O_CREAT | O_RDONLY, 0666), -EISDIR, "%s: or create", on_what);
	is(CALL(SYS_open, "new/", O_CREAT | O_RDWR, 0666), -EISDIR, "%s: a slash: EISDIR", on_what);
	is(CALL(SYS_open, "o/x", O_RDONLY), -ENOTDIR, "%s: below a file: ENOTDIR", on_what);
	is(CALL(SYS_open, BAD, O_RDONLY), -EFAULT, "%s: open: EFAULT", on_what);
	symlink("o", "l");
	is(CALL(SYS_open, "l", O_RDONLY | O_NOFOLLOW), -ELOOP, "%s: O_NOFOLLOW: ELOOP", on_what);
	fd = open("l", O_PATH | O_NOFOLLOW);
	ok(fd >= 0, "%s: but not with O_PATH", on_what);
	is(CALL(SYS_read, fd, &st, 1), -EBADF, "%s: which cannot be read: EBADF", on_what);
	is(CALL(SYS_fchmod, fd, 0600), -EBADF, "%s: nor changed: EBADF", on_what);
	fstat(fd, &st);
	ok(S_ISLNK(st.st_mode), "%s: it is the link itself", on_what);
	close(fd);
	dir = open(".", O_RDONLY);
	fd = openat(dir, "o", O_RDWR | O_TRUNC);
	ok(fd >= 0, "%s: openat", on_what);
	close(fd);
	is(CALL(SYS_openat, 99, "o", O_RDONLY), -EBADF, "%s: openat: EBADF", on_what);
	fd = open("o", O_RDONLY);
	is(CALL(SYS_openat, fd, "o", O_RDONLY), -ENOTDIR, "%s: from a file: ENOTDIR", on_what);
	close(fd);
	close(dir);
	fd = (int)CALL(SYS_creat, "c", 0600);
	ok(fd >= 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY, "%s: creat", on_what);
	close(fd);
}

static long resolve(int dir, const char *name, uint64_t how)
{
	struct open_how h = { .flags = O_RDONLY, .resolve = how };
	long fd = CALL(SYS_openat2, dir, name, &h, sizeof(h));

	if (fd >= 0)
		close((int)fd);
	return fd >= 0 ? 0 : fd;
}

static void test_openat2(void)
{
	struct open_how h = { .flags = O_RDONLY, .mode = 0600 };
	int dir;

	mkdir("b", 0755);
	close(t_file("b/f", ""));
	symlink("/etc", "b/abs");
	symlink("../b/f", "b/up");
	dir = open("b", O_RDONLY);
	is(resolve(dir, "f", RESOLVE_BENEATH), 0, "%s: BENEATH", on_what);
	is(resolve(dir, "../b/f", RESOLVE_BENEATH), -EXDEV, "%s: BENEATH: ..: EXDEV", on_what);
	is(resolve(dir, "abs", RESOLVE_BENEATH), -EXDEV, "%s: BENEATH: a link: EXDEV", on_what);
	is(resolve(dir, "/f", RESOLVE_IN_ROOT), 0, "%s: IN_ROOT", on_what);
	is(resolve(dir, "../../f", RESOLVE_IN_ROOT), 0, "%s: IN_ROOT: .. stays", on_what);
	is(resolve(dir, "up", RESOLVE_NO_SYMLINKS), -ELOOP, "%s: NO_SYMLINKS: ELOOP", on_what);
	is(resolve(dir, "/proc/self/cwd", RESOLVE_NO_MAGICLINKS), -ELOOP, "%s: NO_MAGICLINKS",
	   on_what);
	is(resolve(dir, "/proc/version", RESOLVE_NO_XDEV), -EXDEV, "%s: NO_XDEV: EXDEV", on_what);
	is(resolve(dir, "f", 0x1000), -EINVAL, "%s: unknown: EINVAL", on_what);
	is(CALL(SYS_openat2, dir, "f", &h, sizeof(h)), -EINVAL, "%s: a mode alone: EINVAL",
	   on_what);
	is(CALL(SYS_openat2, dir, "f", &h, 8), -EINVAL, "%s: too small: EINVAL", on_what);
	is(CALL(SYS_openat2, dir, "f", BAD, sizeof(h)), -EFAULT, "%s: openat2: EFAULT", on_what);
	close(dir);
}

static void test_tmpfile(void)
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);
	char name[64];
	struct stat st;

	ok(fd >= 0, "%s: O_TMPFILE", on_what);
	fstat(fd, &st);
	is(st.st_nlink, 0, "%s: has no name", on_what);
	is(write(fd, "x", 1), 1, "%s: can be written", on_what);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	is(CALL(SYS_linkat, AT_FDCWD, name, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), 0,
	   "%s: and gets one", on_what);
	is(access("named", F_OK), 0, "%s: that leads to it", on_what);
	close(fd);
	is(CALL(SYS_open, ".", O_TMPFILE | O_RDONLY, 0600), -EINVAL, "%s: to read: EINVAL",
	   on_what);
}

static void test_numbers(void)
{
	int fd = t_file("n", "text"), p[2];
	char c;

	is(CALL(SYS_dup, fd), fd + 1, "%s: dup gives the lowest", on_what);
	is(CALL(SYS_dup2, fd, 50), 50, "%s: dup2", on_what);
	lseek(50, 2, SEEK_SET);
	is(lseek(fd, 0, SEEK_CUR), 2, "%s: shares the position", on_what);
	is(CALL(SYS_dup2, fd, fd), fd, "%s: dup2 to itself", on_what);
	is(CALL(SYS_dup2, 99, 51), -EBADF, "%s: dup2: EBADF", on_what);
	is(CALL(SYS_dup2, fd, -1), -EBADF, "%s: to -1: EBADF", on_what);
	is(CALL(SYS_dup2, fd, 1 << 30), -EBADF, "%s: beyond the limit: EBADF", on_what);
	is(CALL(SYS_dup3, fd, fd, 0), -EINVAL, "%s: dup3 to itself: EINVAL", on_what);
	is(CALL(SYS_dup3, fd, 52, 1), -EINVAL, "%s: dup3: EINVAL", on_what);
	is(CALL(SYS_dup3, fd, 52, O_CLOEXEC), 52, "%s: dup3", on_what);
	is(fcntl(52, F_GETFD), FD_CLOEXEC, "%s: with O_CLOEXEC", on_what);
	is(CALL(SYS_close_range, 50, 52, 0), 0, "%s: close_range", on_what);
	is(fcntl(50, F_GETFD) < 0 ? -errno : 0, -EBADF, "%s: closes", on_what);
	is(CALL(SYS_close_range, 52, 50, 0), -EINVAL, "%s: backwards: EINVAL", on_what);
	is(CALL(SYS_close_range, 50, 52, 1 << 9), -EINVAL, "%s: unknown flag: EINVAL", on_what);
	is(CALL(SYS_close, fd + 1), 0, "%s: close", on_what);
	is(CALL(SYS_close, fd + 1), -EBADF, "%s: again: EBADF", on_what);
	is(CALL(SYS_pipe2, p, O_CLOEXEC | O_NONBLOCK), 0, "%s: pipe2", on_what);
	is(CALL(SYS_read, p[0], &c, 1), -EAGAIN, "%s: with O_NONBLOCK", on_what);
	close(p[0]);
	close(p[1]);
	is(CALL(SYS_pipe2, p, 1), -EINVAL, "%s: pipe2: EINVAL", on_what);
	is(CALL(SYS_pipe, BAD), -EFAULT, "%s: pipe: EFAULT", on_what);
	is(in_child({
		   struct rlimit l = { 10, 10 };

		   setrlimit(RLIMIT_NOFILE, &l);
		   while (dup(0) >= 0)
			   continue;
		   _exit(errno == EMFILE ? 0 : 1);
	   }),
	   0, "%s: RLIMIT_NOFILE: EMFILE", on_what);
	close(fd);
}

static void test_memfd(void)
{
	long fd = CALL(SYS_memfd_create, "name", 2 /* MFD_ALLOW_SEALING */);
	char name[40], buf[64];
	ssize_t len;

	ok(fd >= 0, "%s: memfd_create", on_what);
	is(write((int)fd, "abc", 3), 3, "%s: can be written", on_what);
	snprintf(name, sizeof(name), "/proc/self/fd/%ld", fd);
	len = readlink(name, buf, sizeof(buf));
	ok(len == 21 && memcmp(buf, "/memfd:name (deleted)", 21) == 0, "%s: its name", on_what);
	is(fcntl((int)fd, F_GET_SEALS), 0, "%s: no seals", on_what);
	is(fcntl((int)fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK), 0, "%s: seals", on_what);
	is(CALL(SYS_ftruncate, fd, 100), -EPERM, "%s: hold: EPERM", on_what);
	is(fcntl((int)fd, F_ADD_SEALS, F_SEAL_WRITE), 0, "%s: another", on_what);
	is(CALL(SYS_pwrite64, fd, "x", 1, 0), -EPERM, "%s: holds too: EPERM", on_what);
	close((int)fd);
	is(CALL(SYS_memfd_create, "x", 0x1000), -EINVAL, "%s: memfd_create: EINVAL", on_what);
	is(CALL(SYS_memfd_create, BAD, 0), -EFAULT, "%s: memfd_create: EFAULT", on_what);
}

static void test_rights(void)
{
	close(t_file("secret", "x"));
	chmod("secret", 0600);
	mkdir("closed", 0700);
	chmod(".", 0755);
	is(as_user(_exit(CALL(SYS_open, "secret", O_RDONLY) != -EACCES)), 0, "%s: EACCES", on_what);
	is(as_user(_exit(CALL(SYS_open, "closed/x", O_RDONLY) != -EACCES)), 0,
	   "%s: no search: EACCES", on_what);
	is(as_user(_exit(CALL(SYS_open, "mine", O_CREAT | O_RDWR, 0600) != -EACCES)), 0,
	   "%s: no write in the directory: EACCES", on_what);
	is(CALL(SYS_umask, 077), 022, "%s: umask gives the old one", on_what);
	is(CALL(SYS_umask, 022), 077, "%s: and sets", on_what);
}

static void run(void)
{
	test_open();
	test_openat2();
	test_tmpfile();
	test_numbers();
	test_memfd();
	test_rights();
}

int main(void)
{
	in_dirs(run);
	return tap_done();
}
