/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests and replies on the monitor's socket, for both sides.
 */
#ifndef RUNTIMES_MONITOR_PROTOCOL_H
#define RUNTIMES_MONITOR_PROTOCOL_H

#include <stdbool.h>

#include "base/error.h"
#include "runtimes/monitor/monitor.pb-c.h"

#define PROTOCOL_VERSION   1
#define PROTOCOL_MAX_BYTES 16384 /* a message */
#define PROTOCOL_MAX_FDS   60	 /* passed with one */

/* protocol_send_request/reply() - one message.  Return: 0 or -errno (-EAGAIN: peer is full). */
int protocol_send_request(int sock, const Monitor__Request *r, const int *fds, size_t nfds);
int protocol_send_reply(int sock, const Monitor__Reply *r, const int *fds, size_t nfds);

/*
 * protocol_recv_request/reply() - one message; @fds has @max_fds entries, unused ones are -1.
 * Return: 1 a message (free it with monitor__*__free_unpacked), 0 end, -EAGAIN, -EBADMSG.
 */
int protocol_recv_request(int sock, Monitor__Request **ret, int *fds, size_t max_fds);
int protocol_recv_reply(int sock, Monitor__Reply **ret, int *fds, size_t max_fds);

/* protocol_is_id() - 1 to 127 of [A-Za-z0-9_.-], not beginning with a dot or dash. */
bool protocol_is_id(const char *s);

#endif
