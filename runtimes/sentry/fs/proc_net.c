/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/net: lists of sockets and interfaces.
 *
 * With the pod's network they are what its namespace's kernel writes; without, lists of nothing.
 */
#include <errno.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtimes/sentry/fs/proc_node.h"
#include "runtimes/sentry/net/helper.h"

#define TCP_HEADER                                                                            \
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  " \
	"timeout inode\n"
#define TCP6_HEADER                                                                          \
	"  sl  local_address                         remote_address                        " \
	"st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
#define DEV_HEADER                                                                            \
	"Inter-|   Receive                                                |  Transmit\n"      \
	" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets " \
	"errs drop fifo colls carrier compressed\n"

#define LIST_BYTES_MAX (8 << 20)

struct list_file {
	const char *name, *header;
};

static int show_list(const void *data, struct strbuf *out)
{
	const struct list_file *l = data;
	int fd cleanup_close = helper_list(l->name);
	char chunk[4096];
	ssize_t n = 0;

	if (fd < 0) {
		strbuf_printf(out, "%s", l->header);
		return 0;
	}
	while (out->len < LIST_BYTES_MAX && (n = read(fd, chunk, sizeof(chunk))) > 0)
		strbuf_append(out, chunk, (size_t)n);
	return n < 0 ? -errno : 0;
}

#define LIST(n, h)                                                               \
	{                                                                        \
		.name = (n), .mode = S_IFREG | 0444,                             \
		.data = &(const struct list_file){ .name = (n), .header = (h) }, \
		.show_data = show_list                                           \
	}

const struct proc_entry proc_net_entries[] = {
	LIST("arp", "IP address       HW type     Flags       HW address            Mask     "
		    "Device\n"),
	LIST("dev", DEV_HEADER),
	LIST("if_inet6", ""),
	LIST("ipv6_route", ""),
	PROC_TEXT("netlink", "sk               Eth Pid        Groups   Rmem     Wmem     Dump  "
			     "Locks    Drops    Inode\n"),
	PROC_TEXT("packet", "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n"),
	LIST("igmp", ""),
	LIST("netstat", ""),
	LIST("snmp", ""),
	LIST("sockstat", ""),
	LIST("sockstat6", ""),
	LIST("raw6", TCP6_HEADER),
	LIST("raw", TCP_HEADER),
	LIST("route", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU"
		      "\tWindow\tIRTT\n"),
	LIST("tcp", TCP_HEADER),
	LIST("tcp6", TCP6_HEADER),
	LIST("udp", TCP_HEADER),
	LIST("udp6", TCP6_HEADER),
	PROC_TEXT("unix", "Num       RefCount Protocol Flags    Type St Inode Path\n"),
	PROC_END,
};
