/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open files: tmpfs contents and their bound, descriptors, pipes, FIFOs, locks, epoll.
 */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>

#include "runtimes/sentry/vfs/epoll.h"
#include "runtimes/sentry/vfs/fdtable.h"
#include "runtimes/sentry/vfs/locks.h"
#include "runtimes/sentry/vfs/pipe.h"
#include "tests/unit/runtimes/sentry/vfs/fixture.h"

static void test_contents(void)
{
	struct file *f = t_open("/f", O_CREAT | O_RDWR, 0644);
	static char big[200000], back[200001];
	struct iovec iov;
	struct uio u;
	char buf[64];

	is_int(t_write(f, "hello"), 5, "a small write");
	is_int(file_seek(f, 1, SEEK_SET), 1, "seek");
	t_read(f, buf, sizeof(buf));
	is_str(buf, "ello", "read from there");
	is_int(t_read(f, buf, sizeof(buf)), 0, "then the end");
	memset(big, 'x', sizeof(big));
	u = uio_of_buffer(&iov, big, sizeof(big));
	is_int(file_pwrite(f, &u, 3), sizeof(big), "a large write at an offset");
	u = uio_of_buffer(&iov, back, sizeof(back));
	is_int(file_pread(f, &u, 3), sizeof(big), "comes back");
	ok(memcmp(big, back, sizeof(big)) == 0, "as it was");
	is_int(f->ops->truncate(f, 4), 0, "truncate");
	is_int(f->ops->truncate(f, 10), 0, "and extend");
	u = uio_of_buffer(&iov, back, sizeof(back));
	is_int(file_pread(f, &u, 0), 10, "its length");
	ok(memcmp(back, "helx\0\0\0\0\0\0", 10) == 0, "zeros after the end that was");
	u = uio_of_buffer(&iov, back, 4);
	is_int(file_pread(f, &u, -1), -EINVAL, "a negative offset: EINVAL");
	file_put(f);
	f = t_open("/f", O_WRONLY | O_APPEND, 0);
	t_write(f, "end");
	is_int(f->pos, 13, "O_APPEND writes at the end");
	is_int(t_read(f, buf, sizeof(buf)), -EBADF, "a read of O_WRONLY: EBADF");
	file_put(f);
	is_int(t_open_errno(tree.root, "/", O_RDWR), -EISDIR, "a directory to write: EISDIR");
	is_int(t_open_errno(tree.root, "/f", O_DIRECTORY), -ENOTDIR, "O_DIRECTORY: ENOTDIR");
}

static void test_map(void)
{
	struct file *f = t_open("/map", O_CREAT | O_RDWR, 0644), *r;
	int64_t offset = 0;
	char *p, buf[16];
	int fd;

	t_write(f, "mapped");
	fd = f->ops->mmap(f, true, true, &offset);
	ok(fd >= 0, "a descriptor to map");
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	is_str(p, "mapped", "shows what was written");
	memcpy(p, "MAP", 3);
	file_seek(f, 0, SEEK_SET);
	t_read(f, buf, sizeof(buf));
	is_str(buf, "MAPped", "and what is written there is read");
	munmap(p, 4096);
	r = t_open("/map", O_RDONLY, 0);
	fd = r->ops->mmap(r, true, false, &offset);
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	ok(p != MAP_FAILED && mprotect(p, 4096, PROT_READ | PROT_WRITE) < 0,
	   "a read-only description cannot be made writable");
	munmap(p, 4096);
	file_put(r);
	file_put(f);
}

static void test_limit(void)
{
	static char block[65536];
	struct file *f = t_open("/full", O_CREAT | O_RDWR, 0644);
	struct iovec iov;
	int64_t pos = 0;
	ssize_t rc;

	for (;;) {
		struct uio u = uio_of_buffer(&iov, block, sizeof(block));

		rc = file_pwrite(f, &u, pos);
		if (rc <= 0)
			break;
		pos += rc;
	}
	is_int(rc, -ENOSPC, "size= bounds what is written: ENOSPC");
	ok(pos <= 4 << 20 && pos > 3 << 20, "near the limit (%lld)", (long long)pos);
	file_put(f);
	t_unlink("/full");
	f = t_open("/again", O_CREAT | O_RDWR, 0644);
	is_int(t_write(f, "x"), 1, "what an unlinked file took is free again");
	file_put(f);
}

static int count_entry(void *data, const char *name, uint64_t ino, unsigned int type,
		       int64_t next_pos)
{
	(void)name, (void)ino, (void)type, (void)next_pos;
	return ++*(int *)data == 100;
}

static void test_readdir(void)
{
	struct file *f;
	char name[32];
	int n = 0;

	t_mkdir("/dir", 0755);
	for (int k = 0; k < 300; k++) {
		snprintf(name, sizeof(name), "/dir/%d", k);
		t_touch(name, 0644);
	}
	f = t_open("/dir", O_RDONLY | O_DIRECTORY, 0);
	f->ops->readdir(f, &f->pos, count_entry, &n);
	is_int(n, 100, "a full buffer stops");
	for (int k = 0; k < 290; k++) {
		snprintf(name, sizeof(name), "/dir/%d", k);
		t_unlink(name);
	}
	n = 100;
	f->ops->readdir(f, &f->pos, count_entry, &n);
	is_int(n, 110, "going on after removals gives each that is left once");
	file_put(f);
}

static void test_fdtable(void)
{
	struct fdtable *t = fdtable_create(), *copy;
	struct file *f = t_open("/fd", O_CREAT | O_RDWR, 0644), *g;

	is_int(fdtable_install(t, file_get(f), 0, 1024, false), 0, "the first is 0");
	is_int(fdtable_install(t, file_get(f), 0, 1024, true), 1, "then 1");
	is_int(fdtable_install(t, file_get(f), 100, 1024, false), 100, "F_DUPFD from 100");
	is_int(fdtable_install(t, file_get(f), 0, 2, false), -EMFILE, "RLIMIT_NOFILE: EMFILE");
	file_put(f);
	is_int(fdtable_close(t, 0), 0, "close 0");
	is_int(fdtable_close(t, 0), -EBADF, "again: EBADF");
	is_int(fdtable_install(t, file_get(f), 0, 1024, false), 0, "the lowest is used again");
	is_int(fdtable_replace(t, 1000, file_get(f), false), 1000, "dup2 to a high one");
	copy = fdtable_copy(t);
	fdtable_close_on_exec(copy);
	is_int(fdtable_get_cloexec(copy, 1), -EBADF, "close-on-exec ones go");
	is_int(fdtable_get_cloexec(copy, 100), 0, "others stay");
	is_int(fdtable_get_cloexec(t, 1), 1, "and stay in the table that was copied");
	fdtable_put(copy);
	is_int(fdtable_close_range(t, 50, 2000, false), 0, "close_range");
	is_int(fdtable_next(t, 2), -1, "closes them");
	g = fdtable_find(t, 1);
	ok(g == f && g->refs == 4, "references are counted");
	file_put(g);
	fdtable_put(t);
	is_int(f->refs, 1, "and given back");
	file_put(f);
}

static void test_pipe(void)
{
	struct file *r, *w;
	static char big[100000];
	struct iovec iov;
	struct uio u;
	char buf[64];

	pipe_create(O_NONBLOCK, tree.root, &r, &w);
	is_int(t_read(r, buf, sizeof(buf)), -EAGAIN, "empty: EAGAIN");
	is_int(t_write(w, "abc"), 3, "write");
	is_int(t_write(w, "def"), 3, "and again");
	is_int(file_poll(r), EPOLLIN | EPOLLRDNORM, "it is readable");
	t_read(r, buf, 5);
	is_str(buf, "abcd", "a short read");
	t_read(r, buf, sizeof(buf));
	is_str(buf, "ef", "and the rest");
	u = uio_of_buffer(&iov, big, sizeof(big));
	is_int(file_write(w, &u), PIPE_CAPACITY, "as much as it holds");
	is_int(file_poll(w), 0, "then it is not writable");
	u = uio_of_buffer(&iov, big, 1000);
	file_read(r, &u);
	is_int(t_write(w, big + 1), 0, "nothing to write");
	u = uio_of_buffer(&iov, big, 2000);
	is_int(file_write(w, &u), -EAGAIN, "PIPE_BUF bytes are written in one piece or not");
	is_int(pipe_set_capacity(w, 1 << 17, false), 1 << 17, "F_SETPIPE_SZ");
	is_int(file_write(w, &u), 2000, "makes room");
	is_int(pipe_set_capacity(w, 4096, false), -EBUSY, "smaller than what is in it: EBUSY");
	is_int(file_seek(r, 0, SEEK_SET), -ESPIPE, "seek: ESPIPE");
	file_put(r);
	is_int(t_write(w, "x"), -EPIPE, "without readers: EPIPE");
	is_int(file_poll(w) & EPOLLERR, EPOLLERR, "and an error for poll");
	file_put(w);
	pipe_create(0, tree.root, &r, &w);
	file_put(w);
	is_int(t_read(r, buf, sizeof(buf)), 0, "without writers: end of file");
	is_int(file_poll(r), EPOLLHUP, "and a hang-up");
	file_put(r);
}

static struct file *pipe_end;

static void *write_much(void *data)
{
	static char big[300000];
	struct iovec iov;
	struct uio u = uio_of_buffer(&iov, big, sizeof(big));

	*(ssize_t *)data = file_write(pipe_end, &u);
	file_put(pipe_end);
	return NULL;
}

static void test_blocking(void)
{
	struct file *r;
	pthread_t t;
	static char buf[1000];
	ssize_t wrote = 0, n, total = 0;

	pipe_create(0, tree.root, &r, &pipe_end);
	pthread_create(&t, NULL, write_much, &wrote);
	while ((n = t_read(r, buf, sizeof(buf))) > 0)
		total += n;
	pthread_join(t, NULL);
	is_int(total, 300000, "a reader and a writer that wait for each other");
	is_int(wrote, 300000, "the write is whole");
	file_put(r);
}

static void *open_writer(void *data)
{
	struct file *w = t_open("/fifo", O_WRONLY, 0);

	(void)data;
	t_write(w, "met");
	file_put(w);
	return NULL;
}

static void test_fifo(void)
{
	struct file *r;
	pthread_t t;
	char buf[16];

	is_int(vfs_mknod(tree.fs, NULL, "/fifo", S_IFIFO | 0666, 0, tree.root, NULL), 0, "mkfifo");
	is_int(t_open_errno(tree.root, "/fifo", O_WRONLY | O_NONBLOCK), -ENXIO,
	       "no reader, O_NONBLOCK: ENXIO");
	/* The writer may be gone again before the reader has looked at it twice. */
	for (int n = 0; n < 300; n++) {
		pthread_create(&t, NULL, open_writer, NULL);
		r = t_open("/fifo", O_RDONLY, 0);
		if (t_read(r, buf, sizeof(buf)) != 3)
			strcpy(buf, "missed");
		pthread_join(t, NULL);
		file_put(r);
		if (strcmp(buf, "met") != 0)
			break;
	}
	is_str(buf, "met", "the ends wait for each other, each time");
}

static void test_locks(void)
{
	struct file *f = t_open("/lock", O_CREAT | O_RDWR, 0644);
	int me, other;
	struct lock_request r = { LOCKS_RANGE, &me, F_WRLCK, 1, 0, 99 }, o = r, found;

	o.owner = &other;
	o.pid = 2;
	is_int(locks_set(f->inode, &r, false), 0, "lock bytes 0-99");
	o.start = 50, o.end = 150;
	is_int(locks_set(f->inode, &o, false), -EAGAIN, "another may not: EAGAIN");
	locks_test(f->inode, &o, &found);
	is_int(found.pid, 1, "F_GETLK tells who");
	r.type = F_UNLCK, r.start = 40, r.end = 59;
	locks_set(f->inode, &r, false);
	o.start = 40, o.end = 59;
	is_int(locks_set(f->inode, &o, false), 0, "a hole in the middle");
	o.start = 60, o.end = 60;
	is_int(locks_set(f->inode, &o, false), -EAGAIN, "what is behind it is still locked");
	locks_release_owner(f->inode, &me);
	is_int(locks_set(f->inode, &o, false), 0, "closing lets all go");
	o.type = F_RDLCK, o.start = 0, o.end = INT64_MAX;
	is_int(locks_set(f->inode, &o, false), 0, "turned into a read lock");
	r = (struct lock_request){ LOCKS_RANGE, &me, F_RDLCK, 1, 10, 20 };
	is_int(locks_set(f->inode, &r, false), 0, "read locks are shared");
	r = (struct lock_request){ LOCKS_FLOCK, f, F_WRLCK, 1, 0, INT64_MAX };
	is_int(locks_set(f->inode, &r, false), 0, "flock is apart from fcntl");
	file_put(f);
}

static void test_epoll(void)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 7 }, out[4];
	struct file *ep, *outer, *r, *w;
	char buf[16];

	epoll_create_file(tree.root, &ep);
	epoll_create_file(tree.root, &outer);
	pipe_create(O_NONBLOCK, tree.root, &r, &w);
	is_int(epoll_control(ep, EPOLL_CTL_ADD, r, 3, &e), 0, "add");
	is_int(epoll_control(ep, EPOLL_CTL_ADD, r, 3, &e), -EEXIST, "again: EEXIST");
	is_int(epoll_control(ep, EPOLL_CTL_MOD, r, 4, &e), -ENOENT, "another number: ENOENT");
	is_int(epoll_collect(ep, out, 4, 0, NULL, NULL), 0, "nothing yet");
	t_write(w, "x");
	is_int(epoll_collect(ep, out, 4, 0, NULL, NULL), 1, "ready");
	is_int(out[0].data.u64, 7, "with its data");
	is_int(epoll_collect(ep, out, 4, 0, NULL, NULL), 1, "level-triggered: still");
	t_read(r, buf, sizeof(buf));
	is_int(epoll_collect(ep, out, 4, 0, NULL, NULL), 0, "until it is read");
	e.events = EPOLLIN | EPOLLET;
	t_write(w, "x");
	epoll_control(ep, EPOLL_CTL_MOD, r, 3, &e);
	is_int(epoll_collect(ep, out, 4, 0, NULL, NULL), 1, "edge-triggered: once");
	is_int(epoll_collect(ep, out, 4, 0, NULL, NULL), 0, "not again");
	t_write(w, "y");
	is_int(epoll_collect(ep, out, 4, 0, NULL, NULL), 1, "until there is more");
	e.events = EPOLLIN | EPOLLONESHOT;
	epoll_control(ep, EPOLL_CTL_MOD, r, 3, &e);
	is_int(epoll_collect(ep, out, 4, 0, NULL, NULL), 1, "one-shot: once");
	t_write(w, "z");
	is_int(epoll_collect(ep, out, 4, 0, NULL, NULL), 0, "and no more");
	epoll_control(ep, EPOLL_CTL_MOD, r, 3, &e);
	is_int(epoll_collect(ep, out, 4, 0, NULL, NULL), 1, "until it is armed again");
	e.events = EPOLLIN;
	epoll_control(ep, EPOLL_CTL_MOD, r, 3, &e);
	is_int(epoll_control(outer, EPOLL_CTL_ADD, ep, 5, &e), 0, "a set in a set");
	is_int(epoll_control(ep, EPOLL_CTL_ADD, outer, 6, &e), -ELOOP, "but no ring: ELOOP");
	is_int(epoll_collect(outer, out, 4, 0, NULL, NULL), 1, "is ready with it");
	t_read(r, buf, sizeof(buf));
	is_int(epoll_collect(outer, out, 4, 0, NULL, NULL), 0, "and not without");
	file_put(r);
	is_int(epoll_control(ep, EPOLL_CTL_ADD, w, 3, &e), 0, "a closed file has left the set");
	file_put(outer);
	file_put(ep);
	file_put(w);
}

static struct file *waited;

static void *wake_later(void *data)
{
	struct timespec ts = { .tv_nsec = 5000000 };

	(void)data;
	nanosleep(&ts, NULL);
	t_write(waited, "x");
	return NULL;
}

static void test_epoll_wait(void)
{
	struct epoll_event e = { .events = EPOLLIN }, out[4];
	struct file *ep, *r;
	struct timespec now;
	pthread_t t;

	epoll_create_file(tree.root, &ep);
	pipe_create(O_NONBLOCK, tree.root, &r, &waited);
	epoll_control(ep, EPOLL_CTL_ADD, r, 3, &e);
	clock_gettime(CLOCK_MONOTONIC, &now);
	is_int(epoll_collect(ep, out, 4, now.tv_sec * 1000000000 + now.tv_nsec + 1000000, NULL,
			     NULL),
	       0, "a deadline");
	pthread_create(&t, NULL, wake_later, NULL);
	is_int(epoll_collect(ep, out, 4, WAIT_FOREVER, NULL, NULL), 1, "a wait that is woken");
	pthread_join(t, NULL);
	file_put(r);
	file_put(waited);
	file_put(ep);
}

int main(void)
{
	tree_init("size=4m");
	test_contents();
	test_map();
	test_limit();
	test_readdir();
	test_fdtable();
	test_pipe();
	test_blocking();
	test_fifo();
	test_locks();
	test_epoll();
	test_epoll_wait();
	tree_finish();
	return tap_done();
}
