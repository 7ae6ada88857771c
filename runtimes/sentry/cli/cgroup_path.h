/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.cgroupsPath as a path below the cgroup root.
 */
#ifndef SENTRY_CLI_CGROUP_PATH_H
#define SENTRY_CLI_CGROUP_PATH_H

#include <stdbool.h>

#include "base/error.h"

/*
 * cgroup_path() - @text as a bundle has it; NULL: "/" and @id.  @systemd: it reads
 * "slice:prefix:name", as with --systemd-cgroup, and means prefix-name.scope in that slice.
 * Return: 0 or -EINVAL; caller frees *ret.
 */
int cgroup_path(const char *text, const char *id, bool systemd, char **ret, struct error *err);

#endif
