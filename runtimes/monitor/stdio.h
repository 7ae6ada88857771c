/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's stdio: from its pipes or pty to the log and to attached clients, and back.
 *
 *   container --out,err--> stream -> crilog
 *                                 -> client's sink (pipe, then at most SINK_MAX bytes here)
 *   container <--- in ---- pending <- client's stdin (not read while pending holds anything)
 */
#ifndef RUNTIMES_MONITOR_STDIO_H
#define RUNTIMES_MONITOR_STDIO_H

#include <stdbool.h>

#include "base/list.h"
#include "base/loop.h"
#include "runtimes/monitor/crilog.h"

struct stdio;
typedef void stdio_fn(void *data);

struct stream {
	struct stdio *io;
	enum crilog_stream which;
	int fd; /* -1: ended */
	struct loop_fd *watch;
};

struct stdio {
	struct loop *loop;
	bool terminal, stdin_open, stdin_once;
	int in;			  /* the container's stdin; -1 none, or closed */
	struct loop_fd *in_watch; /* waits for room there */
	struct strbuf pending;	  /* did not fit */
	bool close_in;		  /* when pending is gone */
	struct stream streams[2];
	struct crilog log;
	struct list clients; /* struct client of attached.c */
	stdio_fn *on_end;    /* every stream ended */
	void *data;
};

void stdio_init(struct stdio *io, struct loop *loop);
/* stdio_make_pipes() - @ret_child: the container's ends, the caller's to close. */
int stdio_make_pipes(struct stdio *io, int ret_child[3], struct error *err);
/* stdio_set_console() - takes @master. */
int stdio_set_console(struct stdio *io, int master, struct error *err);
/* stdio_start() - begin to read; @on_end is called once when all streams ended by themselves. */
void stdio_start(struct stdio *io, stdio_fn *on_end, void *data);
/* stdio_read_rest() - read what is there now.  Return: whether all streams ended. */
bool stdio_read_rest(struct stdio *io);
/* stdio_take_text() - what a failed runtime wrote, instead of logging it. */
void stdio_take_text(struct stdio *io, struct strbuf *ret);
/* stdio_finish() - close all; clients get what they still miss, then their end. */
void stdio_finish(struct stdio *io);

/* stdio_input() - bytes for the container.  Preconditions: pending is empty. */
void stdio_input(struct stdio *io, const char *data, size_t len);
/* stdio_input_end() - a client's stdin ended; with stdin_once so does the container's. */
void stdio_input_end(struct stdio *io);

#endif
