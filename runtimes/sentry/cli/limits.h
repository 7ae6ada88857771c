/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.resources of a bundle as limits of a cgroup.
 */
#ifndef SENTRY_CLI_LIMITS_H
#define SENTRY_CLI_LIMITS_H

#include "base/arena.h"
#include "base/json.h"
#include "runtimes/cgroup/cgroup.h"

/*
 * A new container gets its share of time last: a quota of 2 ms in 100, as pods with small limits
 * have it, would make its start ten times as long, and nothing of the guest runs before.
 */
enum limits_part { LIMITS_ALL, LIMITS_BUT_TIME, LIMITS_TIME };

/* limits_apply() - that part of what @resources (may be NULL) sets, in cgroup @path. */
int limits_apply(const char *path, const struct json *resources, enum limits_part part,
		 struct error *err);

#endif
