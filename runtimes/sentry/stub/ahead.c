/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads of what the sentry has brought along (platform/lease.h).
 */
#include "runtimes/sentry/stub/stub.h"

#define MSG_DONTWAIT 0x40u
#define MSG_NOSIGNAL 0x4000u

/* find() - the lease of @fd. They are used in the order in which they were told of. */
static struct channel_lease *find(struct slot *s, int32_t fd)
{
	struct channel_ahead *h = s->ahead;
	uint32_t n = __atomic_load_n(&h->n, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < n && i < CHANNEL_LEASES; i++)
		if (h->leases[i].fd == fd &&
		    __atomic_load_n(&h->leases[i].state, __ATOMIC_ACQUIRE) == CHANNEL_LEASED)
			return &h->leases[i];
	return NULL;
}

/* What was copied counts only when the lease was still there afterwards. */
static bool take(struct slot *s, int32_t fd, uint64_t to, uint64_t room, int64_t *ret)
{
	struct channel_lease *l = find(s, fd);
	uint32_t leased = CHANNEL_LEASED, len, offset;

	if (!l)
		return false;
	len = __atomic_load_n(&l->len, __ATOMIC_RELAXED);
	offset = __atomic_load_n(&l->offset, __ATOMIC_RELAXED);
	if (len > room || len > CHANNEL_AHEAD_BYTES || offset > CHANNEL_AHEAD_BYTES - len)
		return false;
	if (guest_copy((void *)to, (char *)s->ahead + offset, len))
		return false;
	*ret = len;
	return __atomic_compare_exchange_n(&l->state, &leased, CHANNEL_LEASE_TAKEN, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

bool ahead_read(struct slot *s, uint32_t nr, const uint64_t a[6], int64_t *ret)
{
	if (s->ahead->n == 0)
		return false;
	if (nr == __NR_recvfrom && (a[4] || (uint32_t)a[3] & ~(MSG_DONTWAIT | MSG_NOSIGNAL)))
		return false;
	return take(s, (int32_t)a[0], a[1], a[2], ret);
}
