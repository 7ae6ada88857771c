/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small text files that cgroups are made of.
 */
#ifndef RUNTIMES_CGROUP_FILE_H
#define RUNTIMES_CGROUP_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "runtimes/cgroup/hierarchy.h"

#define FILE_TEXT_MAX 16384 /* memory.stat of a large machine is the longest, below 8 KiB */

/* file_read() - @file of @cgroup, cut at FILE_TEXT_MAX - 1 bytes.  Return: length or -errno. */
int file_read(const struct hierarchy *h, const char *cgroup, const char *file,
	      char text[FILE_TEXT_MAX]);
/* file_read_u64() - its one number; "max" is UINT64_MAX.  Return: 0 or -errno. */
int file_read_u64(const struct hierarchy *h, const char *cgroup, const char *file, uint64_t *ret);
/* file_write() - one write(2).  Return: 0 or -errno. */
int file_write(const struct hierarchy *h, const char *cgroup, const char *file, const char *text);
/* file_key() - number after "@key " at the start of a line of @text; UINT64_MAX: not there. */
uint64_t file_key(const char *text, const char *key);

#endif
