/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traffic counters of a network namespace.
 */
#ifndef NETWORK_STATS_H
#define NETWORK_STATS_H

#include <stdint.h>

struct network_interface_stats {
	char name[16]; /* IFNAMSIZ */
	uint64_t rx_bytes, rx_errors, tx_bytes, tx_errors;
};

/*
 * network_stats_read() - the interfaces in the namespace of process @pid, at most @max.
 * Return: how many; 0 when the process is gone.
 */
int network_stats_read(int pid, struct network_interface_stats *list, int max);

#endif
