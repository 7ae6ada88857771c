/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands run in containers.
 */
#ifndef RUNTIMES_MONITOR_EXECS_H
#define RUNTIMES_MONITOR_EXECS_H

#include "runtimes/monitor/serve.h"

/*
 * execs_start() - `runtime exec --detach`.  @c stays open until the process has ended; when the
 * caller hangs up before that, the process and all that it started are killed.
 */
int execs_start(struct monitor *m, struct conn *c, const Monitor__Request *r, const int *fds,
		struct error *err);

#endif
