/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages as container tools read them: runc's log lines.
 */
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtimes/sentry/cli/cli.h"

static void format_json(const char *level, const char *text, struct strbuf *out)
{
	struct json_writer w = { .out = out };
	char time[36];

	str_rfc3339(clock_wall_ns(), time);
	json_begin_object(&w);
	json_put_string(&w, "level", level);
	json_put_string(&w, "msg", text);
	json_put_string(&w, "time", time);
	json_end_object(&w);
	strbuf_putc(out, '\n');
}

static void format_text(const char *level, const char *text, struct strbuf *out)
{
	char time[36];

	str_rfc3339(clock_wall_ns(), time);
	strbuf_printf(out, "time=\"%s\" level=%s msg=\"%s\"\n", time, level, text);
}

static void to_log(const struct cli *c, const char *level, const char *text)
{
	struct strbuf line cleanup_strbuf = { 0 };
	int fd cleanup_close = -1;

	if (!c->log)
		return;
	fd = open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return;
	if (c->log_json)
		format_json(level, text, &line);
	else
		format_text(level, text, &line);
	fd_write_all(fd, line.data, line.len);
}

int cli_fail(const struct cli *c, const struct error *err)
{
	to_log(c, "error", err->text);
	fprintf(stderr, "bulkhead-sentry: %s\n", err->text);
	return 1;
}

int cli_usage(const struct cli *c, const char *format, ...)
{
	char *text cleanup_free = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	to_log(c, "error", str_or(text, "usage"));
	fprintf(stderr, "bulkhead-sentry: %s\ntry 'bulkhead-sentry --help'\n",
		str_or(text, "usage"));
	return 1;
}

void cli_warn(const struct cli *c, const char *format, ...)
{
	char *text cleanup_free = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	to_log(c, "warning", str_or(text, ""));
}
