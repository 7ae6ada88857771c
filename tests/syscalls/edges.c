/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory that ends, cannot be written, or is longer than any address space.
 *
 * Each call gets a buffer of two or four pages, of which the second cannot be touched, or only be
 * read: it must do what it can, or nothing, and say so.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "tests/syscalls/check.h"

#define PAGE 4096l
#define TEXT 10000l

static char text[TEXT];

/* hole() - four pages, the second with @prot, and one behind them that cannot be touched. */
static char *hole(int prot)
{
	char *p = mmap(NULL, 5 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, '.', 4 * PAGE);
	mprotect(p + PAGE, PAGE, prot);
	mprotect(p + 4 * PAGE, PAGE, PROT_NONE);
	return p;
}

static int file(void)
{
	char name[] = "/tmp/edges.XXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	if (write(fd, text, TEXT) != TEXT)
		exit(1);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void test_read(int prot, const char *what)
{
	char *p = hole(prot);
	struct iovec v[2] = { { p + PAGE - 10, 10 }, { p + PAGE, 10 } };
	int fd = file(), ends[2];

	is(CALL(SYS_read, fd, p + PAGE - 100, 300), 100, "%s: read as far as it goes", what);
	ok(memcmp(p + PAGE - 100, text, 100) == 0, "what is there");
	is(lseek(fd, 0, SEEK_CUR), 100, "and no further in the file");
	is(CALL(SYS_read, fd, p, 3 * PAGE), PAGE, "a hole in the middle ends it");
	is(lseek(fd, 0, SEEK_CUR), 100 + PAGE, "there");
	ok(p[2 * PAGE] == '.' && memcmp(p, text + 100, PAGE) == 0, "nothing lies behind it");
	is(CALL(SYS_read, fd, p + PAGE, 10), -EFAULT, "nothing can be read into it");
	is(lseek(fd, 0, SEEK_CUR), 100 + PAGE, "and nothing is");
	is(CALL(SYS_pread64, fd, p + PAGE - 1, 3, 7), 1, "pread");
	ok(p[PAGE - 1] == text[7], "of the right byte");
	is(CALL(SYS_readv, fd, v, 2), 10, "readv ends with the part before");
	is(CALL(SYS_readv, fd, v + 1, 1), -EFAULT, "and has none");
	is(CALL(SYS_read, fd, p + 2 * PAGE, 0x7fffffffl), TEXT - PAGE - 110,
	   "a length without bounds");
	is(CALL(SYS_fstat, fd, p + PAGE - 8), -EFAULT, "fstat");
	is(CALL(SYS_getcwd, p + PAGE, 100), -EFAULT, "getcwd");
	is(pipe(ends), 0, "a pipe");
	ok(write(ends[1], "abcdef", 6) == 6, "with something in it");
	is(CALL(SYS_read, ends[0], p + PAGE, 6), -EFAULT, "that is not lost");
	is(CALL(SYS_read, ends[0], p, 6), 6, "but read next time");
	ok(memcmp(p, "abcdef", 6) == 0, "as it was");
	close(ends[0]);
	close(ends[1]);
	is(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0, "sockets");
	ok(write(ends[1], "abcdef", 6) == 6, "with something in them");
	is(CALL(SYS_recvfrom, ends[0], p + PAGE, 6, 0, NULL, NULL), -EFAULT, "that is not lost");
	is(CALL(SYS_recvfrom, ends[0], p, 6, 0, NULL, NULL), 6, "either");
	close(ends[0]);
	close(ends[1]);
	close(fd);
	munmap(p, 5 * PAGE);
}

static void test_write(void)
{
	char *p = hole(PROT_NONE);
	struct iovec v[2] = { { p + PAGE - 10, 10 }, { p + PAGE, 10 } };
	struct stat st;
	int fd = file(), ends[2];

	is(ftruncate(fd, 0), 0, "an empty file");
	is(CALL(SYS_write, fd, p + PAGE - 100, 300), 100, "is written as far as it goes");
	is(CALL(SYS_write, fd, p, 3 * PAGE), PAGE, "a hole in the middle ends it");
	is(CALL(SYS_write, fd, p + PAGE, 10), -EFAULT, "nothing comes from there");
	is(CALL(SYS_writev, fd, v, 2), 10, "writev ends with the part before");
	is(CALL(SYS_pwrite64, fd, p + PAGE - 1, 3, 0), 1, "pwrite");
	is(fstat(fd, &st), 0, "and the file");
	is(st.st_size, 110 + PAGE, "has no more than that");
	is(CALL(SYS_write, fd, (void *)-4096l, 10), -EFAULT, "no address of a program");
	is(CALL(SYS_write, fd, p, -1l), -EFAULT, "a length without bounds");
	is(CALL(SYS_writev, fd, v, 2000), -EINVAL, "too many parts");
	is(CALL(SYS_writev, fd, p + PAGE, 1), -EFAULT, "parts that are not there");
	v[1].iov_len = (size_t)-1;
	is(CALL(SYS_writev, fd, v, 2), -EINVAL, "a part without bounds");
	is(pipe(ends), 0, "a pipe");
	is(CALL(SYS_write, ends[1], p + PAGE, 10), -EFAULT, "takes nothing from there");
	close(ends[0]);
	close(ends[1]);
	close(fd);
	munmap(p, 5 * PAGE);
}

static void test_others(void)
{
	char *p = hole(PROT_READ);
	struct pollfd *polls = (void *)(p + PAGE - 8);

	polls[0] = (struct pollfd){ .fd = 1, .events = POLLOUT };
	is(CALL(SYS_poll, polls, 2, 0), -EFAULT, "poll cannot say what it saw");
	is(CALL(SYS_poll, p + 4 * PAGE - 8, 2, 0), -EFAULT, "or reads what is not there");
	memset(p + PAGE - 16, 0, 16);
	mprotect(p, PAGE, PROT_READ);
	is(CALL(SYS_ppoll, NULL, 0, p + PAGE - 16, NULL, 8), 0,
	   "ppoll, with a time that is constant");
	is(CALL(SYS_select, 0, NULL, NULL, NULL, p + PAGE - 16), 0, "select too");
	mprotect(p, PAGE, PROT_READ | PROT_WRITE);
	is(CALL(SYS_select, 1, p + PAGE, NULL, NULL, p + PAGE - 16), -EFAULT,
	   "but not with constant sets");
	is(CALL(SYS_stat, "/", p + PAGE - 8), -EFAULT, "stat");
	is(CALL(SYS_stat, p + 4 * PAGE - 2, p), -EFAULT, "a name without an end");
	strcpy(p + PAGE - 3, "..");
	is(CALL(SYS_stat, p + PAGE - 3, p), 0, "one that ends with the page");
	is(CALL(SYS_clock_gettime, CLOCK_REALTIME, p + PAGE - 8), -EFAULT, "clock_gettime");
	is(CALL(SYS_rt_sigaction, SIGUSR1, NULL, p + PAGE - 8, 8), -EFAULT, "sigaction");
	is(CALL(SYS_rt_sigprocmask, SIG_BLOCK, NULL, p + PAGE - 4, 8), -EFAULT, "sigprocmask");
	is(CALL(SYS_readlink, "/proc/self/exe", p + PAGE, 10), -EFAULT, "readlink");
	is(CALL(SYS_uname, p + PAGE - 10), -EFAULT, "uname");
	munmap(p, 5 * PAGE);
}

int main(void)
{
	for (long i = 0; i < TEXT; i++)
		text[i] = (char)('a' + i % 23);
	test_read(PROT_NONE, "memory that is not there");
	test_read(PROT_READ, "memory that can only be read");
	test_write();
	test_others();
	return tap_done();
}
