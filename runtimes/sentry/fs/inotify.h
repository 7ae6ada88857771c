/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inotify(7).
 */
#ifndef SENTRY_FS_INOTIFY_H
#define SENTRY_FS_INOTIFY_H

#include "runtimes/sentry/vfs/file.h"

/* inotify_create() - @flags: O_NONBLOCK. */
struct file *inotify_create(unsigned int flags, struct cred *c);
/* inotify_watch() - Return: the watch descriptor, -EEXIST, -ENOSPC; -EINVAL: @f is none. */
int inotify_watch(struct file *f, struct inode *i, uint32_t mask);
int inotify_unwatch(struct file *f, int wd);

#endif
