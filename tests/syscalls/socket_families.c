/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What there is of families, types and protocols, and whom it takes; netlink; options.
 */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/syscalls/check.h"

#define LOW_PORT 807

static char b[32768];

static struct sockaddr_in loopback(unsigned int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static void test_kinds(void)
{
	is(CALL(SYS_socket, -1, SOCK_STREAM, 0), -EAFNOSUPPORT, "no such family");
	is(CALL(SYS_socket, AF_INET, 15, 0), -EINVAL, "no such type");
	is(CALL(SYS_socket, AF_INET, SOCK_SEQPACKET, 0), -ESOCKTNOSUPPORT, "not of AF_INET");
	is(CALL(SYS_socket, AF_INET6, SOCK_RDM, 0), -ESOCKTNOSUPPORT, "nor of AF_INET6");
	is(CALL(SYS_socket, AF_INET, SOCK_STREAM, IPPROTO_UDP), -EPROTONOSUPPORT,
	   "a stream of UDP");
	is(CALL(SYS_socket, AF_INET, SOCK_DGRAM, IPPROTO_TCP), -EPROTONOSUPPORT,
	   "datagrams of TCP");
	is(CALL(SYS_socket, AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE), -ESOCKTNOSUPPORT,
	   "a stream of netlink");
	is(CALL(SYS_socket, AF_INET, SOCK_STREAM | 0x100000, 0), -EINVAL, "an unknown flag");
	is(CALL(SYS_socketpair, AF_INET, SOCK_STREAM, 0, b), -EOPNOTSUPP, "no pairs of AF_INET");
}

static void drop(int cap)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	syscall(SYS_capget, &head, data);
	data[0].effective &= ~(1u << cap);
	syscall(SYS_capset, &head, data);
}

/* The process' own rights decide, not those of who makes the sockets. */
static void test_rights(void)
{
	struct sockaddr_in a = loopback(LOW_PORT);
	int s = socket(AF_INET, SOCK_STREAM, 0), status;

	is(CALL(SYS_bind, s, &a, sizeof(a)), 0, "a low port with CAP_NET_BIND_SERVICE");
	close(s);
	status = in_child({
		drop(CAP_NET_BIND_SERVICE);
		s = socket(AF_INET, SOCK_STREAM, 0);
		_exit(-(int)CALL(SYS_bind, s, &a, sizeof(a)));
	});
	is(WEXITSTATUS(status), EACCES, "and without: EACCES");
	status = in_child({
		drop(CAP_NET_RAW);
		_exit(-(int)CALL(SYS_socket, AF_INET, SOCK_RAW, IPPROTO_ICMP));
	});
	is(WEXITSTATUS(status), EPERM, "a raw socket without CAP_NET_RAW: EPERM");
}

/* dump() - Return: how many messages of @type answer the request for all of them. */
static int dump(int request, int type)
{
	struct {
		struct nlmsghdr n;
		struct rtgenmsg g;
	} rq = { .n = { .nlmsg_len = sizeof(rq),
			.nlmsg_type = (uint16_t)request,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };
	int s = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE), found = 0;
	bool over = send(s, &rq, sizeof(rq), 0) < 0;

	while (!over) {
		long len = recv(s, b, sizeof(b), 0);

		for (struct nlmsghdr *n = (void *)b; NLMSG_OK(n, len); n = NLMSG_NEXT(n, len)) {
			found += n->nlmsg_type == type;
			over |= n->nlmsg_type == NLMSG_DONE || n->nlmsg_type == NLMSG_ERROR;
		}
		over |= len <= 0;
	}
	close(s);
	return found;
}

/* change() - what a request that would change lo is answered, without the right to. */
static int change(void)
{
	struct {
		struct nlmsghdr n;
		struct ifinfomsg i;
		char odd; /* requests need not end at a multiple of four */
	} rq = { .n = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)) + 1,
			.nlmsg_type = RTM_NEWLINK,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		 .i = { .ifi_index = 1, .ifi_change = IFF_UP } };
	struct nlmsghdr *n = (void *)b;
	int s;

	drop(CAP_NET_ADMIN);
	s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	if (send(s, &rq, rq.n.nlmsg_len, 0) != rq.n.nlmsg_len || recv(s, b, sizeof(b), 0) < 36 ||
	    n->nlmsg_type != NLMSG_ERROR)
		return 0;
	return -((struct nlmsgerr *)NLMSG_DATA(n))->error;
}

static void test_interfaces(void)
{
	struct ifaddrs *all = NULL;
	bool four = false;

	ok(dump(RTM_GETLINK, RTM_NEWLINK) > 0, "links");
	ok(dump(RTM_GETADDR, RTM_NEWADDR) > 0, "addresses");
	ok(dump(RTM_GETROUTE, RTM_NEWROUTE) > 0, "routes");
	is(WEXITSTATUS(in_child(_exit(change()))), EPERM, "to change them takes a right");
	is(getifaddrs(&all), 0, "getifaddrs");
	for (struct ifaddrs *i = all; i; i = i->ifa_next)
		if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET && !strcmp(i->ifa_name, "lo"))
			four |= ((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr.s_addr ==
				htonl(INADDR_LOOPBACK);
	ok(four, "lo has 127.0.0.1");
	freeifaddrs(all);
	is(if_nametoindex("lo"), 1, "if_nametoindex");
	is(CALL(SYS_socket, AF_NETLINK, SOCK_RAW, 99), -EPROTONOSUPPORT,
	   "netlink of an unknown kind");
}

/* six() - a datagram from and to ::1, with where it came in. */
static void test_six(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT },
			    from;
	socklen_t len = sizeof(a);
	int s = socket(AF_INET6, SOCK_DGRAM, 0), c = socket(AF_INET6, SOCK_DGRAM, 0), on = 1;
	char control[256];
	struct iovec v = { b, sizeof(b) };
	struct msghdr m = { .msg_name = &from,
			    .msg_namelen = sizeof(from),
			    .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *h;

	is(setsockopt(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)), 0, "IPV6_RECVPKTINFO");
	bind(s, (void *)&a, len);
	getsockname(s, (void *)&a, &len);
	is(sendto(c, "six", 3, 0, (void *)&a, len), 3, "sendto");
	is(recvmsg(s, &m, 0), 3, "recvmsg");
	is(m.msg_namelen, sizeof(from), "with an address");
	h = CMSG_FIRSTHDR(&m);
	ok(h && h->cmsg_level == IPPROTO_IPV6 && h->cmsg_type == IPV6_PKTINFO,
	   "and where it came in");
	is(h ? ((struct in6_pktinfo *)(void *)CMSG_DATA(h))->ipi6_ifindex : 0, 1, "by lo");
	close(s);
	close(c);
	/* a socket of both: IPv4 comes as a mapped address */
	a = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
	s = socket(AF_INET6, SOCK_DGRAM, 0);
	on = 0;
	setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	bind(s, (void *)&a, sizeof(a));
	len = sizeof(a);
	getsockname(s, (void *)&a, &len);
	c = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in four = loopback(ntohs(a.sin6_port));
	sendto(c, "four", 4, 0, (void *)&four, sizeof(four));
	len = sizeof(from);
	is(recvfrom(s, b, 10, 0, (void *)&from, &len), 4, "IPv4 to a socket of both");
	ok(IN6_IS_ADDR_V4MAPPED(&from.sin6_addr), "as a mapped address");
	close(s);
	close(c);
}

static void test_udp(void)
{
	struct sockaddr_in a = loopback(0), nobody = loopback(9);
	struct iovec v[3] = { { b, 10 }, { b + 10, 10 }, { b + 20, 10 } };
	struct mmsghdr m[3] = { { .msg_hdr = { .msg_iov = &v[0], .msg_iovlen = 1 } },
				{ .msg_hdr = { .msg_iov = &v[1], .msg_iovlen = 1 } },
				{ .msg_hdr = { .msg_iov = &v[2], .msg_iovlen = 1 } } };
	struct timespec limit = { 0, 1 }, bad = { 0, -1 };
	int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = sizeof(a);

	bind(s, (void *)&a, len);
	getsockname(s, (void *)&a, &len);
	for (int i = 0; i < 3; i++)
		sendto(c, "dgram", 5, 0, (void *)&a, len);
	is(CALL(SYS_recvmmsg, s, m, 3, 0, &limit), 1, "recvmmsg: its time is over after the first");
	is(limit.tv_sec + limit.tv_nsec, 0, "nothing is left of it");
	is(CALL(SYS_recvmmsg, s, m, 3, 0, &bad), -EINVAL, "a time that is none: EINVAL");
	is(CALL(SYS_recvmmsg, s, m, 3, MSG_DONTWAIT, NULL), 2, "those that are there");
	is(CALL(SYS_recvmmsg, s, m, 3, MSG_DONTWAIT, NULL), -EAGAIN, "none: EAGAIN");
	is(CALL(SYS_recvmmsg, s, BAD, 3, MSG_DONTWAIT, NULL), -EFAULT, "EFAULT");
	is(CALL(SYS_sendmmsg, c, BAD, 1, 0), -EFAULT, "sendmmsg: EFAULT");
	is(CALL(SYS_recvmmsg, -1, m, 1, 0, NULL), -EBADF, "EBADF");
	is(CALL(SYS_sendmsg, 0, &m[0].msg_hdr, 0), -ENOTSOCK, "sendmsg: ENOTSOCK");
	interrupted(CALL(SYS_recvmmsg, s, m, 3, 0, NULL), -EINTR,
		    "a wait that is interrupted: EINTR");
	is(killed_while(syscall(SYS_recvmmsg, s, m, 3, 0, NULL)), SIGKILL, "or killed");
	is(connect(c, (void *)&nobody, sizeof(nobody)), 0, "connect to nobody");
	send(c, "x", 1, 0);
	is(CALL(SYS_recvfrom, c, b, 1, 0, NULL, NULL), -ECONNREFUSED, "is told by its answer");
	close(s);
	close(c);
}

/* kept() - an option is set, and is then at least what was set. */
static bool kept(int s, int level, int name, int value)
{
	socklen_t len = sizeof(int);
	int now = -1;

	return setsockopt(s, level, name, &value, sizeof(value)) == 0 &&
	       getsockopt(s, level, name, &now, &len) == 0 && now >= value;
}

static void test_options(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0);
	struct linger l = { 1, 5 }, now;
	struct timeval tv = { 3, 0 }, tv_now;
	struct tcp_info info;
	socklen_t len = sizeof(now);

	ok(kept(s, SOL_SOCKET, SO_REUSEPORT, 1), "SO_REUSEPORT");
	ok(kept(s, SOL_SOCKET, SO_SNDBUF, 20000), "SO_SNDBUF");
	ok(kept(s, SOL_SOCKET, SO_RCVBUF, 20000), "SO_RCVBUF");
	ok(kept(s, SOL_SOCKET, SO_RCVLOWAT, 2), "SO_RCVLOWAT");
	ok(kept(s, IPPROTO_TCP, TCP_KEEPIDLE, 77), "TCP_KEEPIDLE");
	ok(kept(s, IPPROTO_TCP, TCP_KEEPINTVL, 7), "TCP_KEEPINTVL");
	ok(kept(s, IPPROTO_TCP, TCP_KEEPCNT, 3), "TCP_KEEPCNT");
	ok(kept(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 1000), "TCP_USER_TIMEOUT");
	ok(kept(s, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1), "TCP_DEFER_ACCEPT");
	ok(kept(s, IPPROTO_TCP, TCP_CORK, 1), "TCP_CORK");
	ok(kept(s, IPPROTO_IP, IP_TOS, 16), "IP_TOS");
	ok(kept(u, IPPROTO_IP, IP_PKTINFO, 1), "IP_PKTINFO");
	ok(kept(u, IPPROTO_IP, IP_MULTICAST_TTL, 4), "IP_MULTICAST_TTL");
	ok(kept(u, SOL_SOCKET, SO_BROADCAST, 1), "SO_BROADCAST");
	ok(kept(u, SOL_SOCKET, SO_RXQ_OVFL, 1), "SO_RXQ_OVFL");
	is(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0, "SO_LINGER");
	is(getsockopt(s, SOL_SOCKET, SO_LINGER, &now, &len), 0, "is kept");
	is(now.l_linger, 5, "as it is");
	is(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0, "SO_RCVTIMEO");
	len = sizeof(tv_now);
	getsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv_now, &len);
	is(tv_now.tv_sec, 3, "is kept");
	tv.tv_usec = 1000000;
	is(CALL(SYS_setsockopt, s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), -EDOM, "EDOM");
	len = sizeof(info);
	is(getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &len), 0, "TCP_INFO");
	is(info.tcpi_state, TCP_CLOSE, "not connected");
	len = sizeof(b);
	is(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, b, &len), 0, "TCP_CONGESTION");
	ok(strlen(b) > 0, "has a name");
	is(CALL(SYS_getsockopt, s, SOL_SOCKET, SO_TYPE, BAD, &len), -EFAULT, "getsockopt: EFAULT");
	is(CALL(SYS_getsockopt, s, SOL_SOCKET, SO_TYPE, b, BAD), -EFAULT, "for its length too");
	close(s);
	close(u);
}

int main(void)
{
	test_kinds();
	test_rights();
	test_interfaces();
	test_six();
	test_udp();
	test_options();
	return tap_done();
}
