/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One invocation of the OCI runtime, waited for on the loop.
 *
 * Its log, pid file and console socket are <dir>/tmp/<number>.log, .pid and .sock.
 */
#ifndef RUNTIMES_MONITOR_INVOKE_H
#define RUNTIMES_MONITOR_INVOKE_H

#include <stdbool.h>

#include "runtimes/monitor/monitor.h"
#include "runtimes/monitor/mounts.h"
#include "runtimes/oci/oci.h"

/* The runtime ended, or was killed at its bound; @exit_code 0-255. */
typedef void invoke_fn(void *data, int exit_code);

struct invoke {
	struct monitor *m;
	struct child *child; /* the runtime's process; NULL: not running */
	pid_t pid;
	bool timed_out, used;
	struct loop_timer *timer;
	char *log, *pid_file, *socket_file, *socket_name;
	int socket; /* listens for the pty master; -1 without a terminal */
	invoke_fn *fn;
	void *data;
};

/* invoke_init() - name its files; with @terminal listen for the console. */
int invoke_init(struct invoke *v, struct monitor *m, bool terminal, struct error *err);
/* invoke_names() - for oci_argv_*. */
struct oci_start invoke_names(const struct invoke *v, const char *id);
/*
 * invoke_start() - @argv with @stdio; killed after @timeout_ms.
 * @mounts: what it sees besides the host's mounts; NULL: it is content with the monitor's.
 */
int invoke_start(struct invoke *v, const struct strlist *argv, const int stdio[3],
		 const struct run_mounts *mounts, int timeout_ms, invoke_fn *fn, void *data,
		 struct error *err);
/* invoke_pid() - what it wrote to its pid file. */
int invoke_pid(const struct invoke *v, pid_t *ret_pid, struct error *err);
/* invoke_console() - the pty master that it sent, before it ended. */
int invoke_console(const struct invoke *v, int *ret_master, struct error *err);
/* invoke_failed() - the runtime's own message as an error. @stderr_text may be NULL. */
int invoke_failed(const struct invoke *v, int exit_code, const char *stderr_text,
		  struct error *err);
/* invoke_finish() - forget it and its files.  Preconditions: it does not run. */
void invoke_finish(struct invoke *v);

#endif
