/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classic BPF for seccomp: checker and interpreter.
 *
 * The checker lets through what Linux's does (seccomp_check_filter): only forward jumps inside the
 * program, loads of aligned words of struct seccomp_data, no division by a constant 0, memory
 * words that were stored before they are loaded (here they just begin as 0).
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "runtimes/sentry/task/seccomp.h"

/* Instructions of a chain, as Linux bounds it (MAX_INSNS_PER_PATH): each filter costs 4 more. */
#define CHAIN_MAX     32768
#define FILTER_COSTS  4
#define SCRATCH_WORDS BPF_MEMWORDS

struct seccomp_filter {
	uint32_t refs;
	struct seccomp_filter *before; /* a reference; NULL: the first */
	size_t chain_len, len;
	uint64_t ask[STUB_ASK_WORDS]; /* calls that the chain may not let through */
	struct sock_filter code[];
};

static bool is_alu_op(uint16_t op)
{
	switch (op) {
	case BPF_ADD:
	case BPF_SUB:
	case BPF_MUL:
	case BPF_DIV:
	case BPF_AND:
	case BPF_OR:
	case BPF_XOR:
	case BPF_LSH:
	case BPF_RSH:
		return true;
	default:
		return false;
	}
}

static int check_alu(const struct sock_filter *i)
{
	uint16_t op = BPF_OP(i->code);

	if (i->code == (BPF_ALU | BPF_NEG))
		return 0;
	if (!is_alu_op(op) || i->code & ~(0x07 | 0xf0 | 0x08))
		return -EINVAL;
	if (BPF_SRC(i->code) == BPF_X)
		return 0;
	if (op == BPF_DIV && i->k == 0)
		return -EINVAL;
	return (op == BPF_LSH || op == BPF_RSH) && i->k >= 32 ? -EINVAL : 0;
}

static int check_jump(const struct sock_filter *i, size_t left)
{
	switch (i->code) {
	case BPF_JMP | BPF_JA:
		return i->k < left ? 0 : -EINVAL;
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JEQ | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_K:
	case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JSET | BPF_K:
	case BPF_JMP | BPF_JSET | BPF_X:
		return i->jt < left && i->jf < left ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

/* check_one() - @left: instructions that follow. */
static int check_one(const struct sock_filter *i, size_t left)
{
	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return i->k < sizeof(struct seccomp_data) && !(i->k & 3) ? 0 : -EINVAL;
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
		return 0;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return i->k < SCRATCH_WORDS ? 0 : -EINVAL;
	}
	if (BPF_CLASS(i->code) == BPF_ALU)
		return check_alu(i);
	return BPF_CLASS(i->code) == BPF_JMP ? check_jump(i, left) : -EINVAL;
}

static void find_conditions(struct seccomp_filter *f);

int seccomp_create(const struct sock_filter *code, size_t len, struct seccomp_filter *before,
		   struct seccomp_filter **ret)
{
	struct seccomp_filter *f;
	size_t chain = len + (before ? before->chain_len + FILTER_COSTS : 0);

	if (!len || len > BPF_MAXINSNS || BPF_CLASS(code[len - 1].code) != BPF_RET)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (check_one(&code[i], len - 1 - i))
			return -EINVAL;
	if (chain > CHAIN_MAX)
		return -ENOMEM;
	f = xmalloc(sizeof(*f) + len * sizeof(*code));
	f->refs = 1;
	f->before = before;
	f->chain_len = chain;
	f->len = len;
	memcpy(f->code, code, len * sizeof(*code));
	find_conditions(f);
	*ret = f;
	return 0;
}

struct seccomp_filter *seccomp_get(struct seccomp_filter *f)
{
	if (f)
		__atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED);
	return f;
}

void seccomp_put(struct seccomp_filter *f)
{
	while (f && __atomic_fetch_sub(&f->refs, 1, __ATOMIC_ACQ_REL) == 1) {
		struct seccomp_filter *before = f->before;

		free(f);
		f = before;
	}
}

/* --- running -------------------------------------------------------------------------------- */

struct machine {
	const struct seccomp_data *data;
	bool looked; /* at more than number and architecture */
	uint32_t a, x, mem[SCRATCH_WORDS];
};

static uint32_t word_at(struct machine *m, uint32_t offset)
{
	uint32_t w;

	m->looked |= offset >= offsetof(struct seccomp_data, instruction_pointer);
	memcpy(&w, (const char *)m->data + offset, sizeof(w));
	return w;
}

static uint32_t alu(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return b ? a / b : 0;
	case BPF_AND:
		return a & b;
	case BPF_OR:
		return a | b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return b < 32 ? a << b : 0;
	case BPF_RSH:
		return b < 32 ? a >> b : 0;
	default:
		return -a; /* BPF_NEG */
	}
}

static bool jumps(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_JEQ:
		return a == b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	default:
		return a & b; /* BPF_JSET */
	}
}

static void load_store(struct machine *m, const struct sock_filter *i)
{
	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		m->a = word_at(m, i->k);
		break;
	case BPF_LD | BPF_W | BPF_LEN:
		m->a = sizeof(struct seccomp_data);
		break;
	case BPF_LDX | BPF_W | BPF_LEN:
		m->x = sizeof(struct seccomp_data);
		break;
	case BPF_LD | BPF_IMM:
		m->a = i->k;
		break;
	case BPF_LDX | BPF_IMM:
		m->x = i->k;
		break;
	case BPF_LD | BPF_MEM:
		m->a = m->mem[i->k];
		break;
	case BPF_LDX | BPF_MEM:
		m->x = m->mem[i->k];
		break;
	case BPF_ST:
		m->mem[i->k] = m->a;
		break;
	case BPF_STX:
		m->mem[i->k] = m->x;
		break;
	case BPF_MISC | BPF_TAX:
		m->x = m->a;
		break;
	case BPF_MISC | BPF_TXA:
		m->a = m->x;
		break;
	}
}

/* run_one() - *ret_looked: whether other arguments could give another answer. */
static uint32_t run_one(const struct seccomp_filter *f, const struct seccomp_data *d,
			bool *ret_looked)
{
	struct machine m = { .data = d };

	/* Jumps go forward only and the last instruction returns: it ends. */
	for (size_t pc = 0; pc < f->len; pc++) {
		const struct sock_filter *i = &f->code[pc];
		uint32_t b = BPF_SRC(i->code) == BPF_X ? m.x : i->k;

		switch (BPF_CLASS(i->code)) {
		case BPF_RET:
			*ret_looked = m.looked;
			return i->code == (BPF_RET | BPF_A) ? m.a : i->k;
		case BPF_ALU:
			m.a = alu(BPF_OP(i->code), m.a, b);
			break;
		case BPF_JMP:
			if (BPF_OP(i->code) == BPF_JA)
				pc += i->k;
			else
				pc += jumps(BPF_OP(i->code), m.a, b) ? i->jt : i->jf;
			break;
		default:
			load_store(&m, i);
		}
	}
	*ret_looked = m.looked;
	return SECCOMP_RET_KILL_PROCESS;
}

/* find_conditions() - each call that @f or those before it do not always let through. */
static void find_conditions(struct seccomp_filter *f)
{
	struct seccomp_data d = { .arch = AUDIT_ARCH_X86_64 };
	bool looked;

	if (f->before)
		memcpy(f->ask, f->before->ask, sizeof(f->ask));
	else
		memset(f->ask, 0, sizeof(f->ask));
	for (d.nr = 0; d.nr < STUB_ASK_WORDS * 64; d.nr++)
		if (run_one(f, &d, &looked) != SECCOMP_RET_ALLOW || looked)
			f->ask[d.nr / 64] |= 1ull << d.nr % 64;
}

const uint64_t *seccomp_ask(const struct seccomp_filter *f)
{
	return f->ask;
}

uint32_t seccomp_run(const struct seccomp_filter *f, const struct stub_call *c)
{
	struct seccomp_data d = { .nr = (int)c->nr,
				  .arch = AUDIT_ARCH_X86_64,
				  .instruction_pointer = c->ip };
	uint32_t strictest = SECCOMP_RET_ALLOW;
	bool looked;

	for (int i = 0; i < 6; i++)
		d.args[i] = c->args[i];
	for (; f; f = f->before) {
		uint32_t r = run_one(f, &d, &looked);

		/* Actions are ordered as signed numbers: kill is the lowest. */
		if ((int32_t)(r & SECCOMP_RET_ACTION_FULL) <
		    (int32_t)(strictest & SECCOMP_RET_ACTION_FULL))
			strictest = r;
	}
	return strictest;
}
