/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict mode: what goes to the sentry, what is done without the host, what the host refuses.
 */
#include <linux/futex.h>

#include "runtimes/sentry/platform/filter.h"
#include "tests/unit/runtimes/sentry/platform/guest.h"

#define AREA 30 /* where the stub is; told by the test */
#define GO   31

GUEST static void memory(long unused)
{
	long a = guest_call(SYS_mmap, 0, 65536, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile unsigned char vector[16];

	(void)unused;
	*(volatile long *)a = 5;
	guest_data[0] = *(volatile long *)a;
	guest_data[1] = guest_call(SYS_mprotect, a, 4096, 1, 0, 0, 0);
	guest_data[2] = guest_call(SYS_mremap, a, 65536, 4096, 1, 0, 0) == a;
	guest_data[3] = guest_call(SYS_madvise, a, 4096, MADV_SEQUENTIAL, 0, 0, 0);
	guest_data[4] = guest_call(SYS_madvise, a, 4096, 100, 0, 0, 0);
	guest_call(SYS_madvise, a, 4096, MADV_DONTNEED, 0, 0, 0);
	guest_data[5] = *(volatile long *)a;
	guest_data[6] = guest_call(SYS_mincore, a, 4096, (long)vector, 0, 0, 0);
	guest_data[7] = guest_call(SYS_munmap, a, 4096, 0, 0, 0, 0);
	guest_data[8] = guest_call(SYS_mincore, a, 4096, (long)vector, 0, 0, 0);
	guest_data[9] = guest_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	guest_data[10] = guest_call(SYS_rseq, 0, 0, 0, 0, 0, 0);
	a = guest_call(SYS_mmap, 0, 4096, 3, MAP_SHARED, 5, 0);
	guest_data[11] = a > 0 ? (long)((volatile long *)a)[0] : a;
	guest_exit(0);
}

static void calls(void)
{
	long before = toy.checks;

	is_int(toy_run(memory, 0), 0, "a guest of the strict mode");
	is_int(toy_data[0], 5, "has memory");
	is_int(toy_data[1], 0, "can protect it");
	is_int(toy_data[2], 1, "make it smaller");
	ok(toy_data[3] == 0 && toy_data[4] == -EINVAL, "give advice about it");
	is_int(toy_data[5], 0, "give it back");
	is_int(toy_data[6], 0, "look for it");
	is_int(toy_data[7], 0, "unmap it");
	is_int(toy_data[8], -ENOMEM, "and see that it is gone");
	ok(toy.checks - before >= 7, "the sentry was asked each time");
	is_int(toy_data[9], -ENOSYS, "sched_yield is the sentry's, which the toy's does not know");
	is_int(toy_data[10], -ENOSYS, "there is no rseq");
	is_int(toy_data[11], 5, "files are mapped");
	toy.forbidden = SYS_munmap;
	toy_run(memory, 0);
	is_int(toy_data[7], -EPERM, "what the sentry forbids is not done");
	toy.forbidden = 0;
}

/* --- futexes ------------------------------------------------------------------------------------
 */

#define FIRST  20
#define SECOND 21
#define ASLEEP 22
#define AWAKE  23

GUEST static void sleeper(long unused)
{
	(void)unused;
	__atomic_fetch_add(&guest_data[ASLEEP], 1, __ATOMIC_SEQ_CST);
	while (!guest_data[FIRST])
		guest_call(SYS_futex, (long)&guest_data[FIRST], FUTEX_WAIT, 0, 0, 0, 0);
	__atomic_fetch_add(&guest_data[AWAKE], 1, __ATOMIC_SEQ_CST);
}

/* Sleepers that are to move to a second word are awake instead: each finds that it may go. */
GUEST static void requeues(long unused)
{
	volatile int *words = (volatile int *)&guest_data[64];
	long first = (long)&guest_data[FIRST], second = (long)&guest_data[SECOND];

	(void)unused;
	for (int i = 0; i < 3; i++)
		guest_thread(sleeper, 0, &words[i]);
	while (guest_data[ASLEEP] != 3)
		__asm__ volatile("pause");
	guest_data[1] = guest_call(SYS_futex, first, FUTEX_CMP_REQUEUE, 1, 9, second, 7);
	guest_data[FIRST] = 1;
	guest_call(SYS_futex, first, FUTEX_CMP_REQUEUE, 1, 9, second, 1);
	for (int i = 0; i < 3; i++)
		guest_join(&words[i]);
	guest_data[SECOND] = 0x30;
	guest_data[2] = guest_call(SYS_futex, first, FUTEX_WAKE_OP, 1, 1, second,
				   FUTEX_OP(FUTEX_OP_OR, 5, FUTEX_OP_CMP_EQ, 1));
	guest_data[3] = guest_data[SECOND];
	guest_data[4] = guest_call(SYS_futex, first, FUTEX_WAKE_OP, 1, 1, second,
				   FUTEX_OP(FUTEX_OP_ADD, -1, FUTEX_OP_CMP_LT, 1));
	guest_data[5] = guest_data[SECOND];
	guest_data[6] = guest_call(SYS_futex, first, FUTEX_WAKE_OP, 1, 1, 8, 0);
	guest_data[7] = guest_call(SYS_futex, first + 1, FUTEX_REQUEUE, 1, 1, second, 0);
	guest_exit(0);
}

static void futexes(void)
{
	is_int(toy_run(requeues, 0), 0, "futexes that the host does not serve");
	is_int(toy_data[1], -EAGAIN, "the word is compared");
	is_int(toy_data[AWAKE], 3, "all sleepers come out");
	ok(toy_data[2] == 0 && toy_data[3] == 0x35, "a word is changed with a wake-up");
	ok(toy_data[4] == 0 && toy_data[5] == 0x34, "by a negative number too");
	is_int(toy_data[6], -EFAULT, "one that is not there");
	is_int(toy_data[7], -EINVAL, "one that is no word");
}

/* --- hot sites, and hostile guests --------------------------------------------------------------
 */

GUEST static void many(long n)
{
	for (long i = 0; i < n; i++) {
		long a = guest_call(SYS_mmap, 0, 8192, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		*(volatile long *)a = i;
		if (guest_call(SYS_munmap, a, 8192, 0, 0, 0, 0))
			guest_data[1]++;
		if (guest_call(SYS_fork, 0, 0, 0, 0, 0, 0) == 0)
			guest_exit(0);
		guest_call(SYS_wait4, -1, 0, 0, 0, 0, 0);
	}
	guest_exit(0);
}

/* What the strict mode has not, asked for by the stub's own instruction. */
GUEST static void reach(long nr)
{
	long area, rc;
	volatile uint8_t *p;

	while (!guest_data[GO])
		__asm__ volatile("pause");
	area = guest_data[AREA];
	p = (volatile uint8_t *)(area + (long)STUB_IMAGE_OFFSET);
	while (p[0] != 0x0f || p[1] != 0x05 || p[2] != 0xc3)
		p++;
	guest_data[2] = 1;
	__asm__ volatile("call *%1"
			 : "=a"(rc)
			 : "b"(p), "a"(nr), "D"(0L), "S"(0L), "d"(0L)
			 : "rcx", "r11", "memory");
	guest_data[3] = 1;
	guest_exit(0);
}

static void unreachable(int nr, const char *name)
{
	struct toy_process *p;
	uint64_t start, end;

	memset(toy.data, 0, TOY_BYTES);
	p = toy_begin(reach, nr);
	stub_area(p->stub, &start, &end);
	toy_data[AREA] = (long)start;
	toy_data[GO] = 1;
	toy_end(p);
	ok(toy_data[2] && !toy_data[3], "%s of the host is the end of whoever tries", name);
}

int main(void)
{
	toy.strict = true;
	if (!toy_start())
		return tap_done();
	calls();
	futexes();
	is_int(toy_run(many, 100), 0, "calls and forks again and again");
	is_int(toy_data[1], 0, "all are right");
	unreachable(SYS_sched_yield, "sched_yield");
	unreachable(SYS_mincore, "mincore");
	unreachable(SYS_membarrier, "membarrier");
	unreachable(SYS_rseq, "rseq");
	unreachable(SYS_clock_nanosleep, "clock_nanosleep");
	unreachable(SYS_prctl, "prctl");
	for (size_t i = 0; i < filter_n_rows; i++)
		if (filter_rows[i].modes & FILTER_STRICT && filter_rows[i].from == FILTER_GUEST)
			ok(false, "%s is let through where it stands", filter_rows[i].name);
	toy_stop();
	return tap_done();
}
