/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers about the machine as a whole.
 */
#include "base/log.h"
#include "base/mem.h"
#include "runtimes/microvm/api/metrics.h"

static const char *const state_names[] = {
	[MACHINE_NOT_STARTED] = "Not started",
	[MACHINE_RUNNING] = "Running",
	[MACHINE_PAUSED] = "Paused",
};

static const char *const page_names[] = {
	[GUEST_PAGES_PLAIN] = "None",
	[GUEST_PAGES_TRANSPARENT] = "Transparent",
	[GUEST_PAGES_2M] = "2M",
};

int api_get_info(struct api *api, const struct api_call *call, struct error *err)
{
	struct json_writer *w = call->out;

	(void)err;
	json_begin_object(w);
	json_put_string(w, "id", api->id);
	json_put_string(w, "state", state_names[api->machine->state]);
	json_put_string(w, "vmm_version", API_VERSION);
	json_put_string(w, "app_name", "bulkhead-vmm");
	json_end_object(w);
	return 0;
}

int api_get_version(struct api *api, const struct api_call *call, struct error *err)
{
	(void)api;
	(void)err;
	json_begin_object(call->out);
	json_put_string(call->out, "firecracker_version", API_VERSION);
	json_end_object(call->out);
	return 0;
}

int api_start(struct api *api, struct error *err)
{
	int r;

	if (api->machine->state != MACHINE_NOT_STARTED)
		return error_set(err, EPERM,
				 "The requested operation is not supported after starting the "
				 "microVM.");
	r = machine_start(api->machine, err);
	return r ? error_wrap(err, "Start microvm error") : 0;
}

static int need_started(const struct api *api, struct error *err)
{
	if (api->machine->state != MACHINE_NOT_STARTED)
		return 0;
	return error_set(err, EPERM,
			 "The requested operation is not supported before starting the microVM.");
}

int api_put_actions(struct api *api, const struct api_call *call, struct error *err)
{
	const char *type = json_get_string(call->body, "action_type", "");
	int r;

	if (str_eq(type, "InstanceStart"))
		return api_start(api, err);
	if (!str_eq(type, "FlushMetrics") && !str_eq(type, "SendCtrlAltDel"))
		return error_set(err, EINVAL,
				 "An error occurred when deserializing the json body of a request: "
				 "unknown variant `%s`, expected one of `FlushMetrics`, "
				 "`InstanceStart`, `SendCtrlAltDel`.",
				 type);
	r = need_started(api, err);
	if (r)
		return r;
	if (str_eq(type, "FlushMetrics")) {
		api_flush_metrics(api);
		return 0;
	}
	r = keyboard_ctrl_alt_del(&api->machine->keyboard);
	return r ? error_set(err, -r, "the guest does not read its keyboard") : 0;
}

int api_patch_vm(struct api *api, const struct api_call *call, struct error *err)
{
	const char *state = json_get_string(call->body, "state", "");

	int64_t start = clock_monotonic_ns();

	if (str_eq(state, "Paused")) {
		machine_pause(api->machine);
		api_note_latency(api, API_PAUSE, start);
	} else if (str_eq(state, "Resumed")) {
		machine_resume(api->machine);
		api_note_latency(api, API_RESUME, start);
	} else {
		return error_set(err, EINVAL,
				 "An error occurred when deserializing the json body of a request: "
				 "unknown variant `%s`, expected `Paused` or `Resumed`.",
				 state);
	}
	return 0;
}

int api_put_boot_source(struct api *api, const struct api_call *call, struct error *err)
{
	return machine_config_set_boot(&api->machine->config,
				       json_get_string(call->body, "kernel_image_path", NULL),
				       json_get_string(call->body, "initrd_path", NULL),
				       json_get_string(call->body, "boot_args", NULL), err);
}

/* --- size ------------------------------------------------------------------------------------- */

/* take_number() - a field that may be absent.  Out of range becomes 0, which is refused later. */
static uint64_t take_number(const struct json *body, const char *key, uint64_t was, uint64_t max)
{
	const struct json *field = json_get(body, key);
	int64_t v;

	if (!field || field->type == JSON_NULL)
		return was;
	if (json_int(field, &v) || v < 0 || (uint64_t)v > max)
		return 0;
	return (uint64_t)v;
}

static int take_pages(struct machine_config *c, const char *name, struct error *err)
{
	for (size_t i = 0; name && i < ARRAY_LEN(page_names); i++) {
		if (str_eq(page_names[i], name)) {
			c->pages = (enum guest_pages)i;
			return 0;
		}
	}
	return name ? error_set(err, EINVAL,
				"unknown variant `%s`, expected one of `None`, `Transparent`, `2M`",
				name)
		    : 0;
}

/* update_size() - change a copy of the size, and take it over when it is right. */
static int update_size(struct api *api, const struct json *body, struct machine_config c,
		       struct error *err)
{
	const char *template = json_get_string(body, "cpu_template", NULL);
	struct machine_config *now = &api->machine->config;
	int r;

	if (template && !str_eq(template, "None"))
		return error_set(err, ENOTSUP, "CPU templates are not supported: %s", template);
	c.vcpu_count = (unsigned int)take_number(body, "vcpu_count", c.vcpu_count, 255);
	c.memory_mib = take_number(body, "mem_size_mib", c.memory_mib, 1 << 24);
	c.smt = json_get_bool(body, "smt", c.smt);
	c.track_dirty = json_get_bool(body, "track_dirty_pages", c.track_dirty);
	r = take_pages(&c, json_get_string(body, "huge_pages", NULL), err);
	if (!r)
		r = machine_config_check_size(&c, err);
	if (r)
		return r;
	now->vcpu_count = c.vcpu_count;
	now->memory_mib = c.memory_mib;
	now->smt = c.smt;
	now->track_dirty = c.track_dirty;
	now->pages = c.pages;
	return 0;
}

int api_put_machine_config(struct api *api, const struct api_call *call, struct error *err)
{
	struct machine_config c = api->machine->config;

	c.smt = c.track_dirty = false;
	c.pages = GUEST_PAGES_PLAIN;
	return update_size(api, call->body, c, err);
}

int api_patch_machine_config(struct api *api, const struct api_call *call, struct error *err)
{
	if (!call->body->child)
		return error_set(err, EINVAL, "Empty PATCH request.");
	return update_size(api, call->body, api->machine->config, err);
}

static void write_size(struct json_writer *w, const struct machine_config *c)
{
	json_begin_object(w);
	json_put_u64(w, "vcpu_count", c->vcpu_count);
	json_put_u64(w, "mem_size_mib", c->memory_mib);
	json_put_bool(w, "smt", c->smt);
	json_put_bool(w, "track_dirty_pages", c->track_dirty);
	json_put_string(w, "huge_pages", page_names[c->pages]);
	json_end_object(w);
}

int api_get_machine_config(struct api *api, const struct api_call *call, struct error *err)
{
	(void)err;
	write_size(call->out, &api->machine->config);
	return 0;
}

/* --- everything ------------------------------------------------------------------------------- */

static void write_boot(struct json_writer *w, const struct machine_config *c)
{
	json_key(w, "boot-source");
	if (!c->kernel_path) {
		json_null(w);
		return;
	}
	json_begin_object(w);
	json_put_string(w, "kernel_image_path", c->kernel_path);
	json_put_string(w, "initrd_path", c->initrd_path);
	json_put_string(w, "boot_args", c->boot_args);
	json_end_object(w);
}

static void write_logs(struct json_writer *w, const struct api *api)
{
	json_key(w, "logger");
	if (api->log_level) {
		json_begin_object(w);
		json_put_string(w, "log_path", api->log_path);
		json_put_string(w, "level", api->log_level);
		json_put_bool(w, "show_level", api->log_show_level);
		json_put_bool(w, "show_log_origin", api->log_show_origin);
		json_put_string(w, "module", NULL);
		json_end_object(w);
	} else {
		json_null(w);
	}
	json_key(w, "metrics");
	if (api->metrics_path) {
		json_begin_object(w);
		json_put_string(w, "metrics_path", api->metrics_path);
		json_put_bool(w, "emit_id", api->metrics_id);
		json_end_object(w);
	} else {
		json_null(w);
	}
}

static void write_serial(struct json_writer *w, const struct machine_config *c)
{
	json_key(w, "serial");
	if (!c->serial_path && !c->serial_limit.given) {
		json_null(w);
		return;
	}
	json_begin_object(w);
	json_put_string(w, "serial_out_path", c->serial_path);
	api_write_bucket(w, "rate_limiter", &c->serial_limit);
	json_end_object(w);
}

int api_get_vm_config(struct api *api, const struct api_call *call, struct error *err)
{
	static const char *const unset[] = { "cpu-config", "memory-hotplug" };
	const struct machine_config *c = &api->machine->config;
	struct json_writer *w = call->out;

	(void)err;
	json_begin_object(w);
	write_boot(w, c);
	json_key(w, "machine-config");
	write_size(w, c);
	api_write_devices(w, c);
	json_put_array(w, "pmem");
	json_end_array(w);
	for (size_t i = 0; i < ARRAY_LEN(unset); i++)
		json_put_string(w, unset[i], NULL);
	write_serial(w, c);
	write_logs(w, api);
	json_end_object(w);
	return 0;
}
