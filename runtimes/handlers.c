/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RuntimeClass handler names and the OCI runtimes behind them.
 *
 * A handler whose runtime is missing or does not work is still there: it is listed with the
 * reason, and a pod that asks for it gets that reason instead of a puzzle.
 */
#include "runtimes/handlers.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "runtimes/probe.h"

struct handlers {
	struct handler *list;
	size_t count;
	char *default_name;
};

static void add_why(struct strbuf *why, const char *text)
{
	strbuf_printf(why, "%s%s", why->len ? "; " : "", text);
}

/* find_candidate() - a program of ours beside this one, else on PATH. */
static char *find_candidate(const char *name)
{
	if (str_has_prefix(name, "bulkhead-"))
		return path_sibling_program(name);
	return path_find_program(name);
}

static void explain_absent(struct strbuf *why, const char *name)
{
	char *text cleanup_free = NULL;

	if (str_has_prefix(name, "bulkhead-"))
		text = xasprintf(
			"%s is not installed: it is a package of its own, install it or take "
			"another runtime handler",
			name);
	else if (strchr(name, '/'))
		text = xasprintf("%s does not exist or cannot be run", name);
	else
		text = xasprintf("%s is not installed (not found on PATH)", name);
	add_why(why, text);
}

/* try_candidate() - Return: whether @name is now the handler's runtime. */
static bool try_candidate(struct handler *h, const char *name, const struct handlers_config *config,
			  struct strbuf *why)
{
	char *program cleanup_free = find_candidate(name);
	struct error err = ERROR_INIT;
	struct probe p;
	char *text cleanup_free = NULL;

	if (!program) {
		explain_absent(why, name);
		return false;
	}
	if (probe_run(program, &h->args, config->pause_program, config->work_dir, &p, &err) < 0) {
		probe_finish(&p);
		text = str_has_prefix(err.text, name) ? xstrdup(err.text)
						      : xasprintf("%s: %s", name, err.text);
		add_why(why, text);
		return false;
	}
	h->runtime = steal_ptr(program);
	h->version = steal_ptr(p.version);
	h->rro_mounts = p.rro_mounts;
	h->user_namespaces = p.user_namespaces;
	h->idmap_mounts = p.idmap_mounts;
	return true;
}

static void set_up(struct handler *h, const struct handler_config *from,
		   const struct handlers_config *config)
{
	struct strbuf why = { 0 };

	h->name = xstrdup(from->name);
	h->sandbox = from->sandbox;
	for (size_t i = 0; i < from->args.count; i++)
		strlist_add(&h->args, from->args.items[i]);
	for (size_t i = 0; i < from->runtimes.count; i++)
		if (try_candidate(h, from->runtimes.items[i], config, &why))
			break;
	h->why = strbuf_steal(&why);
	log_debug("runtime handler %s: %s%s%s", h->name, str_or(h->runtime, "none"),
		  *h->why ? "; " : "", h->why);
}

int handlers_create(const struct handlers_config *config, struct handlers **ret, struct error *err)
{
	struct handlers *h = xnew(struct handlers);
	bool found = false;

	h->list = xcalloc(config->count + 1, sizeof(*h->list));
	h->count = config->count;
	h->default_name = xstrdup(str_or(config->default_name, ""));
	for (size_t i = 0; i < config->count; i++) {
		set_up(&h->list[i], &config->list[i], config);
		found |= str_eq(h->list[i].name, h->default_name);
	}
	if (!found) {
		error_set(err, EINVAL, "default runtime handler '%s' is not configured",
			  h->default_name);
		handlers_destroy(h);
		return -EINVAL;
	}
	*ret = h;
	return 0;
}

void handlers_destroy(struct handlers *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->count; i++) {
		free(h->list[i].name);
		free(h->list[i].runtime);
		free(h->list[i].why);
		free(h->list[i].version);
		strlist_finish(&h->list[i].args);
	}
	free(h->list);
	free(h->default_name);
	free(h);
}

static int unknown(const struct handlers *h, const char *name, struct error *err)
{
	struct strbuf names cleanup_strbuf = { 0 };

	for (size_t i = 0; i < h->count; i++)
		strbuf_printf(&names, "%s%s", i ? ", " : "", h->list[i].name);
	return error_set(err, ENOENT,
			 "runtime handler '%s' is not configured (configured: %s); add it to "
			 "\"handlers\" in the configuration file or correct the RuntimeClass",
			 name, str_or(names.data, "none"));
}

int handlers_find(struct handlers *h, const char *name, const struct handler **ret,
		  struct error *err)
{
	name = str_or(name, h->default_name);
	for (size_t i = 0; i < h->count; i++) {
		const struct handler *one = &h->list[i];

		if (!str_eq(one->name, name))
			continue;
		if (!one->runtime)
			return error_set(err, ENOPKG, "runtime handler '%s' cannot be used: %s",
					 name, str_or(one->why, "no runtime is configured for it"));
		*ret = one;
		return 0;
	}
	return unknown(h, name, err);
}

const struct handler *handlers_at(struct handlers *h, size_t i)
{
	return i < h->count ? &h->list[i] : NULL;
}

const char *handlers_default(struct handlers *h)
{
	return h->default_name;
}
