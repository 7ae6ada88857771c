/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fcntl, flock, ioctl: flags, locks of all kinds, pipes' sizes.
 */
#include <sys/file.h>
#include <sys/ioctl.h>

#include "tests/syscalls/file_dirs.h"

static struct flock lock_of(int type, long start, long len)
{
	return (struct flock){ .l_type = (short)type, .l_start = start, .l_len = len };
}

static void test_flags(void)
{
	int fd = t_file("f", "text"), on = 1, n;

	is(CALL(SYS_fcntl, fd, F_GETFD), 0, "%s: F_GETFD", on_what);
	is(CALL(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC), 0, "%s: F_SETFD", on_what);
	is(CALL(SYS_fcntl, fd, F_GETFD), FD_CLOEXEC, "%s: sets", on_what);
	is(CALL(SYS_fcntl, fd, F_GETFL), O_RDWR | 0100000, "%s: F_GETFL", on_what);
	is(CALL(SYS_fcntl, fd, F_SETFL, O_APPEND | O_NONBLOCK), 0, "%s: F_SETFL", on_what);
	is(CALL(SYS_fcntl, fd, F_GETFL), O_RDWR | O_APPEND | O_NONBLOCK | 0100000, "%s: sets",
	   on_what);
	is(CALL(SYS_fcntl, fd, F_SETFL, 0), 0, "%s: F_SETFL to none", on_what);
	is(CALL(SYS_fcntl, fd, F_DUPFD, 60), 60, "%s: F_DUPFD", on_what);
	is(CALL(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 60), 61, "%s: F_DUPFD_CLOEXEC", on_what);
	is(CALL(SYS_fcntl, 61, F_GETFD), FD_CLOEXEC, "%s: marks it", on_what);
	is(CALL(SYS_fcntl, fd, F_DUPFD, 1L << 30), -EINVAL, "%s: beyond the limit: EINVAL",
	   on_what);
	close(60);
	close(61);
	is(CALL(SYS_fcntl, fd, 9999), -EINVAL, "%s: unknown: EINVAL", on_what);
	is(CALL(SYS_fcntl, 99, F_GETFL), -EBADF, "%s: fcntl: EBADF", on_what);
	is(CALL(SYS_fcntl, fd, F_SETOWN, getpid()), 0, "%s: F_SETOWN", on_what);
	is(CALL(SYS_fcntl, fd, F_GETOWN), getpid(), "%s: F_GETOWN", on_what);
	is(CALL(SYS_ioctl, fd, FIONBIO, &on), 0, "%s: FIONBIO", on_what);
	ok(fcntl(fd, F_GETFL) & O_NONBLOCK, "%s: sets O_NONBLOCK", on_what);
	lseek(fd, 1, SEEK_SET);
	is(CALL(SYS_ioctl, fd, FIONREAD, &n), 0, "%s: FIONREAD", on_what);
	is(n, 3, "%s: what is left", on_what);
	is(CALL(SYS_ioctl, fd, FIOCLEX), 0, "%s: FIOCLEX", on_what);
	is(CALL(SYS_ioctl, fd, TCGETS, BAD), -ENOTTY, "%s: no terminal: ENOTTY", on_what);
	is(CALL(SYS_ioctl, fd, FIONREAD, BAD), -EFAULT, "%s: ioctl: EFAULT", on_what);
	is(CALL(SYS_ioctl, 99, FIONREAD, &n), -EBADF, "%s: ioctl: EBADF", on_what);
	close(fd);
}

static void test_ranges(void)
{
	int fd = t_file("r", "0123456789"), ro = open("r", O_RDONLY);
	struct flock l = lock_of(F_WRLCK, 2, 4);

	is(CALL(SYS_fcntl, fd, F_SETLK, &l), 0, "%s: F_SETLK", on_what);
	is(in_child({
		   struct flock g = lock_of(F_RDLCK, 0, 0);

		   if (fcntl(fd, F_GETLK, &g) || g.l_type != F_WRLCK || g.l_start != 2 ||
		       g.l_len != 4 || g.l_pid != getppid())
			   _exit(1);
		   g = lock_of(F_RDLCK, 5, 1);
		   if (CALL(SYS_fcntl, fd, F_SETLK, &g) != -EAGAIN)
			   _exit(2);
		   g = lock_of(F_RDLCK, 6, 1);
		   _exit(CALL(SYS_fcntl, fd, F_SETLK, &g) ? 3 : 0);
	   }),
	   0, "%s: keeps other processes out", on_what);
	l = lock_of(F_UNLCK, 3, 1);
	is(CALL(SYS_fcntl, fd, F_SETLK, &l), 0, "%s: a hole in it", on_what);
	is(in_child({
		   struct flock g = lock_of(F_WRLCK, 3, 1);

		   if (fcntl(fd, F_SETLK, &g))
			   _exit(1);
		   g = lock_of(F_WRLCK, 4, 1);
		   _exit(fcntl(fd, F_SETLK, &g) == 0);
	   }),
	   0, "%s: is free, and nothing else", on_what);
	close(open("r", O_RDONLY));
	is(in_child({
		   struct flock g = lock_of(F_WRLCK, 0, 0);

		   _exit(fcntl(fd, F_SETLK, &g) != 0);
	   }),
	   0, "%s: any close lets all go", on_what);
	l = lock_of(F_WRLCK, 0, 0);
	is(CALL(SYS_fcntl, ro, F_SETLK, &l), -EBADF, "%s: to write on O_RDONLY: EBADF", on_what);
	l.l_type = 77;
	is(CALL(SYS_fcntl, fd, F_SETLK, &l), -EINVAL, "%s: F_SETLK: EINVAL", on_what);
	l = lock_of(F_WRLCK, -5, 1);
	is(CALL(SYS_fcntl, fd, F_SETLK, &l), -EINVAL, "%s: before the file: EINVAL", on_what);
	is(CALL(SYS_fcntl, fd, F_SETLK, BAD), -EFAULT, "%s: F_SETLK: EFAULT", on_what);
	close(ro);
	close(fd);
}

static void test_descriptions(void)
{
	int a = t_file("o", ""), b = open("o", O_RDWR);
	struct flock l = lock_of(F_WRLCK, 0, 0), g;

	is(CALL(SYS_fcntl, a, F_OFD_SETLK, &l), 0, "%s: F_OFD_SETLK", on_what);
	is(CALL(SYS_fcntl, b, F_OFD_SETLK, &l), -EAGAIN, "%s: against the same process", on_what);
	g = lock_of(F_WRLCK, 0, 0);
	is(CALL(SYS_fcntl, b, F_OFD_GETLK, &g), 0, "%s: F_OFD_GETLK", on_what);
	ok(g.l_type == F_WRLCK && g.l_pid == -1, "%s: is nobody's in particular", on_what);
	close(a);
	is(CALL(SYS_fcntl, b, F_OFD_SETLK, &l), 0, "%s: goes with its description", on_what);
	close(b);
}

static void test_flock(void)
{
	int a = t_file("fl", ""), b = open("fl", O_RDWR);

	is(CALL(SYS_flock, a, LOCK_EX), 0, "%s: flock", on_what);
	is(CALL(SYS_flock, b, LOCK_SH | LOCK_NB), -EAGAIN, "%s: keeps others out", on_what);
	is(CALL(SYS_flock, a, LOCK_SH), 0, "%s: turned into a shared one", on_what);
	is(CALL(SYS_flock, b, LOCK_SH | LOCK_NB), 0, "%s: shares", on_what);
	is(CALL(SYS_flock, a, LOCK_UN), 0, "%s: LOCK_UN", on_what);
	is(CALL(SYS_flock, a, 77), -EINVAL, "%s: flock: EINVAL", on_what);
	is(CALL(SYS_flock, 99, LOCK_SH), -EBADF, "%s: flock: EBADF", on_what);
	CALL(SYS_flock, b, LOCK_EX);
	interrupted(CALL(SYS_flock, a, LOCK_EX), -EINTR, "flock: EINTR");
	is(killed_while(flock(a, LOCK_EX)), SIGKILL, "%s: a waiting one is killed", on_what);
	close(b);
	is(CALL(SYS_flock, a, LOCK_EX | LOCK_NB), 0, "%s: goes with its description", on_what);
	close(a);
}

static void test_waiting(void)
{
	int fd = t_file("w", "");
	struct flock l = lock_of(F_WRLCK, 0, 1), second = lock_of(F_WRLCK, 1, 1);
	int up[2], status;
	char c;
	pid_t pid;

	pipe(up);
	pid = fork();
	if (!pid) {
		fcntl(fd, F_SETLK, &l);
		write(up[1], "x", 1);
		usleep(100000);
		_exit(0);
	}
	read(up[0], &c, 1);
	interrupted(CALL(SYS_fcntl, fd, F_SETLKW, &l), -EINTR, "F_SETLKW: EINTR");
	is(CALL(SYS_fcntl, fd, F_SETLKW, &l), 0, "%s: F_SETLKW waits", on_what);
	waitpid(pid, &status, 0);
	pid = fork();
	if (!pid) {
		fcntl(fd, F_SETLK, &second);
		write(up[1], "x", 1);
		fcntl(fd, F_SETLKW, &l);
		_exit(0);
	}
	read(up[0], &c, 1);
	usleep(50000);
	is(CALL(SYS_fcntl, fd, F_SETLKW, &second), -EDEADLK, "%s: a ring: EDEADLK", on_what);
	close(fd);
	waitpid(pid, &status, 0);
	close(up[0]);
	close(up[1]);
}

static void test_pipe_sizes(void)
{
	int p[2], fd = t_file("ps", "");

	pipe(p);
	is(CALL(SYS_fcntl, p[0], F_GETPIPE_SZ), 65536, "%s: F_GETPIPE_SZ", on_what);
	is(CALL(SYS_fcntl, p[0], F_SETPIPE_SZ, 5000), 8192, "%s: F_SETPIPE_SZ rounds up", on_what);
	is(CALL(SYS_fcntl, p[1], F_GETPIPE_SZ), 8192, "%s: of both ends", on_what);
	is(CALL(SYS_fcntl, fd, F_GETPIPE_SZ), -EBADF, "%s: of no pipe: EBADF", on_what);
	close(p[0]);
	close(p[1]);
	close(fd);
}

static void run(void)
{
	test_flags();
	test_ranges();
	test_descriptions();
	test_flock();
	test_waiting();
	test_pipe_sizes();
}

int main(void)
{
	in_dirs(run);
	return tap_done();
}
