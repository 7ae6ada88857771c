/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict mode: less of the host within reach of guests, for some speed.
 *
 * Memory calls ask the sentry first. Sleeps, sched_yield and membarrier are its own, there is no
 * rseq. Advice about memory is taken when it gives pages back, mincore sees what can be read, and
 * waiters of a futex are woken where they would have moved to another one: whoever waits must look
 * again anyway.
 */
#include <linux/futex.h>
#include <linux/mman.h>

#include "runtimes/sentry/stub/stub.h"

#define FUTEX_COMMAND_BITS 0x7f

static int64_t wake(uint64_t word, uint32_t op, uint64_t n)
{
	return host_call(__NR_futex, word, FUTEX_WAKE | (op & FUTEX_PRIVATE_FLAG), n, 0, 0, 0);
}

static int64_t requeue(const uint64_t a[6], bool compare)
{
	int32_t n_wake = (int32_t)a[2], n_move = (int32_t)a[3];
	uint32_t value;

	if (n_wake < 0 || n_move < 0 || (a[0] | a[4]) & 3)
		return -EINVAL;
	if (compare) {
		if (guest_copy(&value, (void *)a[0], sizeof(value)))
			return -EFAULT;
		if (value != (uint32_t)a[5])
			return -EAGAIN;
	}
	return wake(a[0], (uint32_t)a[1], ((uint64_t)n_wake + (uint64_t)n_move) & INT32_MAX);
}

static uint32_t operate(uint32_t what, uint32_t old, uint32_t arg)
{
	switch (what) {
	case FUTEX_OP_SET:
		return arg;
	case FUTEX_OP_ADD:
		return old + arg;
	case FUTEX_OP_OR:
		return old | arg;
	case FUTEX_OP_ANDN:
		return old & ~arg;
	default:
		return old ^ arg;
	}
}

static bool holds(uint32_t what, int32_t old, int32_t arg)
{
	switch (what) {
	case FUTEX_OP_CMP_EQ:
		return old == arg;
	case FUTEX_OP_CMP_NE:
		return old != arg;
	case FUTEX_OP_CMP_LT:
		return old < arg;
	case FUTEX_OP_CMP_LE:
		return old <= arg;
	case FUTEX_OP_CMP_GT:
		return old > arg;
	default:
		return old >= arg;
	}
}

/* An operand of twelve bits, with its sign. */
static int32_t operand(uint32_t bits)
{
	return (int32_t)(bits << 20) >> 20;
}

static int64_t wake_op(const uint64_t a[6])
{
	uint32_t how = (uint32_t)a[5], what = how >> 28 & 7, test = how >> 24 & 15, old;
	uint32_t arg = (uint32_t)operand(how >> 12 & 0xfff);
	int64_t woken, more;
	int rc;

	if (how >> 28 & FUTEX_OP_OPARG_SHIFT)
		arg = 1u << (arg & 31);
	if ((a[0] | a[4]) & 3)
		return -EINVAL;
	if (what > FUTEX_OP_XOR || test > FUTEX_OP_CMP_GE)
		return -ENOSYS;
	do {
		if (guest_copy(&old, (void *)a[4], sizeof(old)))
			return -EFAULT;
		rc = guest_exchange((uint32_t *)a[4], old, operate(what, old, arg));
	} while (rc == 1);
	if (rc)
		return -EFAULT;
	woken = wake(a[0], (uint32_t)a[1], a[2]);
	if (woken < 0 || !holds(test, (int32_t)old, operand(how & 0xfff)))
		return woken;
	more = wake(a[4], (uint32_t)a[1], a[3]);
	return more < 0 ? more : woken + more;
}

static bool serve_futex(const uint64_t a[6], int64_t *ret)
{
	switch (a[1] & FUTEX_COMMAND_BITS) {
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
		*ret = host_call(__NR_futex, a[0], a[1], a[2], a[3], a[4], a[5]);
		return true;
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		*ret = requeue(a, (a[1] & FUTEX_COMMAND_BITS) == FUTEX_CMP_REQUEUE);
		return true;
	case FUTEX_WAKE_OP:
		*ret = wake_op(a);
		return true;
	default:
		return false; /* waits, priority inheritance: as ever */
	}
}

static int64_t mincore(uint64_t addr, uint64_t len, uint64_t to)
{
	uint8_t byte, there = 1;

	if (addr % PAGE_BYTES)
		return -EINVAL;
	if (addr >= STUB_GUEST_TOP || len > STUB_GUEST_TOP - addr)
		return -ENOMEM;
	for (uint64_t at = addr; at < addr + len; at += PAGE_BYTES, to++) {
		if (guest_copy(&byte, (void *)at, 1))
			return -ENOMEM;
		if (guest_copy((void *)to, &there, 1))
			return -EFAULT;
	}
	return 0;
}

static int64_t madvise(const uint64_t a[6])
{
	uint64_t end = a[0] + PAGE_UP(a[1]);

	switch ((uint32_t)a[2]) {
	case MADV_DONTNEED:
	case MADV_FREE:
		return host_call(__NR_madvise, a[0], a[1], a[2], 0, 0, 0);
	case MADV_DONTFORK:
		return memory_madvise(a);
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_WILLNEED:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_COLD:
	case MADV_PAGEOUT:
		return a[0] % PAGE_BYTES || end < a[0] ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

bool strict_serve(struct slot *s, struct ucontext *uc, uint32_t nr, const uint64_t a[6],
		  int64_t *ret)
{
	switch (nr) {
	case __NR_futex:
		return serve_futex(a, ret);
	case __NR_mincore:
		*ret = mincore(a[0], a[1], a[2]);
		return true;
	case __NR_rseq:
		*ret = -ENOSYS;
		return true;
	case __NR_munmap:
	case __NR_mremap:
		if (nr == __NR_mremap && a[3] > 7)
			return false;
		if (call_ask(s, uc, nr, a, ret))
			*ret = host_call(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		return true;
	case __NR_madvise:
		if (call_ask(s, uc, nr, a, ret))
			*ret = madvise(a);
		return true;
	case __NR_mmap:
		if (!(a[3] & MAP_ANONYMOUS) || (a[3] & MAP_TYPE) != MAP_PRIVATE)
			return false; /* it comes to the sentry anyway */
		return !call_ask(s, uc, nr, a, ret);
	case __NR_mprotect:
	case __NR_brk:
		return !call_ask(s, uc, nr, a, ret);
	default:
		return false;
	}
}
