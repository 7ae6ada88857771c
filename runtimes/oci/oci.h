/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of an OCI runtime.
 *
 *   PROGRAM [args] --root ROOT --log LOG --log-format json VERB ...
 *
 * Builds argument lists and reads what a runtime leaves behind (pid file, log).  Starts nothing:
 * the caller has its own way to wait.  Must stay free of libraries, the monitor is static.
 */
#ifndef RUNTIMES_OCI_OCI_H
#define RUNTIMES_OCI_OCI_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"

/* A runtime and the state it keeps; strings belong to the caller. */
struct oci {
	const char *program;
	const char *const *args; /* before the verb; NULL-terminated, may be NULL */
	const char *root;
};

/* One run or exec. */
struct oci_start {
	const char *id;
	const char *log; /* file for the runtime's own messages */
	const char *pid_file;
	const char *console_socket; /* NULL: no terminal */
};

/* Each appends a whole command line, program first, to @ret. */
void oci_argv_run(const struct oci *o, const struct oci_start *s, const char *bundle,
		  struct strlist *ret);
void oci_argv_exec(const struct oci *o, const struct oci_start *s, const char *process_file,
		   struct strlist *ret);
/* @force: whether or not its processes have ended; runc then waits 100 ms in any case. */
void oci_argv_delete(const struct oci *o, const char *log, const char *id, bool force,
		     struct strlist *ret);
void oci_argv_kill(const struct oci *o, const char *log, const char *id, int signo,
		   struct strlist *ret);
void oci_argv_state(const struct oci *o, const char *log, const char *id, struct strlist *ret);

/* oci_read_pid() - the pid of --pid-file; > 1 or an error. */
int oci_read_pid(const char *path, pid_t *ret_pid, struct error *err);

/*
 * oci_read_error() - why a runtime failed: the last error in its log, else the last line of
 * @stderr_text (may be NULL), else "".  Appended to @ret, at most about 800 bytes.
 */
void oci_read_error(const char *log, const char *stderr_text, struct strbuf *ret);

#endif
