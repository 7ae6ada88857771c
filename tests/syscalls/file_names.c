/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mkdir, rmdir, unlink, rename, link, symlink, mknod, getdents, chdir, chroot, getcwd.
 */
#include <sys/sysmacros.h>

#include "tests/syscalls/file_dirs.h"

static void test_directories(void)
{
	int dir;

	is(CALL(SYS_mkdir, "d", 0777), 0, "%s: mkdir", on_what);
	is(CALL(SYS_mkdir, "d", 0777), -EEXIST, "%s: again: EEXIST", on_what);
	is(CALL(SYS_mkdir, "d/", 0777), -EEXIST, "%s: with a slash: EEXIST", on_what);
	is(CALL(SYS_mkdir, "no/d", 0777), -ENOENT, "%s: below nothing: ENOENT", on_what);
	is(CALL(SYS_mkdir, "", 0777), -ENOENT, "%s: no name: ENOENT", on_what);
	is(CALL(SYS_mkdir, BAD, 0777), -EFAULT, "%s: EFAULT", on_what);
	is(CALL(SYS_mkdir, "new/", 0777), 0, "%s: a slash behind a new name", on_what);
	dir = open("d", O_PATH | O_DIRECTORY);
	is(CALL(SYS_mkdirat, dir, "e", 0777), 0, "%s: mkdirat", on_what);
	is(CALL(SYS_mkdirat, 99, "e", 0777), -EBADF, "%s: mkdirat: EBADF", on_what);
	is(CALL(SYS_rmdir, "d"), -ENOTEMPTY, "%s: rmdir of a full one: ENOTEMPTY", on_what);
	is(CALL(SYS_unlinkat, dir, "e", AT_REMOVEDIR), 0, "%s: unlinkat", on_what);
	is(CALL(SYS_unlinkat, dir, "e", 0x1000000), -EINVAL, "%s: unknown flag: EINVAL", on_what);
	is(CALL(SYS_rmdir, "d/."), -EINVAL, "%s: rmdir .: EINVAL", on_what);
	is(CALL(SYS_rmdir, "d/.."), -ENOTEMPTY, "%s: rmdir ..: ENOTEMPTY", on_what);
	is(CALL(SYS_rmdir, "none"), -ENOENT, "%s: rmdir: ENOENT", on_what);
	is(CALL(SYS_unlink, "d"), -EISDIR, "%s: unlink of a directory: EISDIR", on_what);
	is(CALL(SYS_rmdir, "d"), 0, "%s: rmdir", on_what);
	is(CALL(SYS_mkdirat, dir, "x", 0777), -ENOENT, "%s: in a removed one: ENOENT", on_what);
	close(dir);
	close(t_file("f", ""));
	is(CALL(SYS_rmdir, "f"), -ENOTDIR, "%s: rmdir of a file: ENOTDIR", on_what);
	is(CALL(SYS_mkdir, "f/d", 0777), -ENOTDIR, "%s: below a file: ENOTDIR", on_what);
	is(CALL(SYS_unlink, "f/"), -ENOTDIR, "%s: unlink with a slash: ENOTDIR", on_what);
	is(CALL(SYS_unlink, "f"), 0, "%s: unlink", on_what);
	is(CALL(SYS_unlink, "f"), -ENOENT, "%s: again: ENOENT", on_what);
}

static void test_long_names(void)
{
	char name[5000];

	memset(name, 'n', sizeof(name));
	name[256] = 0;
	is(CALL(SYS_mkdir, name, 0777), -ENAMETOOLONG, "%s: 256 bytes: ENAMETOOLONG", on_what);
	name[255] = 0;
	is(CALL(SYS_mkdir, name, 0777), 0, "%s: 255 bytes", on_what);
	memset(name, '/', sizeof(name));
	name[4999] = 0;
	is(CALL(SYS_mkdir, name, 0777), -ENAMETOOLONG, "%s: 4999 slashes: ENAMETOOLONG", on_what);
}

static void test_links(void)
{
	char buf[16], *p = edge(3);
	int dir;

	close(t_file("a", "text"));
	is(CALL(SYS_link, "a", "b"), 0, "%s: link", on_what);
	is(CALL(SYS_link, "a", "b"), -EEXIST, "%s: link: EEXIST", on_what);
	is(CALL(SYS_link, "none", "c"), -ENOENT, "%s: link: ENOENT", on_what);
	is(CALL(SYS_link, ".", "c"), -EPERM, "%s: link of a directory: EPERM", on_what);
	is(CALL(SYS_symlink, "a", "s"), 0, "%s: symlink", on_what);
	is(CALL(SYS_symlink, "a", "s"), -EEXIST, "%s: symlink: EEXIST", on_what);
	is(CALL(SYS_symlink, "", "s2"), -ENOENT, "%s: to nothing: ENOENT", on_what);
	is(CALL(SYS_readlink, "s", buf, sizeof(buf)), 1, "%s: readlink", on_what);
	is(CALL(SYS_readlink, "a", buf, sizeof(buf)), -EINVAL, "%s: of a file: EINVAL", on_what);
	is(CALL(SYS_readlink, "s", buf, 0), -EINVAL, "%s: no room: EINVAL", on_what);
	is(CALL(SYS_readlink, "s", BAD, 4), -EFAULT, "%s: readlink: EFAULT", on_what);
	symlink("1234", "s4");
	is(CALL(SYS_readlink, "s4", p, 3), 3, "%s: cut to the room", on_what);
	dir = open(".", O_RDONLY);
	is(CALL(SYS_linkat, dir, "s", dir, "ls", 0), 0, "%s: linkat of a symlink", on_what);
	is(CALL(SYS_readlinkat, dir, "ls", buf, 16), 1, "%s: is a symlink", on_what);
	is(CALL(SYS_linkat, dir, "s", dir, "lf", AT_SYMLINK_FOLLOW), 0, "%s: or its file", on_what);
	is(CALL(SYS_readlinkat, dir, "lf", buf, 16), -EINVAL, "%s: with FOLLOW", on_what);
	is(CALL(SYS_symlinkat, "x", dir, "sx"), 0, "%s: symlinkat", on_what);
	symlink("loop", "loop");
	is(CALL(SYS_open, "loop", O_RDONLY), -ELOOP, "%s: a loop: ELOOP", on_what);
	close(dir);
}

static void test_rename(void)
{
	struct stat st;

	close(t_file("r1", "1"));
	close(t_file("r2", "22"));
	mkdir("rd", 0755);
	mkdir("rd/sub", 0755);
	is(CALL(SYS_rename, "r1", "r2"), 0, "%s: rename over a file", on_what);
	stat("r2", &st);
	is(st.st_size, 1, "%s: replaces it", on_what);
	is(CALL(SYS_rename, "r1", "r2"), -ENOENT, "%s: rename: ENOENT", on_what);
	is(CALL(SYS_rename, "r2", "rd"), -EISDIR, "%s: over a directory: EISDIR", on_what);
	is(CALL(SYS_rename, "rd", "r2"), -ENOTDIR, "%s: over a file: ENOTDIR", on_what);
	is(CALL(SYS_rename, "rd", "rd/sub/x"), -EINVAL, "%s: into itself: EINVAL", on_what);
	mkdir("full", 0755);
	close(t_file("full/x", ""));
	is(CALL(SYS_rename, "rd", "full"), -ENOTEMPTY, "%s: over a full one: ENOTEMPTY", on_what);
	is(CALL(SYS_renameat2, AT_FDCWD, "r2", AT_FDCWD, "full/x", 1), -EEXIST, "%s: NOREPLACE",
	   on_what);
	is(CALL(SYS_renameat2, AT_FDCWD, "r2", AT_FDCWD, "rd", 2), 0, "%s: EXCHANGE", on_what);
	stat("r2", &st);
	ok(S_ISDIR(st.st_mode), "%s: exchanges", on_what);
	is(CALL(SYS_renameat2, AT_FDCWD, "r2", AT_FDCWD, "none", 2), -ENOENT, "%s: needs both",
	   on_what);
	is(CALL(SYS_renameat2, AT_FDCWD, "r2", AT_FDCWD, "none", 3), -EINVAL,
	   "%s: not with NOREPLACE", on_what);
	is(CALL(SYS_rename, ".", "x"), -EBUSY, "%s: of .: EBUSY", on_what);
	is(CALL(SYS_rename, BAD, "x"), -EFAULT, "%s: rename: EFAULT", on_what);
}

static void test_nodes(void)
{
	struct stat st;

	is(CALL(SYS_mknod, "fifo", S_IFIFO | 0644, 0), 0, "%s: mknod of a FIFO", on_what);
	stat("fifo", &st);
	ok(S_ISFIFO(st.st_mode), "%s: is one", on_what);
	is(CALL(SYS_mknod, "reg", 0644, 0), 0, "%s: of a file", on_what);
	is(CALL(SYS_mknod, "sock", S_IFSOCK | 0644, 0), 0, "%s: of a socket", on_what);
	is(CALL(SYS_open, "sock", O_RDONLY), -ENXIO, "%s: which cannot be opened: ENXIO", on_what);
	is(CALL(SYS_mknod, "x", S_IFDIR | 0644, 0), -EPERM, "%s: of a directory: EPERM", on_what);
	is(CALL(SYS_mknod, "x", 0130000, 0), -EINVAL, "%s: of nothing known: EINVAL", on_what);
	is(CALL(SYS_mknodat, AT_FDCWD, "reg", S_IFREG, 0), -EEXIST, "%s: mknodat: EEXIST", on_what);
	is(as_user(_exit(CALL(SYS_mknod, "/dev/shm/dev", S_IFCHR | 0666, makedev(1, 3)) != -EPERM)),
	   0, "%s: a device by a user: EPERM", on_what);
}

static void test_listing(void)
{
	char buf[4096], name[16];
	int dir, file, n = 0, calls = 0;
	long got;

	mkdir("list", 0755);
	for (int k = 0; k < 200; k++) {
		snprintf(name, sizeof(name), "list/%d", k);
		close(t_file(name, ""));
	}
	dir = open("list", O_RDONLY | O_DIRECTORY);
	while ((got = CALL(SYS_getdents64, dir, buf, 1000)) > 0) {
		for (long at = 0; at < got; at += *(unsigned short *)(buf + at + 16))
			n++;
		calls++;
	}
	is(n, 202, "%s: getdents64 gives every name", on_what);
	ok(calls > 1, "%s: in several calls", on_what);
	is(CALL(SYS_getdents64, dir, buf, 1000), 0, "%s: then nothing", on_what);
	lseek(dir, 0, SEEK_SET);
	ok(CALL(SYS_getdents64, dir, buf, 1000) > 0, "%s: and again after a seek", on_what);
	lseek(dir, 0, SEEK_SET);
	is(CALL(SYS_getdents64, dir, buf, 10), -EINVAL, "%s: no room for one: EINVAL", on_what);
	is(CALL(SYS_getdents64, dir, BAD, 1000), -EFAULT, "%s: getdents64: EFAULT", on_what);
	file = open("list/1", O_RDONLY);
	is(CALL(SYS_getdents64, file, buf, 1000), -ENOTDIR, "%s: of a file: ENOTDIR", on_what);
	is(CALL(SYS_getdents64, 99, buf, 1000), -EBADF, "%s: getdents64: EBADF", on_what);
	close(dir);
	dir = open("list", O_RDONLY);
	n = 0;
	while ((got = CALL(SYS_getdents, dir, buf, 1000)) > 0)
		for (long at = 0; at < got; at += *(unsigned short *)(buf + at + 16))
			n += buf[at + *(unsigned short *)(buf + at + 16) - 1] == DT_REG;
	is(n, 200, "%s: getdents has the types at the end", on_what);
	close(dir);
	close(file);
}

static void test_where(void)
{
	char before[PATH_MAX], now[PATH_MAX], want[PATH_MAX + 8];
	int dir;

	getcwd(before, sizeof(before));
	mkdir("w", 0755);
	dir = open(".", O_RDONLY);
	is(CALL(SYS_chdir, "w"), 0, "%s: chdir", on_what);
	snprintf(want, sizeof(want), "%s/w", before);
	is(CALL(SYS_getcwd, now, sizeof(now)), (long)strlen(want) + 1, "%s: getcwd", on_what);
	ok(strcmp(now, want) == 0, "%s: says where", on_what);
	is(CALL(SYS_getcwd, now, 3), -ERANGE, "%s: no room: ERANGE", on_what);
	is(CALL(SYS_getcwd, BAD, 100), -EFAULT, "%s: getcwd: EFAULT", on_what);
	rmdir("../w");
	is(CALL(SYS_getcwd, now, sizeof(now)), -ENOENT, "%s: in a removed one: ENOENT", on_what);
	is(CALL(SYS_fchdir, dir), 0, "%s: fchdir", on_what);
	is(CALL(SYS_fchdir, 99), -EBADF, "%s: fchdir: EBADF", on_what);
	is(CALL(SYS_chdir, "none"), -ENOENT, "%s: chdir: ENOENT", on_what);
	close(t_file("wf", ""));
	is(CALL(SYS_chdir, "wf"), -ENOTDIR, "%s: chdir to a file: ENOTDIR", on_what);
	is(CALL(SYS_chdir, BAD), -EFAULT, "%s: chdir: EFAULT", on_what);
	mkdir("jail", 0755);
	is(in_child({
		   if (CALL(SYS_chroot, "jail") || chdir("/") || mkdir("in", 0755))
			   _exit(1);
		   getcwd(now, sizeof(now));
		   _exit(strcmp(now, "/") || access("/../in", F_OK));
	   }),
	   0, "%s: chroot", on_what);
	is(as_user(_exit(CALL(SYS_chroot, "/") != -EPERM)), 0, "%s: by a user: EPERM", on_what);
	is(CALL(SYS_chroot, "wf"), -ENOTDIR, "%s: chroot to a file: ENOTDIR", on_what);
	close(dir);
}

static void run(void)
{
	test_directories();
	test_long_names();
	test_links();
	test_rename();
	test_nodes();
	test_listing();
	test_where();
}

int main(void)
{
	in_dirs(run);
	return tap_done();
}
