/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes limits, all or nothing.
 *
 * A request becomes a list of {file, new text}: everything that can be checked is checked while
 * the list is made.  Then each file's old text is read and the new one written, in order; when
 * the kernel refuses one, those before it get their old text back in reverse order.
 */
#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "runtimes/cgroup/cgroup.h"
#include "runtimes/cgroup/file.h"

#define CHANGES_MAX	  128
#define SHARES_MIN	  2
#define SHARES_MAX	  262144
#define DEFAULT_PERIOD_US 100000
/* v1's way to write "unlimited" in bytes when read; beyond any memory. */
#define V1_UNLIMITED (UINT64_C(1) << 62)

struct change {
	const struct hierarchy *h;
	char *file, *text, *old;
};

struct plan {
	const char *path;
	struct change list[CHANGES_MAX];
	size_t count;
	struct error *err;
};

static void plan_finish(struct plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		free(p->list[i].file);
		free(p->list[i].text);
		free(p->list[i].old);
	}
}

/* add() - plan one write; takes @text.  A missing controller is an error: a limit was asked for. */
static int add(struct plan *p, const char *controller, const char *file, char *text)
{
	const struct hierarchy *h = hierarchy_with(controller);

	if (!h || p->count == CHANGES_MAX) {
		free(text);
		if (h)
			return error_set(p->err, EINVAL, "cgroup %s: more than %d limits", p->path,
					 CHANGES_MAX);
		return error_set(p->err, EOPNOTSUPP,
				 "cgroup %s: %s: this host has no '%s' cgroup controller; enable "
				 "it on the kernel command line or drop the limit",
				 p->path, file, controller);
	}
	p->list[p->count++] = (struct change){ .h = h, .file = xstrdup(file), .text = text };
	return 0;
}

static char *number_or(int64_t value, const char *unlimited)
{
	return value < 0 ? xstrdup(unlimited) : xasprintf("%lld", (long long)value);
}

/* --- cpu -------------------------------------------------------------------------------------- */

static uint64_t shares_clamp(int64_t shares)
{
	return (uint64_t)MIN(MAX(shares, (int64_t)SHARES_MIN), (int64_t)SHARES_MAX);
}

/*
 * Between the two writes the pair must stay within what the parent allows: the one that lowers
 * the share of time goes first.  A longer period does, under the old quota.
 */
static int plan_cpu_v1(struct plan *p, const struct cgroup_limits *l)
{
	const struct hierarchy *h = hierarchy_with("cpu");
	uint64_t old_period = DEFAULT_PERIOD_US;
	bool period_first;
	int rc = 0;

	if (h && l->cpu_period_us)
		cgroup_file_read_u64(h, p->path, "cpu.cfs_period_us", &old_period);
	period_first = (uint64_t)l->cpu_period_us >= old_period;
	if (l->cpu_period_us && period_first)
		rc = add(p, "cpu", "cpu.cfs_period_us", number_or(l->cpu_period_us, ""));
	if (rc == 0 && l->cpu_quota_us)
		rc = add(p, "cpu", "cpu.cfs_quota_us", number_or(l->cpu_quota_us, "-1"));
	if (rc == 0 && l->cpu_period_us && !period_first)
		rc = add(p, "cpu", "cpu.cfs_period_us", number_or(l->cpu_period_us, ""));
	if (rc == 0 && l->cpu_shares)
		rc = add(p, "cpu", "cpu.shares",
			 xasprintf("%llu", (unsigned long long)shares_clamp(l->cpu_shares)));
	return rc;
}

/* Shares 2..262144 become weights 1..10000, as every runtime converts them. */
static unsigned int weight_of(int64_t shares)
{
	return 1 + (unsigned int)((shares_clamp(shares) - SHARES_MIN) * 9999 /
				  (SHARES_MAX - SHARES_MIN));
}

static int plan_cpu_v2(struct plan *p, const struct cgroup_limits *l)
{
	const struct hierarchy *h = hierarchy_with("cpu");
	char text[FILE_TEXT_MAX] = "", quota[32] = "max";
	long long period = DEFAULT_PERIOD_US;
	int rc = 0;

	if (l->cpu_period_us || l->cpu_quota_us) {
		if (h && cgroup_file_read(h, p->path, "cpu.max", text) > 0 &&
		    sscanf(text, "%31s %lld", quota, &period) != 2)
			return error_set(p->err, EIO, "cgroup %s: cpu.max reads '%s'", p->path,
					 text);
		if (l->cpu_period_us)
			period = l->cpu_period_us;
		if (l->cpu_quota_us > 0)
			snprintf(quota, sizeof(quota), "%lld", (long long)l->cpu_quota_us);
		else if (l->cpu_quota_us < 0)
			snprintf(quota, sizeof(quota), "max");
		rc = add(p, "cpu", "cpu.max", xasprintf("%s %lld", quota, period));
	}
	if (rc == 0 && l->cpu_shares)
		rc = add(p, "cpu", "cpu.weight", xasprintf("%u", weight_of(l->cpu_shares)));
	return rc;
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Without swap accounting, "no swap beyond the memory limit" and "unlimited" hold anyway. */
static bool swap_is_moot(const struct cgroup_limits *l)
{
	return l->memory_swap_limit_bytes <= 0 ||
	       l->memory_swap_limit_bytes == l->memory_limit_bytes;
}

static int no_swap_accounting(struct plan *p)
{
	return error_set(p->err, EOPNOTSUPP,
			 "cgroup %s: swap limit: this host does not account swap; boot with "
			 "swapaccount=1 or leave the swap limit equal to the memory limit",
			 p->path);
}

/*
 * swap_for() - the memory+swap limit to set: as asked, else what keeps the amount of swap that
 * is allowed now beside a new memory limit.
 */
static int64_t swap_for(const struct cgroup_limits *l, uint64_t old_memory, uint64_t old_both)
{
	if (l->memory_swap_limit_bytes)
		return l->memory_swap_limit_bytes;
	if (l->memory_limit_bytes < 0 || old_both >= V1_UNLIMITED)
		return -1;
	return l->memory_limit_bytes + (int64_t)(old_both - MIN(old_memory, old_both));
}

/* The kernel holds memory <= memory+swap at every moment: raising starts with the latter. */
static int plan_memory_v1(struct plan *p, const struct cgroup_limits *l)
{
	static const char memory_file[] = "memory.limit_in_bytes";
	static const char both_file[] = "memory.memsw.limit_in_bytes";
	const struct hierarchy *h = hierarchy_with("memory");
	uint64_t old_memory = UINT64_MAX, old_both = UINT64_MAX;
	int64_t both;
	int rc = 0;

	if (h && cgroup_file_read_u64(h, p->path, both_file, &old_both) == -ENOENT) {
		if (!swap_is_moot(l))
			return no_swap_accounting(p);
		return l->memory_limit_bytes ? add(p, "memory", memory_file,
						   number_or(l->memory_limit_bytes, "-1"))
					     : 0;
	}
	if (h)
		cgroup_file_read_u64(h, p->path, memory_file, &old_memory);
	both = swap_for(l, old_memory, old_both);
	if (both < 0 || (uint64_t)both >= old_both)
		rc = add(p, "memory", both_file, number_or(both, "-1"));
	if (rc == 0 && l->memory_limit_bytes)
		rc = add(p, "memory", memory_file, number_or(l->memory_limit_bytes, "-1"));
	if (rc == 0 && both >= 0 && (uint64_t)both < old_both)
		rc = add(p, "memory", both_file, number_or(both, "-1"));
	return rc;
}

static int plan_memory_v2(struct plan *p, const struct cgroup_limits *l)
{
	const struct hierarchy *h = hierarchy_with("memory");
	uint64_t memory = (uint64_t)l->memory_limit_bytes, unused;
	int64_t swap = -1;
	int rc = 0;

	if (l->memory_limit_bytes)
		rc = add(p, "memory", "memory.max", number_or(l->memory_limit_bytes, "max"));
	if (rc < 0 || !l->memory_swap_limit_bytes)
		return rc;
	if (cgroup_file_read_u64(h, p->path, "memory.swap.max", &unused) == -ENOENT)
		return swap_is_moot(l) ? 0 : no_swap_accounting(p);
	if (!l->memory_limit_bytes && (cgroup_file_read_u64(h, p->path, "memory.max", &memory) < 0))
		memory = UINT64_MAX;
	if (l->memory_swap_limit_bytes > 0) {
		if (memory > (uint64_t)l->memory_swap_limit_bytes)
			return error_set(p->err, EINVAL,
					 "cgroup %s: memory+swap limit %lld is below the memory "
					 "limit",
					 p->path, (long long)l->memory_swap_limit_bytes);
		swap = l->memory_swap_limit_bytes - (int64_t)memory;
	}
	return add(p, "memory", "memory.swap.max", number_or(swap, "max"));
}

static int plan_memory(struct plan *p, const struct cgroup_limits *l)
{
	if (!l->memory_limit_bytes && !l->memory_swap_limit_bytes)
		return 0;
	if (l->memory_limit_bytes > 0 && l->memory_swap_limit_bytes > 0 &&
	    l->memory_swap_limit_bytes < l->memory_limit_bytes)
		return error_set(p->err, EINVAL,
				 "cgroup %s: memory+swap limit %lld is below the memory limit %lld",
				 p->path, (long long)l->memory_swap_limit_bytes,
				 (long long)l->memory_limit_bytes);
	if (!hierarchy_with("memory") && l->memory_limit_bytes <= 0 && swap_is_moot(l))
		return 0;
	return cgroup_version() == 1 ? plan_memory_v1(p, l) : plan_memory_v2(p, l);
}

/* --- the rest --------------------------------------------------------------------------------- */

static int plan_cpuset(struct plan *p, const struct cgroup_limits *l)
{
	int rc = 0;

	if (!str_empty(l->cpuset_cpus))
		rc = add(p, "cpuset", "cpuset.cpus", xstrdup(l->cpuset_cpus));
	if (rc == 0 && !str_empty(l->cpuset_mems))
		rc = add(p, "cpuset", "cpuset.mems", xstrdup(l->cpuset_mems));
	return rc;
}

/* "2MB", "1GB", "64KB": it becomes part of a file name. */
static bool is_page_size(const char *size)
{
	size_t digits = size ? strspn(size, "0123456789") : 0;

	return digits > 0 && digits < 10 && strchr("KMG", size[digits]) && size[digits] &&
	       str_eq(size + digits + 1, "B");
}

/* The kubelet sends a limit of 0 for each page size of any node; without the controller no
 * process has a reservation to count, so 0 asks for nothing. */
static int plan_hugepages(struct plan *p, const struct cgroup_limits *l)
{
	int rc = 0;

	for (size_t i = 0; i < l->n_hugepages && rc == 0; i++) {
		const struct cgroup_hugepage *g = &l->hugepages[i];
		char file[64];

		if (!is_page_size(g->size))
			return error_set(p->err, EINVAL,
					 "cgroup %s: huge page size '%s' is not like 2MB or 1GB",
					 p->path, g->size ? g->size : "");
		if (g->limit == 0 && !hierarchy_with("hugetlb"))
			continue;
		snprintf(file, sizeof(file), "hugetlb.%s.%s", g->size,
			 cgroup_version() == 1 ? "limit_in_bytes" : "max");
		rc = add(p, "hugetlb", file, xasprintf("%llu", (unsigned long long)g->limit));
	}
	return rc;
}

/* A key is "<controller>.<name>" and nothing else: it becomes a file name too. */
static int plan_unified(struct plan *p, const struct cgroup_limits *l)
{
	int rc = 0;

	for (size_t i = 0; i < l->n_unified && rc == 0; i++) {
		const char *key = str_or(l->unified[i].key, "");
		size_t len = strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_");
		char *controller cleanup_free = xstrndup(key, len);

		if (len == 0 || key[len] != '.' || strchr(key, '/') || strstr(key, "..") ||
		    str_eq(controller, "cgroup"))
			return error_set(p->err, EINVAL,
					 "cgroup %s: unified key '%s' names no limit of a "
					 "controller",
					 p->path, key);
		if (cgroup_version() == 1)
			return error_set(p->err, EINVAL,
					 "cgroup %s: unified key '%s' needs cgroup v2, and this "
					 "host has v1",
					 p->path, key);
		rc = add(p, controller, key, xstrdup(str_or(l->unified[i].value, "")));
	}
	return rc;
}

static int make_plan(struct plan *p, const struct cgroup_limits *l)
{
	int rc = cgroup_version() == 1 ? plan_cpu_v1(p, l) : plan_cpu_v2(p, l);

	if (rc == 0)
		rc = plan_memory(p, l);
	if (rc == 0)
		rc = plan_cpuset(p, l);
	if (rc == 0 && l->pids_limit)
		rc = add(p, "pids", "pids.max", number_or(l->pids_limit, "max"));
	if (rc == 0)
		rc = plan_hugepages(p, l);
	if (rc == 0)
		rc = plan_unified(p, l);
	return rc;
}

/* --- apply ------------------------------------------------------------------------------------ */

/* v1 reads "no limit" as a number that it takes back only as -1 (memory) or rounds. */
static char *writable(const char *file, char *text)
{
	uint64_t value;

	text[strcspn(text, "\n")] = '\0';
	if (str_has_prefix(file, "memory.") && str_has_suffix(file, "limit_in_bytes") &&
	    str_parse_u64(text, &value) == 0 && value >= V1_UNLIMITED)
		return xstrdup("-1");
	return xstrdup(text);
}

static int apply_one(struct plan *p, struct change *c)
{
	char text[FILE_TEXT_MAX];
	int rc = cgroup_file_read(c->h, p->path, c->file, text);

	if (rc >= 0) {
		c->old = writable(c->file, text);
		rc = cgroup_file_write(c->h, p->path, c->file, c->text);
	}
	if (rc >= 0)
		return 0;
	if (rc == -EBUSY && str_has_prefix(c->file, "memory."))
		return error_set(p->err, EBUSY, "cgroup %s: %s: more than %s bytes are in use",
				 p->path, c->file, c->text);
	return error_errno(p->err, -rc, "cgroup %s: write '%s' to %s", p->path, c->text, c->file);
}

int cgroup_update(const char *path, const struct cgroup_limits *limits, struct error *err)
{
	struct error own = ERROR_INIT;
	struct plan p cleanup(plan_finish) = { .path = path, .err = err ? err : &own };
	size_t done = 0;
	int rc;

	if (!cgroup_exists(path))
		return error_set(err, ENOENT, "cgroup %s does not exist", path);
	rc = make_plan(&p, limits);
	while (rc == 0 && done < p.count) {
		rc = apply_one(&p, &p.list[done]);
		if (rc == 0)
			done++;
	}
	while (rc < 0 && done-- > 0) {
		struct change *c = &p.list[done];
		int back = cgroup_file_write(c->h, path, c->file, *c->old ? c->old : "\n");

		if (back < 0)
			error_wrap(p.err, "%s could not be set back to '%s': %s; then", c->file,
				   c->old, strerror(-back));
	}
	return rc;
}
