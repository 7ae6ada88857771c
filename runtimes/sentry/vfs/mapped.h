/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of files that are mapped: the host knows a mapping by device and inode of what the sentry
 * gave it; /proc/PID/maps shows the guest's name.
 */
#ifndef SENTRY_VFS_MAPPED_H
#define SENTRY_VFS_MAPPED_H

#include "runtimes/sentry/vfs/file.h"

struct mapped {
	dev_t dev; /* of the guest's file */
	uint64_t ino;
	char *name; /* below the root of its namespace; freed by the caller */
};

/* mapped_note() - @f was mapped by the host's descriptor @fd. */
void mapped_note(struct file *f, int fd);
/* mapped_find() - what the host's (@dev, @ino) is. Return: whether it is known. */
bool mapped_find(dev_t dev, uint64_t ino, struct mapped *ret);

#endif
