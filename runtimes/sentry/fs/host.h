/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of the host, through the gofer: root file systems and volumes.
 */
#ifndef SENTRY_FS_HOST_H
#define SENTRY_FS_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "runtimes/gofer/client.h"
#include "runtimes/sentry/vfs/inode.h"

/*
 * host_filesystem_create() - tree @tree of @g (kept by the caller, outlives it) as a file system;
 * its root may be a single file.  @type, @source: as /proc/mounts shall say.  @shared: others
 * change it too (volumes), so names and attributes are asked for each time.
 * Return: 0, or -errno of the first look at its root.
 */
int host_filesystem_create(struct gofer *g, uint32_t tree, const char *type, const char *source,
			   bool shared, struct filesystem **ret);

#endif
