/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `exec`: one process more in a running container.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "runtimes/bundle/bundle.h"
#include "runtimes/sentry/cli/console.h"
#include "runtimes/sentry/cli/lifecycle.h"

struct exec_words {
	const char *id, *process, *pid_file, *console_socket, *cwd, *user;
	struct strlist env, groups, caps;
	bool detach, tty, no_new_privs;
	char *const *args;
	size_t n_args;
};

/* --- what to run ------------------------------------------------------------------------------ */

static int put_user(struct json_writer *w, const char *user, const struct json *old,
		    struct error *err)
{
	const char *colon = strchr(user, ':');
	char *uid cleanup_free = xstrndup(user, colon ? (size_t)(colon - user) : strlen(user));
	uint64_t u, g = (uint64_t)json_get_int(old, "gid", 0);

	if (str_parse_u64(uid, &u) < 0 || (colon && str_parse_u64(colon + 1, &g) < 0) ||
	    u > UINT32_MAX || g > UINT32_MAX)
		return error_set(err, EINVAL, "--user: '%s' is not UID[:GID]", user);
	json_put_u64(w, "uid", u);
	json_put_u64(w, "gid", g);
	return 0;
}

static int put_groups(struct json_writer *w, const struct json *old, const struct strlist *more,
		      struct error *err)
{
	const struct json *it;
	uint64_t g;

	json_put_array(w, "additionalGids");
	json_for_each(it, old)
		json_value(w, it);
	for (size_t i = 0; i < more->count; i++) {
		if (str_parse_u64(more->items[i], &g) < 0 || g > UINT32_MAX)
			return error_set(err, EINVAL, "--additional-gids: '%s' is not a GID",
					 more->items[i]);
		json_u64(w, g);
	}
	json_end_array(w);
	return 0;
}

/* put_identity() - "user": @old with what the flags say. */
static int put_identity(struct json_writer *w, const struct json *old, const struct exec_words *x,
			struct error *err)
{
	const struct json *m;
	int rc;

	json_put_object(w, "user");
	json_for_each(m, old) {
		if (str_eq(m->key, "additionalGids") ||
		    (x->user && (str_eq(m->key, "uid") || str_eq(m->key, "gid"))))
			continue;
		json_key(w, m->key);
		json_value(w, m);
	}
	rc = put_groups(w, json_get(old, "additionalGids"), &x->groups, err);
	if (rc == 0 && x->user)
		rc = put_user(w, x->user, old, err);
	json_end_object(w);
	return rc;
}

/* put_caps() - the sets of @old, and in each but the inheritable and ambient those of @more. */
static int put_caps(struct json_writer *w, const struct json *old, const struct strlist *more,
		    struct error *err)
{
	static const char *const sets[] = { "bounding", "effective", "permitted", "inheritable",
					    "ambient" };
	const struct json *it;

	for (size_t i = 0; i < more->count; i++)
		if (bundle_cap_parse(more->items[i]) < 0)
			return error_set(err, EINVAL, "--cap: '%s' is no capability",
					 more->items[i]);
	json_put_object(w, "capabilities");
	for (size_t s = 0; s < ARRAY_LEN(sets); s++) {
		json_put_array(w, sets[s]);
		json_for_each(it, json_get(old, sets[s]))
			json_value(w, it);
		for (size_t i = 0; s < 3 && i < more->count; i++)
			json_string(w, more->items[i]);
		json_end_array(w);
	}
	json_end_object(w);
	return 0;
}

static void put_env(struct json_writer *w, const struct json *old, const struct strlist *more)
{
	const struct json *it;

	json_put_array(w, "env");
	json_for_each(it, old)
		json_value(w, it);
	for (size_t i = 0; i < more->count; i++)
		json_string(w, more->items[i]);
	json_end_array(w);
}

/* change() - a process object with what the flags say. */
static int change(const struct json *process, const struct exec_words *x, struct strbuf *out,
		  struct error *err)
{
	struct json_writer w = { .out = out };
	const struct json *m;
	int rc;

	json_begin_object(&w);
	json_for_each(m, process) {
		if ((x->cwd && str_eq(m->key, "cwd")) || str_eq(m->key, "user") ||
		    str_eq(m->key, "capabilities") || str_eq(m->key, "env") ||
		    (x->no_new_privs && str_eq(m->key, "noNewPrivileges")))
			continue;
		json_key(&w, m->key);
		json_value(&w, m);
	}
	put_env(&w, json_get(process, "env"), &x->env);
	if (x->cwd)
		json_put_string(&w, "cwd", x->cwd);
	if (x->no_new_privs)
		json_put_bool(&w, "noNewPrivileges", true);
	rc = put_identity(&w, json_get(process, "user"), x, err);
	if (rc == 0 && (json_get(process, "capabilities") || x->caps.count > 0))
		rc = put_caps(&w, json_get(process, "capabilities"), &x->caps, err);
	json_end_object(&w);
	return rc;
}

static int process_text(const struct exec_words *x, const struct record *r, struct strbuf *ret,
			struct error *err)
{
	struct arena arena cleanup_arena = { 0 };
	char *text cleanup_free = NULL;
	struct json *j;
	int rc;

	if (x->process)
		return fd_read_file(AT_FDCWD, x->process, SPEC_BYTES_MAX, ret, err);
	rc = bundle_process_json(r->bundle, x->args, x->n_args, x->tty, &text, err);
	if (rc == 0)
		rc = json_parse(&arena, text, strlen(text), 0, &j, err);
	return rc < 0 ? rc : change(j, x, ret, err);
}

/* --- doing it --------------------------------------------------------------------------------- */

static int send_exec(const struct cli *c, const struct record *r, const struct strbuf *text,
		     const int stdio[3], int *standin, struct error *err)
{
	struct control_request rq;
	int fds[CONTROL_EXEC_FDS], rc = control_request_init(&rq, CONTROL_EXEC, r->id, err);

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = -1;
	if (rc < 0)
		return rc;
	fds[CONTROL_FD_PROCESS] = launch_memory_file(str_or(text->data, ""), text->len, err);
	rc = fds[CONTROL_FD_PROCESS] < 0 ? fds[CONTROL_FD_PROCESS] : 0;
	if (rc == 0)
		rc = launch_stdio(stdio, &fds[CONTROL_FD_EXEC_STDIN], err);
	fds[CONTROL_FD_EXEC_STANDIN] = steal_fd(standin);
	if (rc == 0)
		rc = record_call(c, r, &rq, fds, CONTROL_EXEC_FDS, NULL, NULL, err);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close_fd(&fds[i]);
	return rc;
}

/* give_console() - to whoever listens, or to our own stdio. */
static int give_console(const struct exec_words *x, struct host_console *t, struct error *err)
{
	int rc;

	if (x->console_socket) {
		rc = console_send(x->console_socket, t, err);
		console_close(t);
		return rc;
	}
	if (x->detach)
		return error_set(err, EINVAL,
				 "a detached process with a terminal needs --console-socket");
	return console_attach(t, err);
}

static int run(const struct cli *c, const struct exec_words *x, struct record *r, pid_t *ret_pid,
	       struct error *err)
{
	struct strbuf text cleanup_strbuf = { 0 };
	struct arena arena cleanup_arena = { 0 };
	struct spec_process p;
	struct host_console t cleanup(console_close) = HOST_CONSOLE_INIT;
	struct json *j;
	int stdio[3] = { 0, 1, 2 }, standin = -1;
	int rc = process_text(x, r, &text, err);

	if (rc == 0)
		rc = json_parse(&arena, str_or(text.data, ""), text.len, 0, &j, err);
	if (rc == 0)
		rc = spec_process_parse(&arena, j, &p, err);
	if (rc == 0 && p.terminal)
		rc = console_open(p.rows, p.columns, &t, err);
	for (int i = 0; i < 3 && rc == 0 && p.terminal; i++)
		stdio[i] = t.slave;
	if (rc == 0)
		rc = launch_standin(stdio, p.terminal, NULL, &standin, ret_pid, err);
	if (rc == 0)
		rc = send_exec(c, r, &text, stdio, &standin, err);
	if (rc == 0 && p.terminal)
		rc = give_console(x, &t, err);
	if (rc == 0 && x->pid_file)
		rc = lifecycle_write_pid(x->pid_file, *ret_pid, err);
	return rc;
}

static int take_words(const struct cli *c, int argc, char **argv, struct exec_words *x)
{
	const struct flag flags[] = {
		{ "process", 'p', FLAG_STRING, &x->process },
		{ "pid-file", 0, FLAG_STRING, &x->pid_file },
		{ "console-socket", 0, FLAG_STRING, &x->console_socket },
		{ "cwd", 0, FLAG_STRING, &x->cwd },
		{ "user", 'u', FLAG_STRING, &x->user },
		{ "env", 'e', FLAG_LIST, &x->env },
		{ "detach", 'd', FLAG_BOOL, &x->detach },
		{ "tty", 't', FLAG_BOOL, &x->tty },
		{ "additional-gids", 'g', FLAG_LIST, &x->groups },
		{ "cap", 'c', FLAG_LIST, &x->caps },
		{ "no-new-privs", 0, FLAG_BOOL, &x->no_new_privs },
		{ "internal-pid-file", 0, FLAG_IGNORED, NULL },
		{ "pidfd-socket", 0, FLAG_IGNORED, NULL },
		{ "preserve-fds", 0, FLAG_IGNORED, NULL },
		{ "cgroup", 0, FLAG_IGNORED, NULL },
		{ "apparmor", 0, FLAG_IGNORED, NULL },
		{ "process-label", 0, FLAG_IGNORED, NULL },
		{ "no-subreaper", 0, FLAG_IGNORED_BOOL, NULL },
		{ "ignore-paused", 0, FLAG_IGNORED_BOOL, NULL },
	};
	int i = flags_parse(c, flags, ARRAY_LEN(flags), false, argc, argv);

	if (i < 0)
		return 1;
	if (i >= argc)
		return cli_usage(c, "exec: which container?");
	x->id = argv[i];
	x->args = argv + i + 1;
	x->n_args = (size_t)(argc - i - 1);
	if (!x->process && x->n_args == 0)
		return cli_usage(c, "exec: what is to be run?");
	return 0;
}

int cli_exec(const struct cli *c, int argc, char **argv)
{
	struct exec_words x = { 0 };
	struct record r cleanup_record = { 0 };
	struct error err = ERROR_INIT;
	pid_t pid = 0;
	int rc = take_words(c, argc, argv, &x), code;

	if (rc == 0 && (record_load(c, x.id, &r, &err) < 0 || run(c, &x, &r, &pid, &err) < 0))
		rc = cli_fail(c, &err);
	strlist_finish(&x.env);
	strlist_finish(&x.groups);
	strlist_finish(&x.caps);
	if (rc || x.detach)
		return rc;
	code = lifecycle_wait(pid);
	console_detach();
	return code;
}
