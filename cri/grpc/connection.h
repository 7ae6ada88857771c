/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client: a nghttp2 session on a socket.
 */
#ifndef CRI_GRPC_CONNECTION_H
#define CRI_GRPC_CONNECTION_H

#include "cri/grpc/state.h"

/* grpc_connection_create() - serve @fd (non-blocking; taken over, closed on failure too). */
void grpc_connection_create(struct grpc_server *s, int fd);

/*
 * grpc_connection_feed() - bytes that the client sent.
 * Return: 0, or negative: the connection is beyond help and to be destroyed.
 */
int grpc_connection_feed(struct grpc_connection *c, const uint8_t *data, size_t len);

/* grpc_connection_flush() - send what waits; destroys @c when it is over. */
void grpc_connection_flush(struct grpc_connection *c);

/* grpc_connection_goaway() - take no more streams; those that run go on. */
void grpc_connection_goaway(struct grpc_connection *c);
/* grpc_connection_expire() - answer streams due by @now_ns.  Return: next deadline, 0: none. */
int64_t grpc_connection_expire(struct grpc_connection *c, int64_t now_ns);

void grpc_connection_destroy(struct grpc_connection *c);

#endif
