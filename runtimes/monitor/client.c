/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls to a monitor, as its server makes them.
 *
 * Sockets do not block: every wait is a poll with a bound, so a stopped monitor costs its caller
 * CALL_MS and no more.  Operations that run the OCI runtime are first answered "pending" within
 * that time; the result may take longer.
 */
#include "runtimes/monitor/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/mem.h"
#include "runtimes/monitor/protocol.h"

#define CALL_MS	      2000
#define DELETE_MS     25000
#define UNDO_MS	      25000 /* after a failed run, `delete` may take that long */
#define EXIT_FILE_MAX 4096

struct call {
	int fd;
	Monitor__Reply *reply;
	int fds[3];
};

static void call_finish(struct call *c)
{
	close_fd(&c->fd);
	for (size_t i = 0; i < ARRAY_LEN(c->fds); i++)
		close_fd(&c->fds[i]);
	if (c->reply)
		monitor__reply__free_unpacked(c->reply, NULL);
	c->reply = NULL;
}

/* --- one call --------------------------------------------------------------------------------- */

static int call_send(struct call *c, const char *dir, Monitor__Request *r, const int *fds,
		     size_t nfds, struct error *err)
{
	char *path cleanup_free = xasprintf("%s/monitor.sock", dir);
	int rc;

	*c = (struct call){ .fd = -1, .fds = { -1, -1, -1 } };
	rc = fd_connect_unix(path, SOCK_SEQPACKET | SOCK_NONBLOCK, err);
	if (rc == -EAGAIN) /* its backlog is full */
		return error_set(err, ETIMEDOUT, "monitor %s does not answer", dir);
	if (rc < 0)
		return rc;
	c->fd = rc;
	r->version = PROTOCOL_VERSION;
	rc = protocol_send_request(c->fd, r, fds, nfds);
	if (rc < 0)
		return error_errno(err, rc == -EPIPE ? ECONNREFUSED : -rc, "send to monitor %s",
				   dir);
	return 0;
}

/* call_recv() - the next reply; an error in it becomes ours. */
static int call_recv(struct call *c, const char *dir, int timeout_ms, struct error *err)
{
	int rc;

	if (c->reply)
		monitor__reply__free_unpacked(c->reply, NULL);
	c->reply = NULL;
	rc = fd_wait(c->fd, POLLIN, timeout_ms);
	if (rc == 0)
		return error_set(err, ETIMEDOUT, "monitor %s does not answer", dir);
	if (rc > 0)
		rc = protocol_recv_reply(c->fd, &c->reply, c->fds, ARRAY_LEN(c->fds));
	if (rc == 0)
		return error_set(err, ECONNREFUSED, "monitor %s hung up", dir);
	if (rc < 0)
		return error_errno(err, -rc, "read from monitor %s", dir);
	if (c->reply->errnum > 0)
		return error_set(err, c->reply->errnum, "%s", c->reply->text);
	return 0;
}

/* call() - send, and the final reply; @result_ms only after "pending". */
static int call(struct call *c, const char *dir, Monitor__Request *r, const int *fds, size_t nfds,
		int result_ms, struct error *err)
{
	int rc = call_send(c, dir, r, fds, nfds, err);

	if (rc == 0)
		rc = call_recv(c, dir, CALL_MS, err);
	if (rc == 0 && c->reply->pending)
		rc = call_recv(c, dir, result_ms, err);
	return rc;
}

static int call_simple(const char *dir, Monitor__Request *r, int result_ms, struct error *err)
{
	struct call c;
	int rc = call(&c, dir, r, NULL, 0, result_ms, err);

	call_finish(&c);
	return rc;
}

/* --- mounts and containers -------------------------------------------------------------------- */

struct mounts {
	Monitor__Mount messages[PROTOCOL_MAX_FDS];
	Monitor__Mount *list[PROTOCOL_MAX_FDS];
	int fds[PROTOCOL_MAX_FDS];
};

static int put_mounts(struct mounts *m, const struct monitor_mount *mounts, size_t count,
		      Monitor__Request *r, struct error *err)
{
	if (count > PROTOCOL_MAX_FDS)
		return error_set(err, E2BIG, "%zu mounts, a container may have %d", count,
				 PROTOCOL_MAX_FDS);
	for (size_t i = 0; i < count; i++) {
		monitor__mount__init(&m->messages[i]);
		m->messages[i].target = (char *)mounts[i].target;
		m->list[i] = &m->messages[i];
		m->fds[i] = mounts[i].fd;
	}
	r->mounts = m->list;
	r->n_mounts = count;
	return 0;
}

int monitor_mount(const char *dir, const struct monitor_mount *mounts, size_t count,
		  struct error *err)
{
	Monitor__Request r = MONITOR__REQUEST__INIT;
	struct mounts m;
	struct call c;
	int rc = put_mounts(&m, mounts, count, &r, err);

	if (rc < 0)
		return rc;
	r.operation = MONITOR__OPERATION__MOUNT;
	rc = call(&c, dir, &r, m.fds, count, 0, err);
	call_finish(&c);
	return rc;
}

int monitor_run(const char *dir, const struct monitor_container *want, int timeout_ms,
		pid_t *ret_pid, int64_t *ret_started_ns, struct error *err)
{
	Monitor__Request r = MONITOR__REQUEST__INIT;
	Monitor__Container m = MONITOR__CONTAINER__INIT;
	struct mounts mounts;
	struct call c;
	int rc = put_mounts(&mounts, want->mounts, want->n_mounts, &r, err);

	if (rc < 0)
		return rc;
	m.id = (char *)want->id;
	m.bundle = (char *)want->bundle;
	m.terminal = want->terminal;
	m.stdin_open = want->stdin_open;
	m.stdin_once = want->stdin_once;
	m.log_path = (char *)str_or(want->log_path, "");
	m.cgroup = (char *)str_or(want->cgroup, "");
	r.operation = MONITOR__OPERATION__RUN;
	r.container = &m;
	r.timeout_ms = (uint32_t)MAX(timeout_ms, 1);
	rc = call(&c, dir, &r, mounts.fds, want->n_mounts, timeout_ms + UNDO_MS, err);
	if (rc == 0) {
		*ret_pid = c.reply->pid;
		*ret_started_ns = c.reply->started_ns;
	}
	call_finish(&c);
	return rc;
}

int monitor_delete(const char *dir, const char *container_id, struct error *err)
{
	Monitor__Request r = MONITOR__REQUEST__INIT;

	r.operation = MONITOR__OPERATION__DELETE;
	r.id = (char *)container_id;
	return call_simple(dir, &r, DELETE_MS, err);
}

int monitor_reopen_log(const char *dir, const char *container_id, struct error *err)
{
	Monitor__Request r = MONITOR__REQUEST__INIT;

	r.operation = MONITOR__OPERATION__REOPEN_LOG;
	r.id = (char *)container_id;
	return call_simple(dir, &r, 0, err);
}

int monitor_resize(const char *dir, const char *container_id, uint16_t width, uint16_t height,
		   struct error *err)
{
	Monitor__Request r = MONITOR__REQUEST__INIT;
	Monitor__Size size = MONITOR__SIZE__INIT;

	size.width = width;
	size.height = height;
	r.operation = MONITOR__OPERATION__RESIZE;
	r.id = (char *)container_id;
	r.size = &size;
	return call_simple(dir, &r, 0, err);
}

int monitor_stop(const char *dir, struct error *err)
{
	Monitor__Request r = MONITOR__REQUEST__INIT;

	r.operation = MONITOR__OPERATION__STOP;
	return call_simple(dir, &r, 0, err);
}

int monitor_list(const char *dir, struct strlist *ret, struct error *err)
{
	Monitor__Request r = MONITOR__REQUEST__INIT;
	struct call c;
	int rc;

	r.operation = MONITOR__OPERATION__LIST;
	rc = call(&c, dir, &r, NULL, 0, 0, err);
	for (size_t i = 0; rc == 0 && i < c.reply->n_items; i++)
		strlist_add(ret, c.reply->items[i]);
	call_finish(&c);
	return rc;
}

/* --- exits ------------------------------------------------------------------------------------ */

int monitor_read_exit(const char *dir, const char *container_id, struct monitor_exit *ret,
		      struct error *err)
{
	char *path cleanup_free = xasprintf("%s/exits/%s", dir, container_id);
	struct strbuf text cleanup_strbuf = { 0 };
	struct arena arena = { 0 };
	struct json *j;
	int rc;

	if (!protocol_is_id(container_id))
		return error_set(err, EINVAL, "container id '%s' is not allowed", container_id);
	rc = fd_read_file(AT_FDCWD, path, EXIT_FILE_MAX, &text, err);
	if (rc == 0)
		rc = json_parse(&arena, str_or(text.data, ""), text.len, 0, &j, err);
	if (rc == 0) {
		*ret = (struct monitor_exit){
			.exit_code = (int)json_get_int(j, "exit_code", 255) & 255,
			.finished_ns = json_get_int(j, "finished_ns", 0),
			.oom_killed = json_get_bool(j, "oom_killed", false),
		};
		snprintf(ret->container_id, sizeof(ret->container_id), "%s", container_id);
	}
	arena_finish(&arena);
	return rc;
}

int monitor_watch(const char *dir, int *ret_fd, struct error *err)
{
	Monitor__Request r = MONITOR__REQUEST__INIT;
	struct call c;
	int rc;

	r.operation = MONITOR__OPERATION__WATCH;
	rc = call_send(&c, dir, &r, NULL, 0, err);
	if (rc == 0)
		rc = call_recv(&c, dir, CALL_MS, err);
	if (rc == 0)
		*ret_fd = steal_fd(&c.fd);
	call_finish(&c);
	return rc;
}

int monitor_next_exit(int fd, struct monitor_exit *ret)
{
	Monitor__Reply *reply = NULL;
	int rc = protocol_recv_reply(fd, &reply, NULL, 0);

	if (rc != 1)
		return rc == -EAGAIN ? -EAGAIN : 0;
	rc = -EAGAIN;
	if (reply->exit) {
		*ret = (struct monitor_exit){
			.exit_code = reply->exit->exit_code,
			.oom_killed = reply->exit->oom_killed,
			.finished_ns = reply->exit->finished_ns,
		};
		snprintf(ret->container_id, sizeof(ret->container_id), "%s", reply->exit->id);
		rc = 1;
	}
	monitor__reply__free_unpacked(reply, NULL);
	return rc;
}

/* --- exec ------------------------------------------------------------------------------------- */

/* The process object goes by file: it may be larger than a message. */
static int write_process(const char *dir, const char *json, char name[32], struct error *err)
{
	char *path cleanup_free = NULL;
	char random[17];

	str_random_hex(random, 8);
	snprintf(name, 32, "exec-%s.json", random);
	path = xasprintf("%s/tmp/%s", dir, name);
	return fd_replace_file(AT_FDCWD, path, json, strlen(json), 0600, false, err);
}

static void remove_process(const char *dir, const char *name)
{
	char *path cleanup_free = xasprintf("%s/tmp/%s", dir, name);

	unlink(path);
}

int monitor_exec_start(const char *dir, const struct monitor_exec *e, int timeout_ms,
		       struct monitor_exec_handle *ret, struct error *err)
{
	Monitor__Request r = MONITOR__REQUEST__INIT;
	Monitor__Exec m = MONITOR__EXEC__INIT;
	char name[32];
	int fds[3];
	size_t n = 0;
	struct call c;
	int rc = write_process(dir, e->process_json, name, err);

	if (rc < 0)
		return rc;
	m.process_file = name;
	m.terminal = e->terminal;
	for (unsigned int i = 0; i < 3 && !e->terminal; i++) {
		if (e->stdio[i] < 0)
			continue;
		m.stdio_mask |= 1U << i;
		fds[n++] = e->stdio[i];
	}
	r.operation = MONITOR__OPERATION__EXEC;
	r.id = (char *)e->container_id;
	r.exec = &m;
	r.timeout_ms = (uint32_t)MAX(timeout_ms, 1);
	rc = call(&c, dir, &r, fds, n, timeout_ms + CALL_MS, err);
	if (rc < 0)
		remove_process(dir, name);
	else if (e->terminal && c.fds[0] < 0)
		rc = error_set(err, EPROTO, "monitor %s sent no terminal", dir);
	if (rc == 0) {
		ret->pid = c.reply->pid;
		ret->console = steal_fd(&c.fds[0]);
		ret->fd = steal_fd(&c.fd);
	}
	call_finish(&c);
	return rc;
}

int monitor_exec_wait(struct monitor_exec_handle *h, int *ret_exit_code, struct error *err)
{
	Monitor__Reply *reply = NULL;
	int rc = fd_wait(h->fd, POLLIN, -1);

	if (rc > 0)
		rc = protocol_recv_reply(h->fd, &reply, NULL, 0);
	if (rc < 0)
		return error_errno(err, -rc, "wait for command");
	if (rc == 0)
		return error_set(err, ECONNREFUSED, "the monitor ended before the command");
	if (reply->exit) {
		*ret_exit_code = reply->exit->exit_code & 255;
		rc = 0;
	} else {
		rc = error_set(err, EPROTO, "wait for command: unexpected reply");
	}
	monitor__reply__free_unpacked(reply, NULL);
	return rc;
}

void monitor_exec_close(struct monitor_exec_handle *h)
{
	close_fd(&h->fd);
	close_fd(&h->console);
}

/* --- attach and dial -------------------------------------------------------------------------- */

int monitor_attach(const char *dir, const char *container_id, bool in, bool out, bool err_stream,
		   struct monitor_attach *ret, struct error *err)
{
	Monitor__Request r = MONITOR__REQUEST__INIT;
	Monitor__Attach m = MONITOR__ATTACH__INIT;
	int streams[3] = { -1, -1, -1 };
	struct call c;
	int rc;

	m.in = in;
	m.out = out;
	m.err = err_stream;
	r.operation = MONITOR__OPERATION__ATTACH;
	r.id = (char *)container_id;
	r.attach = &m;
	rc = call(&c, dir, &r, NULL, 0, 0, err);
	if (rc == 0) {
		for (int i = 0, n = 0; i < 3; i++)
			if (c.reply->fd_mask & 1U << i)
				streams[i] = steal_fd(&c.fds[n++]);
		*ret = (struct monitor_attach){ steal_fd(&c.fd), streams[0], streams[1],
						streams[2] };
	}
	call_finish(&c);
	return rc;
}

int monitor_dial(const char *dir, uint16_t port, int *ret_fd, struct error *err)
{
	Monitor__Request r = MONITOR__REQUEST__INIT;
	struct call c;
	int rc;

	r.operation = MONITOR__OPERATION__DIAL;
	r.port = port;
	rc = call(&c, dir, &r, NULL, 0, 0, err);
	if (rc == 0 && c.fds[0] < 0)
		rc = error_set(err, EPROTO, "monitor %s sent no socket", dir);
	if (rc == 0)
		*ret_fd = steal_fd(&c.fds[0]);
	call_finish(&c);
	return rc;
}
