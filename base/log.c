/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leveled log lines on stderr.
 *
 * A line is put together in a buffer and written with one write(2), so lines of threads and of
 * processes that share the descriptor do not mix.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

#define LINE_MAX_BYTES 4096

static const char *const names[] = { "error", "warn", "info", "debug" };

/* Set once in main(), before threads exist. */
static const char *part_name = "bulkhead";
static enum log_level least = LOG_LEVEL_INFO;
static int log_fd = STDERR_FILENO;
static size_t (*own_head)(char *line, size_t size, enum log_level level);

static uint64_t missed; /* atomic */

void log_init(const char *part, enum log_level level)
{
	part_name = part;
	least = level;
}

void log_set_fd(int fd)
{
	log_fd = fd;
}

void log_set_head(size_t (*head)(char *line, size_t size, enum log_level level))
{
	own_head = head;
}

uint64_t log_missed(void)
{
	return __atomic_load_n(&missed, __ATOMIC_RELAXED);
}

int log_parse_level(const char *name, enum log_level *ret_level, struct error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i], name) == 0) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	}
	return error_set(err, EINVAL, "log level '%s' is not one of error, warn, info, debug",
			 name);
}

bool log_enabled(enum log_level level)
{
	return level <= least;
}

static size_t put_time(char *line, size_t size)
{
	struct timespec now;
	char utc[20];

	clock_gettime(CLOCK_REALTIME, &now);
	str_utc(now.tv_sec, utc);
	return (size_t)snprintf(line, size, "%s.%06ldZ", utc, now.tv_nsec / 1000);
}

static size_t put_head(char *line, size_t size, enum log_level level)
{
	size_t n = put_time(line, size);

	return n + (size_t)snprintf(line + n, size - n, " %s %s: ", names[level], part_name);
}

void log_write(enum log_level level, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;
	size_t n;
	int rc;

	if (!log_enabled(level))
		return;
	n = (own_head ? own_head : put_head)(line, sizeof(line), level);
	va_start(ap, format);
	rc = vsnprintf(line + n, sizeof(line) - n - 1, format, ap);
	va_end(ap);
	n = strlen(line);
	for (size_t i = 0; rc > 0 && i < n; i++)
		if (line[i] == '\n')
			line[i] = ' ';
	line[n++] = '\n';
	if (write(log_fd, line, n) != (ssize_t)n)
		__atomic_fetch_add(&missed, 1, __ATOMIC_RELAXED);
}
