/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /sys: the few files that programs read, and the container's cgroup.
 */
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>

#include "runtimes/sentry/fs/cgroup.h"
#include "runtimes/sentry/fs/proc.h"
#include "runtimes/sentry/fs/proc_node.h"

/*
 * count_cpus() - processors of the host, as its /proc/stat counts them (the sentry sees no /sys,
 * and its threads are pinned).
 */
static int count_cpus(const struct proc_target *t)
{
	cleanup_strbuf struct strbuf text = { 0 };
	int n = 0, rc = proc_host_text(t, "stat", &text);
	char *line, *rest;

	if (rc < 0 || !text.data)
		return rc < 0 ? rc : -EIO;
	for (line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		n += str_has_prefix(line, "cpu") && line[3] >= '0' && line[3] <= '9';
	return n ? n : -EIO;
}

/* show_cpus() - "0-3". */
static int show_cpus(const struct proc_target *t, struct strbuf *out)
{
	int n = count_cpus(t);

	if (n > 1)
		strbuf_printf(out, "0-%d\n", n - 1);
	else
		strbuf_puts(out, "0\n");
	return n < 0 ? n : 0;
}

static const struct proc_entry cpu_entries[] = {
	PROC_TEXT("kernel_max", "8191\n"), PROC_TEXT("offline", "\n"),
	PROC_FILE("online", show_cpus),	   PROC_FILE("possible", show_cpus),
	PROC_FILE("present", show_cpus),   PROC_END,
};

/* show_cpumap() - a bit a processor, 32 to a group, the last group first. */
static int show_cpumap(const struct proc_target *t, struct strbuf *out)
{
	int n = count_cpus(t);

	if (n < 0)
		return n;
	for (int group = (n - 1) / 32; group >= 0; group--) {
		int bits = MIN(n - group * 32, 32);

		strbuf_printf(out, "%08x%c", (uint32_t)(((uint64_t)1 << bits) - 1),
			      group ? ',' : '\n');
	}
	return 0;
}

static int show_node_memory(const struct proc_target *t, struct strbuf *out)
{
	cleanup_strbuf struct strbuf text = { 0 };
	int rc = proc_host_text(t, "meminfo", &text);
	char *line, *rest;

	if (rc < 0 || !text.data)
		return rc < 0 ? rc : -EIO;
	for (line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (str_has_prefix(line, "MemTotal") || str_has_prefix(line, "MemFree"))
			strbuf_printf(out, "Node 0 %s\n", line);
	return 0;
}

static const struct proc_entry node0_entries[] = {
	PROC_FILE("cpumap", show_cpumap),
	PROC_FILE("meminfo", show_node_memory),
	PROC_FILE("cpulist", show_cpus),
	PROC_TEXT("distance", "10\n"),
	PROC_END,
};

static const struct proc_entry node_entries[] = {
	PROC_DIR("node0", node0_entries), PROC_TEXT("has_cpu", "0\n"),
	PROC_TEXT("has_memory", "0\n"),	  PROC_TEXT("online", "0\n"),
	PROC_TEXT("possible", "0\n"),	  PROC_END,
};

static const struct proc_entry no_entries[] = { PROC_END };

static const struct proc_entry system_entries[] = { PROC_DIR("cpu", cpu_entries),
						    PROC_DIR("node", node_entries), PROC_END };

static const struct proc_entry devices_entries[] = { PROC_DIR("system", system_entries),
						     PROC_DIR("virtual", no_entries), PROC_END };

static const struct proc_entry thp_entries[] = {
	PROC_TEXT("enabled", "always [madvise] never\n"),
	PROC_TEXT("hpage_pmd_size", "2097152\n"),
	PROC_TEXT("shmem_enabled", "always within_size advise [never] deny force\n"),
	PROC_END,
};
static const struct proc_entry mm_entries[] = { PROC_DIR("transparent_hugepage", thp_entries),
						PROC_DIR("hugepages", no_entries), PROC_END };
static const struct proc_entry kernel_entries[] = { PROC_DIR("mm", mm_entries),
						    PROC_DIR("security", no_entries), PROC_END };
static const struct proc_entry fs_entries[] = { PROC_DIR("cgroup", cgroup_entries), PROC_END };

static const struct proc_entry sys_entries[] = {
	PROC_DIR("block", no_entries),
	PROC_DIR("bus", no_entries),
	PROC_DIR("class", no_entries),
	PROC_DIR("dev", no_entries),
	PROC_DIR("devices", devices_entries),
	PROC_DIR("firmware", no_entries),
	PROC_DIR("fs", fs_entries),
	PROC_DIR("kernel", kernel_entries),
	PROC_DIR("module", no_entries),
	PROC_DIR("power", no_entries),
	PROC_END,
};

static const struct proc_entry sys_root = { .mode = S_IFDIR | 0555, .children = sys_entries };
static const struct proc_entry cgroup_root = { .mode = S_IFDIR | 0555, .children = cgroup_entries };

int sysfs_create(const char *source, const char *options, struct container *c,
		 struct filesystem **ret)
{
	(void)options;
	*ret = proc_filesystem("sysfs", source, &sys_root, c->pids, SYSFS_MAGIC);
	return 0;
}

int cgroupfs_create(const char *source, const char *options, struct container *c,
		    struct filesystem **ret)
{
	(void)options;
	*ret = proc_filesystem("cgroup2", source, &cgroup_root, c->pids, CGROUP2_SUPER_MAGIC);
	return 0;
}
