/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read, write and their family, lseek, truncate, fallocate, sync.
 */
#include <sys/uio.h>

#include "tests/syscalls/file_dirs.h"

static void test_read_write(void)
{
	int fd = t_file("f", "0123456789"), ro, wo, dir;
	char buf[32], *p = edge(4);

	is(CALL(SYS_pread64, fd, buf, 4, 3), 4, "%s: pread", on_what);
	ok(memcmp(buf, "3456", 4) == 0, "%s: gives what is there", on_what);
	is(CALL(SYS_pread64, fd, buf, 4, 8), 2, "%s: short at the end", on_what);
	is(CALL(SYS_pread64, fd, buf, 4, 100), 0, "%s: nothing behind it", on_what);
	is(CALL(SYS_pread64, fd, buf, 4, -1L), -EINVAL, "%s: a negative offset: EINVAL", on_what);
	is(CALL(SYS_pread64, fd, BAD, 4, 0), -EFAULT, "%s: a bad address: EFAULT", on_what);
	is(CALL(SYS_pwrite64, fd, BAD, 4, 0), -EFAULT, "%s: to write too", on_what);
	is(CALL(SYS_pread64, fd, p, 4, 0), 4, "%s: up to the end of a page", on_what);
	is(CALL(SYS_read, 99, buf, 4), -EBADF, "%s: no such descriptor: EBADF", on_what);
	is(CALL(SYS_lseek, fd, 0, SEEK_SET), 0, "%s: lseek", on_what);
	is(CALL(SYS_read, fd, buf, 4), 4, "%s: read", on_what);
	is(CALL(SYS_lseek, fd, 0, SEEK_CUR), 4, "%s: moves the position", on_what);
	is(CALL(SYS_pwrite64, fd, "ab", 2, 20), 2, "%s: pwrite behind the end", on_what);
	is(CALL(SYS_pread64, fd, buf, 32, 8), 14, "%s: makes a hole", on_what);
	ok(memcmp(buf, "89\0\0\0\0\0\0\0\0\0\0ab", 14) == 0, "%s: of zeros", on_what);
	ro = open("f", O_RDONLY);
	wo = open("f", O_WRONLY);
	dir = open(".", O_RDONLY);
	is(CALL(SYS_write, ro, "x", 1), -EBADF, "%s: write of O_RDONLY: EBADF", on_what);
	is(CALL(SYS_read, wo, buf, 1), -EBADF, "%s: read of O_WRONLY: EBADF", on_what);
	is(CALL(SYS_read, dir, buf, 1), -EISDIR, "%s: read of a directory: EISDIR", on_what);
	is(CALL(SYS_write, fd, "", 0), 0, "%s: an empty write", on_what);
	close(ro);
	close(wo);
	close(dir);
	close(fd);
}

static void test_append(void)
{
	int fd = t_file("app", "start"), a = open("app", O_WRONLY | O_APPEND);
	struct stat st;

	is(CALL(SYS_write, a, "-1", 2), 2, "%s: O_APPEND", on_what);
	is(CALL(SYS_lseek, a, 0, SEEK_SET), 0, "%s: also after a seek", on_what);
	is(CALL(SYS_write, a, "-2", 2), 2, "%s: writes at the end", on_what);
	fstat(fd, &st);
	is(st.st_size, 9, "%s: of the file", on_what);
	is(CALL(SYS_lseek, a, 0, SEEK_CUR), 9, "%s: where the position then is", on_what);
	close(a);
	close(fd);
}

static void test_vectors(void)
{
	int fd = t_file("v", "");
	char a[3], b[5];
	struct iovec w[3] = { { "abc", 3 }, { NULL, 0 }, { "defgh", 5 } };
	struct iovec r[2] = { { a, 3 }, { b, 5 } }, bad[2] = { { a, 3 }, { BAD, 5 } };
	struct iovec huge[2] = { { a, 3 }, { b, (size_t)-1 } };

	is(CALL(SYS_writev, fd, w, 3), 8, "%s: writev", on_what);
	is(CALL(SYS_preadv, fd, r, 2, 0, 0), 8, "%s: preadv", on_what);
	ok(memcmp(a, "abc", 3) == 0 && memcmp(b, "defgh", 5) == 0, "%s: in parts", on_what);
	is(CALL(SYS_pwritev, fd, w, 3, 8, 0), 8, "%s: pwritev", on_what);
	is(CALL(SYS_preadv2, fd, r, 2, 8, 0, 0), 8, "%s: preadv2", on_what);
	is(CALL(SYS_pwritev2, fd, w, 3, -1L, -1L, 0), 8, "%s: pwritev2 at the position", on_what);
	is(CALL(SYS_preadv2, fd, r, 2, 0, 0, 0x4000), -EOPNOTSUPP, "%s: unknown flags", on_what);
	is(CALL(SYS_readv, fd, r, -1L), -EINVAL, "%s: a negative count: EINVAL", on_what);
	is(CALL(SYS_readv, fd, r, 1025), -EINVAL, "%s: too many: EINVAL", on_what);
	is(CALL(SYS_readv, fd, huge, 2), -EINVAL, "%s: a negative length: EINVAL", on_what);
	is(CALL(SYS_readv, fd, BAD, 2), -EFAULT, "%s: a bad vector: EFAULT", on_what);
	lseek(fd, 0, SEEK_SET);
	is(CALL(SYS_readv, fd, bad, 2), 3, "%s: up to a bad part", on_what);
	is(CALL(SYS_readv, fd, r, 0), 0, "%s: no parts", on_what);
	close(fd);
}

static void test_flags(void)
{
	int fd = t_file("rwf", "0123"), p[2];
	struct iovec w = { "ab", 2 }, r = { (char[8]){ 0 }, 8 };
	struct stat st;

	is(CALL(SYS_pwritev2, fd, &w, 1, 0, 0, 0x10 /* RWF_APPEND */), 2, "%s: RWF_APPEND",
	   on_what);
	is(CALL(SYS_preadv2, fd, &r, 1, 0, 0, 0), 6, "%s: writes at the end", on_what);
	lseek(fd, 1, SEEK_SET);
	is(CALL(SYS_pwritev2, fd, &w, 1, -1L, -1L, 0x10), 2, "%s: also from the position", on_what);
	is(lseek(fd, 0, SEEK_CUR), 8, "%s: which goes there", on_what);
	is(CALL(SYS_pwritev2, fd, &w, 1, 0, 0, 2 /* RWF_DSYNC */), 2, "%s: RWF_DSYNC", on_what);
	is(CALL(SYS_pwritev2, fd, &w, 1, 0, 0, 4 /* RWF_SYNC */), 2, "%s: RWF_SYNC", on_what);
	fstat(fd, &st);
	is(st.st_size, 8, "%s: at their place", on_what);
	is(CALL(SYS_preadv2, 99, BAD, 1, 0, 0, 0x4000), -EBADF, "%s: EBADF before all else",
	   on_what);
	is(CALL(SYS_preadv2, fd, &r, 1, -2L, -1L, 0), -EINVAL, "%s: before the beginning", on_what);
	pipe(p);
	is(CALL(SYS_preadv2, p[0], &r, 1, -1L, -1L, 8 /* RWF_NOWAIT */), -EAGAIN,
	   "%s: RWF_NOWAIT: EAGAIN", on_what);
	is(CALL(SYS_preadv2, p[0], &r, 1, 0, 0, 0), -ESPIPE, "%s: of a pipe: ESPIPE", on_what);
	close(p[0]);
	close(p[1]);
	close(fd);
}

static void test_seek(void)
{
	int fd = t_file("s", "0123456789"), p[2];

	is(CALL(SYS_lseek, fd, -1L, SEEK_SET), -EINVAL, "%s: before the beginning: EINVAL",
	   on_what);
	is(CALL(SYS_lseek, fd, -3L, SEEK_END), 7, "%s: from the end", on_what);
	is(CALL(SYS_lseek, fd, 2, SEEK_CUR), 9, "%s: from here", on_what);
	is(CALL(SYS_lseek, fd, 5, SEEK_END), 15, "%s: behind the end", on_what);
	is(CALL(SYS_lseek, fd, 0, 77), -EINVAL, "%s: unknown whence: EINVAL", on_what);
	is(CALL(SYS_lseek, fd, 3, SEEK_DATA), 3, "%s: SEEK_DATA", on_what);
	is(CALL(SYS_lseek, fd, 3, SEEK_HOLE), 10, "%s: SEEK_HOLE", on_what);
	is(CALL(SYS_lseek, fd, 10, SEEK_DATA), -ENXIO, "%s: no data behind the end: ENXIO",
	   on_what);
	is(CALL(SYS_lseek, 99, 0, SEEK_SET), -EBADF, "%s: EBADF", on_what);
	if (pipe(p) == 0)
		is(CALL(SYS_lseek, p[0], 0, SEEK_SET), -ESPIPE, "%s: of a pipe: ESPIPE", on_what);
	close(p[0]);
	close(p[1]);
	close(fd);
}

static void test_truncate(void)
{
	int fd = t_file("t", "0123456789"), ro = open("t", O_RDONLY);
	struct stat st;
	char buf[8];

	is(CALL(SYS_ftruncate, fd, 4), 0, "%s: ftruncate", on_what);
	is(CALL(SYS_ftruncate, fd, 8), 0, "%s: and longer again", on_what);
	is(CALL(SYS_pread64, fd, buf, 8, 0), 8, "%s: has its length", on_what);
	ok(memcmp(buf, "0123\0\0\0\0", 8) == 0, "%s: with zeros", on_what);
	is(CALL(SYS_ftruncate, fd, -1L), -EINVAL, "%s: negative: EINVAL", on_what);
	is(CALL(SYS_ftruncate, ro, 0), -EINVAL, "%s: of O_RDONLY: EINVAL", on_what);
	is(CALL(SYS_ftruncate, 99, 0), -EBADF, "%s: EBADF", on_what);
	is(CALL(SYS_truncate, "t", 2), 0, "%s: truncate by name", on_what);
	fstat(fd, &st);
	is(st.st_size, 2, "%s: is seen by descriptors", on_what);
	is(CALL(SYS_truncate, ".", 0), -EISDIR, "%s: of a directory: EISDIR", on_what);
	is(CALL(SYS_truncate, "none", 0), -ENOENT, "%s: ENOENT", on_what);
	is(CALL(SYS_truncate, BAD, 0), -EFAULT, "%s: EFAULT", on_what);
	is(CALL(SYS_fallocate, fd, 0, 0, 8192), 0, "%s: fallocate", on_what);
	fstat(fd, &st);
	is(st.st_size, 8192, "%s: makes it longer", on_what);
	is(CALL(SYS_fallocate, fd, FALLOC_FL_KEEP_SIZE, 0, 16384), 0, "%s: or not", on_what);
	fstat(fd, &st);
	is(st.st_size, 8192, "%s: with KEEP_SIZE", on_what);
	is(CALL(SYS_fallocate, fd, 0, 0, 0), -EINVAL, "%s: of nothing: EINVAL", on_what);
	is(CALL(SYS_fallocate, ro, 0, 0, 1), -EBADF, "%s: of O_RDONLY: EBADF", on_what);
	is(CALL(SYS_fsync, fd), 0, "%s: fsync", on_what);
	is(CALL(SYS_fdatasync, fd), 0, "%s: fdatasync", on_what);
	is(CALL(SYS_syncfs, fd), 0, "%s: syncfs", on_what);
	is(CALL(SYS_fsync, 99), -EBADF, "%s: fsync: EBADF", on_what);
	is(CALL(SYS_fadvise64, fd, 0, 0, POSIX_FADV_WILLNEED), 0, "%s: fadvise64", on_what);
	is(CALL(SYS_fadvise64, fd, 0, 0, 77), -EINVAL, "%s: unknown advice: EINVAL", on_what);
	is(CALL(SYS_readahead, fd, 0, 4096), 0, "%s: readahead", on_what);
	is(CALL(SYS_readahead, 99, 0, 4096), -EBADF, "%s: readahead: EBADF", on_what);
	close(ro);
	close(fd);
}

static void test_limit(void)
{
	int fd = t_file("limit", "");
	struct rlimit l = { 10, RLIM_INFINITY };
	struct iovec v = { "x", 1 };

	is(in_child({
		   setrlimit(RLIMIT_FSIZE, &l);
		   signal(SIGXFSZ, SIG_IGN);
		   if (CALL(SYS_write, fd, "0123456789abc", 13) != 10)
			   _exit(1);
		   if (CALL(SYS_write, fd, "x", 1) != -EFBIG)
			   _exit(2);
		   if (CALL(SYS_writev, fd, &v, 1) != -EFBIG ||
		       CALL(SYS_pwritev, fd, &v, 1, 10, 0) != -EFBIG ||
		       CALL(SYS_pwritev2, fd, &v, 1, 10, 0, 0) != -EFBIG)
			   _exit(4);
		   if (CALL(SYS_truncate, "limit", 11) != -EFBIG)
			   _exit(5);
		   _exit(CALL(SYS_ftruncate, fd, 11) == -EFBIG ? 0 : 3);
	   }),
	   0, "%s: RLIMIT_FSIZE cuts, then EFBIG", on_what);
	is(in_child({
		   setrlimit(RLIMIT_FSIZE, &l);
		   CALL(SYS_pwrite64, fd, "x", 1, 10);
		   _exit(0);
	   }) & 0x7f,
	   SIGXFSZ, "%s: and SIGXFSZ", on_what);
	close(fd);
}

static void run(void)
{
	test_read_write();
	test_append();
	test_vectors();
	test_flags();
	test_seek();
	test_truncate();
	test_limit();
}

int main(void)
{
	in_dirs(run);
	return tap_done();
}
