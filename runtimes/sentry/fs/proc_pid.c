/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/PID and /proc/PID/task/TID.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#include "runtimes/sentry/fs/proc_node.h"

/* --- texts --- */

/* read_guest() - bytes of the guest's memory, for what it may have changed itself. */
static int read_guest(const struct proc_target *t, uint64_t start, uint64_t end, struct strbuf *out)
{
	uint64_t len = end > start ? MIN(end - start, 1u << 20) : 0;
	char buf[1024];
	int rc = 0;

	LOCKED(&t->process->signal_lock);
	if (!t->task || !t->task->stub)
		return 0;
	while (len && rc == 0) {
		size_t n = MIN(len, sizeof(buf));

		rc = stub_read(t->task->stub, buf, start, n);
		if (rc == 0)
			strbuf_append(out, buf, n);
		start += n, len -= n;
	}
	return rc;
}

static int show_cmdline(const struct proc_target *t, struct strbuf *out)
{
	struct process *p = t->process;

	if (!t->task)
		return 0;
	if (read_guest(t, p->arg_start, p->arg_end, out) == 0 && out->len)
		return 0;
	strbuf_reset(out);
	LOCKED(&p->lock);
	strbuf_append(out, p->command_line, p->command_line_len);
	return 0;
}

static int show_environ(const struct proc_target *t, struct strbuf *out)
{
	if (!proc_may_look(t))
		return -EACCES;
	return read_guest(t, t->process->env_start, t->process->env_end, out);
}

static int show_auxv(const struct proc_target *t, struct strbuf *out)
{
	if (!proc_may_look(t))
		return -EACCES;
	strbuf_append(out, t->process->auxv, t->process->auxv_len);
	return 0;
}

static int show_comm(const struct proc_target *t, struct strbuf *out)
{
	if (!t->task)
		return -ESRCH;
	strbuf_printf(out, "%.*s\n", TASK_NAME_BYTES, t->task->name);
	return 0;
}

static int store_comm(const struct proc_target *t, const char *text, size_t len)
{
	if (!t->task || !task_current() || task_current()->process != t->process)
		return -EINVAL;
	if (len && text[len - 1] == '\n')
		len--;
	LOCKED(&t->process->lock);
	snprintf(t->task->name, TASK_NAME_BYTES, "%.*s", (int)len, text);
	return 0;
}

static int show_limits(const struct proc_target *t, struct strbuf *out)
{
	static const struct {
		int resource;
		const char *name, *unit;
	} rows[] = { { RLIMIT_CPU, "Max cpu time", "seconds" },
		     { RLIMIT_FSIZE, "Max file size", "bytes" },
		     { RLIMIT_DATA, "Max data size", "bytes" },
		     { RLIMIT_STACK, "Max stack size", "bytes" },
		     { RLIMIT_CORE, "Max core file size", "bytes" },
		     { RLIMIT_RSS, "Max resident set", "bytes" },
		     { RLIMIT_NPROC, "Max processes", "processes" },
		     { RLIMIT_NOFILE, "Max open files", "files" },
		     { RLIMIT_MEMLOCK, "Max locked memory", "bytes" },
		     { RLIMIT_AS, "Max address space", "bytes" },
		     { RLIMIT_LOCKS, "Max file locks", "locks" },
		     { RLIMIT_SIGPENDING, "Max pending signals", "signals" },
		     { RLIMIT_MSGQUEUE, "Max msgqueue size", "bytes" },
		     { RLIMIT_NICE, "Max nice priority", "" },
		     { RLIMIT_RTPRIO, "Max realtime priority", "" },
		     { RLIMIT_RTTIME, "Max realtime timeout", "us" } };

	strbuf_printf(out, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit",
		      "Units");
	LOCKED(&t->process->lock);
	for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
		const struct rlimit *l = &t->process->limits[rows[n].resource];
		const rlim_t values[2] = { l->rlim_cur, l->rlim_max };

		strbuf_printf(out, "%-25s ", rows[n].name);
		for (int k = 0; k < 2; k++) {
			if (values[k] == RLIM_INFINITY)
				strbuf_printf(out, "%-20s ", "unlimited");
			else
				strbuf_printf(out, "%-20llu ", (unsigned long long)values[k]);
		}
		strbuf_printf(out, "%-10s\n", rows[n].unit);
	}
	return 0;
}

static int show_oom_score_adj(const struct proc_target *t, struct strbuf *out)
{
	strbuf_printf(out, "%d\n", t->process->oom_score_adj);
	return 0;
}

/* The host's own value follows the container's; a process may only make itself more likely. */
static int store_oom_score_adj(const struct proc_target *t, const char *text, size_t len)
{
	int n;

	(void)len;
	if (sscanf(text, "%d", &n) != 1 || n < -1000 || n > 1000)
		return -EINVAL;
	if (n < t->process->oom_score_adj && !cred_has(task_current()->cred, 24))
		return -EACCES;
	t->process->oom_score_adj = n;
	return 0;
}

static int show_oom_score(const struct proc_target *t, struct strbuf *out)
{
	strbuf_printf(out, "%d\n", MAX(666 + t->process->oom_score_adj * 2 / 3, 0));
	return 0;
}

static int show_io(const struct proc_target *t, struct strbuf *out)
{
	struct rusage use;

	if (!proc_may_look(t))
		return -EACCES;
	process_usage(t->process, &use);
	strbuf_printf(out,
		      "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: %llu\n"
		      "write_bytes: %llu\ncancelled_write_bytes: 0\n",
		      (unsigned long long)use.ru_inblock * 512,
		      (unsigned long long)use.ru_oublock * 512);
	return 0;
}

static int show_wchan(const struct proc_target *t, struct strbuf *out)
{
	(void)t;
	strbuf_puts(out, "0");
	return 0;
}

static int show_schedstat(const struct proc_target *t, struct strbuf *out)
{
	strbuf_printf(out, "%lld 0 0\n", (long long)process_cpu_ns(t->process));
	return 0;
}

static int show_coredump_filter(const struct proc_target *t, struct strbuf *out)
{
	(void)t;
	strbuf_puts(out, "00000033\n");
	return 0;
}

static int show_personality(const struct proc_target *t, struct strbuf *out)
{
	(void)t;
	strbuf_puts(out, "00000000\n");
	return 0;
}

/* --- links --- */

static ssize_t put_link(const char *text, char *buf, size_t size)
{
	size_t len = MIN(strlen(text), size);

	memcpy(buf, text, len);
	return (ssize_t)len;
}

/* path_link() - the name of @p, given up, as the reader's root has it. */
static ssize_t path_link(struct path *p, char *buf, size_t size)
{
	struct path root = { NULL, NULL };
	char name[4096];
	ssize_t len;

	if (task_current())
		fs_context_root(task_current()->fs, &root);
	len = vfs_path_string(p, root.dentry ? &root : NULL, name, sizeof(name));
	if (root.dentry)
		path_put(&root);
	path_put(p);
	return len < 0 ? len : put_link(name, buf, size);
}

static int exe_path(const struct proc_target *t, struct path *ret)
{
	struct file *f;

	LOCKED(&t->process->lock);
	f = t->process->exe;
	if (!f || !f->dentry)
		return -ENOENT;
	*ret = (struct path){ f->mount, f->dentry };
	path_get(ret);
	return 0;
}

static int fs_path(const struct proc_target *t, bool root, struct path *ret)
{
	struct fs_context *fs = t->task ? task_fs(t->task) : NULL;

	if (!fs)
		return -ENOENT;
	if (root)
		fs_context_root(fs, ret);
	else
		fs_context_cwd(fs, ret);
	fs_context_put(fs);
	return 0;
}

static int cwd_path(const struct proc_target *t, struct path *ret)
{
	return fs_path(t, false, ret);
}

static int root_path(const struct proc_target *t, struct path *ret)
{
	return fs_path(t, true, ret);
}

static ssize_t exe_link(const struct proc_target *t, char *buf, size_t size)
{
	struct path p;
	int rc = exe_path(t, &p);

	return rc < 0 ? rc : path_link(&p, buf, size);
}

static ssize_t cwd_link(const struct proc_target *t, char *buf, size_t size)
{
	struct path p;
	int rc = cwd_path(t, &p);

	return rc < 0 ? rc : path_link(&p, buf, size);
}

static ssize_t root_link(const struct proc_target *t, char *buf, size_t size)
{
	struct path p;
	int rc = root_path(t, &p);

	return rc < 0 ? rc : path_link(&p, buf, size);
}

/* --- namespaces: links that show which; two processes in the same one show the same --- */

static ssize_t ns_link(const char *type, const void *which, char *buf, size_t size)
{
	char text[48];

	/* Numbers as the host's: unique, and no address of ours. */
	snprintf(text, sizeof(text), "%s:[%u]", type,
		 4026531840u + (uint32_t)(((uintptr_t)which * 0x9e3779b97f4a7c15u) >> 44));
	return put_link(text, buf, size);
}

#define NAMESPACE(type, which)                                                        \
	static ssize_t ns_##type(const struct proc_target *t, char *buf, size_t size) \
	{                                                                             \
		(void)t;                                                              \
		return ns_link(#type, (which), buf, size);                            \
	}
NAMESPACE(mnt, t->process->container->mounts)
NAMESPACE(uts, t->process->container->uts)
NAMESPACE(pid, t->process->pids)
NAMESPACE(ipc, t->process->container->ipc)
NAMESPACE(net, NULL)
NAMESPACE(user, NULL)
NAMESPACE(cgroup, NULL)
NAMESPACE(time, NULL)

#define NS_LINK(n)                                                 \
	{                                                          \
		.name = #n, .mode = S_IFLNK | 0777, .link = ns_##n \
	}
static const struct proc_entry ns_entries[] = {
	NS_LINK(cgroup), NS_LINK(ipc),
	NS_LINK(mnt),	 NS_LINK(net),
	NS_LINK(pid),	 { .name = "pid_for_children", .mode = S_IFLNK | 0777, .link = ns_pid },
	NS_LINK(time),	 NS_LINK(user),
	NS_LINK(uts),	 PROC_END,
};

/* --- attr: no security module --- */

static int show_nothing(const struct proc_target *t, struct strbuf *out)
{
	(void)t, (void)out;
	return -EINVAL;
}

static const struct proc_entry attr_entries[] = {
	PROC_FILE("current", show_nothing),
	PROC_FILE("exec", show_nothing),
	PROC_END,
};

/* --- the directories --- */

#define ONE_LINE_MAP "         0          0 4294967295\n"

/* MOUNTS() - poll tells of changes. */
#define MOUNTS(n, s)                                                                          \
	{                                                                                     \
		.name = (n), .mode = S_IFREG | 0444, .show = (s), .queue = proc_mounts_queue, \
		.changes = proc_mounts_changes                                                \
	}

#define FOR_TASKS                                                                                \
	PROC_FILE("cmdline", show_cmdline), PROC_FILE("stat", proc_stat),                        \
		PROC_FILE("statm", proc_statm), PROC_FILE("status", proc_status),                \
		{ .name = "comm",                                                                \
		  .mode = S_IFREG | 0644,                                                        \
		  .show = show_comm,                                                             \
		  .store = store_comm },                                                         \
		PROC_SECRET("environ", show_environ), PROC_SECRET("auxv", show_auxv),            \
		PROC_FILE("limits", show_limits), PROC_FILE("oom_score", show_oom_score),        \
		{ .name = "oom_score_adj",                                                       \
		  .mode = S_IFREG | 0644,                                                        \
		  .show = show_oom_score_adj,                                                    \
		  .store = store_oom_score_adj },                                                \
		PROC_TEXT("cgroup", "0::/\n"), PROC_FILE("wchan", show_wchan),                   \
		PROC_FILE("schedstat", show_schedstat), PROC_FILE("maps", proc_maps),            \
		PROC_FILE("smaps", proc_smaps), PROC_FILE("smaps_rollup", proc_smaps_rollup),    \
		MOUNTS("mounts", proc_mounts), MOUNTS("mountinfo", proc_mountinfo),              \
		PROC_SECRET("io", show_io), PROC_SECRET("personality", show_personality),        \
		PROC_TEXT("uid_map", ONE_LINE_MAP), PROC_TEXT("gid_map", ONE_LINE_MAP),          \
		PROC_TEXT("setgroups", "allow\n"),                                               \
		{ .name = "exe", .mode = S_IFLNK | 0777, .link = exe_link, .follow = exe_path }, \
		{ .name = "cwd", .mode = S_IFLNK | 0777, .link = cwd_link, .follow = cwd_path }, \
		{ .name = "root",                                                                \
		  .mode = S_IFLNK | 0777,                                                        \
		  .link = root_link,                                                             \
		  .follow = root_path },                                                         \
		{ .name = "fd", .mode = S_IFDIR | 0500, .names = &proc_fd_names },               \
		{ .name = "fdinfo", .mode = S_IFDIR | 0555, .names = &proc_fdinfo_names },       \
		{ .name = "ns", .mode = S_IFDIR | 0511, .children = ns_entries },                \
		PROC_DIR("attr", attr_entries), PROC_DIR("net", proc_net_entries)

static const struct proc_entry task_entries[] = { FOR_TASKS, PROC_END };

const struct proc_entry proc_task_entry = { .mode = S_IFDIR | 0555, .children = task_entries };

static const struct proc_entry pid_entries[] = {
	FOR_TASKS,
	PROC_FILE("mountstats", proc_mountstats),
	PROC_FILE("coredump_filter", show_coredump_filter),
	PROC_TEXT("loginuid", "4294967295"),
	PROC_TEXT("sessionid", "4294967295"),
	PROC_TEXT("timerslack_ns", "50000\n"),
	{ .name = "task", .mode = S_IFDIR | 0555, .names = &proc_task_names },
	PROC_END,
};

const struct proc_entry proc_pid_entry = { .mode = S_IFDIR | 0555, .children = pid_entries };

/* --- threads --- */

static int find_task(const struct proc_target *t, const char *name, struct proc_key *ret)
{
	struct task *found;
	uint64_t n;
	bool ours;

	if (str_parse_u64(name, &n) < 0 || n > INT32_MAX || !n)
		return -ENOENT;
	found = task_find(t->pids, (pid_t)n);
	ours = found && found->process == t->process;
	task_put(found);
	if (!ours)
		return -ENOENT;
	ret->tid = (pid_t)n;
	return 0;
}

static int64_t next_task(const struct proc_target *t, int64_t from)
{
	struct task *found = task_next(t->process, (pid_t)from);
	int64_t tid = found ? found->tid : -1;

	task_put(found);
	return tid;
}

static bool task_is_there(const struct proc_target *t, const struct proc_key *k)
{
	struct task *found = task_find(t->pids, k->tid);
	bool ours = found && found->process == t->process;

	task_put(found);
	return ours;
}

const struct proc_names proc_task_names = {
	.find = find_task, .next = next_task, .is_there = task_is_there, .entry = &proc_task_entry
};
