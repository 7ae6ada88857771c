/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the rate limiter, with a clock made by hand.
 */
#include "runtimes/microvm/devices/limiter.h"

#include "tests/unit/tap.h"

#define MS INT64_C(1000000)

static struct limiter limiter;

static void start(struct bucket_config bandwidth, struct bucket_config ops)
{
	limiter = (struct limiter){ 0 };
	limiter_update(&limiter, &(struct limiter_config){ bandwidth, ops }, 0);
}

static struct bucket_config bucket(uint64_t size, uint64_t burst, uint64_t refill_ms)
{
	return (struct bucket_config){ true, size, burst, refill_ms };
}

static void test_ops(void)
{
	start((struct bucket_config){ 0 }, bucket(10, 0, 1000));
	for (int i = 0; i < 10; i++)
		is_int(limiter_take(&limiter, 1 << 30, 0), 0, "an operation of a full bucket");
	is_int(limiter_take(&limiter, 1, 0), 101, "the next in a tenth of the time");
	ok(limiter_take(&limiter, 1, 99 * MS) > 0, "not before");
	is_int(limiter_take(&limiter, 1, 101 * MS), 0, "then");
	ok(limiter_take(&limiter, 1, 199 * MS) > 0, "parts of a token are not lost");
	is_int(limiter_take(&limiter, 1, 201 * MS), 0, "nor won");
	is_int(limiter_take(&limiter, 1, 100000 * MS), 0, "after a long time");
	for (int i = 1; i < 10; i++)
		is_int(limiter_take(&limiter, 1, 100000 * MS), 0, "a full bucket,");
	ok(limiter_take(&limiter, 1, 100000 * MS) > 0, "and no more");
}

static void test_bytes(void)
{
	uint64_t passed = 0;

	start(bucket(1000, 500, 100), (struct bucket_config){ 0 });
	is_int(limiter_take(&limiter, 400, 0), 0, "of the burst");
	is_int(limiter_take(&limiter, 600, 0), 0, "the rest of it, and 500");
	is_int(limiter_take(&limiter, 5000, 0), 0, "more than the bucket holds");
	is_int(limiter_take(&limiter, 1, 0), 451, "is paid for afterwards");
	ok(limiter_take(&limiter, 1, 449 * MS) > 0, "to the end");
	is_int(limiter_take(&limiter, 0, 0), 0, "what has no bytes needs none");
	start(bucket(1000, 0, 100), (struct bucket_config){ 0 });
	for (int64_t t = 0; t <= 10000; t++)
		if (!limiter_take(&limiter, 333, t * MS))
			passed += 333;
	ok(passed > 100000 && passed < 102000, "10 s at 10000 a second: %llu",
	   (unsigned long long)passed);
}

static void test_both(void)
{
	start(bucket(100, 0, 1000), bucket(2, 0, 1000));
	is_int(limiter_take(&limiter, 150, 0), 0, "the bytes are gone");
	ok(limiter_take(&limiter, 1, 0) > 500, "the operation waits for them");
	is_int(limiter.ops.tokens, 1, "and has not been counted");
}

static void test_update(void)
{
	start(bucket(10, 0, 1000), bucket(1, 0, 1000));
	limiter_take(&limiter, 100, 0);
	limiter_update(&limiter, &(struct limiter_config){ .ops = bucket(5, 0, 10) }, 0);
	ok(limiter_take(&limiter, 1, 0) > 0, "one bucket is new, the other is as it was");
	limiter_update(&limiter, &(struct limiter_config){ .bandwidth = bucket(0, 0, 0) }, 0);
	is_int(limiter_take(&limiter, 1 << 20, 0), 0, "a size of zero: no limit");
}

static void test_extremes(void)
{
	start(bucket(UINT64_MAX, UINT64_MAX, 1), bucket(1, 0, UINT64_MAX));
	is_int(limiter_take(&limiter, UINT64_MAX, 0), 0, "all of it");
	is_int(limiter_take(&limiter, 1, INT64_MAX), 60000, "a bucket that never fills");
	start(bucket(1, 0, UINT64_MAX), bucket(UINT64_MAX, 0, 1));
	is_int(limiter_take(&limiter, UINT64_MAX, 0), 0, "more than is ever paid");
	is_int(limiter_take(&limiter, 1, INT64_MAX), 60000, "is waited for");
}

int main(void)
{
	test_ops();
	test_bytes();
	test_both();
	test_update();
	test_extremes();
	return tap_done();
}
