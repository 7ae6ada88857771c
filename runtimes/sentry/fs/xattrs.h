/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes of a file in memory. The inode's lock guards them.
 */
#ifndef SENTRY_FS_XATTRS_H
#define SENTRY_FS_XATTRS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/list.h"

#define XATTRS_MAX_BYTES (64u << 10) /* of one file: names and values */

struct xattrs {
	struct list list; /* struct xattr; not initialized while empty */
	size_t bytes;
};

ssize_t xattrs_get(struct xattrs *x, const char *name, void *buf, size_t size);
int xattrs_set(struct xattrs *x, const char *name, const void *buf, size_t size, int flags);
ssize_t xattrs_list(struct xattrs *x, char *buf, size_t size);
int xattrs_remove(struct xattrs *x, const char *name);
void xattrs_finish(struct xattrs *x);

#endif
