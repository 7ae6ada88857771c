/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File systems that can be mounted: the table.
 */
#include "runtimes/sentry/fs/types.h"

#include <errno.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtimes/sentry/fs/cgroup.h"
#include "runtimes/sentry/fs/proc.h"
#include "runtimes/sentry/fs/tmpfs.h"
#include "runtimes/sentry/fs/tty.h"

static int make_tmpfs(const char *source, const char *options, struct container *c,
		      struct filesystem **ret)
{
	return tmpfs_create(source, options, cgroup_memory(c->id), ret);
}

static const struct type {
	const char *name;
	int (*make)(const char *source, const char *options, struct container *c,
		    struct filesystem **ret);
} types[] = {
	{ "tmpfs", make_tmpfs },     { "proc", procfs_create },	     { "sysfs", sysfs_create },
	{ "devpts", devpts_create }, { "cgroup2", cgroupfs_create },
};

int filesystem_make(const char *type, const char *source, const char *options, struct container *c,
		    struct filesystem **ret)
{
	for (size_t n = 0; n < ARRAY_LEN(types); n++)
		if (str_eq(types[n].name, type))
			return types[n].make(source, options, c, ret);
	return -ENODEV;
}

const char *filesystem_type(size_t n)
{
	return n < ARRAY_LEN(types) ? types[n].name : NULL;
}
