/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's log file in the CRI's format.
 *
 *   2026-01-02T03:04:05.123456789Z stdout F a whole line
 *   2026-01-02T03:04:05.123456789Z stderr P 16384 bytes of a longer line
 */
#ifndef RUNTIMES_MONITOR_CRILOG_H
#define RUNTIMES_MONITOR_CRILOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define CRILOG_LINE_MAX 16384 /* longer ones are cut into P, P, .. F */

enum crilog_stream { CRILOG_STDOUT, CRILOG_STDERR };

/* One file, both streams.  {.fd = -1} is a log to nowhere. */
struct crilog {
	int fd;
	char *path;		  /* owned; NULL: none */
	struct strbuf partial[2]; /* a line whose end has not come, per stream */
	bool mid_line;		  /* the disk took only a part of what was written last */
	uint64_t dropped;	  /* bytes that the disk refused */
};

/* crilog_open() - create @path (0640) and its directories, or append to it. */
int crilog_open(struct crilog *log, const char *path, struct error *err);
/* crilog_reopen() - the file was renamed: go on in a new one of the same name. */
int crilog_reopen(struct crilog *log, struct error *err);
/* crilog_write() - output of the container.  Never fails: what the disk refuses is counted. */
void crilog_write(struct crilog *log, enum crilog_stream stream, const char *data, size_t len);
/* crilog_close() - write lines without an end, close the file. */
void crilog_close(struct crilog *log);

#endif
