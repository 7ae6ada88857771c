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
#include "base/str.h"

struct id_mapping {
	uint32_t host_id, container_id, length;
};

struct namespaces {
	/* NULL: share the host's. Paths of the pins to make. */
	const char *net, *ipc, *uts, *user;
	struct id_mapping uid_map, gid_map; /* with user */
	const char *hostname;		    /* with uts */
	const char *const *sysctls;	    /* "name=value", NULL-terminated; may be NULL */
};

/*
 * namespaces_prepare_dir() - make @dir (absolute, existing) a private mount of itself, once: pins
 * below it then stay out of the copies that other mount namespaces hold of their peers.
 */
int namespaces_prepare_dir(const char *dir, struct error *err);
/*
 * namespaces_default_sysctls() - add to @sysctls ("name=value") what every pod with its own
 * network gets unless it is named there: unprivileged processes may bind low ports and ping.
 */
void namespaces_default_sysctls(const struct namespaces *n, struct strlist *sysctls);
/* namespaces_create() - all or nothing; the error names the sysctl or namespace. */
int namespaces_create(const struct namespaces *n, struct error *err);
/* namespaces_unpin() - one pin; absent is fine. */
int namespaces_unpin(const char *path, struct error *err);

#endif
