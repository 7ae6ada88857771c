/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ps`: the processes of a container, by their numbers inside.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "runtimes/sentry/cli/lifecycle.h"

/* print_pids() - as runc's json: the numbers alone. */
static void print_pids(const struct json *list)
{
	struct strbuf out cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &out };
	const struct json *it;

	json_begin_array(&w);
	json_for_each(it, list)
		json_i64(&w, json_get_int(it, "pid", 0));
	json_end_array(&w);
	puts(out.data);
}

static void print_table(const struct json *list)
{
	const struct json *it;

	printf("%-8s %-8s %-8s %-8s %s\n", "UID", "PID", "PPID", "THREADS", "CMD");
	json_for_each(it, list)
		printf("%-8lld %-8lld %-8lld %-8lld %s\n", (long long)json_get_int(it, "uid", 0),
		       (long long)json_get_int(it, "pid", 0),
		       (long long)json_get_int(it, "ppid", 0),
		       (long long)json_get_int(it, "threads", 0),
		       json_get_string(it, "command", ""));
}

int cli_ps(const struct cli *c, int argc, char **argv)
{
	struct record r cleanup_record = { 0 };
	struct strbuf text cleanup_strbuf = { 0 };
	struct arena arena cleanup_arena = { 0 };
	struct control_request rq;
	struct error err = ERROR_INIT;
	struct json *list;
	const char *format = "table";
	const struct flag flags[] = { { "format", 'f', FLAG_STRING, &format } };
	int i = flags_parse(c, flags, ARRAY_LEN(flags), false, argc, argv);

	if (i < 0)
		return 1;
	if (argc - i < 1)
		return cli_usage(c, "ps: which container?");
	if (record_load(c, argv[i], &r, &err) < 0 ||
	    control_request_init(&rq, CONTROL_PS, r.id, &err) < 0 ||
	    record_call(c, &r, &rq, NULL, 0, NULL, &text, &err) < 0 ||
	    json_parse(&arena, str_or(text.data, "[]"), text.len, 0, &list, &err) < 0)
		return cli_fail(c, &err);
	if (strcmp(format, "json") == 0)
		print_pids(list);
	else
		print_table(list);
	return 0;
}
