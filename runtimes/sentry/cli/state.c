/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `state` and `list`: what containers there are, and how they are.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "runtimes/sentry/cli/lifecycle.h"

static void put_state(const struct cli *c, const struct record *r, struct json_writer *w)
{
	enum control_state s = record_state(c, r);

	json_begin_object(w);
	json_put_string(w, "ociVersion", "1.2.0");
	json_put_string(w, "id", r->id);
	json_put_i64(w, "pid", s == CONTROL_STOPPED ? 0 : r->pid);
	json_put_string(w, "status", record_state_name(s));
	json_put_string(w, "bundle", r->bundle);
	json_put_string(w, "rootfs", r->rootfs);
	json_put_string(w, "created", r->created);
	if (r->annotations) {
		json_key(w, "annotations");
		json_value(w, r->annotations);
	}
	json_put_string(w, "owner", "root");
	json_end_object(w);
}

int cli_state(const struct cli *c, int argc, char **argv)
{
	struct record r cleanup_record = { 0 };
	struct strbuf out cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &out, .pretty = true };
	struct error err = ERROR_INIT;
	int i = flags_parse(c, NULL, 0, false, argc, argv);

	if (i < 0)
		return 1;
	if (argc - i != 1)
		return cli_usage(c, "state: exactly one argument: the container's id");
	if (record_load(c, argv[i], &r, &err) < 0)
		return cli_fail(c, &err);
	put_state(c, &r, &w);
	puts(out.data);
	return 0;
}

/* --- list ------------------------------------------------------------------------------------- */

static void all_ids(const struct cli *c, struct strlist *ret)
{
	DIR *dir = opendir(c->root);
	const struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			strlist_add(ret, e->d_name);
	if (dir)
		closedir(dir);
}

static void print_table(const struct cli *c, const struct strlist *ids)
{
	printf("%-20s %-8s %-10s %-40s %s\n", "ID", "PID", "STATUS", "BUNDLE", "CREATED");
	for (size_t i = 0; i < ids->count; i++) {
		struct record r cleanup_record = { 0 };
		enum control_state s;

		if (record_load(c, ids->items[i], &r, NULL) < 0)
			continue;
		s = record_state(c, &r);
		printf("%-20s %-8d %-10s %-40s %s\n", r.id, s == CONTROL_STOPPED ? 0 : r.pid,
		       record_state_name(s), r.bundle, r.created);
	}
}

static void print_json(const struct cli *c, const struct strlist *ids)
{
	struct strbuf out cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &out };

	json_begin_array(&w);
	for (size_t i = 0; i < ids->count; i++) {
		struct record r cleanup_record = { 0 };

		if (record_load(c, ids->items[i], &r, NULL) == 0)
			put_state(c, &r, &w);
	}
	json_end_array(&w);
	puts(out.data);
}

int cli_list(const struct cli *c, int argc, char **argv)
{
	struct strlist ids cleanup_strlist = { 0 };
	const char *format = "table";
	bool quiet = false;
	const struct flag flags[] = { { "format", 'f', FLAG_STRING, &format },
				      { "quiet", 'q', FLAG_BOOL, &quiet } };

	if (flags_parse(c, flags, ARRAY_LEN(flags), false, argc, argv) < 0)
		return 1;
	all_ids(c, &ids);
	if (quiet)
		for (size_t i = 0; i < ids.count; i++)
			puts(ids.items[i]);
	else if (strcmp(format, "json") == 0)
		print_json(c, &ids);
	else if (strcmp(format, "table") == 0)
		print_table(c, &ids);
	else
		return cli_usage(c, "list: --format: '%s' is neither table nor json", format);
	return 0;
}
