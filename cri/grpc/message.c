/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protobuf messages of a call: bounded decoding, framed encoding.
 *
 * protobuf-c neither checks strings nor bounds nesting, and a string with invalid UTF-8 that we
 * took in once (a label) would make every later List unreadable for Go clients.  So the wire
 * bytes are walked first (check_message), and decoded after.  What decoding takes is bounded by
 * the arena: two bytes of wire can ask for fifty of memory.
 */
#include "cri/grpc/message.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define MAX_DEPTH 32

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct cursor {
	const uint8_t *at, *end;
};

static bool take_varint(struct cursor *c, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; shift < 64 && c->at < c->end; shift += 7) {
		uint8_t b = *c->at++;

		v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80)) {
			*ret = v;
			return true;
		}
	}
	return false;
}

static bool skip_bytes(struct cursor *c, uint64_t n)
{
	if (n > (size_t)(c->end - c->at))
		return false;
	c->at += n;
	return true;
}

static int check_message(const ProtobufCMessageDescriptor *type, struct cursor c, int depth,
			 struct error *err);

/* A length-delimited field: text must be text, a message is walked too. */
static int check_bytes(const ProtobufCFieldDescriptor *field, const uint8_t *data, size_t len,
		       int depth, struct error *err)
{
	if (!field)
		return 0;
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return check_message(field->descriptor, (struct cursor){ data, data + len },
				     depth + 1, err);
	if (field->type != PROTOBUF_C_TYPE_STRING)
		return 0;
	if (!str_is_utf8((const char *)data, len))
		return error_set(err, EBADMSG, "field %s is not valid UTF-8", field->name);
	if (memchr(data, '\0', len))
		return error_set(err, EBADMSG, "field %s has a NUL character", field->name);
	return 0;
}

static int check_field(const ProtobufCMessageDescriptor *type, struct cursor *c, int depth,
		       struct error *err)
{
	const uint8_t *start;
	uint64_t tag, value = 0;
	bool good;

	if (!take_varint(c, &tag) || tag > UINT32_MAX || tag >> 3 == 0)
		return error_set(err, EBADMSG, "%s: broken tag", type->name);
	switch (tag & 7) {
	case WIRE_VARINT:
		good = take_varint(c, &value);
		break;
	case WIRE_64:
		good = skip_bytes(c, 8);
		break;
	case WIRE_32:
		good = skip_bytes(c, 4);
		break;
	case WIRE_BYTES:
		good = take_varint(c, &value);
		start = c->at;
		good = good && skip_bytes(c, value);
		if (good)
			return check_bytes(protobuf_c_message_descriptor_get_field(
						   type, (unsigned int)(tag >> 3)),
					   start, value, depth, err);
		break;
	default:
		good = false;
	}
	return good ? 0
		    : error_set(err, EBADMSG, "%s: broken field %u", type->name,
				(unsigned int)(tag >> 3));
}

static int check_message(const ProtobufCMessageDescriptor *type, struct cursor c, int depth,
			 struct error *err)
{
	int rc = 0;

	if (depth >= MAX_DEPTH)
		return error_set(err, EBADMSG, "%s: nested too deep", type->name);
	while (rc == 0 && c.at < c.end)
		rc = check_field(type, &c, depth, err);
	return rc;
}

/* --- decode ----------------------------------------------------------------------------------- */

struct room {
	struct arena *arena;
	bool full;
};

static void *room_alloc(void *data, size_t size)
{
	struct room *room = data;
	void *p = arena_try_alloc(room->arena, size);

	room->full |= !p;
	return p;
}

static void room_free(void *data, void *p)
{
	(void)data; /* with the arena */
	(void)p;
}

int grpc_message_decode(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t len,
			size_t max_bytes, struct arena *arena, ProtobufCMessage **ret,
			struct error *err)
{
	struct room room = { .arena = arena };
	ProtobufCAllocator allocator = { room_alloc, room_free, &room };
	size_t limit_bytes = arena->limit_bytes;
	ProtobufCMessage *message;
	int rc = check_message(type, (struct cursor){ data, data + len }, 0, err);

	if (rc < 0)
		return rc;
	arena->limit_bytes = arena->used_bytes + max_bytes;
	message = protobuf_c_message_unpack(type, &allocator, len, data);
	arena->limit_bytes = limit_bytes;
	if (!message && room.full)
		return error_set(err, EDQUOT, "%s of %zu bytes takes more than %zu decoded",
				 type->name, len, max_bytes);
	if (!message)
		return error_set(err, EBADMSG, "not a %s", type->name);
	*ret = message;
	return 0;
}

/* --- encode ----------------------------------------------------------------------------------- */

int grpc_message_encode(const ProtobufCMessage *message, size_t max_bytes, uint8_t **ret_data,
			size_t *ret_len, struct error *err)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *data;

	if (len > max_bytes || len > UINT32_MAX)
		return error_set(err, EDQUOT,
				 "the reply has %zu bytes, more than the %zu that clients take",
				 len, max_bytes);
	data = xmalloc(GRPC_PREFIX_BYTES + len);
	data[0] = 0;
	for (int i = 0; i < 4; i++)
		data[1 + i] = (uint8_t)(len >> (24 - 8 * i));
	protobuf_c_message_pack(message, data + GRPC_PREFIX_BYTES);
	*ret_data = data;
	*ret_len = GRPC_PREFIX_BYTES + len;
	return 0;
}
