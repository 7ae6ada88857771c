/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling exits.
 *
 * Exits are numbered; a watcher remembers the last one it was told.  When its socket is full it
 * goes on once there is room: an exit must not be lost, and hanging up would mean "the monitor
 * died" to the server.
 */
#include "runtimes/monitor/watchers.h"

#include <errno.h>

#include "base/mem.h"
#include "runtimes/monitor/runs.h"

struct watcher {
	struct list in_watchers;
	struct monitor *m;
	struct conn *conn;
	uint64_t told; /* number of the last exit */
};

static struct list watchers = { &watchers, &watchers };

static void on_room(void *data);

static void tell(struct watcher *w)
{
	const struct monitor_exit *e;
	uint64_t number = w->told;

	while ((e = runs_next_exit(w->m, &number))) {
		Monitor__Reply reply = MONITOR__REPLY__INIT;
		Monitor__Exit exit = MONITOR__EXIT__INIT;

		exit.id = (char *)e->container_id;
		exit.exit_code = e->exit_code;
		exit.oom_killed = e->oom_killed;
		exit.finished_ns = e->finished_ns;
		reply.exit = &exit;
		if (serve_send(w->conn, &reply, NULL, 0) == -EAGAIN) {
			serve_watch_room(w->conn, on_room);
			return;
		}
		w->told = number;
	}
	serve_watch_room(w->conn, NULL);
}

static void on_room(void *data)
{
	tell(data);
}

static void on_gone(void *data)
{
	struct watcher *w = data;

	list_remove(&w->in_watchers);
	free(w);
}

/* The first reply, without an exit, says that the call was taken on. */
void watchers_add(struct monitor *m, struct conn *c)
{
	struct watcher *w = xnew(struct watcher);

	w->m = m;
	w->conn = c;
	list_add(&watchers, &w->in_watchers);
	serve_on_gone(c, on_gone, w);
	serve_pending(c);
	tell(w);
}

void watchers_tell(struct monitor *m)
{
	struct watcher *w;

	list_for_each(w, &watchers, in_watchers)
		if (w->m == m)
			tell(w);
}
