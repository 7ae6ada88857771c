/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small gRPC client: one unary call on a UNIX socket.
 *
 * For the `bulkhead` tool, which asks one question and ends: a connection a call, HTTP/2 by
 * nghttp2, the answer decoded into a message that the caller frees.
 */
#ifndef CRI_TOOL_CLIENT_H
#define CRI_TOOL_CLIENT_H

#include <protobuf-c/protobuf-c.h>

#include "base/error.h"

/*
 * client_call() - one unary RPC.
 * @socket: path of the server's UNIX socket, with or without "unix://" before it.
 * @method_path: "/runtime.v1.RuntimeService/Version".
 * @reply_type: descriptor of the answer.
 * @ret: the answer; the caller frees it with protobuf_c_message_free_unpacked(*ret, NULL).
 * @timeout_ms: sent as grpc-timeout too; -1 none.
 * Return: 0, or a negative errno with the server's own text (grpc-message) in @err.
 */
int client_call(const char *socket, const char *method_path, const ProtobufCMessage *req,
		const ProtobufCMessageDescriptor *reply_type, ProtobufCMessage **ret,
		int timeout_ms, struct error *err);

#endif
