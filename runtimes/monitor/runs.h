/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pod's containers.
 */
#ifndef RUNTIMES_MONITOR_RUNS_H
#define RUNTIMES_MONITOR_RUNS_H

#include "runtimes/monitor/client.h"
#include "runtimes/monitor/serve.h"

/* Each answers @c itself when it returns 0. */
int runs_start(struct monitor *m, struct conn *c, const Monitor__Request *r, const int *fds,
	       struct error *err);
int runs_delete(struct monitor *m, struct conn *c, const char *id, struct error *err);
int runs_attach(struct monitor *m, struct conn *c, const char *id, const Monitor__Attach *want,
		struct error *err);

int runs_reopen_log(struct monitor *m, const char *id, struct error *err);
int runs_resize(struct monitor *m, const char *id, uint32_t width, uint32_t height,
		struct error *err);
/* runs_list() - "id pid" of those that run, to reply->items (freed by the caller). */
void runs_list(struct monitor *m, Monitor__Reply *reply);
/* runs_alive() - how many run or are being started. */
size_t runs_alive(struct monitor *m);
/* runs_check_running() - -ENOENT unknown, -EBUSY not running. */
int runs_check_running(struct monitor *m, const char *id, struct error *err);
/* runs_next_exit() - the exit with the least number above *number; NULL: none. */
const struct monitor_exit *runs_next_exit(struct monitor *m, uint64_t *number);

#endif
