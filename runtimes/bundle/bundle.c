/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bundle in memory, and the process object of an exec.
 */
#include "runtimes/bundle/bundle.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"

void bundle_finish(struct bundle *b)
{
	strlist_finish(&b->args);
	strlist_finish(&b->env);
	strlist_finish(&b->masked_paths);
	strlist_finish(&b->readonly_paths);
	strlist_finish(&b->annotations);
	strlist_finish(&b->sysctls);
	arena_finish(&b->arena);
}

void bundle_add_namespace(struct bundle *b, const char *type, const char *path)
{
	if (b->n_namespaces < ARRAY_LEN(b->namespaces))
		b->namespaces[b->n_namespaces++] = (struct bundle_namespace){ type, path };
}

void bundle_annotate(struct bundle *b, const char *key, const char *value)
{
	strlist_add(&b->annotations, key);
	strlist_add(&b->annotations, value ? value : "");
}

int bundle_write(const struct bundle *b, const char *dir, struct error *err)
{
	char *path cleanup_free = path_join(dir, "config.json");
	char *text cleanup_free = bundle_json(b);

	return fd_replace_file(AT_FDCWD, path, text, strlen(text), 0600, false, err);
}

/* --- exec ------------------------------------------------------------------------------------- */

static void put_env(struct json_writer *w, const struct json *env, bool tty)
{
	const struct json *e;
	bool has_term = false;

	json_put_array(w, "env");
	json_for_each(e, env) {
		if (e->type != JSON_STRING)
			continue;
		has_term |= str_has_prefix(e->text, "TERM=");
		json_stringn(w, e->text, e->len);
	}
	if (tty && !has_term)
		json_string(w, "TERM=xterm");
	json_end_array(w);
}

static char *derive(const struct json *process, char *const *argv, size_t argc, bool tty)
{
	struct strbuf out = { 0 };
	struct json_writer w = { .out = &out };
	const struct json *m;

	json_begin_object(&w);
	json_put_bool(&w, "terminal", tty);
	json_put_strings(&w, "args", argv, argc);
	put_env(&w, json_get(process, "env"), tty);
	json_for_each(m, process) {
		if (str_eq(m->key, "terminal") || str_eq(m->key, "args") || str_eq(m->key, "env"))
			continue;
		json_key(&w, m->key);
		json_value(&w, m);
	}
	json_end_object(&w);
	return strbuf_steal(&out);
}

int bundle_process_json(const char *bundle_dir, char *const *argv, size_t argc, bool tty,
			char **ret, struct error *err)
{
	char *path cleanup_free = path_join(bundle_dir, "config.json");
	struct strbuf text cleanup_strbuf = { 0 };
	struct arena arena cleanup_arena = { 0 };
	const struct json *process;
	struct json *config;

	if (argc == 0)
		return error_set(err, EINVAL, "no command given");
	if (fd_read_file(AT_FDCWD, path, BUNDLE_CONFIG_MAX, &text, err) < 0)
		return err ? err->code : -EIO;
	if (json_parse(&arena, text.data ? text.data : "", text.len, 0, &config, err) < 0)
		return error_wrap(err, "%s", path);
	process = json_get(config, "process");
	if (!process || process->type != JSON_OBJECT)
		return error_set(err, EINVAL, "%s has no process", path);
	*ret = derive(process, argv, argc, tty);
	return 0;
}
