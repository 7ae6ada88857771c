/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the socket helper; and what may be asked.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "runtimes/sentry/net/helper.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int helper = -1;

void helper_use(int sock)
{
	helper = sock;
}

const char *const helper_lists[] = { "arp",	   "dev",	"dev_mcast", "if_inet6", "igmp",
				     "ipv6_route", "netstat",	"raw",	     "raw6",	 "route",
				     "sockstat",   "sockstat6", "snmp",	     "tcp",	 "tcp6",
				     "udp",	   "udp6",	NULL };

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

/* ask() - @fd goes along (-1: none). Return: 0 or -errno; *ret_fd: what came back. */
static int ask(const struct helper_request *rq, int fd, int *ret_fd)
{
	struct helper_reply reply;
	int got = -1, rc;
	ssize_t n;

	if (helper < 0)
		return -EAFNOSUPPORT;
	pthread_mutex_lock(&lock);
	rc = fd_send(helper, rq, sizeof(*rq), &fd, fd >= 0);
	n = rc < 0 ? rc : fd_recv(helper, &reply, sizeof(reply), &got, 1);
	pthread_mutex_unlock(&lock);
	if (n != sizeof(reply))
		return -ENETDOWN;
	if (reply.error < 0 || !ret_fd)
		close_fd(&got);
	if (ret_fd)
		*ret_fd = got;
	return reply.error;
}

int helper_socket(int domain, int type, int protocol)
{
	struct helper_request rq = {
		.op = HELPER_SOCKET, .domain = domain, .type = type, .protocol = protocol
	};
	int fd, rc = ask(&rq, -1, &fd);

	return rc < 0 ? rc : fd < 0 ? -ENETDOWN : fd;
}

int helper_bind(int fd, const struct sockaddr *a, socklen_t len)
{
	struct helper_request rq = { .op = HELPER_BIND, .len = len };

	if (len > sizeof(rq.bytes))
		return -EINVAL;
	memcpy(rq.bytes, a, len);
	return ask(&rq, fd, NULL);
}

int helper_option(int fd, int level, int name, const void *value, uint32_t len)
{
	struct helper_request rq = {
		.op = HELPER_OPTION, .level = level, .name = name, .len = len
	};

	if (len > sizeof(rq.bytes))
		return -EINVAL;
	memcpy(rq.bytes, value, len);
	return ask(&rq, fd, NULL);
}

int helper_list(const char *name)
{
	struct helper_request rq = { .op = HELPER_LIST };
	int fd, rc;

	while (helper_lists[rq.name] && strcmp(helper_lists[rq.name], name) != 0)
		rq.name++;
	rc = ask(&rq, -1, &fd);
	return rc < 0 ? rc : fd < 0 ? -ENETDOWN : fd;
}
