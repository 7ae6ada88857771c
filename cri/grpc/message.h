/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protobuf messages of a call: bounded decoding, framed encoding.
 */
#ifndef CRI_GRPC_MESSAGE_H
#define CRI_GRPC_MESSAGE_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

#define GRPC_PREFIX_BYTES 5 /* compressed flag, length in network order */

/*
 * grpc_message_decode() - @len bytes of wire format to a message in @arena, of which it may take
 * @max_bytes.  Strings hold valid UTF-8 and no NUL; messages nest 32 deep at most.
 * Return: 0, -EBADMSG (not such a message) or -EDQUOT (too many parts).
 */
int grpc_message_decode(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t len,
			size_t max_bytes, struct arena *arena, ProtobufCMessage **ret,
			struct error *err);

/*
 * grpc_message_encode() - @message with its gRPC prefix; the caller frees *ret_data.
 * Return: 0 or -EDQUOT: over @max_bytes.
 */
int grpc_message_encode(const ProtobufCMessage *message, size_t max_bytes, uint8_t **ret_data,
			size_t *ret_len, struct error *err);

#endif
