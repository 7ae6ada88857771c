/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections of the server, one a call.
 *
 * A request is decoded and checked as a whole here; the functions it goes to find clean ids,
 * absolute paths and the right number of descriptors.  Who breaks the protocol is hung up on.
 */
#include "runtimes/monitor/serve.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "runtimes/monitor/dial.h"
#include "runtimes/monitor/execs.h"
#include "runtimes/monitor/mounts.h"
#include "runtimes/monitor/runs.h"
#include "runtimes/monitor/watchers.h"

#define CONNS_MAX 256

struct conn {
	struct list in_monitor;
	struct monitor *m;
	int fd;
	struct loop_fd *watch;
	bool asked; /* its one request came */
	void (*gone)(void *data);
	void (*room)(void *data);
	void *data;
};

/* --- replies ---------------------------------------------------------------------------------- */

static void destroy(struct conn *c)
{
	list_remove(&c->in_monitor);
	c->m->n_conns--;
	loop_fd_remove(c->watch);
	close_fd(&c->fd);
	free(c);
}

int serve_send(struct conn *c, Monitor__Reply *reply, const int *fds, size_t nfds)
{
	reply->version = PROTOCOL_VERSION;
	return protocol_send_reply(c->fd, reply, fds, nfds);
}

void serve_pending(struct conn *c)
{
	Monitor__Reply reply = MONITOR__REPLY__INIT;

	reply.pending = true;
	serve_send(c, &reply, NULL, 0);
}

void serve_finish(struct conn *c, Monitor__Reply *reply, const int *fds, size_t nfds)
{
	if (!c)
		return;
	serve_send(c, reply, fds, nfds);
	destroy(c);
}

void serve_fail(struct conn *c, const struct error *err)
{
	Monitor__Reply reply = MONITOR__REPLY__INIT;

	reply.errnum = err->code ? -err->code : EIO;
	reply.text = (char *)err->text;
	/* protobuf strings are UTF-8, a runtime's message may be anything */
	if (!str_is_utf8(err->text, strlen(err->text)))
		reply.text = "the runtime failed with a message that is not UTF-8";
	serve_finish(c, &reply, NULL, 0);
}

void serve_on_gone(struct conn *c, void (*fn)(void *data), void *data)
{
	if (!c)
		return;
	c->gone = fn;
	c->data = data;
}

void serve_watch_room(struct conn *c, void (*fn)(void *data))
{
	c->room = fn;
	loop_fd_set_events(c->watch, fn ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* --- checks ----------------------------------------------------------------------------------- */

static bool path_is_fine(const char *path, bool may_be_empty)
{
	return *path ? strlen(path) < 4096 && path_is_clean(path) : may_be_empty;
}

/* A relative path that stays below: cleanness is that of "/target". */
static bool target_is_fine(const char *target)
{
	char *path cleanup_free = xasprintf("/%s", target);

	return *target && strlen(target) < 1024 && path_is_clean(path);
}

static int check_mounts(const Monitor__Request *r, size_t nfds, struct error *err)
{
	if (r->n_mounts != nfds)
		return error_set(err, EBADMSG, "%zu mounts with %zu descriptors", r->n_mounts,
				 nfds);
	for (size_t i = 0; i < r->n_mounts; i++)
		if (!target_is_fine(r->mounts[i]->target))
			return error_set(err, EINVAL, "mount target '%.100s' is not allowed",
					 r->mounts[i]->target);
	return 0;
}

static int check_run(const Monitor__Request *r, size_t nfds, struct error *err)
{
	const Monitor__Container *c = r->container;

	if (!c || !protocol_is_id(c->id))
		return error_set(err, EINVAL, "container id '%.100s' is not allowed",
				 c ? c->id : "");
	if (!path_is_fine(c->bundle, false) || !path_is_fine(c->log_path, true) ||
	    !path_is_fine(c->cgroup, true))
		return error_set(err, EINVAL, "container %s: a path is not absolute and clean",
				 c->id);
	return check_mounts(r, nfds, err);
}

static int check_exec(const Monitor__Request *r, size_t nfds, struct error *err)
{
	const Monitor__Exec *e = r->exec;

	if (!e || !protocol_is_id(e->process_file))
		return error_set(err, EINVAL, "exec without a process file");
	if (e->stdio_mask > 7 || (size_t)__builtin_popcount(e->stdio_mask) != nfds)
		return error_set(err, EBADMSG, "exec with %zu descriptors", nfds);
	return 0;
}

static int check(const Monitor__Request *r, size_t nfds, struct error *err)
{
	if (r->version < 1)
		return error_set(err, EPROTO, "request without a protocol version");
	switch (r->operation) {
	case MONITOR__OPERATION__MOUNT:
		return check_mounts(r, nfds, err);
	case MONITOR__OPERATION__RUN:
		return check_run(r, nfds, err);
	default:
		break;
	}
	if (r->operation == MONITOR__OPERATION__EXEC) {
		if (check_exec(r, nfds, err) < 0)
			return err->code;
	} else if (nfds > 0) {
		return error_set(err, EBADMSG, "unexpected descriptors");
	}
	switch (r->operation) {
	case MONITOR__OPERATION__DELETE:
	case MONITOR__OPERATION__REOPEN_LOG:
	case MONITOR__OPERATION__RESIZE:
	case MONITOR__OPERATION__EXEC:
	case MONITOR__OPERATION__ATTACH:
		if (!protocol_is_id(r->id))
			return error_set(err, EINVAL, "container id '%.100s' is not allowed",
					 r->id);
		return 0;
	default:
		return 0;
	}
}

/* --- dispatch --------------------------------------------------------------------------------- */

static int stop(struct monitor *m, struct error *err)
{
	if (runs_alive(m) > 0)
		return error_set(err, EBUSY, "pod %s: %zu containers still run", m->id,
				 runs_alive(m));
	loop_stop(m->loop);
	return 0;
}

/* answer() - operations that are done at once. */
static int answer(struct monitor *m, const Monitor__Request *r, int *fds, Monitor__Reply *reply,
		  struct error *err)
{
	switch (r->operation) {
	case MONITOR__OPERATION__MOUNT:
		return mounts_add(m, r->mounts, r->n_mounts, fds, err);
	case MONITOR__OPERATION__REOPEN_LOG:
		return runs_reopen_log(m, r->id, err);
	case MONITOR__OPERATION__RESIZE:
		if (!r->size || r->size->width > UINT16_MAX || r->size->height > UINT16_MAX)
			return error_set(err, EINVAL, "resize without a good size");
		return runs_resize(m, r->id, r->size->width, r->size->height, err);
	case MONITOR__OPERATION__LIST:
		runs_list(m, reply);
		return 0;
	case MONITOR__OPERATION__STOP:
		return stop(m, err);
	default:
		return error_set(err, EOPNOTSUPP, "operation %d is not known to this monitor",
				 (int)r->operation);
	}
}

static void reply_now(struct conn *c, const Monitor__Request *r, int *fds)
{
	Monitor__Reply reply = MONITOR__REPLY__INIT;
	struct error err = ERROR_INIT;
	int rc = answer(c->m, r, fds, &reply, &err);

	if (rc < 0)
		serve_fail(c, &err);
	else
		serve_finish(c, &reply, NULL, 0);
	for (size_t i = 0; i < reply.n_items; i++)
		free(reply.items[i]);
	free(reply.items);
}

/* dispatch() - @c may be gone when this returns. */
static void dispatch(struct conn *c, const Monitor__Request *r, int *fds)
{
	struct error err = ERROR_INIT;
	int rc = 0;

	switch (r->operation) {
	case MONITOR__OPERATION__RUN:
		rc = runs_start(c->m, c, r, fds, &err);
		break;
	case MONITOR__OPERATION__DELETE:
		rc = runs_delete(c->m, c, r->id, &err);
		break;
	case MONITOR__OPERATION__WATCH:
		watchers_add(c->m, c);
		break;
	case MONITOR__OPERATION__EXEC:
		rc = execs_start(c->m, c, r, fds, &err);
		break;
	case MONITOR__OPERATION__ATTACH:
		rc = runs_attach(c->m, c, r->id, r->attach, &err);
		break;
	case MONITOR__OPERATION__DIAL:
		rc = dial_start(c->m, c, r->port, &err);
		break;
	default:
		reply_now(c, r, fds);
	}
	if (rc < 0)
		serve_fail(c, &err);
}

static void take_request(struct conn *c)
{
	int fds[PROTOCOL_MAX_FDS];
	Monitor__Request *r;
	struct error err = ERROR_INIT;
	size_t nfds = 0;
	int rc = protocol_recv_request(c->fd, &r, fds, PROTOCOL_MAX_FDS);

	if (rc == -EAGAIN)
		return;
	if (rc != 1) {
		destroy(c);
		return;
	}
	c->asked = true;
	while (nfds < PROTOCOL_MAX_FDS && fds[nfds] >= 0)
		nfds++;
	if (check(r, nfds, &err) < 0)
		serve_fail(c, &err);
	else
		dispatch(c, r, fds);
	for (size_t i = 0; i < nfds; i++)
		close_fd(&fds[i]);
	monitor__request__free_unpacked(r, NULL);
}

static void on_conn(void *data, uint32_t events)
{
	struct conn *c = data;
	void (*gone)(void *data) = c->gone;
	void *gone_data = c->data;

	if (!c->asked) {
		take_request(c);
	} else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		/* hung up; more data than one request counts as that too */
		destroy(c);
		if (gone)
			gone(gone_data);
	} else if (events & EPOLLOUT && c->room) {
		c->room(gone_data);
	}
}

struct listener {
	struct monitor *m;
	int fd;
};

static void on_listener(void *data, uint32_t events)
{
	struct listener *l = data;
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct conn *c;

	(void)events;
	if (fd < 0) {
		/* out of descriptors the listener stays readable: do not spin on it */
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
			usleep(10000);
		return;
	}
	if (l->m->n_conns == CONNS_MAX) {
		log_warn("more than %d calls at once", CONNS_MAX);
		close(fd);
		return;
	}
	c = xnew(struct conn);
	*c = (struct conn){ .m = l->m, .fd = fd };
	l->m->n_conns++;
	list_add(&l->m->conns, &c->in_monitor);
	c->watch = loop_add_fd(l->m->loop, fd, EPOLLIN, on_conn, c);
}

void serve_start(struct monitor *m, int fd)
{
	struct listener *l = xnew(struct listener);

	*l = (struct listener){ m, fd };
	fd_set_nonblock(fd, true);
	loop_add_fd(m->loop, fd, EPOLLIN, on_listener, l);
}
