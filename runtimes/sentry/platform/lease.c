/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases of bytes in channels.
 *
 * A lease is held by its thread and by whoever made it.  The first of them that ends it exchanges
 * the word in the channel, which may go afterwards; the other one reads how it ended.
 */
#include "runtimes/sentry/platform/lease.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "runtimes/sentry/platform/internal.h"

struct stub_lease {
	uint32_t refs;
	pthread_mutex_t lock;
	uint32_t *state; /* in the channel; NULL: it has ended */
	bool taken;
};

static bool end(struct stub_lease *l)
{
	uint32_t leased = CHANNEL_LEASED;

	pthread_mutex_lock(&l->lock);
	if (l->state)
		l->taken = !__atomic_compare_exchange_n(l->state, &leased, CHANNEL_LEASE_NONE,
							false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	l->state = NULL;
	pthread_mutex_unlock(&l->lock);
	return l->taken;
}

static void put(struct stub_lease *l)
{
	if (__atomic_sub_fetch(&l->refs, 1, __ATOMIC_ACQ_REL))
		return;
	pthread_mutex_destroy(&l->lock);
	free(l);
}

bool stub_lease_end(struct stub_lease *l)
{
	bool taken = end(l);

	put(l);
	return taken;
}

void stub_leases_clear(struct stub_thread *t)
{
	if (!t->n_leases)
		return;
	__atomic_store_n(&t->ahead->n, 0, __ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < t->n_leases; i++) {
		end(t->leases[i]);
		put(t->leases[i]);
	}
	t->n_leases = 0;
	t->leased_bytes = 0;
}

struct stub_lease *stub_lease(struct stub_thread *t, int fd, const void *from, size_t len)
{
	uint32_t n = t->n_leases, offset = CHANNEL_AHEAD_DATA + t->leased_bytes;
	struct channel_lease *c = &t->ahead->leases[n];
	struct stub_lease *l;

	if (n == CHANNEL_LEASES || len > CHANNEL_AHEAD_BYTES - offset)
		return NULL;
	l = xnew(struct stub_lease);
	l->refs = 2;
	pthread_mutex_init(&l->lock, NULL);
	l->state = &c->state;
	memcpy((char *)t->ahead + offset, from, len);
	c->fd = fd;
	c->len = (uint32_t)len;
	c->offset = offset;
	__atomic_store_n(&c->state, CHANNEL_LEASED, __ATOMIC_RELEASE);
	t->leases[t->n_leases++] = l;
	t->leased_bytes += (uint32_t)(len + 63) & ~63u;
	__atomic_store_n(&t->ahead->n, t->n_leases, __ATOMIC_SEQ_CST);
	return l;
}
