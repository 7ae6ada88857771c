/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp filter of stubs, from one table.
 *
 * Calls that touch nothing but the process' own memory are let through wherever they stand, so
 * that they cost what they cost natively.  Calls whose meaning the stub must bend (numbers of
 * threads, signals, descriptors) are let through only at the stub's own instructions: a guest
 * that jumps there can do with them what the table says and no more.
 */
#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/seccomp.h>

#include "runtimes/sentry/platform/abi.h"
#include "runtimes/sentry/platform/filter.h"

/* Values of host headers, spelled out because the stub has no libc. */
#define PRIVATE_ANONYMOUS 0x22u
/* FIXED, NORESERVE, STACK, FIXED_NOREPLACE, POPULATE, DENYWRITE, EXECUTABLE, 32BIT */
#define MMAP_ANON_MASK (~0x12d850u)
/* SHARED or PRIVATE, FIXED, NORESERVE, POPULATE, FIXED_NOREPLACE, DENYWRITE, EXECUTABLE */
#define MMAP_FILE_MASK (~0x10d813u)
#define PROT_RW_MASK   (~3u)
#define PROT_RWX_MASK  (~7u)
/* NORMAL RANDOM SEQUENTIAL WILLNEED DONTNEED FREE HUGEPAGE.. KEEPONFORK COLD POPULATE_* */
#define MADVISE_LIST  0x00dfc11fu
#define MADV_DONTFORK 10u
/* WAKE REQUEUE CMP_REQUEUE WAKE_OP WAKE_BITSET */
#define FUTEX_WAKE_LIST 0x43au
#define FUTEX_WAIT_LIST 0x201u
/* WAKE WAKE_BITSET */
#define FUTEX_PLAIN_WAKE_LIST 0x402u
/* DONTNEED FREE */
#define MADVISE_GIVE_LIST 0x110u
#define FUTEX_COMMAND	  0x7fu /* without PRIVATE, CLOCK_REALTIME */
#define DISPATCH	  59u	/* PR_SET_SYSCALL_USER_DISPATCH */
#define CLONE_FORK	  0x11u
#define CLONE_VFORKED	  0x4111u
#define CLONE_THREADED	  0xd0f00u

#define IS(a, v)                                                             \
	{                                                                    \
		.arg = (a), .test = FILTER_MASKED, .mask = ~0u, .value = (v) \
	}
#define MASKED(a, m, v)                                                      \
	{                                                                    \
		.arg = (a), .test = FILTER_MASKED, .mask = (m), .value = (v) \
	}
#define LISTED(a, m, l)                                                      \
	{                                                                    \
		.arg = (a), .test = FILTER_LISTED, .mask = (m), .value = (l) \
	}
#define AT_MOST(a, v)                                            \
	{                                                        \
		.arg = (a), .test = FILTER_AT_MOST, .value = (v) \
	}

#define ROW(n, f, m, w, ...)                                                                   \
	{                                                                                      \
		.nr = __NR_##n, .from = FILTER_##f, .modes = FILTER_##m, .name = #n, .why = w, \
		.checks = {                                                                    \
			__VA_ARGS__                                                            \
		}                                                                              \
	}

/* clang-format off */
const struct filter_row filter_rows[] = {
	ROW(futex, GUEST, DEFAULT, "wake, requeue", LISTED(1, FUTEX_COMMAND, FUTEX_WAKE_LIST)),
	ROW(futex, STUB, STRICT, "wake", LISTED(1, FUTEX_COMMAND, FUTEX_PLAIN_WAKE_LIST)),
	ROW(futex, STUB, BOTH, "wait", LISTED(1, FUTEX_COMMAND, FUTEX_WAIT_LIST)),
	ROW(rt_sigreturn, STUB, BOTH, "back from a handler of the stub"),
	ROW(sched_yield, GUEST, DEFAULT, "give the CPU away"),
	ROW(munmap, GUEST, DEFAULT, "own memory"),
	ROW(munmap, STUB, STRICT, "own memory"),
	ROW(mremap, GUEST, DEFAULT, "own memory", AT_MOST(3, 7)),
	ROW(mremap, STUB, STRICT, "own memory", AT_MOST(3, 7)),
	ROW(mprotect, GUEST, DEFAULT, "own memory, not executable", MASKED(2, PROT_RW_MASK, 0)),
	ROW(mprotect, STUB, BOTH, "own memory", MASKED(2, PROT_RWX_MASK, 0)),
	ROW(mmap, GUEST, DEFAULT, "private anonymous memory, not executable",
	    MASKED(3, MMAP_ANON_MASK, PRIVATE_ANONYMOUS), MASKED(2, PROT_RW_MASK, 0)),
	ROW(mmap, STUB, BOTH, "private anonymous memory",
	    MASKED(3, MMAP_ANON_MASK, PRIVATE_ANONYMOUS), MASKED(2, PROT_RWX_MASK, 0)),
	ROW(mmap, STUB, BOTH, "a descriptor that the sentry has put in",
	    MASKED(3, MMAP_FILE_MASK, 0), MASKED(2, PROT_RWX_MASK, 0), AT_MOST(4, STUB_FD_COUNT - 1)),
	ROW(madvise, GUEST, DEFAULT, "own memory", LISTED(2, ~0u, MADVISE_LIST)),
	ROW(madvise, STUB, STRICT, "give pages back", LISTED(2, ~0u, MADVISE_GIVE_LIST)),
	ROW(madvise, STUB, BOTH, "the channel is not for children", IS(2, MADV_DONTFORK)),
	ROW(mincore, GUEST, DEFAULT, "own memory"),
	ROW(clock_nanosleep, STUB, DEFAULT, "sleep", LISTED(0, ~0u, 0x83)),
	ROW(clock_gettime, STUB, BOTH, "clocks without a user-space answer", AT_MOST(0, 11)),
	ROW(arch_prctl, GUEST, DEFAULT, "FS base", MASKED(0, ~1u, 0x1002)),
	ROW(arch_prctl, STUB, BOTH, "FS and GS base", MASKED(0, ~7u, 0x1000)),
	ROW(rseq, GUEST, DEFAULT, "restartable sequences of a thread"),
	ROW(membarrier, GUEST, DEFAULT, "barriers among own threads",
	    MASKED(0, ~0x78u, 0), MASKED(1, ~0u, 0)),
	ROW(clone, STUB, BOTH, "fork", IS(0, CLONE_FORK)),
	ROW(clone, STUB, BOTH, "vfork", IS(0, CLONE_VFORKED)),
	ROW(clone, STUB, BOTH, "thread", IS(0, CLONE_THREADED)),
	ROW(set_tid_address, STUB, BOTH, "word that a thread's end clears"),
	ROW(prctl, STUB, DEFAULT, "calls of guest code trap, all of them", IS(0, DISPATCH), IS(1, 1),
	    IS(4, 0)),
	ROW(close, STUB, BOTH, "a descriptor that has been mapped", AT_MOST(0, STUB_FD_COUNT - 1)),
	ROW(exit, STUB, BOTH, "end of a thread"),
	ROW(exit_group, STUB, BOTH, "end of a process"),
	{ .nr = STUB_RESERVED_CALL, .from = FILTER_STUB, .modes = FILTER_BOTH, .to_sentry = 1,
	  .name = "(reserved)", .why = "adoption, descriptors" },
};
/* clang-format on */
const size_t filter_n_rows = sizeof(filter_rows) / sizeof(filter_rows[0]);

static bool passes(const struct filter_check *c, uint64_t arg)
{
	uint32_t value = (uint32_t)arg;

	switch (c->test) {
	case FILTER_MASKED:
		return (value & c->mask) == c->value;
	case FILTER_AT_MOST:
		return value <= c->value;
	default:
		value &= c->mask;
		return value < 32 && c->value & 1u << value;
	}
}

static bool row_passes(const struct filter_row *r, const uint64_t args[6])
{
	for (size_t i = 0; i < FILTER_MAX_CHECKS && r->checks[i].test; i++)
		if (!passes(&r->checks[i], args[r->checks[i].arg]))
			return false;
	return true;
}

bool filter_lets(enum filter_mode mode, enum filter_from from, uint32_t nr, const uint64_t args[6])
{
	for (size_t i = 0; i < filter_n_rows; i++)
		if (filter_rows[i].nr == nr && filter_rows[i].from <= from &&
		    filter_rows[i].modes & mode && row_passes(&filter_rows[i], args))
			return true;
	return false;
}

bool filter_has(enum filter_mode mode, enum filter_from from, uint32_t nr)
{
	for (size_t i = 0; i < filter_n_rows; i++)
		if (filter_rows[i].nr == nr && filter_rows[i].from <= from &&
		    filter_rows[i].modes & mode)
			return true;
	return false;
}

#define FAIL 0xff /* a jump to the end of the row, patched there */

struct builder {
	struct sock_filter *out;
	size_t size, n;
	uint64_t begin, end;
};

static void emit(struct builder *b, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (b->n < b->size)
		b->out[b->n] = (struct sock_filter){ code, jt, jf, k };
	b->n++;
}

static void load(struct builder *b, size_t offset)
{
	emit(b, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void emit_check(struct builder *b, const struct filter_check *c)
{
	load(b, offsetof(struct seccomp_data, args) + c->arg * sizeof(uint64_t));
	if (c->test != FILTER_AT_MOST && c->mask != ~0u)
		emit(b, BPF_ALU | BPF_AND | BPF_K, c->mask, 0, 0);
	switch (c->test) {
	case FILTER_MASKED:
		emit(b, BPF_JMP | BPF_JEQ | BPF_K, c->value, 0, FAIL);
		break;
	case FILTER_AT_MOST:
		emit(b, BPF_JMP | BPF_JGT | BPF_K, c->value, FAIL, 0);
		break;
	case FILTER_LISTED:
		emit(b, BPF_JMP | BPF_JGE | BPF_K, 32, FAIL, 0);
		emit(b, BPF_MISC | BPF_TAX, 0, 0, 0);
		emit(b, BPF_LD | BPF_IMM, 1, 0, 0);
		emit(b, BPF_ALU | BPF_LSH | BPF_X, 0, 0, 0);
		emit(b, BPF_JMP | BPF_JSET | BPF_K, c->value, 0, FAIL);
		break;
	}
}

/* The address that seccomp shows stands behind the instruction. */
static void emit_from_stub(struct builder *b)
{
	load(b, offsetof(struct seccomp_data, instruction_pointer) + 4);
	emit(b, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(b->begin >> 32), 0, FAIL);
	load(b, offsetof(struct seccomp_data, instruction_pointer));
	emit(b, BPF_JMP | BPF_JGT | BPF_K, (uint32_t)b->begin, 0, FAIL);
	emit(b, BPF_JMP | BPF_JGT | BPF_K, (uint32_t)b->end, FAIL, 0);
}

static void emit_row(struct builder *b, const struct filter_row *r)
{
	size_t first = b->n;

	if (r->from == FILTER_STUB)
		emit_from_stub(b);
	for (size_t i = 0; i < FILTER_MAX_CHECKS && r->checks[i].test; i++)
		emit_check(b, &r->checks[i]);
	emit(b, BPF_RET | BPF_K, r->to_sentry ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW, 0, 0);
	for (size_t i = first; i < b->n && i < b->size; i++) {
		struct sock_filter *f = &b->out[i];

		if (f->jt == FAIL)
			f->jt = (uint8_t)(b->n - i - 1);
		if (f->jf == FAIL)
			f->jf = (uint8_t)(b->n - i - 1);
	}
}

size_t filter_build(enum filter_mode mode, struct sock_filter *out, size_t size, uint64_t begin,
		    uint64_t end)
{
	struct builder b = { .out = out, .size = size, .begin = begin, .end = end };

	load(&b, offsetof(struct seccomp_data, arch));
	emit(&b, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	emit(&b, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
	load(&b, offsetof(struct seccomp_data, nr));
	for (size_t i = 0, next; i < filter_n_rows; i = next) {
		size_t jump = b.n;

		emit(&b, BPF_JMP | BPF_JEQ | BPF_K, filter_rows[i].nr, 0, 0);
		for (next = i; next < filter_n_rows && filter_rows[next].nr == filter_rows[i].nr;
		     next++)
			if (filter_rows[next].modes & mode)
				emit_row(&b, &filter_rows[next]);
		emit(&b, BPF_RET | BPF_K, SECCOMP_RET_TRAP, 0, 0);
		if (jump < size)
			out[jump].jf = (uint8_t)(b.n - jump - 1);
	}
	emit(&b, BPF_RET | BPF_K, SECCOMP_RET_TRAP, 0, 0);
	return b.n <= size ? b.n : 0;
}
