/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRI messages: made, copied and compared.
 *
 * A deep copy is a trip through the wire form: protobuf-c has no other.
 */
#include "cri/pods/message.h"

#include <string.h>

#include "base/mem.h"

void *message_new(struct arena *arena, const ProtobufCMessageDescriptor *type)
{
	ProtobufCMessage *m = arena_alloc(arena, type->sizeof_message);

	protobuf_c_message_init(type, m);
	return m;
}

static void *copy_with(const ProtobufCMessage *m, ProtobufCAllocator *allocator)
{
	size_t len = protobuf_c_message_get_packed_size(m);
	uint8_t *packed cleanup_free = xmalloc(len + 1);

	protobuf_c_message_pack(m, packed);
	return protobuf_c_message_unpack(m->descriptor, allocator, len, packed);
}

void *message_copy(const void *message)
{
	return copy_with(message, NULL);
}

static void *alloc_in_arena(void *arena, size_t size)
{
	return arena_alloc(arena, size);
}

static void free_with_arena(void *arena, void *p)
{
	(void)arena;
	(void)p;
}

void *message_copy_in(struct arena *arena, const void *message)
{
	ProtobufCAllocator allocator = { alloc_in_arena, free_with_arena, arena };

	return message ? copy_with(message, &allocator) : NULL;
}

void *message_copy_all(struct arena *arena, void *messages, size_t count)
{
	void **from = messages;
	void **to = arena_alloc(arena, (count + 1) * sizeof(*to));

	for (size_t i = 0; i < count; i++)
		to[i] = message_copy_in(arena, from[i]);
	return to;
}

bool message_equal(const void *a, const void *b)
{
	size_t len = protobuf_c_message_get_packed_size(a);
	uint8_t *pa cleanup_free = NULL;
	uint8_t *pb cleanup_free = NULL;

	if (len != protobuf_c_message_get_packed_size(b))
		return false;
	pa = xmalloc(len + 1);
	pb = xmalloc(len + 1);
	protobuf_c_message_pack(a, pa);
	protobuf_c_message_pack(b, pb);
	return memcmp(pa, pb, len) == 0;
}

void message_free(void *message)
{
	if (message)
		protobuf_c_message_free_unpacked(message, NULL);
}
