/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients attached to a container's stdio.
 */
#ifndef RUNTIMES_MONITOR_ATTACHED_H
#define RUNTIMES_MONITOR_ATTACHED_H

#include "runtimes/monitor/monitor.h"
#include "runtimes/monitor/serve.h"
#include "runtimes/monitor/stdio.h"

/*
 * attached_add() - a client on @conn, which becomes its control connection: it is answered with
 * the client's ends of the pipes, and again when the container has ended.
 */
int attached_add(struct stdio *io, struct conn *conn, const Monitor__Attach *want,
		 struct error *err);

/* Called by stdio: output for all clients, no room or room again for input, the end. */
void attached_output(struct stdio *io, enum crilog_stream which, const char *data, size_t len);
void attached_pause(struct stdio *io);
void attached_resume(struct stdio *io);
void attached_end(struct stdio *io);

#endif
