/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of the pod's network: those that programs set, and no others.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "runtimes/sentry/net/inet_internal.h"

enum { GET = 1, SET = 2, BOTH = 3 };

static const struct {
	int level, name;
	int may;
	int cap; /* to set it; -1: none */
} options[] = {
	{ SOL_SOCKET, SO_REUSEADDR, BOTH, -1 },
	{ SOL_SOCKET, SO_REUSEPORT, BOTH, -1 },
	{ SOL_SOCKET, SO_KEEPALIVE, BOTH, -1 },
	{ SOL_SOCKET, SO_BROADCAST, BOTH, -1 },
	{ SOL_SOCKET, SO_LINGER, BOTH, -1 },
	{ SOL_SOCKET, SO_SNDBUF, BOTH, -1 },
	{ SOL_SOCKET, SO_RCVBUF, BOTH, -1 },
	{ SOL_SOCKET, SO_RCVLOWAT, BOTH, -1 },
	{ SOL_SOCKET, SO_OOBINLINE, BOTH, -1 },
	{ SOL_SOCKET, SO_DONTROUTE, BOTH, -1 },
	{ SOL_SOCKET, SO_TIMESTAMP, BOTH, -1 },
	{ SOL_SOCKET, SO_TIMESTAMPNS, BOTH, -1 },
	{ SOL_SOCKET, SO_PRIORITY, BOTH, -1 },
	{ SOL_SOCKET, SO_BINDTODEVICE, BOTH, CAP_NET_RAW },
	{ SOL_SOCKET, SO_BUSY_POLL, BOTH, -1 },
	{ SOL_SOCKET, SO_NO_CHECK, BOTH, -1 },
	{ SOL_SOCKET, SO_TIMESTAMPING, BOTH, -1 },
	{ SOL_SOCKET, SO_RXQ_OVFL, BOTH, -1 },
	{ SOL_SOCKET, SO_MAX_PACING_RATE, BOTH, -1 },
	{ SOL_SOCKET, SO_SELECT_ERR_QUEUE, BOTH, -1 },
	{ SOL_SOCKET, SO_MARK, GET, -1 },
	{ SOL_SOCKET, SO_SNDLOWAT, GET, -1 },
	{ SOL_SOCKET, SO_INCOMING_NAPI_ID, GET, -1 },
	{ SOL_SOCKET, SO_INCOMING_CPU, GET, -1 },
	{ SOL_SOCKET, SO_ERROR, GET, -1 },
	{ SOL_SOCKET, SO_ACCEPTCONN, GET, -1 },
	{ SOL_SOCKET, SO_COOKIE, GET, -1 },
	{ IPPROTO_TCP, TCP_NODELAY, BOTH, -1 },
	{ IPPROTO_TCP, TCP_MAXSEG, BOTH, -1 },
	{ IPPROTO_TCP, TCP_CORK, BOTH, -1 },
	{ IPPROTO_TCP, TCP_KEEPIDLE, BOTH, -1 },
	{ IPPROTO_TCP, TCP_KEEPINTVL, BOTH, -1 },
	{ IPPROTO_TCP, TCP_KEEPCNT, BOTH, -1 },
	{ IPPROTO_TCP, TCP_SYNCNT, BOTH, -1 },
	{ IPPROTO_TCP, TCP_LINGER2, BOTH, -1 },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT, BOTH, -1 },
	{ IPPROTO_TCP, TCP_WINDOW_CLAMP, BOTH, -1 },
	{ IPPROTO_TCP, TCP_QUICKACK, BOTH, -1 },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, BOTH, -1 },
	{ IPPROTO_TCP, TCP_FASTOPEN, BOTH, -1 },
	{ IPPROTO_TCP, TCP_FASTOPEN_CONNECT, BOTH, -1 },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, BOTH, -1 },
	{ IPPROTO_TCP, TCP_INQ, BOTH, -1 },
	{ IPPROTO_TCP, TCP_CONGESTION, BOTH, -1 },
	{ IPPROTO_TCP, TCP_INFO, GET, -1 },
	{ IPPROTO_IP, IP_TOS, BOTH, -1 },
	{ IPPROTO_IP, IP_TTL, BOTH, -1 },
	{ IPPROTO_IP, IP_PKTINFO, BOTH, -1 },
	{ IPPROTO_IP, IP_RECVTOS, BOTH, -1 },
	{ IPPROTO_IP, IP_RECVTTL, BOTH, -1 },
	{ IPPROTO_IP, IP_RECVERR, BOTH, -1 },
	{ IPPROTO_IP, IP_MTU_DISCOVER, BOTH, -1 },
	{ IPPROTO_IP, IP_MTU, GET, -1 },
	{ IPPROTO_IP, IP_FREEBIND, BOTH, -1 },
	{ IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, BOTH, -1 },
	{ IPPROTO_IP, IP_MULTICAST_TTL, BOTH, -1 },
	{ IPPROTO_IP, IP_MULTICAST_LOOP, BOTH, -1 },
	{ IPPROTO_IP, IP_MULTICAST_IF, BOTH, -1 },
	{ IPPROTO_IP, IP_ADD_MEMBERSHIP, SET, -1 },
	{ IPPROTO_IP, IP_DROP_MEMBERSHIP, SET, -1 },
	{ IPPROTO_IP, IP_MULTICAST_ALL, BOTH, -1 },
	{ IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, SET, -1 },
	{ IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, SET, -1 },
	{ IPPROTO_IP, MCAST_JOIN_GROUP, SET, -1 },
	{ IPPROTO_IP, MCAST_LEAVE_GROUP, SET, -1 },
	{ IPPROTO_IP, IP_RECVORIGDSTADDR, BOTH, -1 },
	{ IPPROTO_IP, IP_MINTTL, BOTH, -1 },
	{ IPPROTO_IP, IP_UNICAST_IF, BOTH, -1 },
	{ IPPROTO_IP, IP_HDRINCL, BOTH, CAP_NET_RAW },
	{ IPPROTO_IPV6, IPV6_V6ONLY, BOTH, -1 },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, BOTH, -1 },
	{ IPPROTO_IPV6, IPV6_MULTICAST_HOPS, BOTH, -1 },
	{ IPPROTO_IPV6, IPV6_MULTICAST_LOOP, BOTH, -1 },
	{ IPPROTO_IPV6, IPV6_MULTICAST_IF, BOTH, -1 },
	{ IPPROTO_IPV6, IPV6_JOIN_GROUP, SET, -1 },
	{ IPPROTO_IPV6, IPV6_LEAVE_GROUP, SET, -1 },
	{ IPPROTO_IPV6, IPV6_RECVPKTINFO, BOTH, -1 },
	{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT, BOTH, -1 },
	{ IPPROTO_IPV6, IPV6_RECVTCLASS, BOTH, -1 },
	{ IPPROTO_IPV6, IPV6_TCLASS, BOTH, -1 },
	{ IPPROTO_IPV6, IPV6_RECVERR, BOTH, -1 },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER, BOTH, -1 },
	{ IPPROTO_IPV6, IPV6_MULTICAST_ALL, BOTH, -1 },
	{ IPPROTO_IPV6, MCAST_JOIN_GROUP, SET, -1 },
	{ IPPROTO_IPV6, MCAST_LEAVE_GROUP, SET, -1 },
	{ IPPROTO_IPV6, IPV6_FREEBIND, BOTH, -1 },
	{ IPPROTO_IPV6, IPV6_UNICAST_IF, BOTH, -1 },
	{ IPPROTO_IPV6, IPV6_MTU, GET, -1 },
	{ SOL_NETLINK, NETLINK_EXT_ACK, BOTH, -1 },
	{ SOL_NETLINK, NETLINK_GET_STRICT_CHK, BOTH, -1 },
	{ SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, SET, -1 },
	{ SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, SET, -1 },
	{ SOL_RAW, 1 /* ICMP_FILTER */, BOTH, -1 },
	{ IPPROTO_ICMPV6, 1 /* ICMPV6_FILTER */, BOTH, -1 },
	{ IPPROTO_UDP, 103 /* UDP_SEGMENT */, BOTH, -1 },
	{ IPPROTO_UDP, 104 /* UDP_GRO */, BOTH, -1 },
};

/* find() - Return: index, or -ENOPROTOOPT. */
static int find(int level, int name, int may)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (options[i].level == level && options[i].name == name && (options[i].may & may))
			return (int)i;
	return -ENOPROTOOPT;
}

/* needs_receives() - options that tell of single receives, or decide what there is to read. */
static bool needs_receives(int level, int name)
{
	if (level == SOL_SOCKET)
		return name == SO_RCVLOWAT || name == SO_OOBINLINE || name == SO_TIMESTAMP ||
		       name == SO_TIMESTAMPNS || name == SO_TIMESTAMPING;
	return level == IPPROTO_TCP && name == TCP_INQ;
}

int inet_set_option(struct socket *s, int level, int name, const void *value, uint32_t len,
		    const struct cred *c)
{
	int i = find(level, name, SET);

	if (i < 0)
		return i;
	if (options[i].cap >= 0 && !cred_has(c, options[i].cap))
		return -EPERM;
	if (needs_receives(level, name))
		inet_ahead_off(inet_of(s));
	return inet_of(s)->stack->set_option(inet_of(s)->end, level, name, value, len);
}

int inet_get_option(struct socket *s, int level, int name, void *value, uint32_t *len)
{
	int i = find(level, name, GET);
	socklen_t n = *len;

	if (i < 0)
		return i;
	if (level == SOL_SOCKET && name == SO_ERROR && n >= sizeof(int)) {
		i = -inet_ahead_take_error(inet_of(s));
		if (i) {
			memcpy(value, &i, sizeof(i));
			*len = sizeof(i);
			return 0;
		}
	}
	i = inet_of(s)->stack->get_option(inet_of(s)->end, level, name, value, &n);
	*len = n;
	return i;
}
