/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroup that a container sees: read-only, with the limits of the bundle.
 */
#ifndef SENTRY_FS_CGROUP_H
#define SENTRY_FS_CGROUP_H

#include "runtimes/sentry/fs/memfile.h"
#include "runtimes/sentry/fs/proc_node.h"

/* What the bundle's linux.resources say; 0: no limit. */
struct cgroup_limits {
	uint64_t memory_bytes, swap_bytes; /* swap: beyond memory */
	uint64_t cpu_quota_us, cpu_period_us, cpu_weight;
	uint64_t pids;
};

/* cgroup_limits_set() - for container @id, which is shown them; again after update. */
void cgroup_limits_set(const char *id, const struct cgroup_limits *l);
void cgroup_limits_forget(const char *id);
/*
 * cgroup_memory() - what files in memory of container @id take together, bounded by its memory
 * limit, or half of the host's memory: such pages are the sentry's, and only this bounds them.
 * Stays for ever.
 */
struct memfile_pool *cgroup_memory(const char *id);

extern const struct proc_entry cgroup_entries[];

#endif
