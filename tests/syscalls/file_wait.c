/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes and FIFOs, poll, select, epoll: waiting for files.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "tests/syscalls/file_dirs.h"

static void test_pipes(void)
{
	static char big[70000];
	char buf[16];
	int p[2];

	pipe(p);
	is(write(p[1], "abcdef", 6), 6, "a pipe takes");
	is(read(p[0], buf, 4), 4, "and gives");
	is(read(p[0], buf, 16), 2, "what is there");
	interrupted(CALL(SYS_read, p[0], buf, 1), -EINTR, "a read that waits: EINTR");
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	is(write(p[1], big, sizeof(big)), 65536, "as much as it holds");
	is(CALL(SYS_write, p[1], "x", 1), -EAGAIN, "then EAGAIN");
	fcntl(p[1], F_SETFL, 0);
	interrupted(CALL(SYS_write, p[1], "x", 1), -EINTR, "a write that waits: EINTR");
	is(killed_while(write(p[1], "x", 1)), SIGKILL, "a write that waits is killed");
	is(CALL(SYS_read, p[0], BAD, 10), -EFAULT, "read: EFAULT");
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	is(CALL(SYS_write, p[1], "x", 1), -EPIPE, "without readers: EPIPE");
	signal(SIGPIPE, SIG_DFL);
	is(in_child(CALL(SYS_write, p[1], "x", 1)) & 0x7f, SIGPIPE, "and SIGPIPE");
	close(p[1]);
}

static void test_poll(void)
{
	struct timespec ts = { 0, 20000000 }, zero = { 0, 0 }, bad = { 0, -1 };
	struct pollfd f[3];
	int p[2], q[2];
	int64_t t0;

	pipe(p);
	pipe(q);
	f[0] = (struct pollfd){ p[0], POLLIN, 77 };
	f[1] = (struct pollfd){ q[1], POLLOUT, 77 };
	f[2] = (struct pollfd){ -1, POLLIN, 77 };
	is(CALL(SYS_poll, f, 3, 0), 1, "poll");
	ok(f[0].revents == 0 && f[1].revents == POLLOUT && f[2].revents == 0, "tells which");
	t0 = now_ms();
	is(CALL(SYS_poll, f, 1, 30), 0, "poll waits");
	ok(now_ms() - t0 >= 30, "as long as it is told");
	write(p[1], "x", 1);
	is(CALL(SYS_poll, f, 1, -1), 1, "poll finds what is there");
	is(f[0].revents, POLLIN, "to read");
	f[0].fd = 99;
	is(CALL(SYS_poll, f, 1, -1), 1, "poll of nothing open");
	is(f[0].revents, POLLNVAL, "says so");
	f[0] = (struct pollfd){ q[0], POLLIN, 0 };
	interrupted(CALL(SYS_poll, f, 1, -1), -EINTR, "poll: EINTR");
	is(CALL(SYS_poll, BAD, 1, 0), -EFAULT, "poll: EFAULT");
	is(CALL(SYS_poll, f, 1u << 30, 0), -EINVAL, "poll: EINVAL");
	is(CALL(SYS_ppoll, f, 1, &ts, NULL, 8), 0, "ppoll waits");
	is(CALL(SYS_ppoll, f, 1, &zero, NULL, 8), 0, "or not");
	is(CALL(SYS_ppoll, f, 1, &bad, NULL, 8), -EINVAL, "ppoll: EINVAL");
	is(CALL(SYS_ppoll, f, 1, &zero, &ts, 3), -EINVAL, "ppoll: a mask of a wrong size: EINVAL");
	close(q[1]);
	is(CALL(SYS_poll, f, 1, -1), 1, "a closed other end");
	is(f[0].revents, POLLHUP, "is a hang-up");
	is(killed_while(poll(NULL, 0, -1)), SIGKILL, "a poll that waits is killed");
	close(p[0]);
	close(p[1]);
	close(q[0]);
}

static void test_mask(void)
{
	struct timespec ts = { 1, 0 };
	uint64_t none = 0, alarm_set = 1ull << (SIGALRM - 1);

	on(SIGALRM, check_noop, 0);
	CALL(SYS_rt_sigprocmask, SIG_BLOCK, &alarm_set, NULL, 8);
	raise(SIGALRM);
	is(CALL(SYS_ppoll, NULL, 0, &ts, &none, 8), -EINTR, "a mask for the call lets a signal in");
	CALL(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &none, 8);
	ok(none & alarm_set, "and the old one is back");
	CALL(SYS_rt_sigprocmask, SIG_UNBLOCK, &alarm_set, NULL, 8);
}

static void test_select(void)
{
	struct timeval tv = { 0, 20000 }, bad = { -1, 0 };
	struct timespec ts = { 0, 20000000 };
	fd_set in, out;
	int p[2];

	pipe(p);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(p[0], &in);
	FD_SET(p[1], &out);
	is(CALL(SYS_select, p[1] + 1, &in, &out, NULL, NULL), 1, "select");
	ok(!FD_ISSET(p[0], &in) && FD_ISSET(p[1], &out), "tells which");
	FD_SET(p[0], &in);
	is(CALL(SYS_select, p[0] + 1, &in, NULL, NULL, &tv), 0, "select waits");
	ok(!FD_ISSET(p[0], &in), "and clears");
	write(p[1], "x", 1);
	FD_SET(p[0], &in);
	is(CALL(SYS_pselect6, p[0] + 1, &in, NULL, NULL, &ts, NULL), 1, "pselect6");
	FD_SET(40, &in); /* beyond its table Linux does not look */
	is(CALL(SYS_select, 41, &in, NULL, NULL, NULL), -EBADF, "select: EBADF");
	is(CALL(SYS_select, -1, &in, NULL, NULL, NULL), -EINVAL, "select: EINVAL");
	is(CALL(SYS_select, 1, &in, NULL, NULL, &bad), -EINVAL, "a negative time: EINVAL");
	is(CALL(SYS_select, 1, BAD, NULL, NULL, NULL), -EFAULT, "select: EFAULT");
	interrupted(CALL(SYS_select, 0, NULL, NULL, NULL, NULL), -EINTR, "select: EINTR");
	close(p[0]);
	close(p[1]);
}

static void test_epoll(void)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 7 }, out[4];
	int ep = (int)CALL(SYS_epoll_create1, EPOLL_CLOEXEC), p[2], file;
	struct timespec ts = { 0, 10000000 };
	char c;

	pipe(p);
	file = open("/proc/self/exe", O_RDONLY);
	ok(ep >= 0, "epoll_create1");
	is(CALL(SYS_epoll_create1, 1), -EINVAL, "epoll_create1: EINVAL");
	is(CALL(SYS_epoll_create, 0), -EINVAL, "epoll_create: EINVAL");
	is(CALL(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, p[0], &e), 0, "EPOLL_CTL_ADD");
	is(CALL(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, p[0], &e), -EEXIST, "again: EEXIST");
	is(CALL(SYS_epoll_ctl, ep, EPOLL_CTL_MOD, p[1], &e), -ENOENT, "EPOLL_CTL_MOD: ENOENT");
	is(CALL(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, 99, &e), -EBADF, "epoll_ctl: EBADF");
	is(CALL(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, ep, &e), -EINVAL, "itself: EINVAL");
	is(CALL(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, file, &e), -EPERM, "a regular file: EPERM");
	is(CALL(SYS_epoll_ctl, ep, 9, p[0], &e), -EINVAL, "epoll_ctl: EINVAL");
	is(CALL(SYS_epoll_ctl, ep, EPOLL_CTL_MOD, p[0], BAD), -EFAULT, "epoll_ctl: EFAULT");
	is(CALL(SYS_epoll_wait, ep, out, 4, 0), 0, "nothing yet");
	is(CALL(SYS_epoll_wait, ep, out, 4, 20), 0, "a time");
	write(p[1], "x", 1);
	is(CALL(SYS_epoll_wait, ep, out, 4, -1), 1, "ready");
	ok(out[0].events == EPOLLIN && out[0].data.u64 == 7, "as it was asked");
	is(CALL(SYS_epoll_wait, ep, out, 4, 0), 1, "level-triggered: still");
	is(CALL(SYS_epoll_wait, ep, BAD, 4, 0), -EFAULT, "epoll_wait: EFAULT");
	is(CALL(SYS_epoll_wait, ep, out, 0, 0), -EINVAL, "epoll_wait: EINVAL");
	is(CALL(SYS_epoll_wait, p[0], out, 4, 0), -EINVAL, "of no set: EINVAL");
	is(CALL(SYS_epoll_wait, 99, out, 4, 0), -EBADF, "epoll_wait: EBADF");
	e.events = EPOLLIN | EPOLLET;
	is(CALL(SYS_epoll_ctl, ep, EPOLL_CTL_MOD, p[0], &e), 0, "EPOLL_CTL_MOD");
	is(CALL(SYS_epoll_wait, ep, out, 4, 0), 1, "edge-triggered: once");
	is(CALL(SYS_epoll_wait, ep, out, 4, 0), 0, "not again");
	write(p[1], "x", 1);
	is(CALL(SYS_epoll_pwait, ep, out, 4, 0, NULL, 8), 1, "until there is more");
	e.events = EPOLLIN | EPOLLONESHOT;
	CALL(SYS_epoll_ctl, ep, EPOLL_CTL_MOD, p[0], &e);
	is(CALL(SYS_epoll_pwait2, ep, out, 4, &ts, NULL, 8), 1, "one-shot: once");
	write(p[1], "x", 1);
	is(CALL(SYS_epoll_wait, ep, out, 4, 0), 0, "and no more");
	is(CALL(SYS_epoll_ctl, ep, EPOLL_CTL_DEL, p[0], NULL), 0, "EPOLL_CTL_DEL");
	is(CALL(SYS_epoll_ctl, ep, EPOLL_CTL_DEL, p[0], NULL), -ENOENT, "again: ENOENT");
	while (read(p[0], &c, 1) == 1 && fcntl(p[0], F_SETFL, O_NONBLOCK) == 0)
		continue;
	e.events = EPOLLIN;
	CALL(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, p[0], &e);
	interrupted(CALL(SYS_epoll_wait, ep, out, 4, -1), -EINTR, "epoll_wait: EINTR");
	is(killed_while(epoll_wait(ep, out, 4, -1)), SIGKILL, "an epoll_wait is killed");
	is(in_child({
		   usleep(20000);
		   write(p[1], "x", 1);
	   }),
	   0, "another process writes");
	is(CALL(SYS_epoll_wait, ep, out, 4, 5000), 1, "and it is told");
	close(file);
	close(p[0]);
	close(p[1]);
	close(ep);
}

static void test_nesting(void)
{
	struct epoll_event e = { .events = EPOLLIN }, out;
	int a = epoll_create1(0), b = epoll_create1(0), p[2];

	pipe(p);
	is(CALL(SYS_epoll_ctl, a, EPOLL_CTL_ADD, b, &e), 0, "a set in a set");
	is(CALL(SYS_epoll_ctl, b, EPOLL_CTL_ADD, a, &e), -ELOOP, "but no ring: ELOOP");
	CALL(SYS_epoll_ctl, b, EPOLL_CTL_ADD, p[0], &e);
	is(CALL(SYS_epoll_wait, a, &out, 1, 0), 0, "is not ready");
	write(p[1], "x", 1);
	is(CALL(SYS_epoll_wait, a, &out, 1, 1000), 1, "then it is");
	close(a);
	close(b);
	close(p[0]);
	close(p[1]);
}

static void test_fifo(void)
{
	char buf[8];
	int fd;

	mkfifo("fifo", 0644);
	is(CALL(SYS_open, "fifo", O_WRONLY | O_NONBLOCK), -ENXIO, "%s: no reader: ENXIO", on_what);
	interrupted(CALL(SYS_open, "fifo", O_RDONLY), -EINTR, "open of a FIFO: EINTR");
	fflush(stdout);
	if (fork() == 0) {
		fd = open("fifo", O_WRONLY);
		write(fd, "met", 3);
		_exit(0);
	}
	fd = open("fifo", O_RDONLY);
	is(read(fd, buf, 8), 3, "%s: the ends wait for each other", on_what);
	is(read(fd, buf, 8), 0, "%s: then the end of file", on_what);
	close(fd);
	wait(NULL);
	fd = open("fifo", O_RDWR);
	ok(fd >= 0, "%s: O_RDWR waits for nobody", on_what);
	close(fd);
}

int main(void)
{
	test_pipes();
	test_poll();
	test_mask();
	test_select();
	test_epoll();
	test_nesting();
	in_dirs(test_fifo);
	return tap_done();
}
