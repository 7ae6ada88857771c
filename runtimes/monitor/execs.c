/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exec: start it, tell its exit, end it with its caller.
 *
 * The process's stdio is the caller's own (or a pty whose master the caller gets), so no byte of
 * it passes through here.  After the process has ended by itself, what it left in the background
 * is left alone.
 */
#include "runtimes/monitor/execs.h"

#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "runtimes/monitor/invoke.h"
#include "runtimes/monitor/runs.h"

#define EXECS_MAX      200
#define TIMEOUT_MAX_MS 600000

struct exec {
	struct monitor *m;
	struct conn *conn; /* NULL: the caller is gone */
	struct invoke invoke;
	bool terminal;
	char *process_file;
	pid_t pid;
	struct child *child;
};

static size_t n_execs;

static void destroy(struct exec *e)
{
	invoke_finish(&e->invoke);
	children_unwatch(e->child);
	if (e->process_file)
		unlink(e->process_file);
	free(e->process_file);
	free(e);
	n_execs--;
}

static void on_exit_status(void *data, int status)
{
	struct exec *e = data;
	Monitor__Reply reply = MONITOR__REPLY__INIT;
	Monitor__Exit exit = MONITOR__EXIT__INIT;

	e->child = NULL;
	exit.exit_code = process_exit_code(status);
	exit.finished_ns = clock_wall_ns();
	reply.exit = &exit;
	serve_finish(e->conn, &reply, NULL, 0);
	destroy(e);
}

/* The process is our child and not reaped while it is watched, so its number is its own. */
static void on_gone(void *data)
{
	struct exec *e = data;

	e->conn = NULL;
	if (e->child)
		children_kill_tree(e->pid);
}

static void fail(struct exec *e, const struct error *err)
{
	struct conn *c = e->conn;

	serve_on_gone(c, NULL, NULL);
	destroy(e);
	if (c)
		serve_fail(c, err);
}

static void on_started(void *data, int exit_code)
{
	struct exec *e = data;
	Monitor__Reply reply = MONITOR__REPLY__INIT;
	struct error err = ERROR_INIT;
	int master = -1;
	int rc = 0;

	if (exit_code != 0 || e->invoke.timed_out)
		rc = invoke_failed(&e->invoke, exit_code, NULL, &err);
	if (rc == 0)
		rc = invoke_pid(&e->invoke, &e->pid, &err);
	if (rc == 0 && e->terminal)
		rc = invoke_console(&e->invoke, &master, &err);
	if (rc < 0) {
		fail(e, &err);
		return;
	}
	e->child = children_watch(e->pid, on_exit_status, e);
	invoke_finish(&e->invoke);
	unlink(e->process_file);
	reply.pid = e->pid;
	if (e->conn && serve_send(e->conn, &reply, &master, e->terminal) < 0)
		log_warn("exec %d: its caller does not listen", e->pid);
	close_fd(&master);
	if (!e->conn)
		children_kill_tree(e->pid); /* it left while the runtime worked */
}

int execs_start(struct monitor *m, struct conn *c, const Monitor__Request *r, const int *fds,
		struct error *err)
{
	struct strlist argv cleanup_strlist = { 0 };
	struct oci_start names;
	struct exec *e;
	int stdio[3] = { -1, -1, -1 };
	int rc = runs_check_running(m, r->id, err);

	if (rc < 0)
		return rc;
	if (n_execs >= EXECS_MAX)
		return error_set(err, EBUSY, "pod %s: %d commands run already", m->id, EXECS_MAX);
	e = xnew(struct exec);
	n_execs++;
	e->m = m;
	e->terminal = r->exec->terminal;
	e->process_file = xasprintf("%s/tmp/%s", m->dir, r->exec->process_file);
	for (size_t i = 0, n = 0; i < 3; i++)
		if (r->exec->stdio_mask & 1U << i)
			stdio[i] = fds[n++];
	rc = invoke_init(&e->invoke, m, e->terminal, err);
	if (rc == 0) {
		names = invoke_names(&e->invoke, r->id);
		oci_argv_exec(&m->oci, &names, e->process_file, &argv);
		rc = invoke_start(&e->invoke, &argv, stdio, NULL,
				  (int)MIN(MAX(r->timeout_ms, 1), TIMEOUT_MAX_MS), on_started, e,
				  err);
	}
	if (rc < 0) {
		destroy(e);
		return rc;
	}
	e->conn = c;
	serve_on_gone(c, on_gone, e);
	serve_pending(c);
	return 0;
}
