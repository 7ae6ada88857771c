/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads /proc/PID/net/dev.
 *
 *   Inter-|   Receive                                                |  Transmit
 *    face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs ...
 *     eth0: 1296     16     0    0    0     0     0          0         1296     16     0 ...
 */
#include "network/stats.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"

#define TEXT_MAX (1 << 20)

static int parse_line(const char *line, struct network_interface_stats *s)
{
	const char *colon = strrchr(line, ':');
	unsigned long long rx, rx_errors, tx, tx_errors;
	size_t len;

	line += strspn(line, " ");
	len = colon && colon > line ? (size_t)(colon - line) : 0;
	if (len == 0 || len >= sizeof(s->name))
		return -1;
	if (sscanf(colon + 1, "%llu %*u %llu %*u %*u %*u %*u %*u %llu %*u %llu", &rx, &rx_errors,
		   &tx, &tx_errors) != 4)
		return -1;
	memcpy(s->name, line, len);
	s->name[len] = '\0';
	s->rx_bytes = rx;
	s->rx_errors = rx_errors;
	s->tx_bytes = tx;
	s->tx_errors = tx_errors;
	return 0;
}

int network_stats_read(int pid, struct network_interface_stats *list, int max)
{
	struct strbuf text cleanup_strbuf = { 0 };
	char path[48], *save;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/net/dev", pid);
	if (fd_read_file(AT_FDCWD, path, TEXT_MAX, &text, NULL) < 0 || !text.data)
		return 0;
	for (char *l = strtok_r(text.data, "\n", &save); l && n < max;
	     l = strtok_r(NULL, "\n", &save))
		if (parse_line(l, &list[n]) == 0)
			n++;
	return n;
}
