/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRI messages: made, copied and compared.
 */
#ifndef CRI_PODS_MESSAGE_H
#define CRI_PODS_MESSAGE_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "base/arena.h"

/* message_new() - an initialised message in @arena. */
void *message_new(struct arena *arena, const ProtobufCMessageDescriptor *type);
#define MESSAGE_NEW(arena, type) ((void *)message_new(arena, &runtime__v1__##type##__descriptor))

/* message_copy() - a deep copy on the heap, to be freed with message_free(). */
void *message_copy(const void *message);
/* message_copy_in() - a deep copy in @arena; NULL of NULL. */
void *message_copy_in(struct arena *arena, const void *message);
/* message_copy_all() - an array of deep copies in @arena. */
void *message_copy_all(struct arena *arena, void *messages, size_t count);
/* message_equal() - whether both have one wire form. */
bool message_equal(const void *a, const void *b);
void message_free(void *message); /* may be NULL */

#endif
