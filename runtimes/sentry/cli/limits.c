/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of a container, at create and by `update`.
 */
#include "runtimes/sentry/cli/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "runtimes/sentry/boot/spec.h"
#include "runtimes/sentry/cli/lifecycle.h"

static void take_hugepages(struct arena *a, const struct json *list, struct cgroup_limits *l)
{
	struct cgroup_hugepage *pages;
	const struct json *it;
	uint64_t limit;

	if (!list || list->type != JSON_ARRAY || list->len == 0)
		return;
	pages = arena_alloc(a, list->len * sizeof(*pages));
	json_for_each(it, list) {
		const struct json *v = json_get(it, "limit");

		if (!v || str_parse_u64(v->text ? v->text : "", &limit) < 0)
			continue;
		pages[l->n_hugepages++] = (struct cgroup_hugepage){
			.size = json_get_string(it, "pageSize", ""),
			.limit = limit,
		};
	}
	l->hugepages = pages;
}

static void take_unified(struct arena *a, const struct json *map, struct cgroup_limits *l)
{
	struct cgroup_unified *files;
	const struct json *it;

	if (!map || map->type != JSON_OBJECT || map->len == 0)
		return;
	files = arena_alloc(a, map->len * sizeof(*files));
	json_for_each(it, map)
		if (it->type == JSON_STRING)
			files[l->n_unified++] = (struct cgroup_unified){ it->key, it->text };
	l->unified = files;
}

int limits_apply(const char *path, const struct json *resources, struct error *err)
{
	const struct json *cpu = json_get(resources, "cpu"),
			  *memory = json_get(resources, "memory");
	struct arena arena cleanup_arena = { 0 };
	struct cgroup_limits l = {
		.cpu_period_us = json_get_int(cpu, "period", 0),
		.cpu_quota_us = json_get_int(cpu, "quota", 0),
		.cpu_shares = json_get_int(cpu, "shares", 0),
		.cpuset_cpus = json_get_string(cpu, "cpus", ""),
		.cpuset_mems = json_get_string(cpu, "mems", ""),
		.memory_limit_bytes = json_get_int(memory, "limit", 0),
		.memory_swap_limit_bytes = json_get_int(memory, "swap", 0),
		.pids_limit = json_get_int(json_get(resources, "pids"), "limit", 0),
	};

	take_hugepages(&arena, json_get(resources, "hugepageLimits"), &l);
	take_unified(&arena, json_get(resources, "unified"), &l);
	return cgroup_update(path, &l, err);
}

/* --- update ----------------------------------------------------------------------------------- */

static int read_resources(const char *file, struct strbuf *text, struct error *err)
{
	int rc;

	if (!str_eq(file, "-"))
		return fd_read_file(AT_FDCWD, file, SPEC_BYTES_MAX, text, err);
	rc = fd_read_all(STDIN_FILENO, SPEC_BYTES_MAX, text);
	return rc < 0 ? error_errno(err, -rc, "read from standard input") : 0;
}

static int update(const struct cli *c, const char *id, const char *file, struct error *err)
{
	struct record r cleanup_record = { 0 };
	struct strbuf text cleanup_strbuf = { 0 };
	struct arena arena cleanup_arena = { 0 };
	struct json *j;
	int rc = record_load(c, id, &r, err);

	if (rc == 0 && !r.cgroup)
		rc = error_set(err, ENOTSUP, "container %s has no cgroup", id);
	if (rc == 0)
		rc = read_resources(file, &text, err);
	if (rc == 0)
		rc = json_parse(&arena, str_or(text.data, ""), text.len, 0, &j, err);
	return rc < 0 ? rc : limits_apply(r.cgroup, j, err);
}

int cli_update(const struct cli *c, int argc, char **argv)
{
	struct error err = ERROR_INIT;
	const char *file = NULL;
	const struct flag flags[] = { { "resources", 'r', FLAG_STRING, &file } };
	int i = flags_parse(c, flags, ARRAY_LEN(flags), false, argc, argv);

	if (i < 0)
		return 1;
	if (argc - i != 1 || !file)
		return cli_usage(c,
				 "update: --resources FILE and one argument: the container's id");
	return update(c, argv[i], file, &err) < 0 ? cli_fail(c, &err) : 0;
}
