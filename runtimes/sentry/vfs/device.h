/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device nodes: from numbers to what opens them.
 */
#ifndef SENTRY_VFS_DEVICE_H
#define SENTRY_VFS_DEVICE_H

#include "runtimes/sentry/vfs/file.h"

/*
 * device_open() - opens the character device @i->attr.rdev as inode_ops.open does; f->flags still
 * has O_NOCTTY.  May replace f->inode's meaning by f->object.  Return: 0, -ENXIO.
 * The table is in fs/device.c.
 */
int device_open(struct inode *i, struct file *f);

#endif
