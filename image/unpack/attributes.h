/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owner, mode, xattrs and times of unpacked entries.
 */
#ifndef IMAGE_UNPACK_ATTRIBUTES_H
#define IMAGE_UNPACK_ATTRIBUTES_H

#include <time.h>

#include "base/error.h"

struct archive_entry;

/* attributes_of_fd() - all but the times, on an open file or directory. */
int attributes_of_fd(int fd, struct archive_entry *e, struct error *err);
/* attributes_of_name() - owner, mode and times of a symlink, fifo or device: no xattrs there. */
int attributes_of_name(int dirfd, const char *name, struct archive_entry *e, struct error *err);
/* attributes_times() - access and modification time as futimens() takes them. */
void attributes_times(struct archive_entry *e, struct timespec times[2]);

#endif
