/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.resources of a bundle as limits of a cgroup.
 */
#ifndef SENTRY_CLI_LIMITS_H
#define SENTRY_CLI_LIMITS_H

#include "base/arena.h"
#include "base/json.h"
#include "runtimes/cgroup/cgroup.h"

/* limits_apply() - what @resources (may be NULL) sets, in cgroup @path. */
int limits_apply(const char *path, const struct json *resources, struct error *err);

#endif
