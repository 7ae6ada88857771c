/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs CNI plugins (CNI spec, sections 2 to 4).
 *
 * A plugin is a program: parameters in its environment, configuration on stdin, a result or an
 * error on stdout.  Its stdin is its member of the list with the network's name and version, the
 * capabilities that it declares ("runtimeConfig") and the result so far ("prevResult").
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "network/attachment.h"
#include "network/result.h"

#define INTERFACE  "eth0"
#define RESULT_MAX (1 << 20)
#define NSFS_MAGIC 0x6e736673 /* linux/magic.h */

extern char **environ;

int attachment_program(const struct plugin_setting *s, const char *type, char **ret_path,
		       struct error *err)
{
	struct strbuf looked cleanup_strbuf = { 0 };

	for (size_t i = 0; i < s->n_bin_dirs; i++) {
		char *path cleanup_free = path_join(s->bin_dirs[i], type);

		if (access(path, X_OK) == 0) {
			*ret_path = steal_ptr(path);
			return 0;
		}
		strbuf_printf(&looked, "%s%s", i ? ", " : "", s->bin_dirs[i]);
	}
	return error_set(err, ENOENT, "network plugin '%s' is not in %s; install it", type,
			 looked.data ? looked.data : "any directory (none is configured)");
}

/* --- what it gets ------------------------------------------------------------------------- */

static bool is_ours(const char *variable)
{
	return str_has_prefix(variable, "CNI_");
}

static void make_env(const struct attachment *a, const struct plugin_setting *s,
		     const char *command, const char *netns, struct strlist *env)
{
	struct strbuf path cleanup_strbuf = { 0 };

	for (size_t i = 0; i < s->n_bin_dirs; i++)
		strbuf_printf(&path, "%s%s", i ? ":" : "", s->bin_dirs[i]);
	for (char **e = environ; *e; e++)
		if (!is_ours(*e))
			strlist_add(env, *e);
	strlist_addf(env, "CNI_COMMAND=%s", command);
	strlist_addf(env, "CNI_CONTAINERID=%s", a->id);
	strlist_addf(env, "CNI_NETNS=%s", netns);
	strlist_addf(env, "CNI_IFNAME=%s", INTERFACE);
	strlist_addf(env, "CNI_ARGS=%s", a->args);
	strlist_addf(env, "CNI_PATH=%s", path.data ? path.data : "");
}

static bool is_injected(const char *key)
{
	return str_eq(key, "name") || str_eq(key, "cniVersion") || str_eq(key, "runtimeConfig") ||
	       str_eq(key, "prevResult");
}

static void put_runtime_config(struct json_writer *w, const struct attachment *a, size_t plugin)
{
	const struct json *it;
	bool any = false;

	json_for_each(it, a->runtime) {
		if (!conf_wants(a->conf, plugin, it->key))
			continue;
		if (!any)
			json_put_object(w, "runtimeConfig");
		any = true;
		json_key(w, it->key);
		json_value(w, it);
	}
	if (any)
		json_end_object(w);
}

static void make_input(const struct attachment *a, size_t plugin, const struct strbuf *previous,
		       struct strbuf *out)
{
	struct json_writer w = { .out = out };
	struct arena arena cleanup_arena = { 0 };
	const struct json *it;
	struct json *result;

	json_begin_object(&w);
	json_put_string(&w, "cniVersion", a->conf->version);
	json_put_string(&w, "name", a->conf->name);
	json_for_each(it, a->conf->plugins[plugin]) {
		if (is_injected(it->key))
			continue;
		json_key(&w, it->key);
		json_value(&w, it);
	}
	put_runtime_config(&w, a, plugin);
	if (previous->len > 0 &&
	    json_parse(&arena, previous->data, previous->len, 0, &result, NULL) == 0) {
		json_key(&w, "prevResult");
		json_value(&w, result);
	}
	json_end_object(&w);
}

/* --- one call ----------------------------------------------------------------------------- */

/* run() - @command of plugin @i.  ret_out: its stdout, where wanted. */
static int run(const struct attachment *a, const struct plugin_setting *s, size_t i,
	       const char *command, const char *netns, const struct strbuf *previous, int cancel_fd,
	       struct strbuf *ret_out, struct error *err)
{
	const char *type = a->conf->types[i];
	char *program cleanup_free = NULL;
	struct strlist env cleanup_strlist = { 0 };
	struct strbuf input cleanup_strbuf = { 0 };
	struct spawn_result result cleanup(spawn_result_finish) = { 0 };
	struct spawn child = SPAWN_INIT;
	int rc = attachment_program(s, type, &program, err);

	if (rc < 0)
		return rc;
	make_env(a, s, command, netns, &env);
	make_input(a, i, previous, &input);
	child.program = program;
	child.argv = (const char *const[]){ program, NULL };
	child.envp = (const char *const *)env.items;
	/*
	 * No ADD may go on beside the DEL of our successor.  A DEL that has begun ends by itself:
	 * the bridge plugin finds its rules by the interface, which it deletes first.
	 */
	if (strcmp(command, "ADD") == 0)
		child.death_signal = SIGKILL;
	rc = spawn_run(&child, input.data, input.len, s->timeout_ms, cancel_fd, &result, err);
	if (rc == 0 && result.exit_code != 0)
		rc = result_error(&result.out, &result.err, result.exit_code, err);
	else if (rc == 0 && result.truncated)
		rc = error_set(err, EFBIG, "output is longer than 1 MiB");
	if (rc < 0)
		return error_wrap(err, "network plugin %s: %s", type, command);
	log_debug("network plugin %s %s of pod %s done", type, command, a->id);
	if (ret_out) {
		strbuf_finish(ret_out);
		*ret_out = result.out;
		result.out = (struct strbuf){ 0 };
	}
	return 0;
}

/* --- ADD ---------------------------------------------------------------------------------- */

static char *cache_path(const struct attachment *a, const struct plugin_setting *s)
{
	char *name cleanup_free = xasprintf("%s.json", a->id);

	return path_join(s->cache_dir, name);
}

int attachment_add(const struct attachment *a, const struct plugin_setting *s, int cancel_fd,
		   struct strlist *ret_ips, struct error *err)
{
	struct strbuf result cleanup_strbuf = { 0 };
	struct strlist ips cleanup_strlist = { 0 };
	char *cache cleanup_free = cache_path(a, s);
	int rc = 0;

	for (size_t i = 0; i < a->conf->n_plugins && rc == 0; i++) {
		rc = run(a, s, i, "ADD", a->netns, &result, cancel_fd, &result, err);
		strlist_finish(&ips);
		ips = (struct strlist){ 0 };
		/* each is checked: the next plugin would be given it */
		if (rc == 0)
			rc = result_parse(result.data ? result.data : "", result.len, &ips, err);
		if (rc < 0)
			return error_wrap(err, "network %s", a->conf->name);
	}
	if (ips.count == 0)
		return error_set(err, EPROTO,
				 "network %s: its plugins gave the pod no address; "
				 "the first needs an \"ipam\" section",
				 a->conf->name);
	rc = fd_replace_file(AT_FDCWD, cache, result.data, result.len, 0600, false, err);
	if (rc < 0)
		return error_wrap(err, "keep the network's result");
	*ret_ips = ips;
	ips = (struct strlist){ 0 };
	return 0;
}

/* --- DEL ---------------------------------------------------------------------------------- */

/* The path may be left as a plain file after a crash or a boot; plugins take "" for "gone". */
static const char *live_netns(const struct attachment *a)
{
	struct statfs st;

	return *a->netns && statfs(a->netns, &st) == 0 && st.f_type == NSFS_MAGIC ? a->netns : "";
}

int attachment_del(const struct attachment *a, const struct plugin_setting *s, struct error *err)
{
	struct strbuf result cleanup_strbuf = { 0 };
	char *cache cleanup_free = cache_path(a, s);
	const char *netns = live_netns(a);
	int rc = 0;

	/* the result of ADD belongs to DEL from 0.4.0 on */
	if (!str_has_prefix(a->conf->version, "0.3."))
		fd_read_file(AT_FDCWD, cache, RESULT_MAX, &result, NULL);
	for (size_t i = a->conf->n_plugins; i-- > 0;) {
		struct error why = ERROR_INIT;

		if (run(a, s, i, "DEL", netns, &result, -1, NULL, &why) < 0 && rc == 0)
			rc = error_copy(err, &why);
	}
	if (rc < 0)
		return error_wrap(err, "network %s", a->conf->name);
	unlink(cache);
	return 0;
}
