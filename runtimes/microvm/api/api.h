/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API: requests by path and method, each with its fields and when it is allowed.
 *
 * What arrives over the socket and what --config-file holds goes through the same table.
 */
#ifndef MICROVM_API_API_H
#define MICROVM_API_API_H

#include "base/json.h"
#include "runtimes/microvm/machine/machine.h"

/* The release of Firecracker whose API this is. */
#define API_VERSION "1.17.0"

#define API_ROUTES_MAX 64

/* What takes time, as the metrics file names it. */
enum api_latency {
	API_FULL_SNAPSHOT,
	API_DIFF_SNAPSHOT,
	API_LOAD_SNAPSHOT,
	API_PAUSE,
	API_RESUME,
	API_LATENCIES
};

struct api {
	struct machine *machine; /* not owned */
	const char *id;		 /* of the instance; not owned */
	size_t mmds_max;	 /* bytes that the metadata service holds at most */
	bool configured; /* something of the machine has been set: no snapshot can be loaded */

	char *log_path, *log_level; /* owned; NULL when not set */
	bool log_show_level, log_show_origin;

	char *metrics_path, *metrics_properties; /* owned; NULL when not set; properties: JSON */
	bool metrics_id;
	int metrics_fd; /* owned; -1 when not set */
	uint64_t startup_us, startup_cpu_us, latencies_us[API_LATENCIES];
	struct counter counts[API_ROUTES_MAX], fails[API_ROUTES_MAX]; /* by route */
	struct counter missed_logs, missed_metrics, deprecated;
};

enum api_when {
	API_ANY,
	API_BEFORE_START, /* sets something of the machine */
	API_SETTING,	  /* before the start too, but nothing of the machine */
	API_PLUG,	  /* before the start; later it would want a bus that finds devices */
	API_AFTER_START,
	API_AFTER_START_BARE /* and it may come without a body */
};

struct api_field {
	const char *name; /* NULL ends the list */
	enum json_type type;
	bool required;
};

struct api_call {
	const char *id;		 /* last part of the path; NULL when the route has none */
	const struct json *body; /* an object with checked fields; NULL without one */
	struct json_writer *out; /* where a handler that answers with data writes it */
};

typedef int api_handler(struct api *api, const struct api_call *call, struct error *err);

struct api_route {
	const char *method, *path; /* "/drives/": an id follows */
	enum api_when when;
	const char *id_field; /* must say the same as the path; NULL: none */
	const char *context;  /* stands before what the handler refuses; NULL: nothing */
	const struct api_field *fields;
	api_handler *handler;
};

/* All routes; api_n_routes of them. */
extern const struct api_route api_routes[];
extern const size_t api_n_routes;

/* api_find() - the route of @method and @path, or NULL; *ret_id points into @path. */
const struct api_route *api_find(const char *method, const char *path, const char **ret_id);

/*
 * api_call_route() - check @body (text of @len bytes; NULL: none) and state, then do it.
 * Return: 0 with an answer in @out (empty: no content), or -errno with a fault message.
 */
int api_call_route(struct api *api, const struct api_route *route, const char *id, const char *body,
		   size_t len, struct strbuf *out, struct error *err);

/*
 * api_handle() - one request as it came: method, path, body.
 * Return: the HTTP status; the body of the answer is in @out.
 */
int api_handle(struct api *api, const char *method, const char *path, const char *body, size_t len,
	       struct strbuf *out);

/*
 * api_load_sections() - each section of @config is a PUT; a member of @config that is NULL is none.
 * Return: 0 or -errno with the section's name.
 */
int api_load_sections(struct api *api, const struct json *config, struct error *err);

/* api_load_file() - --config-file: each section is a PUT.  Return: 0 or -errno. */
int api_load_file(struct api *api, const char *path, struct error *err);

/* api_start() - InstanceStart.  Return: 0 or -errno. */
int api_start(struct api *api, struct error *err);

/* Handlers, by file. */
api_handler api_get_info, api_get_version, api_put_actions, api_patch_vm, api_get_vm_config;
api_handler api_put_boot_source, api_get_machine_config, api_put_machine_config,
	api_patch_machine_config;
api_handler api_put_drive, api_put_net, api_put_entropy, api_put_vsock, api_patch_drive,
	api_patch_net;
api_handler api_put_balloon, api_get_balloon, api_patch_balloon, api_get_balloon_stats,
	api_patch_balloon_stats, api_start_hinting, api_stop_hinting, api_get_hinting;
api_handler api_put_logger, api_put_metrics, api_put_serial;
api_handler api_create_snapshot, api_load_snapshot;
api_handler api_no_pci, api_no_pmem, api_no_memory_hotplug, api_no_cpu_config;

/* api_log_init() - lines of the log have Firecracker's form from now on. */
void api_log_init(const struct api *api);

api_handler api_get_mmds, api_put_mmds, api_patch_mmds, api_put_mmds_config;

/* Fields of a body that may be any JSON. */
extern const struct api_field api_any_body[];

/* api_take_bucket(), api_write_bucket() - as the two below, for a single bucket (NULL: none). */
int api_take_bucket(const struct json *bucket, struct bucket_config *ret, struct error *err);
void api_write_bucket(struct json_writer *w, const char *key, const struct bucket_config *c);

/*
 * api_take_limiter() - the rate limiter @key of @body, if there is one; api_write_limiter() - as it
 * was given, null without a limit.  Return: 0 or -EINVAL.
 */
int api_take_limiter(const struct json *body, const char *key, struct limiter_config *ret,
		     struct error *err);
void api_write_limiter(struct json_writer *w, const char *key, const struct limiter_config *c);

/* api_write_balloon() - as it was configured, or as it has been changed. */
void api_write_balloon(struct json_writer *w, const struct balloon_backend *b);

/* api_write_mmds_config() - null when there is none. */
void api_write_mmds_config(struct json_writer *w, const struct machine_config *c);

/* api_write_devices() - the sections of /vm/config about devices. */
void api_write_devices(struct json_writer *w, const struct machine_config *c);

#endif
