/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc itself: processes, and what it tells of the machine.
 *
 * Numbers of the machine are the host's, as in a container of the host's own kernel.
 */
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "runtimes/sentry/fs/proc.h"
#include "runtimes/sentry/fs/proc_node.h"
#include "runtimes/sentry/fs/types.h"

/* --- processes --- */

static int find_process(const struct proc_target *t, const char *name, struct proc_key *ret)
{
	struct process *p;
	struct task *thread;
	uint64_t n;

	if (str_parse_u64(name, &n) < 0 || n > INT32_MAX || !n)
		return -ENOENT;
	p = process_find(t->pids, (pid_t)n);
	if (!p && (thread = task_find(t->pids, (pid_t)n))) {
		/* A thread's number is not listed, but leads to its process. */
		p = process_get(thread->process);
		task_put(thread);
	}
	if (!p)
		return -ENOENT;
	ret->pid = p->pid;
	ret->start_ns = p->start_ns;
	process_put(p);
	return 0;
}

static int64_t next_process(const struct proc_target *t, int64_t from)
{
	struct process *p = process_next(t->pids, (pid_t)from);
	int64_t pid = p ? p->pid : -1;

	process_put(p);
	return pid;
}

static bool process_is_there(const struct proc_target *t, const struct proc_key *k)
{
	struct process *p = process_find(t->pids, k->pid);
	bool same = p && p->start_ns == k->start_ns;

	process_put(p);
	return same;
}

static const struct proc_names process_names = { .find = find_process,
						 .next = next_process,
						 .is_there = process_is_there,
						 .entry = &proc_pid_entry };

static ssize_t self_link(const struct proc_target *t, char *buf, size_t size)
{
	struct task *me = task_current();

	(void)t;
	if (!me)
		return -ENOENT;
	return snprintf(buf, size, "%d", me->process->pid);
}

static ssize_t thread_self_link(const struct proc_target *t, char *buf, size_t size)
{
	struct task *me = task_current();

	(void)t;
	if (!me)
		return -ENOENT;
	return snprintf(buf, size, "%d/task/%d", me->process->pid, me->tid);
}

static ssize_t mounts_link(const struct proc_target *t, char *buf, size_t size)
{
	(void)t;
	return snprintf(buf, size, "self/mounts");
}

static ssize_t net_link(const struct proc_target *t, char *buf, size_t size)
{
	(void)t;
	return snprintf(buf, size, "self/net");
}

/* --- the machine: the host's files --- */

#define FROM_HOST(n)                                                         \
	static int show_##n(const struct proc_target *t, struct strbuf *out) \
	{                                                                    \
		return proc_host_text(t, #n, out);                           \
	}
FROM_HOST(cpuinfo)
FROM_HOST(meminfo)
FROM_HOST(stat)
FROM_HOST(uptime)
FROM_HOST(vmstat)
FROM_HOST(zoneinfo)

static int show_loadavg(const struct proc_target *t, struct strbuf *out)
{
	cleanup_strbuf struct strbuf text = { 0 };
	char a[16], b[16], c[16];
	int rc = proc_host_text(t, "loadavg", &text);

	if (rc < 0 || !text.data || sscanf(text.data, "%15s %15s %15s", a, b, c) != 3)
		return rc < 0 ? rc : -EIO;
	lock_acquire(&tasks_lock);
	strbuf_printf(out, "%s %s %s 1/%u %d\n", a, b, c, t->pids->count, t->pids->last);
	lock_release(&tasks_lock);
	return 0;
}

static int show_version(const struct proc_target *t, struct strbuf *out)
{
	(void)t;
	strbuf_printf(out, "Linux version %s (bulkhead-sentry) %s\n", PROC_RELEASE, PROC_VERSION);
	return 0;
}

static int show_filesystems(const struct proc_target *t, struct strbuf *out)
{
	const char *name;

	(void)t;
	for (size_t n = 0; (name = filesystem_type(n)); n++)
		strbuf_printf(out, "nodev\t%s\n", name);
	return 0;
}

#define DEVICES                                                                                 \
	"Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 pts\n" \
	"\nBlock devices:\n"

static const struct proc_entry root_entries[] = {
	{ .name = "self", .mode = S_IFLNK | 0777, .link = self_link },
	{ .name = "thread-self", .mode = S_IFLNK | 0777, .link = thread_self_link },
	{ .name = "mounts", .mode = S_IFLNK | 0777, .link = mounts_link },
	{ .name = "net", .mode = S_IFLNK | 0777, .link = net_link },
	PROC_TEXT("cmdline", "\n"),
	PROC_FILE("cpuinfo", show_cpuinfo),
	PROC_TEXT("crypto", ""),
	PROC_TEXT("devices", DEVICES),
	PROC_TEXT("diskstats", ""),
	PROC_FILE("filesystems", show_filesystems),
	PROC_FILE("loadavg", show_loadavg),
	PROC_FILE("meminfo", show_meminfo),
	PROC_TEXT("modules", ""),
	PROC_TEXT("partitions", "major minor  #blocks  name\n\n"),
	PROC_FILE("stat", show_stat),
	PROC_TEXT("swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"),
	PROC_DIR("sys", proc_sys_entries),
	PROC_FILE("uptime", show_uptime),
	PROC_FILE("version", show_version),
	PROC_FILE("vmstat", show_vmstat),
	PROC_FILE("zoneinfo", show_zoneinfo),
	PROC_END,
};

const struct proc_entry proc_root_entry = { .mode = S_IFDIR | 0555,
					    .children = root_entries,
					    .names = &process_names };

int procfs_create(const char *source, const char *options, struct container *c,
		  struct filesystem **ret)
{
	/* hidepid and gid are taken: other users' files are closed anyway. */
	(void)options;
	*ret = proc_filesystem("proc", source, &proc_root_entry, c->pids, PROC_SUPER_MAGIC);
	return 0;
}
