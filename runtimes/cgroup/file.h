/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small text files that cgroups are made of.
 */
#ifndef RUNTIMES_CGROUP_FILE_H
#define RUNTIMES_CGROUP_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "runtimes/cgroup/hierarchy.h"

#define FILE_TEXT_MAX 16384 /* memory.stat of a large machine is the longest, below 8 KiB */

/* cgroup_file_read() - @file of @cgroup, cut at FILE_TEXT_MAX - 1 bytes.  Return: length or -errno.
 */
int cgroup_file_read(const struct hierarchy *h, const char *cgroup, const char *file,
		     char text[FILE_TEXT_MAX]);
/* cgroup_file_read_u64() - its one number; "max" is UINT64_MAX.  Return: 0 or -errno. */
int cgroup_file_read_u64(const struct hierarchy *h, const char *cgroup, const char *file,
			 uint64_t *ret);
/*
 * cgroup_file_open_dir() - @cgroup in @h (NULL: -ENOENT) for the two below, which save the walk
 * along the path where several files are read.  Return: descriptor or -errno.
 */
int cgroup_file_open_dir(const struct hierarchy *h, const char *cgroup);
int cgroup_file_read_at(int dirfd, const char *file, char text[FILE_TEXT_MAX]);
int cgroup_file_read_u64_at(int dirfd, const char *file, uint64_t *ret);
/* cgroup_file_pids() - as cgroup_pids(), of one hierarchy. */
int cgroup_file_pids(const struct hierarchy *h, const char *path, pid_t **ret_pids,
		     size_t *ret_count, struct error *err);
/* cgroup_file_write() - one write(2).  Return: 0 or -errno. */
int cgroup_file_write(const struct hierarchy *h, const char *cgroup, const char *file,
		      const char *text);
/* cgroup_file_key() - number after "@key " at the start of a line of @text; UINT64_MAX: not there.
 */
uint64_t cgroup_file_key(const char *text, const char *key);

#endif
