/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where this host mounts its cgroup hierarchies.
 *
 * v1 has a hierarchy for each controller or set of them, v2 one for all; a hybrid host has v1
 * and an empty v2 beside it.  Found once, since every pod start asks.
 */
#ifndef RUNTIMES_CGROUP_HIERARCHY_H
#define RUNTIMES_CGROUP_HIERARCHY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define HIERARCHY_MAX 32

struct hierarchy {
	char *mount;		    /* mount point: "/sys/fs/cgroup/memory" */
	struct strlist controllers; /* "memory"; v2: what its root offers; named v1 ones: none */
	bool unified;		    /* cgroup2 */
};

struct hierarchies {
	struct hierarchy list[HIERARCHY_MAX];
	size_t count;
	int version;			 /* 1 or 2 */
	const struct hierarchy *unified; /* NULL: no cgroup2 mount */
	const struct hierarchy *primary; /* whose member lists tell who is in a cgroup */
};

/* hierarchies_get() - the host's. */
const struct hierarchies *hierarchies_get(void);
/* hierarchy_with() - the one that @controller is in; NULL: the host has no such controller. */
const struct hierarchy *hierarchy_with(const char *controller);
/* hierarchy_path() - "<mount>/<cgroup>[/<file>]"; @file may be NULL.  Caller frees. */
char *hierarchy_path(const struct hierarchy *h, const char *cgroup, const char *file);
/* hierarchies_replace() - for tests: take these lines in place of /proc/self/mountinfo. */
void hierarchies_replace(const char *mountinfo);

#endif
