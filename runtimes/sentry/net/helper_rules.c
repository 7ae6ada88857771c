/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the socket helper may be asked.
 *
 * Both sides check it.  No libc in here, and nothing to relocate: the helper has neither.
 */
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stddef.h>

#include "runtimes/sentry/net/helper.h"

static const char lists[][12] = { "arp",	"dev",	     "dev_mcast", "if_inet6", "igmp",
				  "ipv6_route", "netstat",   "raw",	  "raw6",     "route",
				  "sockstat",	"sockstat6", "snmp",	  "tcp",      "tcp6",
				  "udp",	"udp6" };

const char *helper_list_name(int32_t index)
{
	return index >= 0 && (size_t)index < sizeof(lists) / sizeof(lists[0]) ? lists[index] : NULL;
}

bool helper_allowed(int domain, int type, int protocol)
{
	if (domain == AF_NETLINK)
		return (type == SOCK_RAW || type == SOCK_DGRAM) && protocol == NETLINK_ROUTE;
	if (domain != AF_INET && domain != AF_INET6)
		return false;
	switch (type) {
	case SOCK_STREAM:
		return protocol == 0 || protocol == IPPROTO_TCP;
	case SOCK_DGRAM:
		return protocol == 0 || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP ||
		       protocol == IPPROTO_ICMPV6;
	case SOCK_RAW:
		return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
	default:
		return false;
	}
}

bool helper_option_allowed(int level, int name)
{
	return (level == SOL_SOCKET && name == SO_BINDTODEVICE) ||
	       (level == IPPROTO_IP && name == IP_HDRINCL);
}
