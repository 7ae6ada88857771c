/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks: programs that a bundle has run at points of a container's life.
 */
#include "runtimes/sentry/cli/hooks.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "runtimes/sentry/boot/spec.h"

#define DEFAULT_BOUND_MS 60000

static void state_text(const struct record *r, const char *status, struct strbuf *out)
{
	struct json_writer w = { .out = out };

	json_begin_object(&w);
	json_put_string(&w, "ociVersion", "1.2.0");
	json_put_string(&w, "id", r->id);
	json_put_string(&w, "status", status);
	json_put_i64(&w, "pid", r->pid);
	json_put_string(&w, "bundle", r->bundle);
	if (r->annotations) {
		json_key(&w, "annotations");
		json_value(&w, r->annotations);
	}
	json_end_object(&w);
}

static int run_one(const struct json *hook, const struct strbuf *state, struct error *err)
{
	const char *path = json_get_string(hook, "path", "");
	int64_t bound = json_get_int(hook, "timeout", 0);
	struct strlist args cleanup_strlist = { 0 }, env cleanup_strlist = { 0 };
	struct spawn_result r cleanup(spawn_result_finish) = { 0 };
	static const char *const no_env[] = { NULL };
	struct spawn s = SPAWN_INIT;
	int rc;

	if (path[0] != '/')
		return error_set(err, EINVAL, "hook '%s': not an absolute path", path);
	if (json_get_strings(hook, "args", &args) < 0 || json_get_strings(hook, "env", &env) < 0)
		return error_set(err, EINVAL, "hook %s: args or env are no lists of strings", path);
	if (args.count == 0)
		strlist_add(&args, path);
	s.program = path;
	s.argv = (const char *const *)args.items;
	s.envp = env.count > 0 ? (const char *const *)env.items : no_env;
	rc = spawn_run(&s, state->data, state->len,
		       bound > 0 ? (int)MIN(bound, 3600) * 1000 : DEFAULT_BOUND_MS, -1, &r, err);
	if (rc < 0)
		return error_wrap(err, "hook %s", path);
	if (r.exit_code != 0)
		return error_set(err, EIO, "hook %s ended with %d: %.200s", path, r.exit_code,
				 str_or(r.err.data, ""));
	return 0;
}

int hooks_run(const struct json *hooks, const char *kind, const struct record *r,
	      const char *status, struct error *err)
{
	struct strbuf state cleanup_strbuf = { 0 };
	const struct json *it;
	int rc = 0;

	state_text(r, status, &state);
	json_for_each(it, json_get(hooks, kind)) {
		rc = run_one(it, &state, err);
		if (rc < 0)
			break;
	}
	return rc;
}

void hooks_run_bundle(const struct cli *c, const struct record *r, const char *kind,
		      const char *status)
{
	char *path cleanup_free = path_join(r->bundle, "config.json");
	struct strbuf text cleanup_strbuf = { 0 };
	struct arena arena cleanup_arena = { 0 };
	struct error err = ERROR_INIT;
	struct json *j;

	if (fd_read_file(AT_FDCWD, path, SPEC_BYTES_MAX, &text, NULL) < 0 ||
	    json_parse(&arena, str_or(text.data, ""), text.len, 0, &j, NULL) < 0)
		return;
	if (hooks_run(json_get(j, "hooks"), kind, r, status, &err) < 0)
		cli_warn(c, "%s", err.text);
}
