/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors of the host as files of the guest: the stdio that a container is started with.
 */
#ifndef SENTRY_FS_HOSTFD_H
#define SENTRY_FS_HOSTFD_H

#include "runtimes/sentry/vfs/file.h"

/*
 * hostfd_create() - @fd (taken over, also on failure) as an open file.  Pipes and terminals should
 * come with O_NONBLOCK and an open description of their own, so that nobody in the sentry waits
 * in a host call.  Return: 0 or -errno.
 */
int hostfd_create(int fd, struct cred *c, struct file **ret);

#endif
