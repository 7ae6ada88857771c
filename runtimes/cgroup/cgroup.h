/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups of both versions, cgroupfs driver.
 *
 * A cgroup is named by its path from the cgroup root ("/kubepods/burstable/pod<uid>/<id>"), the
 * same in every v1 hierarchy.  Missing controllers are skipped where a limit was not asked for.
 */
#ifndef RUNTIMES_CGROUP_CGROUP_H
#define RUNTIMES_CGROUP_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/fork.h"
#include "base/str.h"

/* cgroup_version() - 1 (also hybrid) or 2, found once. */
int cgroup_version(void);
/* cgroup_is_hybrid() - v1 with a cgroup2 mount beside (crun refuses such hosts). */
bool cgroup_is_hybrid(void);
/* cgroup_controllers() - names that are usable ("memory", "cpu", ...). */
void cgroup_controllers(struct strlist *ret);

/* cgroup_create() - in all hierarchies, parents too; v2: controllers enabled on the way down. */
int cgroup_create(const char *path, struct error *err);
/* cgroup_remove() - rmdir everywhere, children first; absent is fine; -EBUSY has processes. */
int cgroup_remove(const char *path, struct error *err);
bool cgroup_exists(const char *path);
/* cgroup_open() - for new processes that are to be in it (base/fork.h).  Caller closes *ret. */
int cgroup_open(const char *path, struct fork_cgroups *ret, struct error *err);
/* cgroup_pids() - processes in it and below.  Return: count in *ret_count, array to free. */
int cgroup_pids(const char *path, pid_t **ret_pids, size_t *ret_count, struct error *err);
/*
 * cgroup_kill() - SIGKILL every process in it and below (cgroup.kill, else freezer and pids) until
 * none is left, or -ETIMEDOUT.  -EBUSY: the caller is in it.
 */
int cgroup_kill(const char *path, int timeout_ms, struct error *err);
/*
 * cgroup_freeze() - stop or go on, all processes in it and below.  Return: 0 all have; -EINPROGRESS
 * (no error set): asked for, but some are in a call of the kernel that does not stop, and will
 * when it ends; or -errno.
 */
int cgroup_freeze(const char *path, bool freeze, struct error *err);
/* cgroup_is_frozen() - or on its way there. */
bool cgroup_is_frozen(const char *path);
/* cgroup_oom_kills() - how many processes, below it too, ran out of memory; 0 if unknown. */
uint64_t cgroup_oom_kills(const char *path);

/* What CRI stats need.  UINT64_MAX where the host does not tell. */
struct cgroup_stats {
	int64_t time_ns; /* wall clock of the reading */
	uint64_t cpu_usage_ns;
	uint64_t memory_usage, memory_working_set, memory_rss; /* bytes */
	uint64_t memory_limit;				       /* UINT64_MAX none */
	uint64_t page_faults, major_page_faults;
	uint64_t swap_usage, swap_limit;
	struct cgroup_psi {
		double some_avg10, some_avg60, some_avg300, full_avg10, full_avg60, full_avg300;
		uint64_t some_total_us, full_total_us;
		bool valid;
	} cpu_psi, memory_psi, io_psi;
};

/* cgroup_stats_read() - one cgroup. Cheap: a handful of small reads. -ENOENT when it is gone. */
int cgroup_stats_read(const char *path, struct cgroup_stats *ret, struct error *err);

/* cgroup_process_count() - processes and threads in it and below; UINT64_MAX if unknown. */
uint64_t cgroup_process_count(const char *path);

struct cgroup_hugepage {
	const char *size; /* "2MB" */
	uint64_t limit;
};

/* A file of v2: "memory.high" */
struct cgroup_unified {
	const char *key, *value;
};

/* Limits, in CRI terms (api.proto LinuxContainerResources); 0 leaves a limit unchanged. */
struct cgroup_limits {
	int64_t cpu_period_us, cpu_quota_us, cpu_shares;
	int64_t memory_limit_bytes, memory_swap_limit_bytes; /* swap: memory+swap, -1 unlimited */
	const char *cpuset_cpus, *cpuset_mems;		     /* "" unchanged */
	int64_t pids_limit;
	const struct cgroup_hugepage *hugepages;
	size_t n_hugepages;
	const struct cgroup_unified *unified;
	size_t n_unified;
};

/* cgroup_update() - apply all or nothing: on failure the old values are written back. */
int cgroup_update(const char *path, const struct cgroup_limits *limits, struct error *err);

#endif
