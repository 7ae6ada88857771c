/* SPDX-License-Identifier: Apache-2.0 */
/*
 * <dir>/exits/<container id>: how a container ended, as JSON.
 */
#ifndef RUNTIMES_MONITOR_EXITFILE_H
#define RUNTIMES_MONITOR_EXITFILE_H

#include "runtimes/monitor/client.h"

/* exitfile_write() - whole or not at all. */
int exitfile_write(const char *dir, const struct monitor_exit *e, struct error *err);
/* exitfile_remove() - absent is fine. */
void exitfile_remove(const char *dir, const char *container_id);

#endif
