/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `events`: use of resources, as runc prints it.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtimes/cgroup/cgroup.h"
#include "runtimes/sentry/cli/lifecycle.h"

static void put_known(struct json_writer *w, const char *key, uint64_t value)
{
	if (value != UINT64_MAX)
		json_put_u64(w, key, value);
}

static void put_cgroup(struct json_writer *w, const struct cgroup_stats *s)
{
	json_put_object(w, "cpu");
	json_put_object(w, "usage");
	put_known(w, "total", s->cpu_usage_ns);
	json_end_object(w);
	json_end_object(w);
	json_put_object(w, "memory");
	json_put_object(w, "usage");
	put_known(w, "usage", s->memory_usage);
	put_known(w, "limit", s->memory_limit);
	json_end_object(w);
	json_put_object(w, "raw");
	put_known(w, "rss", s->memory_rss);
	put_known(w, "working_set", s->memory_working_set);
	put_known(w, "pgfault", s->page_faults);
	put_known(w, "pgmajfault", s->major_page_faults);
	json_end_object(w);
	json_end_object(w);
}

/* guest_pids() - how many processes the container's own kernel counts. */
static int guest_pids(const struct cli *c, const struct record *r, uint64_t *ret, struct error *err)
{
	struct arena arena cleanup_arena = { 0 };
	struct strbuf text cleanup_strbuf = { 0 };
	struct control_request rq;
	struct json *j;
	int rc = control_request_init(&rq, CONTROL_STATS, r->id, err);

	if (rc == 0)
		rc = record_call(c, r, &rq, NULL, 0, NULL, &text, err);
	if (rc == 0)
		rc = json_parse(&arena, str_or(text.data, ""), text.len, 0, &j, err);
	if (rc == 0)
		*ret = (uint64_t)json_get_int(j, "pids", 0);
	return rc;
}

static int print_once(const struct cli *c, const struct record *r, struct error *err)
{
	struct strbuf out cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &out };
	struct cgroup_stats s;
	uint64_t pids = 0;
	int rc = guest_pids(c, r, &pids, err);

	if (rc == 0 && r->cgroup)
		rc = cgroup_stats_read(r->cgroup, &s, err);
	if (rc < 0)
		return rc;
	json_begin_object(&w);
	json_put_string(&w, "type", "stats");
	json_put_string(&w, "id", r->id);
	json_put_object(&w, "data");
	if (r->cgroup)
		put_cgroup(&w, &s);
	json_put_object(&w, "pids");
	json_put_u64(&w, "current", pids);
	json_end_object(&w);
	json_end_object(&w);
	json_end_object(&w);
	puts(out.data);
	fflush(stdout);
	return 0;
}

int cli_events(const struct cli *c, int argc, char **argv)
{
	struct record r cleanup_record = { 0 };
	struct error err = ERROR_INIT;
	const char *interval = "5s";
	bool once = false;
	const struct flag flags[] = { { "stats", 0, FLAG_BOOL, &once },
				      { "interval", 0, FLAG_STRING, &interval } };
	int i = flags_parse(c, flags, ARRAY_LEN(flags), false, argc, argv), seconds;

	if (i < 0)
		return 1;
	if (argc - i != 1)
		return cli_usage(c, "events: exactly one argument: the container's id");
	if (sscanf(interval, "%d", &seconds) != 1 || seconds < 1)
		return cli_usage(c, "events: --interval: '%s' is no number of seconds", interval);
	if (record_load(c, argv[i], &r, &err) < 0 || print_once(c, &r, &err) < 0)
		return cli_fail(c, &err);
	while (!once) {
		sleep((unsigned int)seconds);
		if (record_state(c, &r) == CONTROL_STOPPED)
			break;
		if (print_once(c, &r, &err) < 0)
			return cli_fail(c, &err);
	}
	return 0;
}
