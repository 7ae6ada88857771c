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

struct api {
	struct machine *machine;       /* not owned */
	const char *id;		       /* of the instance; not owned */
	char *log_path, *metrics_path; /* owned; NULL when not set */
	int metrics_fd;		       /* owned; -1 when not set */
	uint64_t requests, failures;   /* of the API since the start */
};

enum api_when { API_ANY, API_BEFORE_START, API_AFTER_START };

struct api_field {
	const char *name; /* NULL ends the list */
	enum json_type type;
	bool required;
};

struct api_call {
	const char *id;		 /* last part of the path; NULL when the route has none */
	const struct json *body; /* an object with checked fields; NULL for GET */
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

/* api_load_file() - --config-file: each section is a PUT.  Return: 0 or -errno. */
int api_load_file(struct api *api, const char *path, struct error *err);

/* api_start() - InstanceStart.  Return: 0 or -errno. */
int api_start(struct api *api, struct error *err);

/* Handlers, by file. */
api_handler api_get_info, api_get_version, api_put_actions, api_patch_vm, api_get_vm_config;
api_handler api_put_boot_source, api_get_machine_config, api_put_machine_config,
	api_patch_machine_config;
api_handler api_put_drive, api_put_net, api_put_entropy;
api_handler api_put_logger, api_put_metrics;

/* api_flush_metrics() - one line of JSON to the metrics file, if there is one. */
void api_flush_metrics(struct api *api);

#endif
