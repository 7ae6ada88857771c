/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_UNIX sockets: pairs, names, connections, descriptors, credentials.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tests/syscalls/check.h"

static int events(int fd, short want)
{
	struct pollfd p = { fd, want, 0 };

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

static struct sockaddr_un name_of(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path, path);
	return a;
}

/* --- pairs ------------------------------------------------------------------------------------ */

static void test_stream_pair(void)
{
	int p[2];
	char b[64] = "";

	is(CALL(SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p), 0,
	   "socketpair, stream");
	is(fcntl(p[0], F_GETFD), FD_CLOEXEC, "close-on-exec");
	is(write(p[0], "abc", 3), 3, "write");
	is(write(p[0], "defg", 4), 4, "and again");
	is(events(p[1], POLLIN | POLLOUT), POLLIN | POLLOUT, "readable and writable");
	is(recv(p[1], b, 2, MSG_PEEK), 2, "a peek");
	is(read(p[1], b, 5), 5, "a read over two writes");
	ok(memcmp(b, "abcde", 5) == 0, "keeps their order");
	is(recv(p[1], b, 64, MSG_DONTWAIT), 2, "the rest");
	is(CALL(SYS_recvfrom, p[1], b, 64, MSG_DONTWAIT, NULL, NULL), -EAGAIN, "nothing: EAGAIN");
	interrupted(CALL(SYS_read, p[1], b, 64), -EINTR, "a read that waits: EINTR");
	is(killed_while(read(p[1], b, 1)), SIGKILL, "or is killed");
	is(CALL(SYS_write, p[0], BAD, 4), -EFAULT, "write: EFAULT");
	is(write(p[0], "xy", 2), 2, "two bytes");
	is(CALL(SYS_read, p[1], BAD, 2), -EFAULT, "read: EFAULT");
	is(shutdown(p[0], SHUT_WR), 0, "shutdown");
	ok(events(p[1], POLLIN | POLLRDHUP) & POLLRDHUP, "is seen at the other side");
	signal(SIGPIPE, SIG_IGN);
	is(CALL(SYS_write, p[0], "x", 1), -EPIPE, "no writing after it");
	is(write(p[1], "back", 4), 4, "but the other way");
	is(read(p[0], b, 64), 4, "arrives");
	close(p[1]);
	is(CALL(SYS_sendto, p[0], "x", 1, MSG_NOSIGNAL, NULL, 0), -EPIPE, "closed: EPIPE");
	ok(events(p[0], POLLIN) & POLLHUP, "hung up");
	close(p[0]);
	is(CALL(SYS_socketpair, AF_INET, SOCK_STREAM, 0, p), -EOPNOTSUPP, "a pair of AF_INET");
	is(CALL(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, BAD), -EFAULT, "socketpair: EFAULT");
	is(CALL(SYS_socketpair, AF_UNIX, 77, 0, p), -EINVAL, "an unknown type");
}

static void test_sigpipe(void)
{
	int p[2], st;

	socketpair(AF_UNIX, SOCK_STREAM, 0, p);
	close(p[1]);
	st = in_child(signal(SIGPIPE, SIG_DFL); write(p[0], "x", 1));
	ok(WIFSIGNALED(st) && WTERMSIG(st) == SIGPIPE, "SIGPIPE ends a writer");
	close(p[0]);
}

/* A stream holds only so much, and gives room again. */
static void test_full(void)
{
	static char block[8192];
	int p[2];
	long sent = 0, got = 0, n;

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p);
	while ((n = send(p[0], block, sizeof(block), 0)) > 0)
		sent += n;
	is(errno, EAGAIN, "a full one: EAGAIN");
	ok(sent > 60000 && sent < 1000000, "after a sensible number of bytes");
	is(events(p[0], POLLOUT), 0, "not writable");
	while ((n = recv(p[1], block, sizeof(block), 0)) > 0)
		got += n;
	is(got, sent, "all of it arrives");
	is(events(p[0], POLLOUT), POLLOUT, "writable again");
	close(p[0]);
	close(p[1]);
}

static void test_datagrams(void)
{
	int p[2], n = 0;
	char b[64];
	struct iovec v = { b, 3 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	is(socketpair(AF_UNIX, SOCK_DGRAM, 0, p), 0, "socketpair, datagrams");
	write(p[0], "first", 5);
	write(p[0], "", 0);
	write(p[0], "third", 5);
	is(ioctl(p[1], FIONREAD, &n), 0, "FIONREAD");
	is(n, 5, "the first one");
	is(recvmsg(p[1], &m, 0), 3, "cut to the room");
	ok(m.msg_flags & MSG_TRUNC, "and it says so");
	is(recv(p[1], b, 64, 0), 0, "an empty one");
	is(recv(p[1], b, 2, MSG_TRUNC), 5, "MSG_TRUNC tells the length");
	close(p[0]);
	is(CALL(SYS_write, p[1], "x", 1), -ECONNREFUSED, "nobody there: ECONNREFUSED");
	close(p[1]);
	socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p);
	write(p[0], "one", 3);
	write(p[0], "two", 3);
	is(read(p[1], b, 64), 3, "seqpacket keeps bounds");
	close(p[0]);
	is(read(p[1], b, 64), 3, "what was sent before the end");
	is(read(p[1], b, 64), 0, "then the end");
	close(p[1]);
}

/* --- names ------------------------------------------------------------------------------------ */

static void test_names(void)
{
	struct sockaddr_un a = name_of("/tmp/socket-test"), got;
	int s = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), d;
	socklen_t len = sizeof(got);
	struct stat st;
	char b[16];

	unlink(a.sun_path);
	is(CALL(SYS_connect, c, &a, sizeof(a)), -ENOENT, "no such name: ENOENT");
	is(CALL(SYS_listen, s, 1), -EINVAL, "listen without a name: EINVAL");
	is(bind(s, (void *)&a, sizeof(a)), 0, "bind");
	ok(stat(a.sun_path, &st) == 0 && S_ISSOCK(st.st_mode), "makes a node");
	strcat(a.sun_path, "2");
	is(CALL(SYS_bind, s, &a, sizeof(a)), -EINVAL, "another name: EINVAL");
	unlink(a.sun_path);
	a.sun_path[strlen(a.sun_path) - 1] = '\0';
	is(CALL(SYS_bind, c, &a, sizeof(a)), -EADDRINUSE, "another: EADDRINUSE");
	is(CALL(SYS_connect, c, &a, sizeof(a)), -ECONNREFUSED, "nobody listens: ECONNREFUSED");
	is(listen(s, 2), 0, "listen");
	is(events(s, POLLIN), 0, "nobody waits");
	is(connect(c, (void *)&a, sizeof(a)), 0, "connect");
	is(CALL(SYS_connect, c, &a, sizeof(a)), -EISCONN, "twice: EISCONN");
	is(events(s, POLLIN), POLLIN, "somebody waits");
	write(c, "early", 5);
	d = (int)CALL(SYS_accept4, s, &got, &len, SOCK_CLOEXEC);
	ok(d >= 0, "accept4");
	is(len, sizeof(sa_family_t), "the peer has no name");
	is(read(d, b, 16), 5, "what was sent before");
	len = sizeof(got);
	is(getpeername(c, (void *)&got, &len), 0, "getpeername");
	ok(strcmp(got.sun_path, a.sun_path) == 0, "is the listener's");
	len = sizeof(got);
	is(getsockname(d, (void *)&got, &len), 0, "getsockname");
	ok(strcmp(got.sun_path, a.sun_path) == 0, "too");
	len = 4;
	is(getsockname(d, (void *)&got, &len), 0, "with little room");
	ok(len > 4, "the whole length is told");
	is(CALL(SYS_getsockname, d, BAD, &len), -EFAULT, "getsockname: EFAULT");
	interrupted(CALL(SYS_accept, s, NULL, NULL), -EINTR, "an accept that waits: EINTR");
	is(CALL(SYS_accept, c, NULL, NULL), -EINVAL, "accept on a connection: EINVAL");
	is(CALL(SYS_accept4, s, NULL, NULL, 0x123), -EINVAL, "accept4: EINVAL");
	close(s);
	close(socket(AF_UNIX, SOCK_STREAM, 0));
	close(c);
	is(read(d, b, 16), 0, "the end");
	close(d);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	is(CALL(SYS_connect, c, &a, sizeof(a)), -ECONNREFUSED,
	   "the node stays, the socket is gone");
	close(c);
	unlink(a.sun_path);
}

static void test_abstract(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "\0sentry-test" }, from;
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + 12, got = sizeof(from);
	int s = socket(AF_UNIX, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_DGRAM, 0);
	char b[16];

	is(bind(s, (void *)&a, len), 0, "an abstract name");
	is(CALL(SYS_bind, c, &a, len), -EADDRINUSE, "only once");
	a.sun_family = AF_UNIX;
	is(CALL(SYS_bind, c, &a, sizeof(sa_family_t)), 0, "autobind");
	is(sendto(c, "hi", 2, 0, (void *)&a, len), 2, "sendto");
	is(recvfrom(s, b, 16, 0, (void *)&from, &got), 2, "recvfrom");
	is(got, offsetof(struct sockaddr_un, sun_path) + 6, "the sender's name has five digits");
	is(sendto(s, "yo", 2, 0, (void *)&from, got), 2, "an answer to it");
	is(recv(c, b, 16, 0), 2, "arrives");
	is(CALL(SYS_write, c, "x", 1), -ENOTCONN, "not connected: ENOTCONN");
	is(connect(c, (void *)&a, len), 0, "connect");
	is(write(c, "x", 1), 1, "now it goes");
	close(s);
	is(CALL(SYS_sendto, c, "x", 1, 0, &a, len), -ECONNREFUSED, "the name goes with its socket");
	close(c);
}

/* --- descriptors, credentials ----------------------------------------------------------------- */

static long send_fds(int sock, const int *fds, size_t n)
{
	char control[CMSG_SPACE(sizeof(int) * 8)] = { 0 };
	struct iovec v = { "x", 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = CMSG_SPACE(sizeof(int) * n) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(h), fds, sizeof(int) * n);
	return CALL(SYS_sendmsg, sock, &m, 0);
}

static void test_rights(void)
{
	char control[CMSG_SPACE(sizeof(int) * 2)], b[8];
	struct iovec v = { b, 8 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int p[2], q[2], fds[3] = { -1, -1, -1 };
	struct cmsghdr *h;

	socketpair(AF_UNIX, SOCK_STREAM, 0, p);
	pipe(q);
	is(send_fds(p[0], (int[]){ q[0], q[1] }, 2), 1, "two descriptors are sent");
	close(q[0]);
	close(q[1]);
	is(CALL(SYS_recvmsg, p[1], &m, MSG_CMSG_CLOEXEC), 1, "and received");
	h = CMSG_FIRSTHDR(&m);
	ok(h && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(8), "as SCM_RIGHTS");
	memcpy(fds, CMSG_DATA(h), 8);
	is(fcntl(fds[0], F_GETFD), FD_CLOEXEC, "close-on-exec as asked");
	write(fds[1], "pipe", 4);
	is(read(fds[0], b, 8), 4, "they are the pipe");
	is(send_fds(p[0], (int[]){ 999 }, 1), -EBADF, "a bad one: EBADF");
	send_fds(p[0], (int[]){ fds[0], fds[1], p[0] }, 3);
	m.msg_controllen = sizeof(control);
	is(recvmsg(p[1], &m, 0), 1, "three into room for two");
	ok(m.msg_flags & MSG_CTRUNC, "is said");
	send_fds(p[0], fds, 1);
	is(read(p[1], b, 8), 1, "a read takes the byte and drops the descriptor");
	close(p[0]);
	close(p[1]);
}

static void test_credentials(void)
{
	char control[CMSG_SPACE(sizeof(struct ucred))], b[8];
	struct iovec v = { b, 8 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct ucred u;
	socklen_t len = sizeof(u);
	int p[2], on_ = 1;

	socketpair(AF_UNIX, SOCK_DGRAM, 0, p);
	is(getsockopt(p[0], SOL_SOCKET, SO_PEERCRED, &u, &len), 0, "SO_PEERCRED");
	ok(u.pid == getpid() && u.uid == getuid() && u.gid == getgid(), "is who made the pair");
	is(setsockopt(p[1], SOL_SOCKET, SO_PASSCRED, &on_, sizeof(on_)), 0, "SO_PASSCRED");
	write(p[0], "x", 1);
	is(recvmsg(p[1], &m, 0), 1, "a message");
	ok(m.msg_controllen == CMSG_SPACE(sizeof(u)), "with a control message");
	memcpy(&u, control + CMSG_LEN(0), sizeof(u));
	ok(u.pid == getpid(), "that says who sent it");
	close(p[0]);
	close(p[1]);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void *echo(void *fd)
{
	char b[16];
	long n = read(*(int *)fd, b, 16);

	write(*(int *)fd, b, (size_t)n);
	return NULL;
}

static void test_waiting(void)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET }, got;
	struct timeval tv = { 0, 30000 };
	socklen_t len = sizeof(tv);
	pthread_t t;
	int p[2], ep = epoll_create1(0), type;
	char b[16];
	int64_t before;

	socketpair(AF_UNIX, SOCK_STREAM, 0, p);
	pthread_create(&t, NULL, echo, &p[1]);
	write(p[0], "ping", 4);
	is(read(p[0], b, 16), 4, "a thread answers");
	pthread_join(t, NULL);
	epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e);
	is(epoll_wait(ep, &got, 1, 0), 0, "epoll: nothing");
	write(p[1], "a", 1);
	is(epoll_wait(ep, &got, 1, 100), 1, "epoll: an edge");
	is(epoll_wait(ep, &got, 1, 0), 0, "told once");
	write(p[1], "b", 1);
	is(epoll_wait(ep, &got, 1, 100), 1, "and once more");
	read(p[0], b, 16);
	is(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0, "SO_RCVTIMEO");
	before = now_ms();
	is(CALL(SYS_read, p[0], b, 16), -EAGAIN, "ends a read: EAGAIN");
	ok(now_ms() - before >= 25, "after its time");
	memset(&tv, 0, sizeof(tv));
	getsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, &len);
	ok(tv.tv_usec > 0, "and can be read back");
	len = sizeof(type);
	is(getsockopt(p[0], SOL_SOCKET, SO_TYPE, &type, &len), 0, "SO_TYPE");
	is(type, SOCK_STREAM, "stream");
	is(CALL(SYS_getsockopt, p[0], SOL_SOCKET, 9999, &type, &len), -ENOPROTOOPT,
	   "unknown option");
	is(CALL(SYS_getsockopt, 0, SOL_SOCKET, SO_TYPE, &type, &len), -ENOTSOCK, "no socket");
	close(ep);
	close(p[0]);
	close(p[1]);
}

int main(void)
{
	test_stream_pair();
	test_sigpipe();
	test_full();
	test_datagrams();
	test_names();
	test_abstract();
	test_rights();
	test_credentials();
	test_waiting();
	return tap_done();
}
