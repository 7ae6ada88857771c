/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers about snapshots.
 *
 * The state file holds what GET /vm/config says, and loading it makes the PUTs of a configuration
 * file of that, with what the request wants to have otherwise put in first.  What the machine is
 * made of afterwards came through the same checks as from any client.
 */
#include "base/log.h"
#include "base/mem.h"
#include "runtimes/microvm/api/metrics.h"
#include "runtimes/microvm/machine/snapshot.h"

/* What has no place in a snapshot: the log and the metrics are the process's, the kernel has run.
 */
static const char *const left_out[] = { "boot-source", "logger", "metrics", "cpu-config",
					"serial" };

static int bad_field(struct error *err, const char *what)
{
	return error_set(err, EINVAL,
			 "An error occurred when deserializing the json body of a request: %s.",
			 what);
}

/* take_choice() - which of @choices the field @key is.  Return: its index or -EINVAL. */
static int take_choice(const struct json *body, const char *key, const char *const *choices,
		       struct error *err)
{
	const char *v = json_get_string(body, key, choices[0]);

	for (int i = 0; choices[i]; i++)
		if (str_eq(choices[i], v))
			return i;
	return error_set(err, EINVAL, "unknown variant `%s` of field `%s`", v, key);
}

int api_create_snapshot(struct api *api, const struct api_call *call, struct error *err)
{
	static const char *const types[] = { "Full", "Diff", NULL };
	struct strbuf config cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &config };
	struct api_call get = { .out = &w };
	int64_t start = clock_monotonic_ns();
	int diff = take_choice(call->body, "snapshot_type", types, err), r;

	if (diff < 0)
		return diff;
	if (api->machine->state != MACHINE_PAUSED)
		return error_set(err, EPERM,
				 "Cannot perform operation on the microVM: it is not paused");
	r = api_get_vm_config(api, &get, err);
	if (!r)
		r = machine_snapshot(api->machine, &config,
				     json_get_string(call->body, "snapshot_path", ""),
				     json_get_string(call->body, "mem_file_path", ""), diff, err);
	if (!r)
		api_note_latency(api, diff ? API_DIFF_SNAPSHOT : API_FULL_SNAPSHOT, start);
	return r;
}

/* --- loading ---------------------------------------------------------------------------------- */

static struct json *get(const struct json *object, const char *key)
{
	struct json *member;

	json_for_each(member, object) {
		if (str_eq(member->key, key))
			return member;
	}
	return NULL;
}

/* replace() - a text of the tree by another one that lives as long. */
static void replace(struct json *field, const char *text)
{
	field->type = JSON_STRING;
	field->text = text;
	field->len = strlen(text);
}

static int override_net(const struct json *config, const struct json *one, struct error *err)
{
	const char *id = json_get_string(one, "iface_id", NULL);
	const char *device = json_get_string(one, "host_dev_name", NULL);
	struct json *nets = get(config, "network-interfaces"), *net;

	if (!id || !device)
		return bad_field(err, "missing field `iface_id` or `host_dev_name`");
	json_for_each(net, nets) {
		struct json *field = get(net, "host_dev_name");

		if (!str_eq(json_get_string(net, "iface_id", ""), id) || !field)
			continue;
		replace(field, device);
		return 0;
	}
	return error_set(err, ENOENT, "network_overrides: unknown network interface %s", id);
}

/* apply_overrides() - what the request wants to have otherwise than the snapshot says. */
static int apply_overrides(const struct json *config, const struct json *body, struct error *err)
{
	const struct json *vsock = json_get(body, "vsock_override"), *one;
	struct json *device = get(config, "vsock"), *path = get(device, "uds_path");
	const struct json *nets = json_get(body, "network_overrides");

	json_for_each(one, nets) {
		int r = override_net(config, one, err);

		if (r)
			return r;
	}
	if (!vsock || vsock->type == JSON_NULL)
		return 0;
	if (!path)
		return error_set(err, ENOENT, "vsock_override: the snapshot has no vsock device");
	if (!json_get_string(vsock, "uds_path", NULL))
		return bad_field(err, "missing field `uds_path`");
	replace(path, json_get_string(vsock, "uds_path", ""));
	return 0;
}

/* set_size() - of the machine-config section what the request decides. */
static int set_size(const struct json *config, const struct json *body, struct error *err)
{
	static const char *const choices[] = { "Snapshot", "None", "Transparent", "2M", NULL };
	struct json *size = get(config, "machine-config");
	struct json *pages = get(size, "huge_pages"), *track = get(size, "track_dirty_pages");
	int choice = take_choice(body, "huge_pages", choices, err);

	if (choice < 0)
		return choice;
	if (!pages || !track)
		return error_set(err, EBADMSG, "the snapshot's configuration has no machine");
	if (choice > 0)
		replace(pages, choices[choice]);
	track->type = JSON_BOOL;
	track->boolean = json_get_bool(body, "track_dirty_pages", false) ||
			 json_get_bool(body, "enable_diff_snapshots", false);
	return 0;
}

/* drop_nulls() - members of @object that say "not set", which a PUT leaves away. */
static void drop_nulls(struct json *object)
{
	struct json **link = &object->child;

	while (*link) {
		if ((*link)->type == JSON_NULL)
			*link = (*link)->next;
		else
			link = &(*link)->next;
	}
}

/* tidy() - the configuration as its PUTs would have said it. */
static void tidy(struct json *config)
{
	struct json *section, *item;

	json_for_each(section, config) {
		if (section->type == JSON_OBJECT)
			drop_nulls(section);
		if (section->type != JSON_ARRAY)
			continue;
		json_for_each(item, section) {
			if (item->type == JSON_OBJECT)
				drop_nulls(item);
		}
	}
}

static void leave_out(const struct json *config)
{
	for (size_t i = 0; i < ARRAY_LEN(left_out); i++) {
		struct json *section = get(config, left_out[i]);

		if (section)
			section->type = JSON_NULL;
	}
}

static int configure(struct api *api, const struct snapshot_file *f, const struct json *body,
		     struct error *err)
{
	struct arena a cleanup_arena = { 0 };
	struct json *config;
	int r = json_parse(&a, f->config, f->config_len, 0, &config, err);

	if (r)
		return error_wrap(err, "the snapshot's configuration");
	leave_out(config);
	tidy(config);
	r = set_size(config, body, err);
	if (!r)
		r = apply_overrides(config, body, err);
	return r ? r : api_load_sections(api, config, err);
}

/* take_backend() - either the deprecated field with a file, or a kind of backend and its path. */
static int take_backend(struct api *api, const struct json *body, struct restore_options *o,
			struct error *err)
{
	static const char *const kinds[] = { "File", "Uffd", NULL };
	const char *file = json_get_string(body, "mem_file_path", NULL);
	const struct json *backend = json_get(body, "mem_backend");
	int kind;

	if (backend && backend->type == JSON_NULL)
		backend = NULL;
	if (file || json_get(body, "enable_diff_snapshots"))
		counter_add(&api->deprecated, 1);
	if (file && backend)
		return bad_field(err, "too many fields: either `mem_backend` or `mem_file_path` "
				      "exclusively is required");
	if (!file && !backend)
		return bad_field(err, "missing field: either `mem_backend` or `mem_file_path` is "
				      "required");
	o->memory_path = file ? file : json_get_string(backend, "backend_path", NULL);
	if (!o->memory_path || (backend && !json_get_string(backend, "backend_type", NULL)))
		return bad_field(err, "missing field `backend_path` or `backend_type`");
	kind = backend ? take_choice(backend, "backend_type", kinds, err) : 0;
	o->uffd = kind == 1;
	return MIN(kind, 0);
}

static int load(struct api *api, const struct json *body, const struct restore_options *o,
		struct error *err)
{
	struct snapshot_file f cleanup(snapshot_file_finish) = { 0 };
	struct machine *m = api->machine;
	bool boot_timer = m->config.boot_timer;
	int r = snapshot_file_open(&f, json_get_string(body, "snapshot_path", ""), err);

	if (r)
		return r;
	r = configure(api, &f, body, err);
	if (!r)
		r = machine_restore(m, &f, o, err);
	if (r) { /* as if nothing had been asked */
		machine_config_finish(&m->config);
		m->config.boot_timer = boot_timer;
		api->configured = false;
	}
	return r;
}

int api_load_snapshot(struct api *api, const struct api_call *call, struct error *err)
{
	struct restore_options o = { 0 };
	int64_t start = clock_monotonic_ns();
	int r = take_backend(api, call->body, &o, err);

	if (r)
		return r;
	if (api->configured)
		return error_set(err, EPERM,
				 "Loading a microVM snapshot not allowed after configuring "
				 "boot-specific resources.");
	o.realtime = json_get_bool(call->body, "clock_realtime", false);
	r = load(api, call->body, &o, err);
	if (r)
		return error_wrap(err, "Failed to restore from snapshot");
	if (json_get_bool(call->body, "resume_vm", false))
		machine_resume(api->machine);
	api_note_latency(api, API_LOAD_SNAPSHOT, start);
	return 0;
}
