/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of bulkhead-monitor share.
 */
#ifndef RUNTIMES_MONITOR_MONITOR_H
#define RUNTIMES_MONITOR_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/loop.h"
#include "runtimes/monitor/children.h"
#include "runtimes/monitor/protocol.h"
#include "runtimes/oci/oci.h"

struct monitor {
	struct loop *loop;
	const char *id;	 /* of the pod */
	const char *dir; /* absolute; also our working directory */
	struct oci oci;
	int host_mounts;       /* the mount namespace that runtimes start from */
	struct strlist mounts; /* the pod's own: targets, in the order they were attached */
	unsigned int sequence; /* names files below tmp/ */
	struct list runs;      /* struct run: containers */
	size_t n_runs;
	uint64_t exit_count; /* numbers exits, for watchers */
	struct list conns;   /* struct conn: the server's calls */
	size_t n_conns;
};

#endif
