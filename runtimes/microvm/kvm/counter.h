/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters that end up in the metrics file.
 *
 * Any thread counts; the metrics line has how much came since the line before.
 */
#ifndef MICROVM_KVM_COUNTER_H
#define MICROVM_KVM_COUNTER_H

#include <stdint.h>

struct counter {
	uint64_t now;  /* atomic */
	uint64_t told; /* of the thread that writes metrics */
};

static inline void counter_add(struct counter *c, uint64_t n)
{
	__atomic_fetch_add(&c->now, n, __ATOMIC_RELAXED);
}

/* counter_take() - what came since the last call. */
static inline uint64_t counter_take(struct counter *c)
{
	uint64_t now = __atomic_load_n(&c->now, __ATOMIC_RELAXED), n = now - c->told;

	c->told = now;
	return n;
}

#endif
