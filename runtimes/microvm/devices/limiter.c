/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rate limiter.
 */
#include "runtimes/microvm/devices/limiter.h"

#include "base/mem.h"

#define NS_MS	 1000000
#define WAIT_MAX 60000 /* ms: asked again at the latest */

typedef unsigned __int128 wide; /* a product of two 64-bit numbers */

static bool limits(const struct bucket *b)
{
	return b->config.size && b->config.refill_ms;
}

static void start(struct bucket *b, const struct bucket_config *c, int64_t now_ns)
{
	if (!c->given)
		return;
	*b = (struct bucket){ .config = *c, .burst = c->burst, .filled_ns = now_ns };
	b->config.size = MIN(c->size, (uint64_t)INT64_MAX);
	b->tokens = (int64_t)b->config.size;
}

void limiter_config_merge(struct limiter_config *c, const struct limiter_config *update)
{
	if (update->bandwidth.given)
		c->bandwidth = update->bandwidth;
	if (update->ops.given)
		c->ops = update->ops;
}

void limiter_update(struct limiter *l, const struct limiter_config *c, int64_t now_ns)
{
	start(&l->bandwidth, &c->bandwidth, now_ns);
	start(&l->ops, &c->ops, now_ns);
}

/* fill() - whole tokens; the time of a part of one is left for the next time. */
static void fill(struct bucket *b, int64_t now_ns)
{
	wide refill_ns = (wide)b->config.refill_ms * NS_MS;
	wide lacks = (wide)((__int128)b->config.size - b->tokens);
	wide came = (wide)(now_ns - b->filled_ns) * b->config.size / refill_ns;

	if (came >= lacks) {
		b->tokens = (int64_t)b->config.size;
		b->filled_ns = now_ns;
	} else {
		b->tokens += (int64_t)came;
		b->filled_ns += (int64_t)(came * refill_ns / b->config.size);
	}
}

/* wait_ms() - until a token is there; 0 when one is. */
static int64_t wait_ms(struct bucket *b, int64_t now_ns)
{
	wide ms;

	if (!limits(b) || b->burst)
		return 0;
	fill(b, now_ns);
	if (b->tokens > 0)
		return 0;
	ms = (wide)(1 - (__int128)b->tokens) * b->config.refill_ms / b->config.size + 1;
	return (int64_t)MIN(ms, (wide)WAIT_MAX);
}

static void take(struct bucket *b, uint64_t n)
{
	uint64_t of_burst = MIN(n, b->burst);

	if (!limits(b))
		return;
	b->burst -= of_burst;
	b->tokens -= (int64_t)MIN(n - of_burst, (uint64_t)INT32_MAX); /* no overflow over time */
}

int64_t limiter_take(struct limiter *l, uint64_t bytes, int64_t now_ns)
{
	int64_t ops_ms = wait_ms(&l->ops, now_ns);
	int64_t bytes_ms = bytes ? wait_ms(&l->bandwidth, now_ns) : 0;

	if (ops_ms || bytes_ms)
		return MAX(ops_ms, bytes_ms);
	take(&l->ops, 1);
	take(&l->bandwidth, bytes);
	return 0;
}
