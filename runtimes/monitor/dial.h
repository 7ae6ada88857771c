/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to the pod's loopback addresses.
 */
#ifndef RUNTIMES_MONITOR_DIAL_H
#define RUNTIMES_MONITOR_DIAL_H

#include "runtimes/monitor/serve.h"

/* dial_start() - answers @c with a socket connected to 127.0.0.1 or ::1, or why not. */
int dial_start(struct monitor *m, struct conn *c, uint32_t port, struct error *err);

#endif
