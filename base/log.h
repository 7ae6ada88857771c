/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leveled log lines on stderr: "time level part: message key=value ...".
 *
 * Library folders (base storage image network) log at debug only and return errors; whoever
 * answers a request logs once, with pod and container id.  One write(2) a line; thread-safe.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum log_level {
	LOG_LEVEL_OFF = -1,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
};

/* log_init() - name the program ("bulkheadd") and set the level.  Default: info. */
void log_init(const char *part, enum log_level level);

/* log_set_fd() - write to @fd from now on (default 2). */
void log_set_fd(int fd);

/*
 * log_set_head() - for a program whose lines have another form: @head writes what stands before
 * the message into @line and returns its length (less than @size).
 */
void log_set_head(size_t (*head)(char *line, size_t size, enum log_level level));

/* log_missed() - lines that could not be written so far. */
uint64_t log_missed(void);

/* log_parse_level() - "error", "warn", "info", "debug".  Return: 0 or -EINVAL. */
int log_parse_level(const char *name, enum log_level *ret_level, struct error *err);

bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                           \
	do {                                                     \
		if (log_enabled(LOG_LEVEL_DEBUG))                \
			log_write(LOG_LEVEL_DEBUG, __VA_ARGS__); \
	} while (0)

#endif
