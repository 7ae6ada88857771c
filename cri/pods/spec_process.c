/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container runs: arguments, environment, directory.
 *
 *   command  args   runs                      (Kubernetes' rules)
 *   -        -      image entrypoint + cmd
 *   -        given  image entrypoint + args
 *   given    any    command + args
 */
#include <stdio.h>

#include "cri/pods/spec.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static void add_all(struct strlist *to, char *const *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		strlist_add(to, items[i]);
}

static int put_args(const struct spec_container *s, struct bundle *b, struct error *err)
{
	const Runtime__V1__ContainerConfig *c = s->config;

	if (c->n_command > 0)
		add_all(&b->args, c->command, c->n_command);
	else
		add_all(&b->args, s->image->entrypoint.items, s->image->entrypoint.count);
	if (c->n_args > 0)
		add_all(&b->args, c->args, c->n_args);
	else if (c->n_command == 0)
		add_all(&b->args, s->image->cmd.items, s->image->cmd.count);
	if (b->args.count == 0)
		return error_set(err, EINVAL,
				 "no command given, and image '%s' has neither entrypoint nor cmd",
				 c->image->image);
	if (str_empty(b->args.items[0]))
		return error_set(err, EINVAL, "the command is an empty string");
	return 0;
}

/* set_env() - later settings of a name replace earlier ones, in their place. */
static void set_env(struct strlist *env, const char *name, const char *value)
{
	size_t len = strlen(name);
	char *text = xasprintf("%s=%s", name, value);

	for (size_t i = 0; i < env->count; i++) {
		if (strncmp(env->items[i], text, len + 1) != 0)
			continue;
		free(env->items[i]);
		env->items[i] = text;
		return;
	}
	strlist_add_owned(env, text);
}

static void set_hostname(const struct spec_container *s, struct strlist *env)
{
	char name[HOSTNAME_BYTES];

	sandbox_hostname(s->pod, name);
	set_env(env, "HOSTNAME", name);
}

static int put_asked_env(const struct spec_container *s, struct strlist *env, struct error *err)
{
	for (size_t i = 0; i < s->config->n_envs; i++) {
		const Runtime__V1__KeyValue *e = s->config->envs[i];
		char *value cleanup_free = NULL;

		if (str_empty(e->key) || strchr(e->key, '='))
			return error_set(err, EINVAL,
					 "'%s' is not a name of an environment variable", e->key);
		if (e->value.len > 0 && memchr(e->value.data, '\0', e->value.len))
			return error_set(err, EINVAL, "environment variable %s holds a NUL byte",
					 e->key);
		value = e->value.len > 0 ? xstrndup((const char *)e->value.data, e->value.len)
					 : xstrdup("");
		if (!str_is_utf8(value, e->value.len))
			return error_set(err, EINVAL,
					 "environment variable %s is not UTF-8: an OCI runtime "
					 "cannot be told it",
					 e->key);
		set_env(env, e->key, value);
	}
	return 0;
}

static bool has_env(const struct strlist *env, const char *prefix)
{
	for (size_t i = 0; i < env->count; i++)
		if (str_has_prefix(env->items[i], prefix))
			return true;
	return false;
}

static int put_env(const struct spec_container *s, struct bundle *b, struct error *err)
{
	const struct strlist *image = &s->image->env;

	if (!has_env(image, "PATH="))
		set_env(&b->env, "PATH", DEFAULT_PATH);
	if (s->config->tty)
		set_env(&b->env, "TERM", "xterm");
	set_hostname(s, &b->env);
	for (size_t i = 0; i < image->count; i++) {
		char *name cleanup_free = xstrndup(image->items[i], strcspn(image->items[i], "="));
		const char *value = strchr(image->items[i], '=');

		if (*name)
			set_env(&b->env, name, value ? value + 1 : "");
	}
	return put_asked_env(s, &b->env, err);
}

int spec_process(const struct spec_container *s, struct bundle *b, struct error *err)
{
	const char *cwd = str_or(s->config->working_dir, str_or(s->image->working_dir, "/"));
	int rc = put_args(s, b, err);

	if (rc == 0)
		rc = put_env(s, b, err);
	if (rc < 0)
		return rc;
	/* a relative one is from the root, as builders take it */
	b->cwd = *cwd == '/' ? arena_strdup(&b->arena, cwd) : arena_printf(&b->arena, "/%s", cwd);
	b->terminal = s->config->tty;
	return 0;
}
