/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a request to its handler: path, body, fields, state.
 *
 * Everything is checked before anything is done.  Texts are Firecracker's, but for the line
 * and column that its JSON reader puts after a complaint.
 */
#include <ctype.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtimes/microvm/api/api.h"

#define CONFIG_FILE_MAX (1 << 20)

/* The path without slashes before and after: "//vm/" is "vm", as Firecracker takes it. */
static bool same_path(const char *pattern, const char *path, const char **ret_id)
{
	size_t len = strlen(pattern);

	*ret_id = NULL;
	if (len > 1 && pattern[len - 1] == '/') {
		if (strncmp(pattern, path, len - 1) || (path[len - 1] && path[len - 1] != '/'))
			return false;
		*ret_id = path[len - 1] ? path + len : "";
		return !strchr(*ret_id, '/');
	}
	return str_eq(pattern, path);
}

const struct api_route *api_find(const char *method, const char *path, const char **ret_id)
{
	for (size_t i = 0; i < api_n_routes; i++)
		if (str_eq(api_routes[i].method, method) &&
		    same_path(api_routes[i].path, path, ret_id))
			return &api_routes[i];
	return NULL;
}

static int check_id(const char *id, struct error *err)
{
	if (!*id)
		return error_set(err, EINVAL, "The ID cannot be empty.");
	for (const char *p = id; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '_')
			return error_set(err, EINVAL,
					 "API Resource IDs can only contain alphanumeric "
					 "characters and underscores.");
	if (strlen(id) > CONFIG_ID_MAX)
		return error_set(err, EINVAL, "The ID is longer than %d characters.",
				 CONFIG_ID_MAX);
	return 0;
}

/* --- bodies ----------------------------------------------------------------------------------- */

static int bad_body(struct error *err, const char *what, const char *name)
{
	return error_set(err, EINVAL,
			 "An error occurred when deserializing the json body of a request: "
			 "%s `%s`.",
			 what, name);
}

static const struct api_field *find_field(const struct api_field *fields, const char *name)
{
	for (; fields->name; fields++)
		if (str_eq(fields->name, name))
			return fields;
	return NULL;
}

static int check_fields(const struct api_field *fields, const struct json *body, struct error *err)
{
	const struct json *member;

	if (body->type != JSON_OBJECT)
		return bad_body(err, "invalid type, expected an object, not",
				json_type_name(body->type));
	json_for_each(member, body) {
		const struct api_field *f = find_field(fields, member->key);

		if (!f)
			return bad_body(err, "unknown field", member->key);
		if (member->type != f->type && (f->required || member->type != JSON_NULL))
			return bad_body(err, "invalid type of field", member->key);
		if (member->type == JSON_STRING && strlen(member->text) != member->len)
			return bad_body(err, "a zero byte in field", member->key);
	}
	for (const struct api_field *f = fields; f->name; f++)
		if (f->required && !json_get(body, f->name))
			return bad_body(err, "missing field", f->name);
	return 0;
}

static int check_state(const struct api *api, enum api_when when, struct error *err)
{
	bool started = api->machine->state != MACHINE_NOT_STARTED;

	if (when == API_PLUG && started)
		return error_set(err, ENOTSUP, "PCI is not enabled");
	if ((when == API_BEFORE_START || when == API_SETTING) && started)
		return error_set(err, EPERM,
				 "The requested operation is not supported after starting the "
				 "microVM.");
	if (when >= API_AFTER_START && !started)
		return error_set(err, EPERM,
				 "The requested operation is not supported before starting the "
				 "microVM.");
	return 0;
}

/* call_checked() - @body is parsed (NULL: none); the rest is checked here. */
static int call_checked(struct api *api, const struct api_route *route, const char *id,
			const struct json *body, struct strbuf *out, struct error *err)
{
	struct json_writer w = { .out = out };
	struct api_call call = { .id = id, .body = body, .out = &w };
	int r = id ? check_id(id, err) : 0;

	if (!r && body && route->fields != api_any_body)
		r = check_fields(route->fields, body, err);
	if (!r && route->id_field && !str_eq(json_get_string(body, route->id_field, ""), id))
		r = error_set(err, EINVAL,
			      "The id from the path does not match the id from the body!");
	if (!r)
		r = check_state(api, route->when, err);
	if (r)
		return r;
	if (route->when == API_BEFORE_START || (route->when == API_PLUG && body))
		api->configured = true;
	r = route->handler(api, &call, err);
	if (r && route->context)
		error_wrap(err, "%s", route->context);
	return r;
}

int api_call_route(struct api *api, const struct api_route *route, const char *id, const char *body,
		   size_t len, struct strbuf *out, struct error *err)
{
	struct arena a cleanup_arena = { .limit_bytes = 64 * (len + 4096) };
	struct json *parsed = NULL;
	bool wants = route->fields != NULL;

	if (!wants && body)
		return str_eq(route->method, "DELETE")
			       ? error_set(err, EINVAL, "Empty Delete request.")
			       : error_set(err, EINVAL, "%s request cannot have a body.",
					   route->method);
	if (wants && !body && route->when != API_AFTER_START_BARE)
		return error_set(err, EINVAL, "Empty %s request.", route->method);
	if (body && json_parse(&a, body, len, 0, &parsed, err))
		return error_wrap(err, "An error occurred when deserializing the json body of a "
				       "request");
	return call_checked(api, route, id, parsed, out, err);
}

/* --- requests --------------------------------------------------------------------------------- */

static void write_fault(struct strbuf *out, const char *key, const char *text)
{
	struct json_writer w = { .out = out };

	strbuf_reset(out);
	json_begin_object(&w);
	json_put_string(&w, key, text);
	json_end_object(&w);
}

static bool known_method(const char *method)
{
	return str_eq(method, "GET") || str_eq(method, "PUT") || str_eq(method, "PATCH") ||
	       str_eq(method, "DELETE");
}

static int count_call(struct api *api, const struct api_route *route, const char *id,
		      const char *body, size_t len, struct strbuf *out, struct error *err)
{
	int r = api_call_route(api, route, id, body, len, out, err);

	counter_add(&api->counts[route - api_routes], 1);
	if (r)
		counter_add(&api->fails[route - api_routes], 1);
	return r;
}

int api_handle(struct api *api, const char *method, const char *path, const char *body, size_t len,
	       struct strbuf *out)
{
	struct error err = ERROR_INIT;
	const struct api_route *route;
	const char *id;

	if (!known_method(method)) {
		write_fault(out, "error", "Invalid HTTP Method.");
		return 400;
	}
	route = api_find(method, path, &id);
	if (!route)
		error_set(&err, EINVAL, "Invalid request method and/or path: %s %s.", method,
			  path + 1);
	else if (!count_call(api, route, id, body, len, out, &err))
		return out->len ? 200 : 204;
	log_error("%s %s refused: %s", method, path, err.text);
	write_fault(out, "fault_message", err.text);
	return err.code == -E2BIG ? 413 : 400;
}

/* --- configuration file ----------------------------------------------------------------------- */

/* Sections and their paths, in the order in which they are taken. */
static const struct {
	const char *name, *path;
} sections[] = {
	{ "logger", "/logger" },
	{ "metrics", "/metrics" },
	{ "machine-config", "/machine-config" },
	{ "cpu-config", "/cpu-config" },
	{ "boot-source", "/boot-source" },
	{ "drives", "/drives" },
	{ "network-interfaces", "/network-interfaces" },
	{ "balloon", "/balloon" },
	{ "vsock", "/vsock" },
	{ "mmds-config", "/mmds/config" },
	{ "entropy", "/entropy" },
	{ "pmem", "/pmem" },
	{ "serial", "/serial" },
	{ "memory-hotplug", "/hotplug/memory" },
};

static const struct api_route *find_section(const char *name)
{
	const char *id;

	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		if (str_eq(sections[i].name, name))
			return api_find("PUT", sections[i].path, &id);
	return NULL;
}

/* load_section() - one PUT, or one for each member of a list of things with ids. */
static int load_section(struct api *api, const struct json *section, struct error *err)
{
	const struct api_route *route = find_section(section->key);
	struct strbuf out cleanup_strbuf = { 0 };
	const struct json *item;
	int r = 0;

	if (!route->id_field)
		return call_checked(api, route, NULL, section, &out, err);
	if (section->type != JSON_ARRAY)
		return error_set(err, EINVAL, "not a list");
	json_for_each(item, section) {
		if (!r)
			r = call_checked(api, route, json_get_string(item, route->id_field, ""),
					 item, &out, err);
	}
	return r;
}

int api_load_sections(struct api *api, const struct json *config, struct error *err)
{
	const struct json *section;

	if (config->type != JSON_OBJECT)
		return error_set(err, EINVAL, "not an object");
	json_for_each(section, config)
		if (!find_section(section->key))
			return error_set(err, EINVAL, "%s: unknown section", section->key);
	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		section = json_get(config, sections[i].name);
		if (!section || section->type == JSON_NULL)
			continue;
		if (load_section(api, section, err))
			return error_wrap(err, "%s", section->key);
	}
	return 0;
}

int api_load_file(struct api *api, const char *path, struct error *err)
{
	struct strbuf text cleanup_strbuf = { 0 };
	struct arena a cleanup_arena = { 0 };
	struct json *config;
	int r = fd_read_file(AT_FDCWD, path, CONFIG_FILE_MAX, &text, err);

	if (!r)
		r = json_parse(&a, text.data ? text.data : "", text.len, 0, &config, err);
	if (!r)
		r = api_load_sections(api, config, err);
	return r ? error_wrap(err, "configuration %s", path) : 0;
}
