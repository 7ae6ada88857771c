/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's calls: connections, and which function answers what.
 */
#ifndef RUNTIMES_MONITOR_SERVE_H
#define RUNTIMES_MONITOR_SERVE_H

#include "runtimes/monitor/monitor.h"

struct conn; /* one call */

/* serve_start() - answer on the listening socket @fd, which it keeps. */
void serve_start(struct monitor *m, int fd);

/* serve_send() - a reply; the call goes on.  Return: 0 or -errno. */
int serve_send(struct conn *c, Monitor__Reply *reply, const int *fds, size_t nfds);
/* serve_pending() - tell that the call was taken on. */
void serve_pending(struct conn *c);
/* serve_finish() - the last reply, then hang up.  @c may be NULL: the caller is gone. */
void serve_finish(struct conn *c, Monitor__Reply *reply, const int *fds, size_t nfds);
/* serve_fail() - serve_finish() with an error. */
void serve_fail(struct conn *c, const struct error *err);
/* serve_on_gone() - call @fn when the peer hangs up; @c is gone after that.  NULL: nobody. */
void serve_on_gone(struct conn *c, void (*fn)(void *data), void *data);
/* serve_watch_room() - call @fn when the peer can take more. */
void serve_watch_room(struct conn *c, void (*fn)(void *data));

#endif
