/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File systems that can be mounted, by the names of mount(2).
 */
#ifndef SENTRY_FS_TYPES_H
#define SENTRY_FS_TYPES_H

#include "runtimes/sentry/task/container.h"
#include "runtimes/sentry/vfs/dentry.h"

/* filesystem_make() - for container @c. Return: 0 with a reference, -ENODEV: no such type. */
int filesystem_make(const char *type, const char *source, const char *options, struct container *c,
		    struct filesystem **ret);
/* filesystem_type() - the @n-th name, for /proc/filesystems; NULL: no more. */
const char *filesystem_type(size_t n);

#endif
