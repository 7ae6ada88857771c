/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP, UDP and netlink over the loopback interface.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "tests/syscalls/check.h"

static int events(int fd, short want)
{
	struct pollfd p = { fd, want, 0 };

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

static struct sockaddr_in loopback(unsigned int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* listener() - on a port that the kernel chose, which *ret tells. */
static int listener(struct sockaddr_in *ret)
{
	socklen_t len = sizeof(*ret);
	int s = socket(AF_INET, SOCK_STREAM, 0);

	*ret = loopback(0);
	bind(s, (void *)ret, len);
	listen(s, 8);
	getsockname(s, (void *)ret, &len);
	return s;
}

static void test_tcp(void)
{
	struct sockaddr_in a, peer;
	socklen_t len = sizeof(peer);
	int s = listener(&a), c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), d, n;
	char b[64];
	struct iovec v[2] = { { b, 2 }, { b + 2, 62 } };

	ok(ntohs(a.sin_port) > 0, "a port was chosen");
	is(events(s, POLLIN), 0, "nobody waits");
	is(CALL(SYS_connect, c, &a, sizeof(a)), 0, "connect");
	d = (int)CALL(SYS_accept, s, &peer, &len);
	ok(d >= 0, "accept");
	is(len, sizeof(peer), "the peer's address");
	is(peer.sin_addr.s_addr, htonl(INADDR_LOOPBACK), "is the loopback's");
	len = sizeof(a);
	is(getpeername(c, (void *)&peer, &len), 0, "getpeername");
	is(peer.sin_port, a.sin_port, "the listener's port");
	is(send(c, "hello ", 6, MSG_MORE), 6, "send");
	is(write(c, "world", 5), 5, "write");
	is(recv(d, b, 11, MSG_WAITALL), 11, "MSG_WAITALL");
	ok(memcmp(b, "hello world", 11) == 0, "arrives in order");
	write(d, "scattered", 9);
	is(readv(c, v, 2), 9, "readv");
	is(ioctl(c, FIONREAD, &n), 0, "FIONREAD");
	is(n, 0, "nothing left");
	is(CALL(SYS_recvfrom, c, b, 64, MSG_DONTWAIT, NULL, NULL), -EAGAIN, "EAGAIN");
	interrupted(CALL(SYS_recvfrom, c, b, 64, 0, NULL, NULL), -EINTR,
		    "a receive that waits: EINTR");
	is(killed_while(read(c, b, 1)), SIGKILL, "or is killed");
	is(CALL(SYS_sendto, c, BAD, 10, 0, NULL, 0), -EFAULT, "send: EFAULT");
	is(shutdown(c, SHUT_WR), 0, "shutdown");
	is(read(d, b, 64), 0, "the end at the other side");
	is(write(d, "still", 5), 5, "which may still send");
	is(read(c, b, 64), 5, "and is heard");
	close(d);
	is(read(c, b, 64), 0, "the end");
	close(c);
	close(s);
}

static void *connect_to(void *a)
{
	int c = socket(AF_INET, SOCK_STREAM, 0);

	usleep(30000);
	connect(c, a, sizeof(struct sockaddr_in));
	usleep(30000);
	write(c, "late", 4);
	close(c);
	return NULL;
}

static void test_waiting(void)
{
	struct epoll_event e = { .events = EPOLLIN }, got;
	struct sockaddr_in a;
	int s = listener(&a), d, ep = epoll_create1(0), c, error;
	socklen_t len = sizeof(error);
	struct pollfd p;
	pthread_t t;
	char b[16];

	pthread_create(&t, NULL, connect_to, &a);
	d = accept(s, NULL, NULL);
	ok(d >= 0, "accept waits for a connection");
	is(epoll_ctl(ep, EPOLL_CTL_ADD, d, &e), 0, "epoll_ctl");
	is(epoll_wait(ep, &got, 1, 2000), 1, "epoll waits for data");
	is(read(d, b, 16), 4, "which is there");
	is(epoll_wait(ep, &got, 1, 2000), 1, "and for the end");
	is(read(d, b, 16), 0, "which is there");
	pthread_join(t, NULL);
	close(d);
	c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	error = (int)CALL(SYS_connect, c, &a, sizeof(a));
	ok(error == 0 || error == -EINPROGRESS, "a connect that does not wait");
	p = (struct pollfd){ c, POLLOUT, 0 };
	is(poll(&p, 1, 2000), 1, "is done when it can be written");
	is(getsockopt(c, SOL_SOCKET, SO_ERROR, &error, &len), 0, "SO_ERROR");
	is(error, 0, "no error");
	close(c);
	close(s);
	c = socket(AF_INET, SOCK_STREAM, 0);
	is(CALL(SYS_connect, c, &a, sizeof(a)), -ECONNREFUSED, "nobody listens: ECONNREFUSED");
	close(c);
	close(ep);
}

static void test_udp(void)
{
	struct sockaddr_in a = loopback(0), from;
	socklen_t len = sizeof(a);
	int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);
	char b[16];
	struct iovec v[2] = { { "one", 3 }, { "two2", 4 } };
	struct mmsghdr m[2] = { { .msg_hdr = { .msg_iov = &v[0], .msg_iovlen = 1 } },
				{ .msg_hdr = { .msg_iov = &v[1], .msg_iovlen = 1 } } };

	is(bind(s, (void *)&a, len), 0, "bind");
	getsockname(s, (void *)&a, &len);
	is(sendto(c, "dgram", 5, 0, (void *)&a, len), 5, "sendto");
	len = sizeof(from);
	is(recvfrom(s, b, 16, 0, (void *)&from, &len), 5, "recvfrom");
	is(len, sizeof(from), "with an address");
	is(sendto(s, "back", 4, 0, (void *)&from, len), 4, "an answer");
	is(recv(c, b, 2, MSG_TRUNC), 4, "cut, with its length");
	is(CALL(SYS_sendto, c, "x", 1, 0, NULL, 0), -EDESTADDRREQ, "where to?");
	is(connect(c, (void *)&a, sizeof(a)), 0, "connect");
	is(CALL(SYS_sendmmsg, c, m, 2, 0), 2, "sendmmsg");
	is(m[1].msg_len, 4, "tells lengths");
	v[0] = (struct iovec){ b, 8 };
	v[1] = (struct iovec){ b + 8, 8 };
	is(CALL(SYS_recvmmsg, s, m, 2, MSG_WAITFORONE, NULL), 2, "recvmmsg");
	is(m[0].msg_len, 3, "tells lengths");
	close(s);
	close(c);
}

static void test_options(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), n = 1;
	socklen_t len = sizeof(n);

	is(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &n, sizeof(n)), 0, "SO_REUSEADDR");
	is(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &n, sizeof(n)), 0, "SO_KEEPALIVE");
	is(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &n, sizeof(n)), 0, "TCP_NODELAY");
	n = 0;
	is(getsockopt(s, IPPROTO_TCP, TCP_NODELAY, &n, &len), 0, "can be read");
	ok(n != 0, "and is on");
	len = sizeof(n);
	is(getsockopt(s, SOL_SOCKET, SO_DOMAIN, &n, &len), 0, "SO_DOMAIN");
	is(n, AF_INET, "AF_INET");
	len = sizeof(n);
	is(getsockopt(s, SOL_SOCKET, SO_PROTOCOL, &n, &len), 0, "SO_PROTOCOL");
	is(n, IPPROTO_TCP, "TCP");
	is(CALL(SYS_setsockopt, s, SOL_SOCKET, SO_REUSEADDR, BAD, 4), -EFAULT,
	   "setsockopt: EFAULT");
	is(CALL(SYS_setsockopt, s, SOL_SOCKET, 9999, &n, 4), -ENOPROTOOPT, "unknown option");
	is(CALL(SYS_shutdown, s, 9), -EINVAL, "shutdown: EINVAL");
	is(CALL(SYS_shutdown, s, SHUT_RD), -ENOTCONN, "shutdown: ENOTCONN");
	is(CALL(SYS_listen, 0, 1), -ENOTSOCK, "listen: ENOTSOCK");
	is(CALL(SYS_bind, -1, &n, 4), -EBADF, "bind: EBADF");
	close(s);
	is(CALL(SYS_socket, AF_INET, SOCK_STREAM, 250), -EPROTONOSUPPORT, "an unknown protocol");
	is(CALL(SYS_socket, 200, SOCK_STREAM, 0), -EAFNOSUPPORT, "an unknown family");
}

static void test_ipv6(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t len = sizeof(a);
	int s = socket(AF_INET6, SOCK_STREAM, 0), c = socket(AF_INET6, SOCK_STREAM, 0), n = 1;

	ok(s >= 0 && c >= 0, "AF_INET6");
	is(setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &n, sizeof(n)), 0, "IPV6_V6ONLY");
	is(bind(s, (void *)&a, len), 0, "bind to ::1");
	listen(s, 1);
	getsockname(s, (void *)&a, &len);
	is(connect(c, (void *)&a, sizeof(a)), 0, "connect to ::1");
	close(s);
	close(c);
}

static void test_netlink(void)
{
	struct {
		struct nlmsghdr n;
		struct ifinfomsg i;
	} rq = { .n = { .nlmsg_len = sizeof(rq),
			.nlmsg_type = RTM_GETLINK,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			.nlmsg_seq = 1 } };
	static char b[32768];
	struct ifreq r = { .ifr_name = "lo" };
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), u;
	long n;

	ok(s >= 0, "AF_NETLINK");
	is(send(s, &rq, sizeof(rq), 0), sizeof(rq), "a request for links");
	n = recv(s, b, sizeof(b), 0);
	ok(n > (long)sizeof(struct nlmsghdr) && ((struct nlmsghdr *)b)->nlmsg_type == RTM_NEWLINK,
	   "is answered");
	close(s);
	u = socket(AF_INET, SOCK_DGRAM, 0);
	is(ioctl(u, SIOCGIFFLAGS, &r), 0, "SIOCGIFFLAGS");
	ok(r.ifr_flags & IFF_UP, "lo is up");
	is(ioctl(u, SIOCGIFINDEX, &r), 0, "SIOCGIFINDEX");
	is(r.ifr_ifindex, 1, "lo is the first");
	close(u);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_tcp();
	test_waiting();
	test_udp();
	test_options();
	test_ipv6();
	test_netlink();
	return tap_done();
}
