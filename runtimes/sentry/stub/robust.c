/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Robust futexes: what a thread held when it ends.
 *
 * The host cannot walk the list, because the words hold the guest's numbers of threads.
 */
#include <linux/futex.h>

#include "runtimes/sentry/stub/stub.h"

#define MAX_ENTRIES 2048

struct robust_head {
	uint64_t next, offset, pending;
};

static void give_up(struct slot *s, uint64_t entry, uint64_t offset)
{
	uint32_t *word = (uint32_t *)((entry & ~1ull) + offset);
	uint32_t value, dead;

	if ((uint64_t)word & 3)
		return;
	do {
		if (guest_copy(&value, word, sizeof(value)))
			return;
		if ((value & FUTEX_TID_MASK) != s->control->ids.tid)
			return;
		dead = (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
	} while (guest_exchange(word, value, dead) == 1);
	if (value & FUTEX_WAITERS)
		host_call(__NR_futex, (uint64_t)word, FUTEX_WAKE, 1, 0, 0, 0);
}

void robust_walk(struct slot *s)
{
	struct robust_head head;
	uint64_t entry;

	if (!s->robust_list || !s->control->ids.tid)
		return;
	if (guest_copy(&head, (void *)s->robust_list, sizeof(head)))
		return;
	entry = head.next;
	for (int i = 0; i < MAX_ENTRIES && entry && (entry & ~1ull) != s->robust_list; i++) {
		uint64_t next;

		/* The entry may be gone once its owner has been told. */
		if (guest_copy(&next, (void *)(entry & ~1ull), sizeof(next)))
			return;
		if (entry != head.pending)
			give_up(s, entry, head.offset);
		entry = next;
	}
	if (head.pending)
		give_up(s, head.pending, head.offset);
}
