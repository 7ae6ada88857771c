/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections on which exits are told.
 */
#ifndef RUNTIMES_MONITOR_WATCHERS_H
#define RUNTIMES_MONITOR_WATCHERS_H

#include "runtimes/monitor/serve.h"

/* watchers_add() - tell @c of every exit, those known already first. */
void watchers_add(struct monitor *m, struct conn *c);
/* watchers_tell() - a container ended: tell all. */
void watchers_tell(struct monitor *m);

#endif
