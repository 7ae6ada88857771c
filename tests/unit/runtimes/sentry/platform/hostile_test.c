/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that turns on its stub: it may die, nobody else.
 *
 * The guest learns where the stub is (a real one could search), then jumps to each of the stub's
 * system call instructions with registers of its choice, writes anything into its channel while the
 * sentry reads it, remaps the stub, makes processes behind the sentry's back.  After each
 * attack a decent guest must run as if nothing had been, and no serving thread may be left over.
 */
#include <dirent.h>

#include "tests/unit/runtimes/sentry/platform/guest.h"

enum { SEEDS = 40, JUMPERS = 150, JUMPS = 60, WRITES = 400 };

#define AREA  30 /* where the stub is; told by the test */
#define GO    31
#define TRIED 32

#define IMAGE_AT(area)	 ((area) + (long)STUB_IMAGE_OFFSET)
#define CALLS_BYTES	 900 /* they take less than 1 KiB */
#define CHANNEL_AT(area) ((volatile uint8_t *)((area) + (long)STUB_CHANNEL_OFFSET))

GUEST static unsigned long next(unsigned long *seed)
{
	*seed = *seed * 6364136223846793005ul + 1442695040888963407ul;
	return *seed >> 24;
}

GUEST static long await_go(void)
{
	while (!guest_data[GO])
		__asm__ volatile("pause");
	return guest_data[AREA];
}

/* A value that may be worth something to a system call of the host. */
GUEST static long interesting(unsigned long *seed, long area)
{
	switch (next(seed) % 12) {
	case 0:
		return 0;
	case 1:
		return 1;
	case 2:
		return -1;
	case 3:
		return IMAGE_AT(area) + (long)(next(seed) % 0x8000);
	case 4:
		return area + (long)STUB_CHANNEL_OFFSET + (long)(next(seed) % 8192);
	case 5:
		return IMAGE_AT(area) - (long)(next(seed) % 65536);
	case 6:
		return 4096;
	case 7:
		return 0x22;
	case 8:
		return 0x11;
	case 9:
		return (long)TOY_DATA;
	case 10:
		return 7;
	default:
		return (long)next(seed);
	}
}

/* Numbers that the filter knows, but for clone: that has its own attack. */
GUEST static long a_number(unsigned long *seed)
{
	switch (next(seed) % 14) {
	case 0:
		return SYS_mmap;
	case 1:
		return SYS_mprotect;
	case 2:
		return SYS_munmap;
	case 3:
		return SYS_mremap;
	case 4:
		return SYS_madvise;
	case 5:
		return SYS_close;
	case 6:
		return SYS_sigaltstack;
	case 7:
		return SYS_set_tid_address;
	case 8:
		return SYS_arch_prctl;
	case 9:
	case 10:
		return STUB_RESERVED_CALL;
	case 11:
		return SYS_rseq;
	case 12:
		return SYS_clock_gettime;
	default:
		return (long)(next(seed) % 450);
	}
}

/* jump() - to @site with @r in the registers of a call; comes back where a `ret` follows. */
GUEST static long jump(long site, const volatile long r[7])
{
	long rc;

	__asm__ volatile("mov 32(%2), %%r10\n mov 40(%2), %%r8\n mov 48(%2), %%r9\n"
			 "mov 8(%2), %%rdi\n mov 16(%2), %%rsi\n mov 24(%2), %%rdx\n"
			 "mov (%2), %%rax\n call *%1\n"
			 : "=&a"(rc)
			 : "b"(site), "r"(r)
			 : "rcx", "r11", "r10", "r8", "r9", "rdi", "rsi", "rdx", "memory");
	return rc;
}

GUEST static int is_syscall(const volatile uint8_t *p)
{
	return p[0] == 0x0f && p[1] == 0x05;
}

/*
 * One of the stub's system call instructions, as an offset from its image. They stand together; the
 * first is followed by a `ret`.
 */
GUEST static long a_site(unsigned long *seed, long area)
{
	const volatile uint8_t *image = (const volatile uint8_t *)IMAGE_AT(area);
	long first = 0, offset = 0;

	while (!is_syscall(image + first) || image[first + 2] != 0xc3)
		first++;
	for (unsigned long n = 1 + next(seed) % 12; n > 0; n--) {
		do {
			offset = (offset + 1) % CALLS_BYTES;
		} while (!is_syscall(image + first + offset));
	}
	return first + offset;
}

GUEST static void jumper(long n)
{
	unsigned long seed = (unsigned long)n + 1;
	long area = await_go();

	for (int i = 0; i < JUMPS; i++) {
		long offset = a_site(&seed, area);
		volatile long r[7];

		r[0] = a_number(&seed);
		for (int k = 1; k < 7; k++)
			r[k] = interesting(&seed, area);
		if (r[0] == SYS_futex || r[0] == SYS_clock_nanosleep || r[0] == SYS_clone)
			continue; /* would only sleep, or breed */
		if (r[0] == STUB_RESERVED_CALL && r[1] == STUB_RESERVED_ORDER)
			r[1] = STUB_RESERVED_ADOPT;
		guest_data[TRIED]++;
		jump(IMAGE_AT(area) + offset, r);
	}
	guest_exit(0);
}

/* Anything into the channel, and ring the bell. */
GUEST static void scribbler(long n)
{
	unsigned long seed = (unsigned long)n + 1;
	long area = await_go();
	volatile uint8_t *page = CHANNEL_AT(area);
	volatile struct channel_control *c = (volatile struct channel_control *)page;

	for (int i = 0; i < WRITES; i++) {
		for (int k = 0; k < 40; k++)
			page[next(&seed) % 1024] = (uint8_t)next(&seed);
		for (int k = 0; k < 40; k++)
			page[CHANNEL_AHEAD_OFFSET + next(&seed) % 1100] = (uint8_t)next(&seed);
		if (n & 1) /* a request that looks like one */
			c->kind = (uint32_t)(next(&seed) % 8);
		if (n & 2)
			c->nr = (uint32_t)(next(&seed) % 2 ? SYS_clone
							   : TOY_LEASE + next(&seed) % 2);
		c->request++;
		guest_data[TRIED]++;
		guest_call(SYS_futex, (long)&c->request, 1, 1, 0, 0, 0);
	}
	guest_exit(0);
}

/* Takes its stub to pieces, in an order of its own. */
GUEST static void wrecker(long n)
{
	unsigned long seed = (unsigned long)n + 1;
	long area = await_go();

	for (int i = 0; i < 20; i++) {
		long at = area + (long)(next(&seed) % (1u << 30)) / 4096 * 4096;
		long len = (long)(next(&seed) % 64) * 4096;

		if (next(&seed) % 4 == 0)
			at = area + (long)STUB_CHANNEL_OFFSET;
		guest_data[TRIED]++;
		switch (next(&seed) % 4) {
		case 0:
			guest_call(SYS_munmap, at, len, 0, 0, 0, 0);
			break;
		case 1:
			guest_call(SYS_mprotect, at, len, (long)(next(&seed) % 4), 0, 0, 0);
			break;
		case 2:
			guest_call(SYS_mmap, at, len, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				   -1, 0);
			break;
		default:
			guest_call(SYS_mremap, at, len, len * 2, 1, 0, 0);
		}
		guest_call(TOY_NOP, 0, 0, 0, 0, 0, 0);
	}
	guest_exit(0);
}

/* Processes that the sentry has not prepared, with the memory and words of their parent. */
GUEST static void breeder(long n)
{
	long area = await_go(), offset = 0;
	volatile long r[7];

	while (!is_syscall((volatile uint8_t *)IMAGE_AT(area) + offset))
		offset++;
	/* the first one found is the plain call: mov number into place by hand */
	r[0] = SYS_clone;
	r[1] = n & 1 ? 0x4111 : 0x11;
	for (int k = 2; k < 7; k++)
		r[k] = 0;
	for (int i = 0; i < 3; i++) {
		guest_data[TRIED]++;
		if (jump(IMAGE_AT(area) + offset, r) == 0) {
			volatile struct channel_control *c =
				(volatile struct channel_control *)CHANNEL_AT(area);

			/* the child: no channel of its own, so it tries its parent's */
			c->request++;
			guest_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
			guest_exit(1);
		}
	}
	guest_exit(0);
}

/*
 * A child that nobody prepared shows the number of one that was: it must get nothing. The number
 * stands in the parent's channel, which is not the child's to see; the parent tells it.
 */
GUEST static void impostor(long unused)
{
	long area = await_go(), offset = 0, pid;
	volatile struct channel_control *c = (volatile struct channel_control *)CHANNEL_AT(area);
	volatile long r[7];
	unsigned long cookie;

	(void)unused;
	while (!is_syscall((volatile uint8_t *)IMAGE_AT(area) + offset))
		offset++;
	pid = guest_call(SYS_fork, 0, 0, 0, 0, 0, 0);
	if (!pid)
		guest_exit(0);
	cookie = c->cookie;
	guest_call(SYS_wait4, pid, 0, 0, 0, 0, 0);
	r[0] = SYS_clone;
	r[1] = 0x11;
	for (int k = 2; k < 7; k++)
		r[k] = 0;
	if (jump(IMAGE_AT(area) + offset, r) == 0) {
		r[0] = STUB_RESERVED_CALL;
		r[1] = STUB_RESERVED_ADOPT;
		r[2] = (long)cookie;
		guest_data[40] = jump(IMAGE_AT(area) + offset, r);
		r[1] = STUB_RESERVED_FETCH;
		guest_data[41] = jump(IMAGE_AT(area) + offset, r);
		r[1] = STUB_RESERVED_ADOPT;
		r[2] = (long)cookie + 1;
		guest_data[42] = jump(IMAGE_AT(area) + offset, r);
		guest_data[43] = 1;
		/* its parent's channel is not there: this is its end */
		guest_data[44] = (long)c->request + 1;
		guest_data[45] = 1;
	}
	while (!guest_data[43])
		__asm__ volatile("pause");
	guest_data[TRIED]++;
	guest_exit(0);
}

static int serving_threads(void)
{
	DIR *d = opendir("/proc/self/task");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Says of a thread that sleeps in the sentry that it has made its last call. */
GUEST static void scribble_kind(long area)
{
	volatile struct channel_control *c = (volatile struct channel_control *)CHANNEL_AT(area);

	for (;;) {
		c->kind = CHANNEL_LAST_CALL;
		guest_data[TRIED] = 1;
	}
}

GUEST static void liar(long unused)
{
	long area = await_go();

	(void)unused;
	guest_thread(scribble_kind, area, (volatile int *)&guest_data[64]);
	for (;;)
		guest_call(TOY_BLOCK, ERESTARTNOHAND, 0, 0, 0, 0, 0);
}

static long tried; /* hostile acts that the last attack came to */

/* attack() - Return: how many of the guests ended in any way within the time. */
static int attack(void (*fn)(long), int seeds)
{
	int ended = 0;

	tried = 0;
	for (int i = 0; i < seeds; i++) {
		struct toy_process *p;
		uint64_t start, end;

		memset(toy.data, 0, TOY_BYTES);
		p = toy_begin(fn, i);
		if (!p)
			return ended;
		stub_area(p->stub, &start, &end);
		toy_data[AREA] = (long)start;
		toy_data[GO] = 1;
		/* one that hangs, because it has broken its own channel, must still die when told
		 */
		for (int k = 0; k < 300 && !p->died; k++)
			usleep(1000);
		toy_kill(p);
		toy_end(p);
		tried += toy_data[TRIED];
		ended++;
	}
	return ended;
}

GUEST static void decent(long unused)
{
	long pid;

	(void)unused;
	pid = guest_call(SYS_fork, 0, 0, 0, 0, 0, 0);
	if (!pid)
		guest_exit(0);
	guest_data[0] = guest_call(SYS_wait4, pid, 0, 0, 0, 0, 0) == pid;
	guest_exit(7);
}

static void others_live(const char *after)
{
	printf("# %ld acts\n", tried);
	ok(toy_run(decent, 0) == 7 && toy_data[0] == 1, "a decent guest runs %s", after);
}

int main(void)
{
	int before;

	if (!toy_start())
		return tap_done();
	others_live("first");
	before = serving_threads();
	is_int(attack(jumper, JUMPERS), JUMPERS, "jumps to the stub's calls with any registers");
	ok(tried > SEEDS, "they were made");
	others_live("after the jumps");
	is_int(attack(scribbler, SEEDS), SEEDS, "anything written into the channel");
	ok(tried > SEEDS, "it was written");
	others_live("after the scribbling");
	is_int(attack(wrecker, SEEDS), SEEDS, "stubs taken to pieces");
	others_live("after the wrecking");
	is_int(attack(breeder, 4), 4, "children behind the sentry's back");
	others_live("after the breeding");
	is_int(attack(liar, 4), 4, "a sleeping thread that seems to have made its last call");
	is_int(tried, 4, "that was written");
	is_int(attack(impostor, 1), 1, "a child that shows another's number");
	ok(tried == 1 && toy_data[43], "it asked");
	ok(toy_data[40] == -EPERM && toy_data[42] == -EPERM, "no channel is given for one used");
	is_int(toy_data[41], -EPERM, "nor descriptors");
	is_int(toy_data[45], 0, "and it has not its parent's");
	others_live("after the impostor");
	/* idle ones are kept, at most eight */
	ok(serving_threads() <= before + 10, "no serving thread is left over");
	toy_stop();
	return tap_done();
}
