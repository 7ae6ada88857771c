/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intrusive doubly linked list.
 *
 *   head <-> entry <-> entry <-> (head)
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>

#include "base/mem.h"

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *head)
{
	head->prev = head->next = head;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

/* list_add() - add @entry at the end of @head. */
static inline void list_add(struct list *head, struct list *entry)
{
	entry->prev = head->prev;
	entry->next = head;
	head->prev->next = entry;
	head->prev = entry;
}

/* list_remove() - unlink @entry; harmless when it is unlinked already. */
static inline void list_remove(struct list *entry)
{
	if (!entry->next)
		return;
	entry->prev->next = entry->next;
	entry->next->prev = entry->prev;
	entry->prev = entry->next = NULL;
}

#define list_first(head, type, member) CONTAINER_OF((head)->next, type, member)
#define list_for_each(it, head, member)                                                   \
	for (it = CONTAINER_OF((head)->next, typeof(*it), member); &it->member != (head); \
	     it = CONTAINER_OF(it->member.next, typeof(*it), member))
#define list_for_each_safe(it, tmp, head, member)                     \
	for (it = CONTAINER_OF((head)->next, typeof(*it), member),    \
	    tmp = CONTAINER_OF(it->member.next, typeof(*it), member); \
	     &it->member != (head);                                   \
	     it = tmp, tmp = CONTAINER_OF(it->member.next, typeof(*it), member))

#endif
