/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host calls that sleep: futex waits and sleeps.
 *
 * Times become absolute before the first sleep, so that a sleep that a signal without a handler
 * interrupts goes on to the same end.
 */
#include <linux/futex.h>

#include "runtimes/sentry/stub/stub.h"

#define NS_PER_SECOND	   1000000000
#define MAX_SECONDS	   (INT64_MAX / NS_PER_SECOND)
#define FUTEX_COMMAND_BITS 0x7f
#define BITSET_ANY	   0xffffffffull
#define CLOCKS		   12 /* that Linux has */

static int read_time(uint64_t from, struct timespec64 *ret)
{
	if (guest_copy(ret, (void *)from, sizeof(*ret)))
		return -EFAULT;
	if (ret->tv_sec < 0 || (uint64_t)ret->tv_nsec >= NS_PER_SECOND)
		return -EINVAL;
	return 0;
}

static struct timespec64 now(uint32_t clock)
{
	struct timespec64 t = { 0 };

	host_call(__NR_clock_gettime, clock, (uint64_t)&t, 0, 0, 0, 0);
	return t;
}

/* from_now() - the instant that lies @t ahead. */
static void from_now(uint32_t clock, struct timespec64 *t)
{
	struct timespec64 n = now(clock);

	t->tv_nsec += n.tv_nsec;
	t->tv_sec = t->tv_sec > MAX_SECONDS - n.tv_sec - 1 ? MAX_SECONDS - 1 : t->tv_sec + n.tv_sec;
	if (t->tv_nsec >= NS_PER_SECOND) {
		t->tv_nsec -= NS_PER_SECOND;
		t->tv_sec++;
	}
}

static void write_remaining(const struct blocked *b)
{
	struct timespec64 n = now((uint32_t)b->regs[1]), left = b->until;

	left.tv_sec -= n.tv_sec;
	left.tv_nsec -= n.tv_nsec;
	if (left.tv_nsec < 0) {
		left.tv_nsec += NS_PER_SECOND;
		left.tv_sec--;
	}
	if (left.tv_sec < 0)
		left = (struct timespec64){ 0 };
	guest_copy((void *)b->remain, &left, sizeof(left));
}

/* run() - Return: the host's answer, or how the call restarts. */
static int64_t run(struct slot *s)
{
	struct blocked *b = &s->blocked;
	long rc = host_block(b->regs, &s->pending);

	if (rc != -EINTR)
		return rc;
	if (b->remain)
		write_remaining(b);
	return -b->restart;
}

static int futex_deadline(struct blocked *b, uint32_t *op, uint64_t timeout)
{
	bool relative = (*op & FUTEX_COMMAND_BITS) == FUTEX_WAIT;
	int rc = read_time(timeout, &b->until);

	if (rc)
		return rc;
	if (relative) {
		from_now(CLOCK_MONOTONIC, &b->until);
		*op = FUTEX_WAIT_BITSET | (*op & FUTEX_PRIVATE_FLAG);
		b->regs[6] = BITSET_ANY;
	}
	b->regs[4] = (uint64_t)&b->until;
	b->restart = ERESTART_RESTARTBLOCK;
	return 0;
}

bool block_futex(struct slot *s, const uint64_t a[6], int64_t *ret)
{
	struct blocked *b = &s->blocked;
	uint32_t op = (uint32_t)a[1];
	int rc = 0;

	if ((op & FUTEX_COMMAND_BITS) != FUTEX_WAIT &&
	    (op & FUTEX_COMMAND_BITS) != FUTEX_WAIT_BITSET)
		return false;
	*b = (struct blocked){ .restart = ERESTARTSYS };
	b->regs[6] = a[5];
	if (a[3])
		rc = futex_deadline(b, &op, a[3]);
	b->regs[0] = __NR_futex;
	b->regs[1] = a[0];
	b->regs[2] = op;
	b->regs[3] = a[2];
	*ret = rc ? rc : run(s);
	return true;
}

int64_t block_nanosleep(struct slot *s, uint32_t clock, uint32_t flags, uint64_t request,
			uint64_t remain)
{
	struct blocked *b = &s->blocked;
	int rc;

	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME)
		return clock < CLOCKS ? -EOPNOTSUPP : -EINVAL;
	*b = (struct blocked){ .restart = ERESTARTNOHAND };
	rc = read_time(request, &b->until);
	if (rc)
		return rc;
	if (!(flags & TIMER_ABSTIME)) {
		/* setting the clock does not change how long a sleep takes */
		clock = clock == CLOCK_REALTIME ? CLOCK_MONOTONIC : clock;
		from_now(clock, &b->until);
		b->restart = ERESTART_RESTARTBLOCK;
		b->remain = remain;
	}
	b->regs[0] = __NR_clock_nanosleep;
	b->regs[1] = clock;
	b->regs[2] = TIMER_ABSTIME;
	b->regs[3] = (uint64_t)&b->until;
	return run(s);
}

bool block_again(struct slot *s, int64_t *ret)
{
	if (!s->blocked.regs[0])
		return false;
	*ret = run(s);
	return true;
}
