/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eventfd, timerfd, signalfd, inotify.
 */
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "tests/syscalls/file_dirs.h"

static int readable(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 0);
}

static void test_eventfd(void)
{
	int fd = (int)CALL(SYS_eventfd2, 3, EFD_NONBLOCK | EFD_CLOEXEC), s;
	uint64_t n = 4, max = UINT64_MAX;

	ok(fd >= 0, "eventfd2");
	is(write(fd, &n, 8), 8, "adds");
	is(read(fd, &n, 8), 8, "a read");
	is(n, 7, "takes all");
	is(CALL(SYS_read, fd, &n, 8), -EAGAIN, "then EAGAIN");
	is(CALL(SYS_read, fd, &n, 4), -EINVAL, "too little room: EINVAL");
	is(CALL(SYS_write, fd, &max, 8), -EINVAL, "the largest number: EINVAL");
	is(readable(fd), 0, "is not readable");
	n = UINT64_MAX - 1;
	is(write(fd, &n, 8), 8, "as much as it holds");
	n = 1;
	is(CALL(SYS_write, fd, &n, 8), -EAGAIN, "and no more: EAGAIN");
	is(CALL(SYS_write, fd, BAD, 8), -EFAULT, "write: EFAULT");
	is(CALL(SYS_eventfd2, 0, 0x1000), -EINVAL, "eventfd2: EINVAL");
	s = (int)CALL(SYS_eventfd2, 2, EFD_SEMAPHORE);
	is(read(s, &n, 8), 8, "a semaphore");
	is(n, 1, "gives one at a time");
	read(s, &n, 8);
	interrupted(CALL(SYS_read, s, &n, 8), -EINTR, "a read that waits: EINTR");
	is(killed_while(read(s, &n, 8)), SIGKILL, "or is killed");
	is(in_child(n = 1; write(s, &n, 8)), 0, "another process adds");
	is(read(s, &n, 8), 8, "and it is there");
	close(s);
	close(fd);
	fd = (int)CALL(SYS_eventfd, 1);
	ok(fd >= 0, "eventfd");
	close(fd);
}

static void test_timerfd(void)
{
	int fd = (int)CALL(SYS_timerfd_create, CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct itimerspec t = { { 0, 0 }, { 0, 20000000 } }, old,
			  every = { { 0, 5000000 }, { 0, 5000000 } };
	struct itimerspec bad = { { 0, 0 }, { 0, 1000000000 } }, off = { { 0, 0 }, { 0, 0 } };
	struct timespec now;
	uint64_t n;

	ok(fd >= 0, "timerfd_create");
	is(CALL(SYS_timerfd_create, 99, 0), -EINVAL, "timerfd_create: EINVAL");
	is(CALL(SYS_read, fd, &n, 8), -EAGAIN, "not set: EAGAIN");
	is(CALL(SYS_timerfd_settime, fd, 0, &t, NULL), 0, "timerfd_settime");
	is(CALL(SYS_timerfd_gettime, fd, &old), 0, "timerfd_gettime");
	ok(old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 20000000, "what is left");
	fcntl(fd, F_SETFL, 0);
	is(read(fd, &n, 8), 8, "a read waits for it");
	is(n, 1, "and counts one");
	is(CALL(SYS_timerfd_settime, fd, 0, &every, &old), 0, "every 5 ms");
	is(old.it_value.tv_nsec + old.it_value.tv_sec, 0, "the old one was over");
	usleep(30000);
	is(read(fd, &n, 8), 8, "after 30 ms");
	ok(n >= 5, "there were at least five");
	is(CALL(SYS_timerfd_settime, fd, 0, &off, &old), 0, "off");
	ok(old.it_interval.tv_nsec == 5000000, "gives the old one");
	clock_gettime(CLOCK_MONOTONIC, &now);
	now.tv_nsec += 10000000;
	if (now.tv_nsec >= 1000000000)
		now.tv_sec++, now.tv_nsec -= 1000000000;
	t.it_value = now;
	is(CALL(SYS_timerfd_settime, fd, TFD_TIMER_ABSTIME, &t, NULL), 0, "at a time");
	is(read(fd, &n, 8), 8, "comes");
	is(CALL(SYS_timerfd_settime, fd, 0, &bad, NULL), -EINVAL, "timerfd_settime: EINVAL");
	is(CALL(SYS_timerfd_settime, fd, 8, &off, NULL), -EINVAL, "unknown flags: EINVAL");
	is(CALL(SYS_timerfd_settime, fd, 0, BAD, NULL), -EFAULT, "timerfd_settime: EFAULT");
	is(CALL(SYS_timerfd_settime, 99, 0, &off, NULL), -EBADF, "timerfd_settime: EBADF");
	is(CALL(SYS_timerfd_settime, 0, 0, &off, NULL), -EINVAL, "of no timer: EINVAL");
	is(CALL(SYS_timerfd_gettime, 99, &old), -EBADF, "timerfd_gettime: EBADF");
	is(CALL(SYS_timerfd_gettime, fd, BAD), -EFAULT, "timerfd_gettime: EFAULT");
	interrupted(CALL(SYS_read, fd, &n, 8), -EINTR, "a read that waits: EINTR");
	close(fd);
}

static void test_signalfd(void)
{
	uint64_t set = 1ull << (SIGUSR1 - 1);
	struct signalfd_siginfo info[2];
	int fd;

	CALL(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 8);
	fd = (int)CALL(SYS_signalfd4, -1, &set, 8, SFD_NONBLOCK | SFD_CLOEXEC);
	ok(fd >= 0, "signalfd4");
	is(CALL(SYS_read, fd, info, sizeof(info)), -EAGAIN, "nothing yet");
	kill(getpid(), SIGUSR1);
	is(readable(fd), 1, "a signal makes it readable");
	is(read(fd, info, sizeof(info)), sizeof(info[0]), "a read takes it");
	ok(info[0].ssi_signo == SIGUSR1 && info[0].ssi_pid == (uint32_t)getpid(), "and tells who");
	is(readable(fd), 0, "then there is none");
	is(CALL(SYS_read, fd, info, 10), -EINVAL, "too little room: EINVAL");
	is(CALL(SYS_signalfd4, fd, &set, 8, 0), fd, "another set");
	is(CALL(SYS_signalfd4, -1, &set, 4, 0), -EINVAL, "signalfd4: EINVAL");
	is(CALL(SYS_signalfd4, -1, &set, 8, 1), -EINVAL, "unknown flags: EINVAL");
	is(CALL(SYS_signalfd4, 99, &set, 8, 0), -EBADF, "signalfd4: EBADF");
	is(CALL(SYS_signalfd4, 0, &set, 8, 0), -EINVAL, "of another file: EINVAL");
	is(CALL(SYS_signalfd4, -1, BAD, 8, 0), -EFAULT, "signalfd4: EFAULT");
	close(fd);
	fd = (int)CALL(SYS_signalfd, -1, &set, 8);
	is(in_child(usleep(20000); kill(getppid(), SIGUSR1)), 0, "another process sends");
	is(read(fd, info, sizeof(info)), sizeof(info[0]), "signalfd waits for it");
	close(fd);
}

/* next() - of what @fd has told; Value: its mask, the name in *ret_name. */
static uint32_t next(int fd, const char **ret_name)
{
	static char buf[4096], *at, *end;
	struct inotify_event *e;

	if (at >= end) {
		ssize_t n = read(fd, buf, sizeof(buf));

		at = buf;
		end = buf + (n > 0 ? n : 0);
		if (n <= 0)
			return 0;
	}
	e = (struct inotify_event *)(void *)at;
	at += sizeof(*e) + e->len;
	*ret_name = e->len ? e->name : "";
	return e->mask;
}

static void test_inotify(void)
{
	int fd = (int)CALL(SYS_inotify_init1, IN_NONBLOCK), wd, f, n;
	const char *name;
	char small[8];

	ok(fd >= 0, "%s: inotify_init1", on_what);
	wd = (int)CALL(SYS_inotify_add_watch, fd, ".", IN_CREATE | IN_DELETE | IN_MOVE | IN_MODIFY);
	is(wd, 1, "%s: inotify_add_watch", on_what);
	is(CALL(SYS_read, fd, small, sizeof(small)), -EAGAIN, "%s: nothing yet", on_what);
	f = open("new", O_CREAT | O_RDWR, 0644);
	is(CALL(SYS_read, fd, small, sizeof(small)), -EINVAL, "%s: no room: EINVAL", on_what);
	is(CALL(SYS_ioctl, fd, FIONREAD, &n), 0, "%s: FIONREAD", on_what);
	is(n, 32, "%s: tells how much", on_what);
	write(f, "x", 1);
	mkdir("dir", 0755);
	rename("new", "old");
	unlink("old");
	is(next(fd, &name), IN_CREATE, "%s: IN_CREATE", on_what);
	ok(strcmp(name, "new") == 0, "%s: with the name", on_what);
	is(next(fd, &name), IN_MODIFY, "%s: IN_MODIFY", on_what);
	is(next(fd, &name), IN_CREATE | IN_ISDIR, "%s: IN_ISDIR", on_what);
	is(next(fd, &name), IN_MOVED_FROM, "%s: IN_MOVED_FROM", on_what);
	is(next(fd, &name), IN_MOVED_TO, "%s: IN_MOVED_TO", on_what);
	ok(strcmp(name, "old") == 0, "%s: with the new name", on_what);
	is(next(fd, &name), IN_DELETE, "%s: IN_DELETE", on_what);
	is(next(fd, &name), 0, "%s: and no more", on_what);
	is(CALL(SYS_inotify_add_watch, fd, ".", IN_CREATE), wd, "%s: the same watch", on_what);
	is(CALL(SYS_inotify_rm_watch, fd, wd), 0, "%s: inotify_rm_watch", on_what);
	is(next(fd, &name), IN_IGNORED, "%s: IN_IGNORED", on_what);
	is(CALL(SYS_inotify_rm_watch, fd, wd), -EINVAL, "%s: again: EINVAL", on_what);
	is(CALL(SYS_inotify_add_watch, fd, "none", IN_CREATE), -ENOENT, "%s: ENOENT", on_what);
	is(CALL(SYS_inotify_add_watch, fd, ".", 0), -EINVAL, "%s: no events: EINVAL", on_what);
	is(CALL(SYS_inotify_add_watch, 99, ".", IN_CREATE), -EBADF, "%s: EBADF", on_what);
	is(CALL(SYS_inotify_add_watch, fd, BAD, IN_CREATE), -EFAULT, "%s: EFAULT", on_what);
	is(CALL(SYS_inotify_init1, 1), -EINVAL, "%s: inotify_init1: EINVAL", on_what);
	wd = inotify_add_watch(fd, "dir", IN_DELETE_SELF);
	rmdir("dir");
	is(next(fd, &name), IN_DELETE_SELF, "%s: IN_DELETE_SELF", on_what);
	is(next(fd, &name), IN_IGNORED, "%s: ends the watch", on_what);
	close(f);
	close(fd);
	fd = (int)CALL(SYS_inotify_init);
	ok(fd >= 0, "%s: inotify_init", on_what);
	close(fd);
}

int main(void)
{
	test_eventfd();
	test_timerfd();
	test_signalfd();
	in_dirs(test_inotify);
	return tap_done();
}
