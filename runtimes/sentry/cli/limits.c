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

/* take_number() - @group.@key; what is there and no whole number is an error. */
static int take_number(const struct json *resources, const char *group, const char *key,
		       int64_t *ret, struct error *err)
{
	const struct json *v = json_get(json_get(resources, group), key);

	if (!v || v->type == JSON_NULL)
		return 0;
	return json_int(v, ret) < 0
		       ? error_set(err, EINVAL, "linux.resources.%s.%s: not a whole number", group,
				   key)
		       : 0;
}

static int take_numbers(const struct json *resources, struct cgroup_limits *l, struct error *err)
{
	const struct {
		const char *group, *key;
		int64_t *into;
	} rows[] = {
		{ "cpu", "period", &l->cpu_period_us },
		{ "cpu", "quota", &l->cpu_quota_us },
		{ "cpu", "shares", &l->cpu_shares },
		{ "memory", "limit", &l->memory_limit_bytes },
		{ "memory", "swap", &l->memory_swap_limit_bytes },
		{ "pids", "limit", &l->pids_limit },
	};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows) && rc == 0; i++)
		rc = take_number(resources, rows[i].group, rows[i].key, rows[i].into, err);
	return rc;
}

static int take_hugepages(struct arena *a, const struct json *list, struct cgroup_limits *l,
			  struct error *err)
{
	struct cgroup_hugepage *pages;
	const struct json *it;
	uint64_t limit;

	if (!list || list->type != JSON_ARRAY || list->len == 0)
		return 0;
	pages = arena_alloc(a, list->len * sizeof(*pages));
	json_for_each(it, list) {
		const struct json *v = json_get(it, "limit");

		if (!v || v->type != JSON_NUMBER || str_parse_u64(v->text, &limit) < 0)
			return error_set(err, EINVAL,
					 "linux.resources.hugepageLimits: %s: its limit is not a "
					 "whole number",
					 json_get_string(it, "pageSize", "?"));
		pages[l->n_hugepages++] = (struct cgroup_hugepage){
			.size = json_get_string(it, "pageSize", ""),
			.limit = limit,
		};
	}
	l->hugepages = pages;
	return 0;
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

int limits_apply(const char *path, const struct json *resources, enum limits_part part,
		 struct error *err)
{
	const struct json *cpu = json_get(resources, "cpu");
	struct arena arena cleanup_arena = { 0 };
	struct cgroup_limits l = {
		.cpuset_cpus = json_get_string(cpu, "cpus", ""),
		.cpuset_mems = json_get_string(cpu, "mems", ""),
	};
	int rc = take_numbers(resources, &l, err);

	if (rc == 0 && part == LIMITS_TIME) {
		struct cgroup_limits time = { .cpu_period_us = l.cpu_period_us,
					      .cpu_quota_us = l.cpu_quota_us };

		return cgroup_update(path, &time, err);
	}
	if (part == LIMITS_BUT_TIME)
		l.cpu_period_us = l.cpu_quota_us = 0;
	if (rc == 0)
		rc = take_hugepages(&arena, json_get(resources, "hugepageLimits"), &l, err);
	if (rc < 0)
		return rc;
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
	return rc < 0 ? rc : limits_apply(r.cgroup, j, LIMITS_ALL, err);
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
