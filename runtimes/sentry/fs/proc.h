/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc and /sys.
 */
#ifndef SENTRY_FS_PROC_H
#define SENTRY_FS_PROC_H

#include "runtimes/sentry/task/container.h"
#include "runtimes/sentry/vfs/inode.h"

/* What uname(2) says too. */
#define PROC_RELEASE "6.1.0-bulkhead"
#define PROC_VERSION "#1 SMP Bulkhead"

/* procfs_create() - processes of @c's pid namespace. */
int procfs_create(const char *source, const char *options, struct container *c,
		  struct filesystem **ret);
int sysfs_create(const char *source, const char *options, struct container *c,
		 struct filesystem **ret);
/* cgroupfs_create() - cgroup2, read-only: what the container may use. */
int cgroupfs_create(const char *source, const char *options, struct container *c,
		    struct filesystem **ret);
/*
 * sysctl_set() - @name as sysctl(8) has it, with '.' or '/'; for the bundle's linux.sysctl.
 * Return: 0, -ENOENT: not known here, -EINVAL.
 */
int sysctl_set(const char *name, const char *value);

#endif
