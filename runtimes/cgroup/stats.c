/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads what CRI statistics need from one cgroup.
 *
 * Numbers that a host does not have stay UINT64_MAX.  "Working set" is the usage less the file
 * pages that the kernel would drop first, as cAdvisor counts it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/mem.h"
#include "base/path.h"
#include "runtimes/cgroup/cgroup.h"
#include "runtimes/cgroup/file.h"

#define DEPTH_MAX 64

/* v1 writes "no limit" as the largest number of pages, in bytes. */
#define V1_UNLIMITED (UINT64_C(1) << 62)

/* The cgroup's directories, one a hierarchy: v2 has all files in one. */
struct dirs {
	const char *path;
	const struct hierarchy *of[3]; /* cpu, memory and v2's: no more are read */
	int fds[3];
	size_t count;
};

/* dir_in() - a descriptor that @d owns, or negative. */
static int dir_in(struct dirs *d, const struct hierarchy *h)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->of[i] == h)
			return d->fds[i];
	d->of[d->count] = h;
	d->fds[d->count] = cgroup_file_open_dir(h, d->path);
	return d->fds[d->count++];
}

static void close_dirs(struct dirs *d)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->fds[i] >= 0)
			close(d->fds[i]);
}

static uint64_t read_or_unknown(int dir, const char *file)
{
	uint64_t value;

	return dir >= 0 && cgroup_file_read_u64_at(dir, file, &value) == 0 ? value : UINT64_MAX;
}

static void read_psi(int dir, const char *file, struct cgroup_psi *p)
{
	char text[FILE_TEXT_MAX];
	const char *full;
	unsigned long long some_us = 0, full_us = 0;

	if (dir < 0 || cgroup_file_read_at(dir, file, text) <= 0)
		return;
	p->valid = sscanf(text, "some avg10=%lf avg60=%lf avg300=%lf total=%llu", &p->some_avg10,
			  &p->some_avg60, &p->some_avg300, &some_us) == 4;
	full = strstr(text, "full "); /* older kernels have none for cpu */
	if (full && sscanf(full, "full avg10=%lf avg60=%lf avg300=%lf total=%llu", &p->full_avg10,
			   &p->full_avg60, &p->full_avg300, &full_us) != 4)
		p->valid = false;
	p->some_total_us = some_us;
	p->full_total_us = full_us;
}

static void set_working_set(struct cgroup_stats *s, uint64_t inactive_file)
{
	s->memory_working_set = s->memory_usage;
	if (s->memory_usage != UINT64_MAX && inactive_file != UINT64_MAX)
		s->memory_working_set =
			s->memory_usage > inactive_file ? s->memory_usage - inactive_file : 0;
}

static void read_memory_v1(int dir, struct cgroup_stats *s)
{
	char text[FILE_TEXT_MAX];
	uint64_t both;

	if (dir < 0 || cgroup_file_read_at(dir, "memory.stat", text) <= 0)
		return;
	s->memory_usage = read_or_unknown(dir, "memory.usage_in_bytes");
	set_working_set(s, cgroup_file_key(text, "total_inactive_file"));
	s->memory_rss = cgroup_file_key(text, "total_rss");
	s->page_faults = cgroup_file_key(text, "total_pgfault");
	s->major_page_faults = cgroup_file_key(text, "total_pgmajfault");
	s->swap_usage = cgroup_file_key(text, "total_swap");
	s->memory_limit = read_or_unknown(dir, "memory.limit_in_bytes");
	if (s->memory_limit >= V1_UNLIMITED) {
		s->memory_limit = UINT64_MAX;
		return;
	}
	both = read_or_unknown(dir, "memory.memsw.limit_in_bytes");
	if (both < V1_UNLIMITED)
		s->swap_limit = both > s->memory_limit ? both - s->memory_limit : 0;
}

static void read_memory_v2(int dir, struct cgroup_stats *s)
{
	char text[FILE_TEXT_MAX];

	if (dir < 0 || cgroup_file_read_at(dir, "memory.stat", text) <= 0)
		return;
	s->memory_usage = read_or_unknown(dir, "memory.current");
	set_working_set(s, cgroup_file_key(text, "inactive_file"));
	s->memory_rss = cgroup_file_key(text, "anon");
	s->page_faults = cgroup_file_key(text, "pgfault");
	s->major_page_faults = cgroup_file_key(text, "pgmajfault");
	s->memory_limit = read_or_unknown(dir, "memory.max");
	s->swap_usage = read_or_unknown(dir, "memory.swap.current");
	s->swap_limit = read_or_unknown(dir, "memory.swap.max");
}

/* cpu.stat of v2 is there without the cpu controller too */
static void read_cpu_v2(int dir, struct cgroup_stats *s)
{
	char text[FILE_TEXT_MAX];
	uint64_t us = dir >= 0 && cgroup_file_read_at(dir, "cpu.stat", text) > 0
			      ? cgroup_file_key(text, "usage_usec")
			      : UINT64_MAX;

	if (us != UINT64_MAX)
		s->cpu_usage_ns = us * 1000;
}

static void read_all(struct dirs *d, struct cgroup_stats *s)
{
	const struct hierarchies *all = hierarchies_get();
	int unified = dir_in(d, all->unified);

	if (all->version == 1) {
		s->cpu_usage_ns =
			read_or_unknown(dir_in(d, hierarchy_with("cpuacct")), "cpuacct.usage");
		read_memory_v1(dir_in(d, hierarchy_with("memory")), s);
	} else {
		read_cpu_v2(unified, s);
		read_memory_v2(unified, s);
	}
	read_psi(unified, "cpu.pressure", &s->cpu_psi);
	read_psi(unified, "memory.pressure", &s->memory_psi);
	read_psi(unified, "io.pressure", &s->io_psi);
}

int cgroup_stats_read(const char *path, struct cgroup_stats *ret, struct error *err)
{
	struct dirs d = { .path = path };
	struct cgroup_stats s;

	memset(&s, 0xff, sizeof(s)); /* unknown, until read */
	s.cpu_psi = s.memory_psi = s.io_psi = (struct cgroup_psi){ 0 };
	s.time_ns = clock_wall_ns();
	read_all(&d, &s);
	close_dirs(&d);
	if (s.cpu_usage_ns == UINT64_MAX && s.memory_usage == UINT64_MAX && !cgroup_exists(path))
		return error_set(err, ENOENT, "cgroup %s is gone", path);
	*ret = s;
	return 0;
}

uint64_t cgroup_process_count(const char *path)
{
	const struct hierarchy *h = hierarchy_with("pids");
	uint64_t count;

	return h && cgroup_file_read_u64(h, path, "pids.current", &count) == 0 ? count : UINT64_MAX;
}

/* --- OOM kills -------------------------------------------------------------------------------- */

/* A stack buffer small enough to recurse with. */
static bool read_short(int dirfd, const char *file, char *text, size_t size)
{
	int fd cleanup_close = openat(dirfd, file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (n >= 0)
		text[n] = '\0';
	return n >= 0;
}

/* v1 counts a kill only in the cgroup of the victim, so nested ones are added up. */
static uint64_t count_v1(const struct hierarchy *h, const char *path, unsigned int depth)
{
	char text[512];
	char *dir_path cleanup_free = hierarchy_path(h, path, NULL);
	DIR *dir = opendir(dir_path);
	struct dirent *e;
	uint64_t sum = 0;

	if (!dir)
		return 0;
	if (read_short(dirfd(dir), "memory.oom_control", text, sizeof(text)))
		sum = cgroup_file_key(text, "oom_kill") == UINT64_MAX
			      ? 0
			      : cgroup_file_key(text, "oom_kill");
	while (depth < DEPTH_MAX && (e = readdir(dir))) {
		char *below cleanup_free = NULL;

		if (e->d_type != DT_DIR || str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		below = path_join(path, e->d_name);
		sum += count_v1(h, below, depth + 1);
	}
	closedir(dir);
	return sum;
}

uint64_t cgroup_oom_kills(const char *path)
{
	const struct hierarchy *h = hierarchy_with("memory");
	char text[FILE_TEXT_MAX];
	uint64_t kills;

	if (!h)
		return 0;
	if (!h->unified)
		return count_v1(h, path, 0);
	if (cgroup_file_read(h, path, "memory.events", text) <= 0)
		return 0;
	kills = cgroup_file_key(text, "oom_kill");
	return kills == UINT64_MAX ? 0 : kills;
}
