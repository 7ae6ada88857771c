/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers about the log, the metrics file and the serial port's file; how a line of the log
 * looks.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtimes/microvm/api/api.h"

#define PROPERTIES_MAX 32

/* --- the log ---------------------------------------------------------------------------------- */

static const struct api *log_of;

/* "2026-01-02T03:04:05.123456789 [id:thread:LEVEL] ", the level where it is asked for. */
static size_t log_head(char *line, size_t size, enum log_level level)
{
	static const char *const levels[] = { ":ERROR", ":WARN", ":INFO", ":DEBUG" };
	char name[16] = "";
	struct timespec now;
	char utc[20];

	clock_gettime(CLOCK_REALTIME, &now);
	prctl(PR_GET_NAME, name);
	str_utc(now.tv_sec, utc);
	return (size_t)snprintf(line, size, "%s.%09ld [%.64s:%s%s] ", utc, now.tv_nsec, log_of->id,
				name, log_of->log_show_level ? levels[level] : "");
}

void api_log_init(const struct api *api)
{
	log_of = api;
	log_set_head(log_head);
}

/* Firecracker has more levels than we have; what is below debug is debug. */
static int take_level(const char *name, struct error *err)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
		{ "Error", LOG_LEVEL_ERROR }, { "Warning", LOG_LEVEL_WARN },
		{ "Warn", LOG_LEVEL_WARN },   { "Info", LOG_LEVEL_INFO },
		{ "Debug", LOG_LEVEL_DEBUG }, { "Trace", LOG_LEVEL_DEBUG },
		{ "Off", LOG_LEVEL_OFF },
	};

	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		if (strcasecmp(levels[i].name, name))
			continue;
		log_init("bulkhead-vmm", levels[i].level);
		return 0;
	}
	return error_set(err, EINVAL,
			 "unknown level `%s`, expected one of Off, Error, Warning, Info, Debug, "
			 "Trace",
			 name);
}

/* open_output() - a file, or a FIFO without waiting for its reader. */
static int open_output(const char *path, struct error *err)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600);

	return fd < 0 ? error_set(err, errno, "%s (os error %d): %s", strerror(errno), errno, path)
		      : fd;
}

static void replace(char **to, const char *text)
{
	free(*to);
	*to = xstrdup(text);
}

int api_put_logger(struct api *api, const struct api_call *call, struct error *err)
{
	const char *path = json_get_string(call->body, "log_path", NULL);
	const char *level = json_get_string(call->body, "level", "Info");
	const char *module = json_get_string(call->body, "module", NULL);
	int fd = -1, r;

	if (path) {
		fd = open_output(path, err);
		if (fd < 0)
			return error_wrap(err, "Failed to open target file");
	}
	r = take_level(level, err);
	if (r) {
		close_fd(&fd);
		return r;
	}
	replace(&api->log_level, level);
	if (path) {
		log_set_fd(fd); /* for as long as the process lives */
		replace(&api->log_path, path);
	}
	api->log_show_level = json_get_bool(call->body, "show_level", api->log_show_level);
	api->log_show_origin = json_get_bool(call->body, "show_log_origin", api->log_show_origin);
	if (api->log_show_origin)
		log_warn("show_log_origin has no effect: lines of the log have no origin");
	if (module)
		log_warn("module has no effect: the log is not cut into modules: %s", module);
	return 0;
}

/* --- metrics ---------------------------------------------------------------------------------- */

/* take_properties() - names and texts for every line, as JSON.  Return: 0 or -EINVAL. */
static int take_properties(const struct json *properties, struct strbuf *ret, struct error *err)
{
	struct json_writer w = { .out = ret };
	const struct json *p;

	if (!properties || properties->type == JSON_NULL)
		return 0;
	if (properties->len > PROPERTIES_MAX)
		return error_set(err, E2BIG, "more than %d properties", PROPERTIES_MAX);
	json_for_each(p, properties) {
		if (p->type != JSON_STRING)
			return error_set(err, EINVAL, "property `%s` is no text", p->key);
	}
	json_value(&w, properties);
	return 0;
}

static int put_metrics(struct api *api, const struct api_call *call, struct error *err)
{
	const char *path = json_get_string(call->body, "metrics_path", "");
	struct strbuf properties cleanup_strbuf = { 0 };
	int fd, r;

	if (api->metrics_fd >= 0)
		return error_set(err, EEXIST, "Reinitialization of metrics not allowed.");
	r = take_properties(json_get(call->body, "properties"), &properties, err);
	if (r)
		return r;
	fd = open_output(path, err);
	if (fd < 0)
		return fd;
	api->metrics_fd = fd;
	api->metrics_path = xstrdup(path);
	api->metrics_id = json_get_bool(call->body, "emit_id", false);
	api->metrics_properties = properties.len ? strbuf_steal(&properties) : NULL;
	return 0;
}

int api_put_metrics(struct api *api, const struct api_call *call, struct error *err)
{
	return put_metrics(api, call, err)
		       ? error_wrap(err,
				    "Cannot initialize the metrics system due to bad user input")
		       : 0;
}

/* --- serial port ------------------------------------------------------------------------------ */

int api_put_serial(struct api *api, const struct api_call *call, struct error *err)
{
	const char *path = json_get_string(call->body, "serial_out_path", NULL);
	struct machine_config *c = &api->machine->config;
	struct bucket_config limit = { 0 };
	int fd = -1, r = api_take_bucket(json_get(call->body, "rate_limiter"), &limit, err);

	if (r)
		return r;
	if (path) {
		fd = open_output(path, err);
		if (fd < 0)
			return error_wrap(err, "Failed to open serial_out_path");
	}
	close_fd(&c->serial_fd);
	free(c->serial_path);
	c->serial_fd = fd;
	c->serial_limit = limit;
	c->serial_path = path ? xstrdup(path) : NULL;
	return 0;
}
