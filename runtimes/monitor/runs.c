/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers: run, exit, delete.
 *
 *   STARTING -runtime said 0-> RUNNING -reaped-> DRAINING -output taken-> ENDED -delete-> (gone)
 *       `-it failed-> UNDOING -runtime delete-> (gone)
 *
 * What the runtime holds of a container (state, cgroup) goes as soon as it has ended: `runtime
 * delete` runs then, and the server's delete, which comes later, finds nothing left to do.  Only
 * one that still runs, or whose first delete failed, is deleted with --force.
 *
 * While a runtime starts a container, its output stays in the pipes: if it fails, what is there
 * is the runtime's own message and not the container's log.
 */
#include "runtimes/monitor/runs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "runtimes/cgroup/cgroup.h"
#include "runtimes/monitor/attached.h"
#include "runtimes/monitor/exitfile.h"
#include "runtimes/monitor/invoke.h"
#include "runtimes/monitor/mounts.h"
#include "runtimes/monitor/watchers.h"

#define RUNS_MAX	 110 /* their list fits one message */
#define DELETE_MS	 20000
#define TIMEOUT_MAX_MS	 600000
#define CONSOLE_DRAIN_MS 200

enum run_state { STARTING, RUNNING, DRAINING, ENDED, UNDOING };

struct run {
	struct list in_monitor;
	struct monitor *m;
	enum run_state state;
	bool deleting; /* `runtime delete` works */
	bool deleted;  /* it did: only our record is left */
	char *bundle, *cgroup;
	struct stdio io;
	struct invoke invoke;
	struct conn *conn; /* who waits for run or delete; NULL: nobody */
	struct error why;  /* UNDOING: the failure to be answered */
	pid_t pid;
	struct child *child;
	struct loop_timer *drain;
	struct monitor_exit exit;
	uint64_t exit_number;
};

static struct run *find(struct monitor *m, const char *id)
{
	struct run *r;

	list_for_each(r, &m->runs, in_monitor)
		if (str_eq(r->exit.container_id, id))
			return r;
	return NULL;
}

/* --- the record ----------------------------------------------------------------------------------
 */

static struct run *create(struct monitor *m, const Monitor__Container *c)
{
	struct run *r = xnew(struct run);

	r->m = m;
	r->invoke.socket = -1;
	r->bundle = xstrdup(c->bundle);
	r->cgroup = xstrdup(c->cgroup);
	snprintf(r->exit.container_id, sizeof(r->exit.container_id), "%s", c->id);
	stdio_init(&r->io, m->loop);
	r->io.terminal = c->terminal;
	r->io.stdin_open = c->stdin_open;
	r->io.stdin_once = c->stdin_once;
	list_add(&m->runs, &r->in_monitor);
	m->n_runs++;
	return r;
}

static void destroy(struct run *r)
{
	list_remove(&r->in_monitor);
	r->m->n_runs--;
	children_unwatch(r->child);
	loop_timer_remove(r->drain);
	invoke_finish(&r->invoke);
	stdio_finish(&r->io);
	exitfile_remove(r->m->dir, r->exit.container_id);
	free(r->bundle);
	free(r->cgroup);
	free(r);
}

static void caller_gone(void *data)
{
	struct run *r = data;

	r->conn = NULL;
}

/* take_on() - @c waits for an invocation of the runtime. */
static void take_on(struct run *r, struct conn *c)
{
	r->conn = c;
	serve_on_gone(c, caller_gone, r);
	serve_pending(c);
}

/* --- what the runtime holds ----------------------------------------------------------------------
 */

static int invoke_delete(struct run *r, bool force, invoke_fn *fn, struct error *err)
{
	struct strlist argv cleanup_strlist = { 0 };
	const int nothing[3] = { -1, -1, -1 };
	int rc = invoke_init(&r->invoke, r->m, false, err);

	if (rc == 0) {
		oci_argv_delete(&r->m->oci, r->invoke.log, r->exit.container_id, force, &argv);
		rc = invoke_start(&r->invoke, &argv, nothing, NULL, DELETE_MS, fn, r, err);
	}
	if (rc < 0)
		invoke_finish(&r->invoke);
	return rc;
}

static void on_deleted(void *data, int exit_code)
{
	struct run *r = data;
	Monitor__Reply reply = MONITOR__REPLY__INIT;
	struct error err = ERROR_INIT;
	struct conn *c = r->conn;

	r->deleting = false;
	r->conn = NULL;
	serve_on_gone(c, NULL, NULL);
	if (exit_code != 0 || r->invoke.timed_out) {
		invoke_failed(&r->invoke, exit_code, NULL, &err);
		invoke_finish(&r->invoke);
		if (c)
			serve_fail(c, &err);
		return;
	}
	destroy(r);
	serve_finish(c, &reply, NULL, 0);
}

static int delete_by_force(struct run *r, struct conn *c, struct error *err)
{
	int rc = invoke_delete(r, true, on_deleted, err);

	if (rc < 0)
		return rc;
	r->deleting = true;
	take_on(r, c);
	return 0;
}

/* Whoever asked for the delete while this one worked gets its result, or a better try. */
static void on_tidied(void *data, int exit_code)
{
	struct run *r = data;
	Monitor__Reply reply = MONITOR__REPLY__INIT;
	struct error err = ERROR_INIT;
	struct conn *c = r->conn;

	r->deleting = false;
	r->deleted = exit_code == 0 && !r->invoke.timed_out;
	if (!r->deleted) {
		invoke_failed(&r->invoke, exit_code, NULL, &err);
		log_warn("container %s: %s", r->exit.container_id, err.text);
	}
	invoke_finish(&r->invoke);
	r->conn = NULL;
	serve_on_gone(c, NULL, NULL);
	if (!c)
		return;
	if (r->deleted) {
		destroy(r);
		serve_finish(c, &reply, NULL, 0);
	} else if (delete_by_force(r, c, &err) < 0) {
		serve_fail(c, &err);
	}
}

/* tidy() - it has ended: let the runtime forget it. */
static void tidy(struct run *r)
{
	struct error err = ERROR_INIT;

	if (r->deleting)
		return;
	if (invoke_delete(r, false, on_tidied, &err) == 0)
		r->deleting = true;
	else
		log_warn("container %s: %s", r->exit.container_id, err.text);
}

/* --- exit ----------------------------------------------------------------------------------------
 */

static void finish_exit(struct run *r)
{
	struct error err = ERROR_INIT;

	loop_timer_remove(r->drain);
	r->drain = NULL;
	stdio_finish(&r->io);
	if (exitfile_write(r->m->dir, &r->exit, &err) < 0)
		log_error("container %s: %s", r->exit.container_id, err.text);
	r->state = ENDED;
	r->exit_number = ++r->m->exit_count;
	watchers_tell(r->m);
	tidy(r);
}

static void on_drained(void *data)
{
	struct run *r = data;

	if (r->state == DRAINING)
		finish_exit(r);
}

/*
 * What is in the pipes belongs to the container; an end of file may never come, when it left
 * processes behind.  A pty hands its bytes over a little later, so its end is waited for shortly.
 */
static void on_exit_status(void *data, int status)
{
	struct run *r = data;

	r->child = NULL;
	r->state = DRAINING;
	r->exit.exit_code = process_exit_code(status);
	r->exit.finished_ns = clock_wall_ns();
	r->exit.oom_killed = *r->cgroup && cgroup_oom_kills(r->cgroup) > 0;
	if (stdio_read_rest(&r->io) || !r->io.terminal) {
		finish_exit(r);
		return;
	}
	r->drain = loop_add_timer(r->m->loop, on_drained, r);
	loop_timer_arm(r->drain, CONSOLE_DRAIN_MS);
}

/* --- run -----------------------------------------------------------------------------------------
 */

static void on_undone(void *data, int exit_code)
{
	struct run *r = data;
	struct conn *c = r->conn;
	struct error why = r->why;

	if (exit_code != 0)
		log_warn("container %s: delete after a failed start ended with code %d",
			 r->exit.container_id, exit_code);
	serve_on_gone(c, NULL, NULL);
	destroy(r);
	if (c)
		serve_fail(c, &why);
}

/* undo() - r->why says what failed. */
static void undo(struct run *r)
{
	struct error err = ERROR_INIT;

	r->state = UNDOING;
	invoke_finish(&r->invoke);
	if (invoke_delete(r, true, on_undone, &err) < 0) {
		log_warn("container %s: %s", r->exit.container_id, err.text);
		on_undone(r, 0);
	}
}

/* started() - the runtime said 0: learn what it made. */
static int started(struct run *r)
{
	int master;

	if (invoke_pid(&r->invoke, &r->pid, &r->why) < 0)
		return r->why.code;
	if (!r->io.terminal)
		return 0;
	if (invoke_console(&r->invoke, &master, &r->why) < 0)
		return r->why.code;
	return stdio_set_console(&r->io, master, &r->why);
}

static void on_started(void *data, int exit_code)
{
	struct run *r = data;
	Monitor__Reply reply = MONITOR__REPLY__INIT;
	struct strbuf text cleanup_strbuf = { 0 };

	if (exit_code != 0 || r->invoke.timed_out) {
		stdio_take_text(&r->io, &text);
		invoke_failed(&r->invoke, exit_code, text.data, &r->why);
		undo(r);
		return;
	}
	if (started(r) < 0) {
		undo(r);
		return;
	}
	r->state = RUNNING;
	r->child = children_watch(r->pid, on_exit_status, r);
	invoke_finish(&r->invoke);
	stdio_start(&r->io, on_drained, r);
	reply.pid = r->pid;
	reply.started_ns = clock_wall_ns();
	serve_on_gone(r->conn, NULL, NULL);
	serve_finish(r->conn, &reply, NULL, 0);
	r->conn = NULL;
}

/* launch() - start the runtime; the container's ends of the pipes are its stdio. */
static int launch(struct run *r, const struct run_mounts *mounts, int timeout_ms, struct error *err)
{
	struct strlist argv cleanup_strlist = { 0 };
	struct oci_start names;
	int child[3] = { -1, -1, -1 };
	int rc = invoke_init(&r->invoke, r->m, r->io.terminal, err);

	if (rc == 0 && !r->io.terminal)
		rc = stdio_make_pipes(&r->io, child, err);
	if (rc == 0) {
		names = invoke_names(&r->invoke, r->exit.container_id);
		oci_argv_run(&r->m->oci, &names, r->bundle, &argv);
		rc = invoke_start(&r->invoke, &argv, child, mounts, timeout_ms, on_started, r, err);
	}
	for (int i = 0; i < 3; i++)
		close_fd(&child[i]);
	return rc;
}

static int launch_with_mounts(struct run *r, const Monitor__Request *q, const int *fds,
			      struct error *err)
{
	int timeout_ms = (int)MIN(MAX(q->timeout_ms, 1), TIMEOUT_MAX_MS);
	struct run_mounts mounts;
	int rc = mounts_of_run(r->m, q->mounts, q->n_mounts, fds, &mounts, err);

	if (rc == 0)
		rc = launch(r, &mounts, timeout_ms, err);
	mounts_finish(&mounts);
	return rc;
}

int runs_start(struct monitor *m, struct conn *c, const Monitor__Request *q, const int *fds,
	       struct error *err)
{
	const Monitor__Container *want = q->container;
	struct run *r;
	int rc = 0;

	if (find(m, want->id))
		return error_set(err, EEXIST, "container %s is known already", want->id);
	if (m->n_runs >= RUNS_MAX)
		return error_set(err, ENOSPC, "pod %s has %d containers already", m->id, RUNS_MAX);
	r = create(m, want);
	exitfile_remove(m->dir, want->id);
	if (*want->log_path)
		rc = crilog_open(&r->io.log, want->log_path, err);
	if (rc == 0)
		rc = launch_with_mounts(r, q, fds, err);
	if (rc < 0) {
		destroy(r);
		return rc;
	}
	take_on(r, c);
	return 0;
}

/* --- delete --------------------------------------------------------------------------------------
 */

int runs_delete(struct monitor *m, struct conn *c, const char *id, struct error *err)
{
	Monitor__Reply reply = MONITOR__REPLY__INIT;
	struct run *r = find(m, id);

	if (r && (r->conn || r->state == STARTING || r->state == UNDOING))
		return error_set(err, EBUSY, "container %s is being %s", id,
				 r->deleting ? "deleted" : "started");
	if (r && r->deleting) {
		take_on(r, c);
		return 0;
	}
	if (r && !r->deleted)
		return delete_by_force(r, c, err);
	if (r)
		destroy(r);
	serve_finish(c, &reply, NULL, 0);
	return 0;
}

/* --- while it runs -------------------------------------------------------------------------------
 */

static int find_running(struct monitor *m, const char *id, struct run **ret, struct error *err)
{
	struct run *r = find(m, id);

	if (!r)
		return error_set(err, ENOENT, "container %s is not known to its monitor", id);
	if (r->state != RUNNING)
		return error_set(err, EBUSY, "container %s does not run", id);
	*ret = r;
	return 0;
}

int runs_check_running(struct monitor *m, const char *id, struct error *err)
{
	struct run *r;

	return find_running(m, id, &r, err);
}

int runs_attach(struct monitor *m, struct conn *c, const char *id, const Monitor__Attach *want,
		struct error *err)
{
	struct run *r;
	int rc = find_running(m, id, &r, err);

	if (rc < 0)
		return rc;
	if (!want)
		return error_set(err, EINVAL, "attach to container %s: no stream asked for", id);
	return attached_add(&r->io, c, want, err);
}

int runs_reopen_log(struct monitor *m, const char *id, struct error *err)
{
	struct run *r;
	int rc = find_running(m, id, &r, err);

	return rc < 0 ? rc : crilog_reopen(&r->io.log, err);
}

int runs_resize(struct monitor *m, const char *id, uint32_t width, uint32_t height,
		struct error *err)
{
	struct winsize size = { .ws_col = (uint16_t)width, .ws_row = (uint16_t)height };
	struct run *r;
	int rc = find_running(m, id, &r, err);

	if (rc < 0)
		return rc;
	if (!r->io.terminal)
		return error_set(err, EINVAL, "container %s has no terminal", id);
	if (ioctl(r->io.streams[0].fd, TIOCSWINSZ, &size) < 0)
		return error_errno(err, errno, "resize the terminal of container %s", id);
	return 0;
}

void runs_list(struct monitor *m, Monitor__Reply *reply)
{
	struct run *r;

	reply->items = xcalloc(m->n_runs + 1, sizeof(char *));
	list_for_each(r, &m->runs, in_monitor)
		if (r->state == RUNNING)
			reply->items[reply->n_items++] =
				xasprintf("%s %d", r->exit.container_id, r->pid);
}

size_t runs_alive(struct monitor *m)
{
	size_t n = 0;
	struct run *r;

	list_for_each(r, &m->runs, in_monitor)
		n += r->state != ENDED;
	return n;
}

const struct monitor_exit *runs_next_exit(struct monitor *m, uint64_t *number)
{
	struct run *r, *best = NULL;

	list_for_each(r, &m->runs, in_monitor)
		if (r->exit_number > *number && (!best || r->exit_number < best->exit_number))
			best = r;
	if (!best)
		return NULL;
	*number = best->exit_number;
	return &best->exit;
}
