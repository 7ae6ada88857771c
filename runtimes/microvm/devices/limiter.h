/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rate limiter: two token buckets, of bytes and of operations.
 *
 * A bucket holds @size tokens and is filled again, evenly, within @refill_ms; @burst more are
 * there once.  An operation may start while a token is left and may then overdraw the bucket:
 * what is larger than a bucket passes too, and the debt is waited for afterwards, so the rate is
 * kept over time whatever the sizes.
 */
#ifndef MICROVM_DEVICES_LIMITER_H
#define MICROVM_DEVICES_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

struct bucket_config {
	bool given; /* the others mean something */
	uint64_t size, burst, refill_ms;
};

struct limiter_config {
	struct bucket_config bandwidth, ops;
};

/* limiter_config_merge() - @c with the buckets that @update gives. */
void limiter_config_merge(struct limiter_config *c, const struct limiter_config *update);

struct bucket {
	struct bucket_config config; /* a size or time of 0: no limit */
	uint64_t burst;		     /* what is left of it */
	int64_t tokens;		     /* negative: owed */
	int64_t filled_ns;	     /* up to then */
};

struct limiter {
	struct bucket bandwidth, ops;
};

/* limiter_update() - the buckets that @c gives start anew, full; others stay as they are. */
void limiter_update(struct limiter *l, const struct limiter_config *c, int64_t now_ns);

/*
 * limiter_take() - one operation with @bytes.
 * Return: 0, or in how many milliseconds to ask again; nothing has been taken then.
 */
int64_t limiter_take(struct limiter *l, uint64_t bytes, int64_t now_ns);

#endif
