/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Futexes with priority inheritance, without the inheritance: guests have one scheduling class.
 *
 * The word is as Linux has it: 0 free, or the owner's number, with FUTEX_WAITERS when somebody
 * sleeps for it.  The host cannot do this, as it would look for the owner among its own numbers.
 * A thread that has slept takes the word with FUTEX_WAITERS: others may still sleep, and a wake-up
 * too many costs less than one that is missing.
 */
#include <linux/futex.h>

#include "runtimes/sentry/stub/stub.h"

#define FUTEX_COMMAND_BITS 0x7f
#define FUTEX_LOCK_PI2_OP  13
#define NS_PER_SECOND	   1000000000

static int read_deadline(uint64_t from, struct timespec64 *ret)
{
	if (guest_copy(ret, (void *)from, sizeof(*ret)))
		return -EFAULT;
	return ret->tv_sec < 0 || (uint64_t)ret->tv_nsec >= NS_PER_SECOND ? -EINVAL : 0;
}

/* sleep_on() - until the word may have changed. Return: 0 look again, or how the call ends. */
static int64_t sleep_on(struct slot *s, uint64_t word, uint32_t op, uint32_t value,
			const struct timespec64 *until)
{
	uint64_t regs[7] = { __NR_futex, word, op, value, (uint64_t)until, 0, 0xffffffff };
	long rc = host_block(regs, &s->pending);

	if (rc == -EINTR)
		return -ERESTARTNOINTR;
	return rc == -EAGAIN ? 0 : rc;
}

static int64_t lock(struct slot *s, uint64_t word, uint32_t op, const struct timespec64 *until,
		    bool try)
{
	uint32_t value, me = s->control->ids.tid, slept = 0;
	int64_t rc;

	for (;;) {
		if (guest_copy(&value, (void *)word, sizeof(value)))
			return -EFAULT;
		if (!(value & FUTEX_TID_MASK)) {
			uint32_t taken = me | slept | (value & (FUTEX_WAITERS | FUTEX_OWNER_DIED));

			if (!guest_exchange((uint32_t *)word, value, taken))
				return 0;
			continue;
		}
		if ((value & FUTEX_TID_MASK) == me)
			return -EDEADLK;
		if (try)
			return -EAGAIN;
		if (!(value & FUTEX_WAITERS)) {
			guest_exchange((uint32_t *)word, value, value | FUTEX_WAITERS);
			continue;
		}
		slept = FUTEX_WAITERS;
		rc = sleep_on(s, word, op, value, until);
		if (rc)
			return rc;
	}
}

static int64_t unlock(struct slot *s, uint64_t word, uint32_t private)
{
	uint32_t value;

	do {
		if (guest_copy(&value, (void *)word, sizeof(value)))
			return -EFAULT;
		if ((value & FUTEX_TID_MASK) != s->control->ids.tid)
			return -EPERM;
	} while (guest_exchange((uint32_t *)word, value, 0) == 1);
	if (value & FUTEX_WAITERS)
		host_call(__NR_futex, word, FUTEX_WAKE | private, 1, 0, 0, 0);
	return 0;
}

bool pi_futex(struct slot *s, const uint64_t a[6], int64_t *ret)
{
	uint32_t op = (uint32_t)a[1], command = op & FUTEX_COMMAND_BITS;
	uint32_t private = op & FUTEX_PRIVATE_FLAG, wait = FUTEX_WAIT_BITSET | private;
	struct timespec64 until;
	int64_t rc = 0;

	if (command != FUTEX_LOCK_PI && command != FUTEX_LOCK_PI2_OP &&
	    command != FUTEX_TRYLOCK_PI && command != FUTEX_UNLOCK_PI)
		return false;
	if (a[0] & 3)
		rc = -EINVAL;
	else if (command == FUTEX_UNLOCK_PI)
		rc = unlock(s, a[0], private);
	else if (a[3] && command != FUTEX_TRYLOCK_PI)
		rc = read_deadline(a[3], &until);
	if (!rc && command != FUTEX_UNLOCK_PI) {
		if (command == FUTEX_LOCK_PI || op & FUTEX_CLOCK_REALTIME)
			wait |= FUTEX_CLOCK_REALTIME;
		rc = lock(s, a[0], wait, a[3] ? &until : NULL, command == FUTEX_TRYLOCK_PI);
	}
	*ret = rc;
	return true;
}
