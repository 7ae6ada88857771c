/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving bytes between a host descriptor and a uio.
 */
#ifndef SENTRY_FS_HOSTIO_H
#define SENTRY_FS_HOSTIO_H

#include "runtimes/sentry/vfs/uio.h"

/*
 * host_pread(), host_pwrite() - at most @len bytes at @pos of @fd, straight into the channel where
 * that is possible.  Return: bytes moved, or -errno when none.
 */
ssize_t host_pread(int fd, struct uio *to, size_t len, int64_t pos);
ssize_t host_pwrite(int fd, struct uio *from, size_t len, int64_t pos);

#endif
