/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sandbox without a process: namespaces made, set up and pinned.
 *
 * net is pinned as <netns_dir>/bh-<id> (where CNI daemons look), ipc, uts and user below the
 * pod's state directory.  Unpinning unmounts and then unlinks the mount point: only the unlink
 * drops it from the copies that monitors hold.
 */
#ifndef RUNTIMES_NAMESPACES_H
#define RUNTIMES_NAMESPACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct id_mapping {
	uint32_t host_id, container_id, length;
};

struct namespaces {
	/* NULL: share the host's. Paths of the pins to make. */
	const char *net, *ipc, *uts, *user;
	struct id_mapping uid_map, gid_map; /* with user */
	const char *hostname;               /* with uts */
	const char *const *sysctls;         /* "name=value", NULL-terminated; may be NULL */
};

/* namespaces_create() - all or nothing; the error names the sysctl or namespace. */
int namespaces_create(const struct namespaces *n, struct error *err);
/* namespaces_unpin() - one pin; absent is fine. */
int namespaces_unpin(const char *path, struct error *err);

#endif
