/* SPDX-License-Identifier: Apache-2.0 */
/*
 * null, zero, full, random and urandom.
 */
#ifndef SENTRY_FS_MEMDEV_H
#define SENTRY_FS_MEMDEV_H

#include "runtimes/sentry/vfs/file.h"

/* memdev_open() - for the device table. */
int memdev_open(struct inode *i, struct file *f);

#endif
