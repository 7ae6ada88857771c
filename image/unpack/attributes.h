/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owner, mode, xattrs and times of unpacked entries.
 */
#ifndef IMAGE_UNPACK_ATTRIBUTES_H
#define IMAGE_UNPACK_ATTRIBUTES_H

#include <time.h>

#include "base/error.h"
#include "base/str.h"

struct archive_entry;

/*
 * attributes_of_file() - all, on an open file that was just made with the entry's permissions
 * (0777) in a directory that passes nothing on to it.
 */
int attributes_of_file(int fd, struct archive_entry *e, struct error *err);
/* attributes_of_name() - owner, mode and times of a symlink, fifo or device: no xattrs there. */
int attributes_of_name(int dirfd, const char *name, struct archive_entry *e, struct error *err);
/* attributes_times() - access and modification time as futimens() takes them. */
void attributes_times(struct archive_entry *e, struct timespec times[2]);

/* attributes_save() - append what directory @path is to be at the end. */
int attributes_save(struct strbuf *out, const char *path, struct archive_entry *e,
		    struct error *err);
/* attributes_saved_path() - of which directory the record at @at speaks. */
const char *attributes_saved_path(const char *at);
/* attributes_restore() - the record at *@at onto @fd (-1: none), and *@at to the next one. */
int attributes_restore(int fd, const char **at, struct error *err);

#endif
