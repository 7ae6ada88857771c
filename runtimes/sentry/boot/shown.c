/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container is shown of its limits (/sys/fs/cgroup).
 *
 * The host's cgroup enforces the limits; here they bound what the sentry holds in memory for it.
 */
#include "runtimes/sentry/boot/pod.h"

#include "runtimes/sentry/fs/cgroup.h"

/* positive() - a limit; 0 for "unlimited" (-1) and for none. */
static uint64_t positive(const struct json *j, const char *key)
{
	int64_t n = json_get_int(j, key, 0);

	return n > 0 ? (uint64_t)n : 0;
}

void shown_limits(const char *id, const struct json *resources)
{
	const struct json *memory = json_get(resources, "memory"),
			  *cpu = json_get(resources, "cpu");
	struct cgroup_limits l = {
		.memory_bytes = positive(memory, "limit"),
		.cpu_quota_us = positive(cpu, "quota"),
		.cpu_period_us = positive(cpu, "period"),
		.pids = positive(json_get(resources, "pids"), "limit"),
	};
	uint64_t shares = positive(cpu, "shares"), both = positive(memory, "swap");

	if (both > l.memory_bytes)
		l.swap_bytes = both - l.memory_bytes;
	/* As runc makes a weight of cgroup v2 (1-10000) of shares (2-262144). */
	if (shares >= 2)
		l.cpu_weight = 1 + (shares - 2) * 9999 / 262142;
	cgroup_limits_set(id, &l);
}
