/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroup that a container sees.
 */
#include "runtimes/sentry/fs/cgroup.h"

#include <errno.h>
#include <stdio.h>
#include <sys/sysinfo.h>

#include "base/map.h"

static struct lock lock = LOCK_INIT(LOCK_OBJECT);
static struct map limits; /* container id: struct cgroup_limits */
static struct map pools;  /* container id: struct memfile_pool */

static uint64_t half_of_memory(void)
{
	struct sysinfo si;

	return sysinfo(&si) < 0 ? 1ull << 30 : (uint64_t)si.totalram * si.mem_unit / 2;
}

static struct memfile_pool *pool_of(const char *id)
{
	struct memfile_pool *p = map_get(&pools, id);

	if (p)
		return p;
	p = xnew(struct memfile_pool);
	p->limit_bytes = half_of_memory();
	map_put(&pools, id, p);
	return p;
}

struct memfile_pool *cgroup_memory(const char *id)
{
	LOCKED(&lock);
	return pool_of(id);
}

void cgroup_limits_set(const char *id, const struct cgroup_limits *l)
{
	LOCKED(&lock);
	free(map_put(&limits, id, xmemdup(l, sizeof(*l))));
	pool_of(id)->limit_bytes = l->memory_bytes ? l->memory_bytes : half_of_memory();
}

void cgroup_limits_forget(const char *id)
{
	LOCKED(&lock);
	free(map_remove(&limits, id));
}

/* mine() - of the reader's container; all zeros when nothing is known. */
static struct cgroup_limits mine(void)
{
	struct task *me = task_current();
	const struct cgroup_limits *l = NULL;

	LOCKED(&lock);
	if (me)
		l = map_get(&limits, me->process->container->id);
	return l ? *l : (struct cgroup_limits){ .pids = 0 };
}

static int put_limit(struct strbuf *out, uint64_t n)
{
	if (n)
		strbuf_printf(out, "%llu\n", (unsigned long long)n);
	else
		strbuf_puts(out, "max\n");
	return 0;
}

static int show_memory_max(const struct proc_target *t, struct strbuf *out)
{
	(void)t;
	return put_limit(out, mine().memory_bytes);
}

static int show_swap_max(const struct proc_target *t, struct strbuf *out)
{
	(void)t;
	return put_limit(out, mine().swap_bytes);
}

static int show_pids_max(const struct proc_target *t, struct strbuf *out)
{
	(void)t;
	return put_limit(out, mine().pids);
}

static int show_pids_current(const struct proc_target *t, struct strbuf *out)
{
	LOCKED(&tasks_lock);
	strbuf_printf(out, "%u\n", t->pids->count);
	return 0;
}

static int show_cpu_max(const struct proc_target *t, struct strbuf *out)
{
	struct cgroup_limits l = mine();

	(void)t;
	if (l.cpu_quota_us)
		strbuf_printf(out, "%llu %llu\n", (unsigned long long)l.cpu_quota_us,
			      (unsigned long long)(l.cpu_period_us ? l.cpu_period_us : 100000));
	else
		strbuf_puts(out, "max 100000\n");
	return 0;
}

static int show_cpu_weight(const struct proc_target *t, struct strbuf *out)
{
	struct cgroup_limits l = mine();

	(void)t;
	strbuf_printf(out, "%llu\n", (unsigned long long)(l.cpu_weight ? l.cpu_weight : 100));
	return 0;
}

/* each_of_mine() - processes of the reader's container. */
static void each_of_mine(const struct proc_target *t,
			 void (*fn)(const struct proc_target *of, void *data), void *data)
{
	struct task *me = task_current();
	struct process *p;

	for (pid_t from = 1; (p = process_next(t->pids, from));) {
		struct proc_target of = { .pids = t->pids, .process = p };

		if (!me || p->container == me->process->container)
			fn(&of, data);
		from = p->pid + 1;
		process_put(p);
	}
}

static void add_pid(const struct proc_target *of, void *data)
{
	strbuf_printf(data, "%d\n", of->process->pid);
}

static int show_procs(const struct proc_target *t, struct strbuf *out)
{
	each_of_mine(t, add_pid, out);
	return 0;
}

static void add_memory(const struct proc_target *of, void *data)
{
	cleanup_strbuf struct strbuf text = { 0 };
	unsigned long long size, resident, shared;

	if (proc_host_text(of, "statm", &text) >= 0 && text.data &&
	    sscanf(text.data, "%llu %llu %llu", &size, &resident, &shared) == 3)
		*(uint64_t *)data += (resident - shared) * 4096;
}

static int show_memory_current(const struct proc_target *t, struct strbuf *out)
{
	uint64_t bytes = 0;

	each_of_mine(t, add_memory, &bytes);
	strbuf_printf(out, "%llu\n", (unsigned long long)bytes);
	return 0;
}

static int show_memory_stat(const struct proc_target *t, struct strbuf *out)
{
	uint64_t bytes = 0;

	each_of_mine(t, add_memory, &bytes);
	strbuf_printf(out, "anon %llu\nfile 0\nkernel 0\nshmem 0\ninactive_file 0\nactive_file 0\n",
		      (unsigned long long)bytes);
	return 0;
}

static void add_cpu(const struct proc_target *of, void *data)
{
	struct rusage use;
	uint64_t *us = data;

	process_usage(of->process, &use);
	us[0] += (uint64_t)use.ru_utime.tv_sec * 1000000 + (uint64_t)use.ru_utime.tv_usec;
	us[1] += (uint64_t)use.ru_stime.tv_sec * 1000000 + (uint64_t)use.ru_stime.tv_usec;
}

static int show_cpu_stat(const struct proc_target *t, struct strbuf *out)
{
	uint64_t us[2] = { 0, 0 };

	each_of_mine(t, add_cpu, us);
	strbuf_printf(out,
		      "usage_usec %llu\nuser_usec %llu\nsystem_usec %llu\nnr_periods 0\n"
		      "nr_throttled 0\nthrottled_usec 0\n",
		      (unsigned long long)(us[0] + us[1]), (unsigned long long)us[0],
		      (unsigned long long)us[1]);
	return 0;
}

const struct proc_entry cgroup_entries[] = {
	PROC_TEXT("cgroup.controllers", "cpu memory pids\n"),
	PROC_TEXT("cgroup.events", "populated 1\nfrozen 0\n"),
	PROC_FILE("cgroup.procs", show_procs),
	PROC_TEXT("cgroup.subtree_control", ""),
	PROC_TEXT("cgroup.type", "domain\n"),
	PROC_FILE("cpu.max", show_cpu_max),
	PROC_FILE("cpu.stat", show_cpu_stat),
	PROC_FILE("cpu.weight", show_cpu_weight),
	PROC_FILE("memory.current", show_memory_current),
	PROC_TEXT("memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n"),
	PROC_TEXT("memory.high", "max\n"),
	PROC_FILE("memory.max", show_memory_max),
	PROC_TEXT("memory.min", "0\n"),
	PROC_FILE("memory.stat", show_memory_stat),
	PROC_TEXT("memory.swap.current", "0\n"),
	PROC_FILE("memory.swap.max", show_swap_max),
	PROC_FILE("pids.current", show_pids_current),
	PROC_FILE("pids.max", show_pids_max),
	PROC_END,
};
