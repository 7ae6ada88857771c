/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What calls on descriptors say about a wrong one, and calls that make one when there is no room.
 */
#include <linux/kcmp.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "tests/syscalls/file_dirs.h"

static char buf[64];
static int file, in, out, ep, path_only;

#define ONE(id, ...)                      \
	static long do_##id(int fd)       \
	{                                 \
		return CALL(__VA_ARGS__); \
	}
#define IOV	 (&(struct iovec){ buf, 1 })
#define MESSAGE	 (&(struct msghdr){ .msg_iov = IOV, .msg_iovlen = 1 })
#define MESSAGES (&(struct mmsghdr){ .msg_hdr = *MESSAGE })
#define EVENT	 (&(struct epoll_event){ .events = EPOLLIN })
#define LENGTH	 (&(socklen_t){ sizeof(buf) })
#define TIMES	 (&(struct itimerspec){ 0 })
#define SET	 (&(uint64_t){ 0 })

ONE(read, SYS_read, fd, buf, 1)
ONE(write, SYS_write, fd, buf, 1)
ONE(pread64, SYS_pread64, fd, buf, 1, 0)
ONE(pwrite64, SYS_pwrite64, fd, buf, 1, 0)
ONE(readv, SYS_readv, fd, IOV, 1)
ONE(writev, SYS_writev, fd, IOV, 1)
ONE(preadv, SYS_preadv, fd, IOV, 1, 0, 0)
ONE(pwritev, SYS_pwritev, fd, IOV, 1, 0, 0)
ONE(preadv2, SYS_preadv2, fd, IOV, 1, 0, 0, 0)
ONE(pwritev2, SYS_pwritev2, fd, IOV, 1, 0, 0, 0)
ONE(lseek, SYS_lseek, fd, 0, SEEK_SET)
ONE(fsync, SYS_fsync, fd)
ONE(fdatasync, SYS_fdatasync, fd)
ONE(syncfs, SYS_syncfs, fd)
ONE(sync_file_range, SYS_sync_file_range, fd, 0, 0, 0)
ONE(readahead, SYS_readahead, fd, 0, 1)
ONE(fadvise64, SYS_fadvise64, fd, 0, 0, 0)
ONE(ftruncate, SYS_ftruncate, fd, 0)
ONE(fallocate, SYS_fallocate, fd, 0, 0, 1)
ONE(getdents, SYS_getdents, fd, buf, 64)
ONE(getdents64, SYS_getdents64, fd, buf, 64)
ONE(fchmod, SYS_fchmod, fd, 0600)
ONE(fchown, SYS_fchown, fd, 0, 0)
ONE(flock, SYS_flock, fd, LOCK_SH)
ONE(fcntl, SYS_fcntl, fd, F_SETLK, (&(struct flock){ .l_type = F_RDLCK }))
ONE(ioctl, SYS_ioctl, fd, FIONREAD, buf)
ONE(sendfile, SYS_sendfile, out, fd, NULL, 1)
ONE(sendfile_to, SYS_sendfile, fd, file, NULL, 1)
ONE(splice, SYS_splice, fd, NULL, out, NULL, 1, 0)
ONE(splice_to, SYS_splice, in, NULL, fd, NULL, 1, 0)
ONE(tee, SYS_tee, fd, out, 1, 0)
ONE(vmsplice, SYS_vmsplice, fd, IOV, 1, 0)
ONE(copy_file_range, SYS_copy_file_range, fd, NULL, file, NULL, 1, 0)
ONE(epoll_ctl, SYS_epoll_ctl, fd, EPOLL_CTL_ADD, in, EVENT)
ONE(epoll_ctl_add, SYS_epoll_ctl, ep, EPOLL_CTL_ADD, fd, EVENT)
ONE(epoll_wait, SYS_epoll_wait, fd, buf, 1, 0)
ONE(epoll_pwait, SYS_epoll_pwait, fd, buf, 1, 0, NULL, 8)
ONE(epoll_pwait2, SYS_epoll_pwait2, fd, buf, 1, (&(struct timespec){ 0 }), NULL, 8)
ONE(fsetxattr, SYS_fsetxattr, fd, "user.x", buf, 1, 0)
ONE(fgetxattr, SYS_fgetxattr, fd, "user.x", buf, 1)
ONE(flistxattr, SYS_flistxattr, fd, buf, 64)
ONE(fremovexattr, SYS_fremovexattr, fd, "user.x")
ONE(inotify_add_watch, SYS_inotify_add_watch, fd, ".", 1)
ONE(inotify_rm_watch, SYS_inotify_rm_watch, fd, 1)
ONE(timerfd_settime, SYS_timerfd_settime, fd, 0, TIMES, NULL)
ONE(timerfd_gettime, SYS_timerfd_gettime, fd, TIMES)
ONE(signalfd, SYS_signalfd, fd, SET, 8)
ONE(signalfd4, SYS_signalfd4, fd, SET, 8, 0)
ONE(mmap, SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0)
ONE(pidfd_send_signal, SYS_pidfd_send_signal, fd, 0, NULL, 0)
ONE(pidfd_getfd, SYS_pidfd_getfd, fd, 0, 0)

ONE(fstat, SYS_fstat, fd, (&(struct stat){ 0 }))
ONE(fstatfs, SYS_fstatfs, fd, (&(struct statfs){ 0 }))
ONE(fchdir, SYS_fchdir, fd)
ONE(dup, SYS_dup, fd)
ONE(dup2, SYS_dup2, fd, 60)
ONE(dup3, SYS_dup3, fd, 60, 0)
ONE(close, SYS_close, fd)
ONE(waitid, SYS_waitid, 3 /* P_PIDFD */, fd, NULL, WEXITED, NULL)
ONE(kcmp, SYS_kcmp, getpid(), getpid(), KCMP_FILE, fd, fd)
ONE(execveat, SYS_execveat, fd, "", NULL, NULL, AT_EMPTY_PATH)

ONE(connect, SYS_connect, fd, buf, 16)
ONE(accept, SYS_accept, fd, NULL, NULL)
ONE(accept4, SYS_accept4, fd, NULL, NULL, 0)
ONE(sendto, SYS_sendto, fd, buf, 1, 0, NULL, 0)
ONE(recvfrom, SYS_recvfrom, fd, buf, 1, 0, NULL, NULL)
ONE(sendmsg, SYS_sendmsg, fd, MESSAGE, 0)
ONE(recvmsg, SYS_recvmsg, fd, MESSAGE, 0)
ONE(sendmmsg, SYS_sendmmsg, fd, MESSAGES, 1, 0)
ONE(recvmmsg, SYS_recvmmsg, fd, MESSAGES, 1, 0, NULL)
ONE(shutdown, SYS_shutdown, fd, SHUT_RDWR)
ONE(bind, SYS_bind, fd, buf, 16)
ONE(listen, SYS_listen, fd, 1)
ONE(getsockname, SYS_getsockname, fd, buf, LENGTH)
ONE(getpeername, SYS_getpeername, fd, buf, LENGTH)
ONE(setsockopt, SYS_setsockopt, fd, SOL_SOCKET, SO_KEEPALIVE, buf, 4)
ONE(getsockopt, SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, buf, LENGTH)

struct row {
	const char *name;
	long (*fn)(int fd);
};
#define ROW(id)              \
	{                    \
#id, do_##id \
	}

/* Not for a descriptor that is only a place (O_PATH) either. */
static const struct row of_files[] = {
	ROW(read),
	ROW(write),
	ROW(pread64),
	ROW(pwrite64),
	ROW(readv),
	ROW(writev),
	ROW(preadv),
	ROW(pwritev),
	ROW(preadv2),
	ROW(pwritev2),
	ROW(lseek),
	ROW(fsync),
	ROW(fdatasync),
	ROW(syncfs),
	ROW(sync_file_range),
	ROW(readahead),
	ROW(fadvise64),
	ROW(ftruncate),
	ROW(fallocate),
	ROW(getdents),
	ROW(getdents64),
	ROW(fchmod),
	ROW(fchown),
	ROW(flock),
	ROW(fcntl),
	ROW(ioctl),
	ROW(sendfile),
	ROW(sendfile_to),
	ROW(splice),
	ROW(splice_to),
	ROW(tee),
	ROW(vmsplice),
	ROW(copy_file_range),
	ROW(epoll_ctl),
	ROW(epoll_ctl_add),
	ROW(epoll_wait),
	ROW(epoll_pwait),
	ROW(epoll_pwait2),
	ROW(fsetxattr),
	ROW(fgetxattr),
	ROW(flistxattr),
	ROW(fremovexattr),
	ROW(inotify_add_watch),
	ROW(inotify_rm_watch),
	ROW(timerfd_settime),
	ROW(timerfd_gettime),
	ROW(signalfd),
	ROW(signalfd4),
	ROW(mmap),
	ROW(pidfd_send_signal),
	ROW(pidfd_getfd),
	ROW(connect),
	ROW(accept),
	ROW(accept4),
	ROW(sendto),
	ROW(recvfrom),
	ROW(sendmsg),
	ROW(recvmsg),
	ROW(sendmmsg),
	ROW(recvmmsg),
	ROW(shutdown),
	ROW(bind),
	ROW(listen),
	ROW(getsockname),
	ROW(getpeername),
	ROW(setsockopt),
	ROW(getsockopt),
};

static const struct row of_all[] = {
	ROW(fstat), ROW(fstatfs), ROW(fchdir), ROW(dup),  ROW(dup2),
	ROW(dup3),  ROW(close),	  ROW(waitid), ROW(kcmp), ROW(execveat),
};

static const struct row of_sockets[] = {
	ROW(connect),	  ROW(accept),	    ROW(accept4),    ROW(sendto),
	ROW(recvfrom),	  ROW(sendmsg),	    ROW(recvmsg),    ROW(sendmmsg),
	ROW(recvmmsg),	  ROW(shutdown),    ROW(bind),	     ROW(listen),
	ROW(getsockname), ROW(getpeername), ROW(setsockopt), ROW(getsockopt),
};

/* Calls that name a place in the file; a stream has none. */
static const struct row of_places[] = {
	ROW(pread64), ROW(preadv), ROW(preadv2), ROW(lseek), ROW(fadvise64), ROW(sync_file_range),
};
static const struct row of_places_to_write[] = {
	ROW(pwrite64),
	ROW(pwritev),
	ROW(pwritev2),
	ROW(fallocate),
};
static const struct row of_contents[] = {
	ROW(read), ROW(pread64), ROW(readv), ROW(preadv), ROW(preadv2),
};

static void each(const struct row *rows, size_t n, int fd, int want, const char *what)
{
	for (size_t i = 0; i < n; i++)
		is(rows[i].fn(fd), want, "%s: %s", rows[i].name, what);
}
#define EACH(rows, ...) each(rows, ARRAY_LEN(rows), __VA_ARGS__)

static void test_wrong_kind(void)
{
	int dir = open("/", O_RDONLY | O_DIRECTORY), pair[2];
	off_t at = 0;

	EACH(of_files, 99, -EBADF, "no such descriptor: EBADF");
	EACH(of_all, 99, -EBADF, "no such descriptor: EBADF");
	EACH(of_files, path_only, -EBADF, "a place alone: EBADF");
	EACH(of_sockets, file, -ENOTSOCK, "no socket: ENOTSOCK");
	EACH(of_places, in, -ESPIPE, "a pipe: ESPIPE");
	EACH(of_places_to_write, out, -ESPIPE, "a pipe: ESPIPE");
	EACH(of_contents, dir, -EISDIR, "a directory: EISDIR");
	is(do_getdents(file), -ENOTDIR, "getdents of a file: ENOTDIR");
	is(do_fchdir(file), -ENOTDIR, "fchdir to a file: ENOTDIR");
	is(do_fsync(in), -EINVAL, "fsync of a pipe: EINVAL");
	is(do_fdatasync(in), -EINVAL, "fdatasync of a pipe: EINVAL");
	is(do_readahead(in), -EINVAL, "readahead of a pipe: EINVAL");
	is(do_timerfd_gettime(file), -EINVAL, "timerfd_gettime of a file: EINVAL");
	is(do_signalfd(file), -EINVAL, "signalfd of a file: EINVAL");
	is(do_epoll_pwait(file), -EINVAL, "epoll_pwait of a file: EINVAL");
	is(do_epoll_pwait2(file), -EINVAL, "epoll_pwait2 of a file: EINVAL");
	is(do_copy_file_range(dir), -EISDIR, "copy_file_range of a directory: EISDIR");
	is(do_copy_file_range(in), -EINVAL, "copy_file_range of a pipe: EINVAL");
	is(CALL(SYS_sendfile, file, in, &at, 1), -ESPIPE, "sendfile at a place of a pipe: ESPIPE");
	is(CALL(SYS_splice, in, &at, out, NULL, 1, 0), -ESPIPE, "splice at one: ESPIPE");
	is(do_tee(file), -EINVAL, "tee of a file: EINVAL");
	is(do_vmsplice(file), -EBADF, "vmsplice of a file: EBADF");
	is(CALL(SYS_vmsplice, out, IOV, 2000, 0), -EINVAL, "vmsplice of too much: EINVAL");
	is(CALL(SYS_pwrite64, file, buf, 1, -1L), -EINVAL, "pwrite64 before the beginning: EINVAL");
	is(CALL(SYS_pwritev, file, IOV, 1, -1L, -1L), -EINVAL, "pwritev: EINVAL");
	is(CALL(SYS_pwritev2, file, IOV, 1, -2L, -1L, 0), -EINVAL, "pwritev2: EINVAL");
	is(CALL(SYS_preadv, file, IOV, 1, -1L, -1L), -EINVAL, "preadv: EINVAL");
	is(CALL(SYS_writev, file, IOV, -1L), -EINVAL, "writev of a negative count: EINVAL");
	is(CALL(SYS_pwritev2, file, IOV, 1, 0, 0, 0x4000), -EOPNOTSUPP, "pwritev2: EOPNOTSUPP");
	is(CALL(SYS_fallocate, file, 0, 1L << 62, 1L << 62), -EFBIG, "fallocate: EFBIG");
	is(CALL(SYS_fallocate, file, 0x4000, 0, 1), -EOPNOTSUPP, "fallocate: EOPNOTSUPP");
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	is(do_fallocate(pair[0]), -ENODEV, "fallocate of a socket: ENODEV");
	close(pair[1]);
	signal(SIGPIPE, SIG_IGN);
	is(do_writev(pair[0]), -EPIPE, "writev to nobody: EPIPE");
	is(do_sendmsg(pair[0]), -EPIPE, "sendmsg: EPIPE");
	is(do_sendmmsg(pair[0]), -EPIPE, "sendmmsg: EPIPE");
	is(do_sendfile_to(pair[0]), -EPIPE, "sendfile: EPIPE");
	close(pair[0]);
	close(dir);
}

/* What does not wait. */
static void test_nonblocking(void)
{
	int p[2], full[2], n;

	pipe2(p, O_NONBLOCK);
	pipe2(full, O_NONBLOCK);
	while (write(full[1], buf, sizeof(buf)) > 0)
		continue;
	is(do_readv(p[0]), -EAGAIN, "readv: EAGAIN");
	is(do_writev(full[1]), -EAGAIN, "writev: EAGAIN");
	is(do_sendfile_to(full[1]), -EAGAIN, "sendfile: EAGAIN");
	is(CALL(SYS_vmsplice, full[1], IOV, 1, SPLICE_F_NONBLOCK), -EAGAIN, "vmsplice: EAGAIN");
	is(CALL(SYS_tee, p[0], out, 1, SPLICE_F_NONBLOCK), -EAGAIN, "tee: EAGAIN");
	is(CALL(SYS_pwritev2, full[1], IOV, 1, -1L, -1L, 0), -EAGAIN, "pwritev2: EAGAIN");
	close(full[0]);
	is(do_vmsplice(full[1]), -EPIPE, "vmsplice to nobody: EPIPE");
	is(CALL(SYS_tee, in, full[1], 1, 0), -EPIPE, "tee to nobody: EPIPE");
	n = (int)CALL(SYS_pwritev2, full[1], IOV, 1, -1L, -1L, 0);
	is(n, -EPIPE, "pwritev2 to nobody: EPIPE");
	is(do_splice_to(full[1]), -EPIPE, "splice to nobody: EPIPE");
	close(full[1]);
	close(p[0]);
	close(p[1]);
}

/* --- no room ---------------------------------------------------------------------------------- */

static int ear, self;
static struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/tmp/descriptors-ear" };

#define MAKES(id, ...)                    \
	static long do_##id(int fd)       \
	{                                 \
		(void)fd;                 \
		return CALL(__VA_ARGS__); \
	}

MAKES(open, SYS_open, "/", O_RDONLY)
MAKES(openat, SYS_openat, AT_FDCWD, "/", O_RDONLY)
MAKES(openat2, SYS_openat2, AT_FDCWD, "/", (&(struct open_how){ 0 }), 24)
MAKES(creat, SYS_creat, "/tmp/descriptors-new", 0600)
ONE(fcntl_dup, SYS_fcntl, fd, F_DUPFD, 0)
MAKES(pipe, SYS_pipe, buf)
MAKES(pipe2, SYS_pipe2, buf, 0)
MAKES(socket, SYS_socket, AF_UNIX, SOCK_STREAM, 0)
MAKES(socketpair, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, buf)
MAKES(accept_one, SYS_accept, ear, NULL, NULL)
MAKES(accept4_one, SYS_accept4, ear, NULL, NULL, 0)
MAKES(epoll_create, SYS_epoll_create, 1)
MAKES(epoll_create1, SYS_epoll_create1, 0)
MAKES(eventfd, SYS_eventfd, 0)
MAKES(eventfd2, SYS_eventfd2, 0, 0)
MAKES(signalfd_new, SYS_signalfd, -1, SET, 8)
MAKES(signalfd4_new, SYS_signalfd4, -1, SET, 8, 0)
MAKES(timerfd_create, SYS_timerfd_create, CLOCK_MONOTONIC, 0)
MAKES(inotify_init, SYS_inotify_init)
MAKES(inotify_init1, SYS_inotify_init1, 0)
MAKES(memfd_create, SYS_memfd_create, "m", 0)
MAKES(pidfd_open, SYS_pidfd_open, getpid(), 0)
MAKES(pidfd_getfd_one, SYS_pidfd_getfd, self, 0, 0)

static const struct row makers[] = {
	ROW(open),	    ROW(openat),	ROW(openat2),	     ROW(creat),
	ROW(dup),	    ROW(fcntl_dup),	ROW(pipe),	     ROW(pipe2),
	ROW(socket),	    ROW(socketpair),	ROW(accept_one),     ROW(accept4_one),
	ROW(epoll_create),  ROW(epoll_create1), ROW(eventfd),	     ROW(eventfd2),
	ROW(signalfd_new),  ROW(signalfd4_new), ROW(timerfd_create), ROW(inotify_init),
	ROW(inotify_init1), ROW(memfd_create),	ROW(pidfd_open),     ROW(pidfd_getfd_one),
};

static void test_no_room(void)
{
	struct rlimit before, l;
	int caller = socket(AF_UNIX, SOCK_STREAM, 0), lowest;

	unlink(address.sun_path);
	ear = socket(AF_UNIX, SOCK_STREAM, 0);
	self = (int)CALL(SYS_pidfd_open, getpid(), 0);
	bind(ear, (struct sockaddr *)&address, sizeof(address));
	listen(ear, 4);
	connect(caller, (struct sockaddr *)&address, sizeof(address));
	getrlimit(RLIMIT_NOFILE, &before);
	lowest = dup(0);
	close(lowest);
	l = (struct rlimit){ (rlim_t)lowest, before.rlim_max };
	setrlimit(RLIMIT_NOFILE, &l);
	EACH(makers, 0, -EMFILE, "the table is full: EMFILE");
	setrlimit(RLIMIT_NOFILE, &before);
	is(access("/tmp/descriptors-new", F_OK) < 0 ? -errno : 0, -ENOENT, "nothing was made");
	is(CALL(SYS_accept, ear, NULL, NULL), lowest, "and no connection lost");
	close(lowest);
	is(CALL(SYS_epoll_create, 1), lowest, "epoll_create");
	close(lowest);
	unlink(address.sun_path);
	unlink("/tmp/descriptors-new");
	close(self);
	close(ear);
	close(caller);
}

int main(void)
{
	int p[2];

	file = open("/tmp/descriptors", O_RDWR | O_CREAT | O_TRUNC, 0600);
	write(file, "text", 4);
	lseek(file, 0, SEEK_SET);
	path_only = open("/tmp/descriptors", O_PATH);
	pipe(p);
	in = p[0], out = p[1];
	write(out, "x", 1);
	ep = epoll_create1(0);
	test_wrong_kind();
	test_nonblocking();
	test_no_room();
	unlink("/tmp/descriptors");
	return tap_done();
}
