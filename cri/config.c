/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the configuration file.
 *
 * One table maps each key to a member of struct config and a reader for its type; objects
 * ("registry", "cni", "stream", "handlers") recurse with a table of their own.  The same tables
 * give the list of known keys for "did you mean".
 */
#include "cri/config.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"

#define CONFIG_MAX_BYTES (1 << 20)
#define HANDLERS_MAX	 32

struct reader {
	const char *path; /* of the file, for messages */
	struct error *err;
};

typedef int read_fn(struct reader *r, const struct json *value, void *member);

struct key {
	const char *name;
	read_fn *read;
	size_t offset; /* of the member that @read fills */
};

static int wrong(struct reader *r, const struct json *value, const char *expected)
{
	return error_set(r->err, EINVAL, "%s:%u: '%s' must be %s, not %s", r->path, value->line,
			 str_or(value->key, "item"), expected, json_type_name(value->type));
}

static int read_string(struct reader *r, const struct json *value, void *member)
{
	char **s = member;

	if (value->type != JSON_STRING || strlen(value->text) != value->len)
		return wrong(r, value, "a string");
	free(*s);
	*s = xstrdup(value->text);
	return 0;
}

/* A path must be absolute: the server's working directory is nobody's business. */
static int read_path(struct reader *r, const struct json *value, void *member)
{
	if (value->type != JSON_STRING || value->text[0] != '/')
		return wrong(r, value, "an absolute path");
	return read_string(r, value, member);
}

static int read_bool(struct reader *r, const struct json *value, void *member)
{
	if (value->type != JSON_BOOL)
		return wrong(r, value, "true or false");
	*(bool *)member = value->boolean;
	return 0;
}

static int read_port(struct reader *r, const struct json *value, void *member)
{
	int64_t port;

	if (json_int(value, &port) < 0 || port < 0 || port > UINT16_MAX)
		return wrong(r, value, "a port number (0-65535)");
	*(uint16_t *)member = (uint16_t)port;
	return 0;
}

static int read_level(struct reader *r, const struct json *value, void *member)
{
	if (value->type != JSON_STRING || log_parse_level(value->text, member, NULL) < 0)
		return wrong(r, value, "one of error, warn, info, debug");
	return 0;
}

static int read_driver(struct reader *r, const struct json *value, void *member)
{
	if (value->type == JSON_STRING && str_eq(value->text, "systemd"))
		return error_set(r->err, EINVAL,
				 "%s:%u: cgroup_driver 'systemd' is not available in this version; "
				 "use 'cgroupfs' (the kubelet takes it from RuntimeConfig)",
				 r->path, value->line);
	if (value->type != JSON_STRING || !str_eq(value->text, "cgroupfs"))
		return wrong(r, value, "'cgroupfs'");
	return read_string(r, value, member);
}

/* A string, or an array of strings. */
static int read_strings(struct reader *r, const struct json *value, void *member)
{
	struct strlist *list = member;
	const struct json *item;

	strlist_finish(list);
	*list = (struct strlist){ 0 };
	if (value->type == JSON_STRING) {
		strlist_add(list, value->text);
		return 0;
	}
	if (value->type != JSON_ARRAY)
		return wrong(r, value, "a string or a list of strings");
	json_for_each(item, value) {
		if (item->type != JSON_STRING)
			return wrong(r, item, "a string");
		strlist_add(list, item->text);
	}
	return 0;
}

static int unknown_key(struct reader *r, const struct json *value, const struct key *keys, size_t n)
{
	const char *names[32];
	const char *near;

	for (size_t i = 0; i < n; i++)
		names[i] = keys[i].name;
	near = str_nearest(value->key, names, n);
	if (near)
		return error_set(r->err, EINVAL, "%s:%u: unknown key '%s' (did you mean '%s'?)",
				 r->path, value->line, value->key, near);
	return error_set(r->err, EINVAL, "%s:%u: unknown key '%s'; see bulkhead-config(5)", r->path,
			 value->line, value->key);
}

static int read_object(struct reader *r, const struct json *object, const struct key *keys,
		       size_t n, void *base)
{
	const struct json *value;

	if (object->type != JSON_OBJECT)
		return wrong(r, object, "an object");
	json_for_each(value, object) {
		size_t i = 0;
		int rc;

		while (i < n && !str_eq(keys[i].name, value->key))
			i++;
		if (i == n)
			return unknown_key(r, value, keys, n);
		rc = keys[i].read(r, value, (char *)base + keys[i].offset);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_registry(struct reader *r, const struct json *value, void *base)
{
	static const struct key keys[] = {
		{ "config_path", read_path, offsetof(struct config, registry_config_path) },
		{ "verifier", read_path, offsetof(struct config, registry_verifier) },
	};

	return read_object(r, value, keys, ARRAY_LEN(keys), base);
}

static int read_cni(struct reader *r, const struct json *value, void *base)
{
	static const struct key keys[] = {
		{ "bin_dirs", read_strings, offsetof(struct config, cni_bin_dirs) },
		{ "conf_dir", read_path, offsetof(struct config, cni_conf_dir) },
	};

	return read_object(r, value, keys, ARRAY_LEN(keys), base);
}

static int read_stream(struct reader *r, const struct json *value, void *base)
{
	static const struct key keys[] = {
		{ "address", read_string, offsetof(struct config, stream_address) },
		{ "port", read_port, offsetof(struct config, stream_port) },
	};

	return read_object(r, value, keys, ARRAY_LEN(keys), base);
}

static int read_sandbox(struct reader *r, const struct json *value, void *member)
{
	enum handler_sandbox *sandbox = member;

	if (value->type == JSON_STRING && str_eq(value->text, "namespaces"))
		*sandbox = HANDLER_NAMESPACES;
	else if (value->type == JSON_STRING && str_eq(value->text, "container"))
		*sandbox = HANDLER_CONTAINER;
	else
		return wrong(r, value, "'namespaces' or 'container'");
	return 0;
}

static void handlers_clear(struct config *c)
{
	for (size_t i = 0; i < c->n_handlers; i++) {
		free(c->handlers[i].name);
		strlist_finish(&c->handlers[i].runtimes);
		strlist_finish(&c->handlers[i].args);
	}
	free(c->handlers);
	c->handlers = NULL;
	c->n_handlers = 0;
}

static struct handler_config *handler_add(struct config *c, const char *name)
{
	struct handler_config *h;

	c->handlers = xrealloc(c->handlers, c->n_handlers + 1, sizeof(*h));
	h = &c->handlers[c->n_handlers++];
	*h = (struct handler_config){ .name = xstrdup(name) };
	return h;
}

/* "handlers" replaces the defaults as a whole: what is listed is what the node offers. */
static int read_handlers(struct reader *r, const struct json *value, void *base)
{
	static const struct key keys[] = {
		{ "runtime", read_strings, offsetof(struct handler_config, runtimes) },
		{ "args", read_strings, offsetof(struct handler_config, args) },
		{ "sandbox", read_sandbox, offsetof(struct handler_config, sandbox) },
	};
	struct config *c = base;
	const struct json *item;

	if (value->type != JSON_OBJECT)
		return wrong(r, value, "an object");
	if (value->len == 0 || value->len > HANDLERS_MAX)
		return wrong(r, value, "an object with 1 to 32 handlers");
	handlers_clear(c);
	json_for_each(item, value) {
		struct handler_config *h = handler_add(c, item->key);
		int rc = read_object(r, item, keys, ARRAY_LEN(keys), h);

		if (rc < 0)
			return rc;
		if (h->runtimes.count == 0)
			return error_set(r->err, EINVAL, "%s:%u: handler '%s' names no 'runtime'",
					 r->path, item->line, item->key);
	}
	return 0;
}

static const struct key top_keys[] = {
	{ "listen", read_path, offsetof(struct config, listen) },
	{ "root", read_path, offsetof(struct config, root) },
	{ "state", read_path, offsetof(struct config, state) },
	{ "runtime_name", read_string, offsetof(struct config, runtime_name) },
	{ "cgroup_driver", read_driver, offsetof(struct config, cgroup_driver) },
	{ "log_level", read_level, offsetof(struct config, log_level) },
	{ "pinned_images", read_strings, offsetof(struct config, pinned_images) },
	{ "registry", read_registry, 0 },
	{ "cni", read_cni, 0 },
	{ "stream", read_stream, 0 },
	{ "monitor_cgroup", read_path, offsetof(struct config, monitor_cgroup) },
	{ "netns_dir", read_path, offsetof(struct config, netns_dir) },
	{ "default_handler", read_string, offsetof(struct config, default_handler) },
	{ "handlers", read_handlers, 0 },
	{ "privileged_without_host_devices", read_bool,
	  offsetof(struct config, privileged_without_host_devices) },
};

void config_init(struct config *c)
{
	struct handler_config *h;

	*c = (struct config){
		.listen = xstrdup("/run/bulkhead/bulkhead.sock"),
		.root = xstrdup("/var/lib/bulkhead"),
		.state = xstrdup("/run/bulkhead"),
		.runtime_name = xstrdup("bulkhead"),
		.cgroup_driver = xstrdup("cgroupfs"),
		.log_level = LOG_LEVEL_INFO,
		.registry_config_path = xstrdup("/etc/bulkhead/certs.d"),
		.cni_conf_dir = xstrdup("/etc/cni/net.d"),
		.monitor_cgroup = xstrdup("/bulkhead-monitors"),
		.netns_dir = xstrdup("/run/netns"),
		.stream_address = xstrdup("127.0.0.1"),
		.default_handler = xstrdup("runc"),
	};
	strlist_add(&c->cni_bin_dirs, "/opt/cni/bin");
	strlist_add(&c->cni_bin_dirs, "/usr/lib/cni");
	h = handler_add(c, "runc");
	strlist_add(&h->runtimes, "crun");
	strlist_add(&h->runtimes, "runc");
	h = handler_add(c, "runsc");
	strlist_add(&h->runtimes, "bulkhead-sentry");
	h->sandbox = HANDLER_CONTAINER;
	h = handler_add(c, "kata-fc");
	strlist_add(&h->runtimes, "bulkhead-microvm");
	h->sandbox = HANDLER_CONTAINER;
}

void config_finish(struct config *c)
{
	free(c->listen);
	free(c->root);
	free(c->state);
	free(c->runtime_name);
	free(c->cgroup_driver);
	strlist_finish(&c->pinned_images);
	free(c->registry_config_path);
	free(c->registry_verifier);
	strlist_finish(&c->cni_bin_dirs);
	free(c->cni_conf_dir);
	free(c->monitor_cgroup);
	free(c->netns_dir);
	free(c->stream_address);
	free(c->default_handler);
	handlers_clear(c);
	*c = (struct config){ 0 };
}

/* What no single key can tell. */
static int check(struct reader *r, const struct config *c)
{
	for (size_t i = 0; i < c->n_handlers; i++)
		if (str_eq(c->handlers[i].name, c->default_handler))
			return 0;
	return error_set(r->err, EINVAL, "%s: default_handler '%s' is not one of the handlers",
			 r->path, c->default_handler);
}

int config_load(const char *path, struct config *ret, struct error *err)
{
	struct reader r = { .path = path ? path : CONFIG_DEFAULT_PATH, .err = err };
	struct strbuf text cleanup_strbuf = { 0 };
	struct arena arena cleanup_arena = { 0 };
	struct json *top;
	struct config c;
	int rc;

	config_init(&c);
	rc = fd_read_file(AT_FDCWD, r.path, CONFIG_MAX_BYTES, &text, err);
	if (rc == -ENOENT && !path) {
		*ret = c;
		return 0;
	}
	if (rc == 0) {
		rc = json_parse(&arena, text.data ? text.data : "", text.len, JSON_COMMENTS, &top,
				err);
		if (rc < 0)
			error_wrap(err, "%s", r.path);
	}
	if (rc == 0)
		rc = read_object(&r, top, top_keys, ARRAY_LEN(top_keys), &c);
	if (rc == 0)
		rc = check(&r, &c);
	if (rc < 0) {
		config_finish(&c);
		return rc;
	}
	*ret = c;
	return 0;
}

static void put_handler(struct json_writer *w, const struct handler_config *h)
{
	json_put_object(w, h->name);
	json_put_strings(w, "runtime", h->runtimes.items, h->runtimes.count);
	json_put_strings(w, "args", h->args.items, h->args.count);
	json_put_string(w, "sandbox", h->sandbox == HANDLER_CONTAINER ? "container" : "namespaces");
	json_end_object(w);
}

char *config_json(const struct config *c)
{
	struct strbuf out = { 0 };
	struct json_writer w = { .out = &out };

	json_begin_object(&w);
	json_put_string(&w, "listen", c->listen);
	json_put_string(&w, "root", c->root);
	json_put_string(&w, "state", c->state);
	json_put_string(&w, "stateDir", c->state); /* critest tries idmapped mounts there */
	json_put_string(&w, "sandboxImage", "");   /* kubeadm's preflight asks: we need none */
	json_put_string(&w, "runtime_name", c->runtime_name);
	json_put_string(&w, "cgroup_driver", c->cgroup_driver);
	json_put_string(&w, "monitor_cgroup", c->monitor_cgroup);
	json_put_string(&w, "netns_dir", c->netns_dir);
	json_put_string(&w, "default_handler", c->default_handler);
	json_put_strings(&w, "pinned_images", c->pinned_images.items, c->pinned_images.count);
	json_put_object(&w, "registry");
	json_put_string(&w, "config_path", c->registry_config_path);
	if (c->registry_verifier)
		json_put_string(&w, "verifier", c->registry_verifier);
	json_end_object(&w);
	json_put_object(&w, "cni");
	json_put_strings(&w, "bin_dirs", c->cni_bin_dirs.items, c->cni_bin_dirs.count);
	json_put_string(&w, "conf_dir", c->cni_conf_dir);
	json_end_object(&w);
	json_put_object(&w, "handlers");
	for (size_t i = 0; i < c->n_handlers; i++)
		put_handler(&w, &c->handlers[i]);
	json_end_object(&w);
	json_end_object(&w);
	return strbuf_steal(&out);
}
