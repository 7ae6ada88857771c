/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers about the log and metrics files.
 */
#include <fcntl.h>
#include <strings.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "runtimes/microvm/api/api.h"

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
		{ "Off", LOG_LEVEL_ERROR },
	};

	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		if (strcasecmp(levels[i].name, name))
			continue;
		log_init("bulkhead-vmm", levels[i].level);
		return 0;
	}
	return error_set(err, EINVAL, "unknown level `%s`", name);
}

/* open_output() - a file, or a FIFO without waiting for its reader. */
static int open_output(const char *path, struct error *err)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600);

	return fd < 0 ? error_set(err, errno, "%s (os error %d)", strerror(errno), errno) : fd;
}

int api_put_logger(struct api *api, const struct api_call *call, struct error *err)
{
	const char *path = json_get_string(call->body, "log_path", NULL);
	const char *level = json_get_string(call->body, "level", NULL);
	int fd, r = level ? take_level(level, err) : 0;

	if (r || !path)
		return r;
	fd = open_output(path, err);
	if (fd < 0)
		return fd;
	log_set_fd(fd); /* for as long as the process lives */
	free(api->log_path);
	api->log_path = xstrdup(path);
	return 0;
}

int api_put_metrics(struct api *api, const struct api_call *call, struct error *err)
{
	const char *path = json_get_string(call->body, "metrics_path", "");
	int fd;

	if (api->metrics_fd >= 0)
		return error_set(err, EEXIST,
				 "Cannot initialize the metrics system due to bad "
				 "user input: Reinitialization of metrics not allowed.");
	fd = open_output(path, err);
	if (fd < 0)
		return fd;
	api->metrics_fd = fd;
	api->metrics_path = xstrdup(path);
	return 0;
}

void api_flush_metrics(struct api *api)
{
	struct strbuf line cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &line };

	if (api->metrics_fd < 0)
		return;
	json_begin_object(&w);
	json_put_u64(&w, "utc_timestamp_ms", (uint64_t)clock_wall_ns() / 1000000);
	json_put_object(&w, "api_server");
	json_put_u64(&w, "requests", api->requests);
	json_put_u64(&w, "failures", api->failures);
	json_end_object(&w);
	json_put_object(&w, "uart");
	json_put_u64(&w, "missed_write_count", api->machine->serial.lost_bytes);
	json_end_object(&w);
	json_end_object(&w);
	strbuf_putc(&line, '\n');
	(void)!write(api->metrics_fd, line.data, line.len);
}
