/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory: private, shared, of files; mprotect, mremap, brk, madvise, mincore, other processes'.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <sys/uio.h>

#include "tests/syscalls/check.h"

#define PAGE 4096ul
#define RW   (PROT_READ | PROT_WRITE)

static sigjmp_buf jump;

static void on_fault(int signo)
{
	siglongjmp(jump, signo);
}

/* faults() - the signal that a write to @p gives; 0: none. */
static int faults(volatile char *p)
{
	int signo = sigsetjmp(jump, 1);

	if (!signo)
		*p = 1;
	return signo;
}

static int reads(volatile char *p)
{
	int signo = sigsetjmp(jump, 1);

	if (!signo)
		(void)*p;
	return signo;
}

static int make_file(const char *text)
{
	char path[] = "/tmp/memory.XXXXXX";
	int fd = mkstemp(path);

	unlink(path);
	write(fd, text, strlen(text));
	return fd;
}

static void test_private(void)
{
	char *p = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;

	ok(p != MAP_FAILED && p[0] == 0 && p[3 * PAGE - 1] == 0, "anonymous memory is zero");
	p[0] = 1;
	is(in_child(p[0] = 2), 0, "a child writes");
	is(p[0], 1, "to its own copy");
	is(CALL(SYS_mprotect, p + PAGE, PAGE, PROT_READ), 0, "the middle becomes read-only");
	is(faults(p + PAGE), SIGSEGV, "and is not written");
	is(faults(p + 2 * PAGE), 0, "the end is");
	is(CALL(SYS_mprotect, p + PAGE, PAGE, PROT_NONE), 0, "then unreadable");
	is(reads(p + PAGE), SIGSEGV, "and is not read");
	is(CALL(SYS_munmap, p + PAGE, PAGE), 0, "then gone");
	is(CALL(SYS_mprotect, p, 3 * PAGE, PROT_READ), -ENOMEM, "mprotect finds the hole");
	q = mmap(p + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ok(q == p + PAGE, "a fixed place");
	is(CALL(SYS_mmap, p, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
	   -EEXIST, "a place that is taken");
	is(CALL(SYS_mmap, NULL, 0, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), -EINVAL, "no length");
	is(CALL(SYS_mmap, 1, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), -EINVAL,
	   "a bent place");
	is(CALL(SYS_mmap, NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0), -EINVAL,
	   "neither private nor shared");
	is(CALL(SYS_mmap, NULL, 1ul << 62, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), -ENOMEM,
	   "too long");
	is(CALL(SYS_munmap, p + 1, PAGE), -EINVAL, "munmap of a bent place");
	is(CALL(SYS_munmap, p, 0), -EINVAL, "or of nothing");
	is(CALL(SYS_mprotect, p + 1, PAGE, PROT_READ), -EINVAL, "mprotect of a bent place");
	munmap(p, 3 * PAGE);
	is(faults(p), SIGSEGV, "unmapped memory is gone");
}

static void test_mremap(void)
{
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;

	p[PAGE] = 7;
	q = mremap(p, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
	ok(q != MAP_FAILED && q[PAGE] == 7 && q[63 * PAGE] == 0, "memory grows");
	p = mremap(q, 64 * PAGE, 2 * PAGE, 0);
	ok(p == q && p[PAGE] == 7, "and shrinks");
	is(faults(q + 2 * PAGE), SIGSEGV, "to just that");
	is(CALL(SYS_mremap, p + 1, PAGE, PAGE, 0), -EINVAL, "a bent place");
	is(CALL(SYS_mremap, p, PAGE, 0, 0), -EINVAL, "to nothing");
	munmap(p, 2 * PAGE);
	is(CALL(SYS_mremap, p, PAGE, 2 * PAGE, MREMAP_MAYMOVE), -EFAULT, "what is not there");
}

static void test_shared(void)
{
	char *p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ok(p != MAP_FAILED && p[PAGE] == 0, "shared memory is zero");
	is(in_child(p[PAGE] = 9), 0, "a child writes");
	is(p[PAGE], 9, "for all");
	is(CALL(SYS_mprotect, p, PAGE, PROT_READ), 0, "it can be protected");
	is(faults(p), SIGSEGV, "here");
	is(in_child({
		   CALL(SYS_mprotect, p, PAGE, RW);
		   p[0] = 5;
	   }),
	   0, "while another");
	is(p[0], 5, "writes it");
	is(CALL(SYS_msync, p, PAGE, MS_SYNC), 0, "msync");
	is(CALL(SYS_msync, p + 1, PAGE, MS_SYNC), -EINVAL, "of a bent place");
	is(CALL(SYS_msync, p, PAGE, MS_SYNC | MS_ASYNC), -EINVAL, "both ways at once");
	munmap(p, 2 * PAGE);
	is(CALL(SYS_msync, p, PAGE, MS_SYNC), -ENOMEM, "of nothing");
}

static void test_file(void)
{
	int fd = make_file("hello, file"), ro;
	char path[64], buf[16] = { 0 };
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), *q;

	ok(p != MAP_FAILED && !memcmp(p, "hello, file", 11), "a file in memory");
	p[0] = 'J';
	pread(fd, buf, 11, 0);
	is(buf[0], 'J', "writes reach the file");
	pwrite(fd, "K", 1, 0);
	is(p[0], 'K', "and the file's writes memory");
	is(p[100], 0, "behind its end are zeros");
	q = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	q[0] = 'L';
	pread(fd, buf, 1, 0);
	is(buf[0], 'K', "private writes do not");
	q = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	is(reads(q + PAGE), SIGBUS, "a page behind the end");
	is(CALL(SYS_mmap, NULL, PAGE, RW, MAP_SHARED, fd, 1), -EINVAL, "a bent offset");
	is(CALL(SYS_mmap, NULL, PAGE, RW, MAP_SHARED, 99, 0), -EBADF, "no descriptor");
	sprintf(path, "/tmp/memory.ro.%d", getpid());
	close(open(path, O_CREAT | O_RDWR, 0600));
	ro = open(path, O_RDONLY);
	is(CALL(SYS_mmap, NULL, PAGE, RW, MAP_SHARED, ro, 0), -EACCES, "not to be written");
	q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0);
	is(CALL(SYS_mprotect, q, PAGE, RW), -EACCES, "also not later");
	q = mmap(NULL, PAGE, RW, MAP_PRIVATE, ro, 0);
	ok(q != MAP_FAILED, "but a private copy");
	close(ro);
	ro = open(path, O_WRONLY);
	is(CALL(SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE, ro, 0), -EACCES, "not to be read");
	unlink(path);
	ro = open("/tmp", O_RDONLY);
	is(CALL(SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE, ro, 0), -ENODEV, "no directory");
	ro = open("/dev/zero", O_RDWR);
	p = mmap(NULL, PAGE, RW, MAP_PRIVATE, ro, 0);
	ok(p != MAP_FAILED && p[0] == 0 && (p[0] = 1), "/dev/zero");
}

static void test_brk(void)
{
	char *start = (char *)CALL(SYS_brk, 0), *end;

	end = (char *)CALL(SYS_brk, start + 4 * PAGE);
	ok(end == start + 4 * PAGE, "the heap grows");
	is(faults(end - 1), 0, "and is there");
	ok((char *)CALL(SYS_brk, start) == start, "it shrinks");
	ok((char *)CALL(SYS_brk, 1) == start, "not below its beginning");
	ok((char *)CALL(SYS_brk, start + PAGE) == start + PAGE && start[0] == 0,
	   "and is zero again");
	CALL(SYS_brk, start);
}

static void test_advice(void)
{
	char *p = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char vec[4] = { 0 };

	p[0] = p[PAGE] = 1;
	is(CALL(SYS_madvise, p, PAGE, MADV_DONTNEED), 0, "MADV_DONTNEED");
	is(p[0], 0, "forgets");
	is(p[PAGE], 1, "just that");
	is(CALL(SYS_madvise, p, PAGE, MADV_WILLNEED), 0, "MADV_WILLNEED");
	is(CALL(SYS_madvise, p + 1, PAGE, MADV_DONTNEED), -EINVAL, "a bent place");
	is(CALL(SYS_madvise, p, PAGE, 12345), -EINVAL, "unknown advice");
	is(CALL(SYS_mincore, p, 4 * PAGE, vec), 0, "mincore");
	ok((vec[1] & 1) && !(vec[3] & 1), "tells what is there");
	is(CALL(SYS_mincore, p, 4 * PAGE, edge(2)), -EFAULT, "bad vector");
	is(CALL(SYS_mincore, p + 1, PAGE, vec), -EINVAL, "bent place");
	is(CALL(SYS_mlock, p, PAGE), 0, "mlock");
	is(CALL(SYS_munlock, p, PAGE), 0, "munlock");
	is(CALL(SYS_mlockall, 0), -EINVAL, "mlockall of nothing");
	munmap(p, 4 * PAGE);
	is(CALL(SYS_mincore, p, PAGE, vec), -ENOMEM, "mincore of nothing");
	is(CALL(SYS_mlock, p, PAGE), -ENOMEM, "mlock of nothing");
}

static void test_others(void)
{
	char here[32] = "mine", *there = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec local[2] = { { here, 3 }, { here + 16, 5 } }, remote = { there, 8 };
	pid_t pid;
	int status;

	strcpy(there, "parent");
	pid = fork();
	if (!pid) {
		strcpy(there, "theirs!");
		raise(SIGSTOP);
		_exit(strcmp(there, "changed"));
	}
	waitpid(pid, &status, WUNTRACED);
	is(CALL(SYS_process_vm_readv, pid, local, 2, &remote, 1, 0), 8, "read another's memory");
	ok(!memcmp(here, "the", 3) && !memcmp(here + 16, "irs!", 5), "into several places");
	is(strcmp(there, "parent"), 0, "one's own is untouched");
	strcpy(here, "changed");
	local[0].iov_len = 8;
	is(CALL(SYS_process_vm_writev, pid, local, 1, &remote, 1, 0), 8, "write it");
	kill(pid, SIGCONT);
	waitpid(pid, &status, 0);
	is(status, 0, "it is there");
	is(CALL(SYS_process_vm_readv, 0x3ffffff, local, 1, &remote, 1, 0), -ESRCH, "of nobody");
	remote.iov_base = BAD;
	is(CALL(SYS_process_vm_readv, getpid(), local, 1, &remote, 1, 0), -EFAULT, "bad address");
	is(CALL(SYS_process_vm_readv, getpid(), local, 1, &remote, 1, 1), -EINVAL, "unknown flags");
}

static void test_policy(void)
{
	int mode = -1;

	is(CALL(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0), 0, "memory policy");
	is(mode, 0, "is the default");
	is(CALL(SYS_set_mempolicy, 0, NULL, 0), 0, "set it");
	is(CALL(SYS_set_mempolicy, 99, NULL, 0), -EINVAL, "an unknown one");
}

int main(void)
{
	on(SIGSEGV, on_fault, 0);
	on(SIGBUS, on_fault, 0);
	test_private();
	test_mremap();
	test_shared();
	test_file();
	test_brk();
	test_advice();
	test_others();
	test_policy();
	return tap_done();
}
