/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One RPC on the wire: from HTTP/2 frames to a request, and from a result to frames.
 *
 * None of these writes to the socket; grpc_connection_flush() does.
 */
#ifndef CRI_GRPC_STREAM_H
#define CRI_GRPC_STREAM_H

#include "cri/grpc/job.h"

struct grpc_stream *grpc_stream_create(struct grpc_connection *c, int32_t id);
/* grpc_stream_destroy() - the HTTP/2 stream is closed: a job of it is detached. */
void grpc_stream_destroy(struct grpc_stream *s);

/* grpc_stream_header() - one header field; both strings are NUL-terminated. */
void grpc_stream_header(struct grpc_stream *s, const char *name, size_t name_len, const char *value,
			size_t value_len);
/* grpc_stream_headers_done() - all of them were seen. */
void grpc_stream_headers_done(struct grpc_stream *s);
void grpc_stream_data(struct grpc_stream *s, const uint8_t *data, size_t len);
/* grpc_stream_end() - the client has sent all: decode and run. */
void grpc_stream_end(struct grpc_stream *s);

/* grpc_stream_finish() - answer with what the method left; takes result->reply. */
void grpc_stream_finish(struct grpc_stream *s, struct grpc_result *result);
/* grpc_stream_expire() - answer DEADLINE_EXCEEDED and detach the job. */
void grpc_stream_expire(struct grpc_stream *s);

#endif
