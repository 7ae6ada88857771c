/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metrics file: lines of JSON with Firecracker's groups and names.
 *
 * Counts are since the line before, latencies the last ones.  What does not exist here (a device
 * that is not there, a thing that is not counted) has no key.
 */
#include "runtimes/microvm/api/metrics.h"

#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

/* Which requests a pair of counters is about: group, name, and the path of the route. */
static const struct {
	const char *method, *path, *name;
} request_names[] = {
	{ "GET", "/", "instance_info" },
	{ "GET", "/machine-config", "machine_cfg" },
	{ "GET", "/mmds", "mmds" },
	{ "GET", "/version", "vmm_version" },
	{ "GET", "/hotplug/memory", "hotplug_memory" },
	{ "PUT", "/actions", "actions" },
	{ "PUT", "/boot-source", "boot_source" },
	{ "PUT", "/drives/", "drive" },
	{ "PUT", "/logger", "logger" },
	{ "PUT", "/machine-config", "machine_cfg" },
	{ "PUT", "/cpu-config", "cpu_cfg" },
	{ "PUT", "/metrics", "metrics" },
	{ "PUT", "/network-interfaces/", "network" },
	{ "PUT", "/mmds", "mmds" },
	{ "PUT", "/vsock", "vsock" },
	{ "PUT", "/pmem/", "pmem" },
	{ "PUT", "/serial", "serial" },
	{ "PUT", "/hotplug/memory", "hotplug_memory" },
	{ "PATCH", "/drives/", "drive" },
	{ "PATCH", "/network-interfaces/", "network" },
	{ "PATCH", "/machine-config", "machine_cfg" },
	{ "PATCH", "/mmds", "mmds" },
	{ "PATCH", "/hotplug/memory", "hotplug_memory" },
	{ "PATCH", "/pmem/", "pmem" },
};

static void put_counter(struct json_writer *w, const char *name, struct counter *c)
{
	json_put_u64(w, name, counter_take(c));
}

static void put_requests(struct json_writer *w, struct api *api, const char *group,
			 const char *method)
{
	char key[64];

	json_put_object(w, group);
	for (size_t i = 0; i < ARRAY_LEN(request_names); i++) {
		const struct api_route *route;
		const char *id;

		if (!str_eq(request_names[i].method, method))
			continue;
		route = api_find(method, request_names[i].path, &id);
		if (!route)
			continue;
		snprintf(key, sizeof(key), "%s_count", request_names[i].name);
		put_counter(w, key, &api->counts[route - api_routes]);
		if (str_eq(method, "GET"))
			continue;
		snprintf(key, sizeof(key), "%s_fails", request_names[i].name);
		put_counter(w, key, &api->fails[route - api_routes]);
	}
	json_end_object(w);
}

static void put_start(struct json_writer *w, const struct api *api)
{
	json_put_object(w, "api_server");
	json_put_u64(w, "process_startup_time_us", api->startup_us);
	json_put_u64(w, "process_startup_time_cpu_us", api->startup_cpu_us);
	json_end_object(w);
}

static void put_latencies(struct json_writer *w, const struct api *api)
{
	static const char *const names[API_LATENCIES] = {
		[API_FULL_SNAPSHOT] = "full_create_snapshot",
		[API_DIFF_SNAPSHOT] = "diff_create_snapshot",
		[API_LOAD_SNAPSHOT] = "load_snapshot",
		[API_PAUSE] = "pause_vm",
		[API_RESUME] = "resume_vm",
	};
	char key[64];

	json_put_object(w, "latencies_us");
	for (size_t i = 0; i < API_LATENCIES; i++) {
		json_put_u64(w, names[i], api->latencies_us[i]);
		snprintf(key, sizeof(key), "vmm_%s", names[i]);
		json_put_u64(w, key, api->latencies_us[i]);
	}
	json_end_object(w);
}

static void put_machine(struct json_writer *w, struct machine *m)
{
	json_put_object(w, "vcpu");
	put_counter(w, "exit_io_in", &m->group.io_in);
	put_counter(w, "exit_io_out", &m->group.io_out);
	put_counter(w, "exit_mmio_read", &m->group.mmio_read);
	put_counter(w, "exit_mmio_write", &m->group.mmio_write);
	put_counter(w, "failures", &m->group.failures);
	json_end_object(w);
	json_put_object(w, "i8042");
	put_counter(w, "read_count", &m->keyboard.reads);
	put_counter(w, "write_count", &m->keyboard.writes);
	put_counter(w, "reset_count", &m->keyboard.resets);
	json_end_object(w);
	json_put_object(w, "uart");
	put_counter(w, "read_count", &m->serial.read);
	put_counter(w, "write_count", &m->serial.written);
	put_counter(w, "missed_write_count", &m->serial.lost);
	put_counter(w, "rate_limiter_dropped_bytes", &m->serial.dropped);
	json_end_object(w);
}

static void put_logs(struct json_writer *w, struct api *api)
{
	api->missed_logs.now = log_missed();
	json_put_object(w, "logger");
	put_counter(w, "missed_log_count", &api->missed_logs);
	put_counter(w, "missed_metrics_count", &api->missed_metrics);
	json_end_object(w);
	json_put_object(w, "deprecated_api");
	put_counter(w, "deprecated_http_api_calls", &api->deprecated);
	json_end_object(w);
}

void api_flush_metrics(struct api *api)
{
	struct strbuf line cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &line };

	if (api->metrics_fd < 0)
		return;
	json_begin_object(&w);
	json_put_u64(&w, "utc_timestamp_ms", (uint64_t)clock_wall_ns() / 1000000);
	if (api->metrics_id)
		json_put_string(&w, "id", api->id);
	if (api->metrics_properties) {
		struct arena a cleanup_arena = { 0 };
		struct json *properties;

		json_key(&w, "properties");
		if (!json_parse(&a, api->metrics_properties, strlen(api->metrics_properties), 0,
				&properties, NULL))
			json_value(&w, properties);
	}
	put_start(&w, api);
	put_requests(&w, api, "get_api_requests", "GET");
	put_requests(&w, api, "put_api_requests", "PUT");
	put_requests(&w, api, "patch_api_requests", "PATCH");
	put_latencies(&w, api);
	put_machine(&w, api->machine);
	put_logs(&w, api);
	json_end_object(&w);
	strbuf_putc(&line, '\n');
	if (write(api->metrics_fd, line.data, line.len) != (ssize_t)line.len)
		counter_add(&api->missed_metrics, 1);
}

void api_note_latency(struct api *api, enum api_latency what, int64_t start_ns)
{
	api->latencies_us[what] = (uint64_t)(clock_monotonic_ns() - start_ns) / 1000;
}

/* --- start-up --------------------------------------------------------------------------------- */

static uint64_t now_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void api_note_startup(struct api *api, uint64_t start_us, uint64_t start_cpu_us,
		      uint64_t parent_cpu_us)
{
	uint64_t wall = now_us(CLOCK_MONOTONIC), cpu = now_us(CLOCK_PROCESS_CPUTIME_ID);

	if (start_us && wall > start_us)
		api->startup_us = wall - start_us;
	if (start_cpu_us && cpu > start_cpu_us)
		api->startup_cpu_us = cpu - start_cpu_us + parent_cpu_us;
}
