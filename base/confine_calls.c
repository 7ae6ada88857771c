/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters of system calls from a table of what is allowed.
 *
 * The numbers are cut into spans that are treated alike, and the program finds the span by halving:
 * the kernel runs it once for each number when it is loaded, to see which calls it need not ask
 * about again.  libseccomp would do it too: it takes a millisecond and 200 KiB of memory, in each
 * process of each pod, for tables that are known when this is compiled.
 */
#include "base/confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

#define CALLS_MAX 160
#define JUMP_MAX  255

/* From this number to that of the next span. */
struct span {
	uint32_t from;
	const struct allowed_call *const *calls; /* each lets through what its checks say */
	size_t n;				 /* 0: not allowed */
};

struct builder {
	const struct allowed_call *sorted[CALLS_MAX];
	struct span spans[2 * CALLS_MAX + 1];
	size_t n_spans;
	uint32_t otherwise;
	struct sock_filter *out;
	size_t n;
	bool too_big;
};

static size_t emit(struct builder *b, uint16_t code, uint32_t k, size_t jt, size_t jf)
{
	if (b->n == CONFINE_FILTER_MAX || jt > JUMP_MAX || jf > JUMP_MAX) {
		b->too_big = true;
		return 0;
	}
	b->out[b->n] = (struct sock_filter){ code, (uint8_t)jt, (uint8_t)jf, k };
	return b->n++;
}

static void load(struct builder *b, size_t offset)
{
	emit(b, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void give(struct builder *b, uint32_t what)
{
	emit(b, BPF_RET | BPF_K, what, 0, 0);
}

static size_t n_checks(const struct allowed_call *c)
{
	size_t n = 0;

	while (n < ALLOWED_CHECKS && c->checks[n].mask)
		n++;
	return n;
}

/* emit_call() - let through when all checks hold; else it goes on behind this. */
static void emit_call(struct builder *b, const struct allowed_call *c)
{
	size_t n = n_checks(c);

	for (size_t i = 0; i < n; i++) {
		const struct argument_check *a = &c->checks[i];

		load(b, offsetof(struct seccomp_data, args) + a->arg * sizeof(uint64_t));
		emit(b, BPF_ALU | BPF_AND | BPF_K, a->mask, 0, 0);
		emit(b, BPF_JMP | BPF_JEQ | BPF_K, a->value, 0, 3 * (n - 1 - i) + 1);
	}
	give(b, SECCOMP_RET_ALLOW);
}

static void emit_leaf(struct builder *b, const struct span *s)
{
	for (size_t i = 0; i < s->n; i++) {
		emit_call(b, s->calls[i]);
		if (n_checks(s->calls[i]) == 0)
			return;
	}
	give(b, b->otherwise);
}

static void emit_search(struct builder *b, size_t first, size_t last)
{
	size_t middle = first + (last - first + 1) / 2, jump;

	if (first == last) {
		emit_leaf(b, &b->spans[first]);
		return;
	}
	jump = emit(b, BPF_JMP | BPF_JGE | BPF_K, b->spans[middle].from, 0, 0);
	emit_search(b, first, middle - 1);
	if (b->n - jump - 1 > JUMP_MAX)
		b->too_big = true;
	b->out[jump].jt = (uint8_t)(b->n - jump - 1);
	emit_search(b, middle, last);
}

static int compare(const void *a, const void *b)
{
	const struct allowed_call *const *x = a, *const *y = b;

	return (int)(*x)->nr - (int)(*y)->nr;
}

static bool is_free(const struct span *s)
{
	return s->n == 1 && n_checks(s->calls[0]) == 0;
}

/* add_span() - it takes the place of one without length, and joins one that is as free. */
static void add_span(struct builder *b, const struct span *s)
{
	if (b->n_spans > 0 && b->spans[b->n_spans - 1].from == s->from)
		b->n_spans--;
	if (b->n_spans > 0 && is_free(s) && is_free(&b->spans[b->n_spans - 1]))
		return;
	b->spans[b->n_spans++] = *s;
}

/* cut() - the sorted calls into spans, and what lies between them. */
static void cut(struct builder *b, size_t n)
{
	const struct allowed_call *const *sorted = b->sorted;

	add_span(b, &(struct span){ 0 });
	for (size_t i = 0, same; i < n; i += same) {
		for (same = 1; i + same < n && sorted[i + same]->nr == sorted[i]->nr; same++)
			;
		add_span(b, &(struct span){ sorted[i]->nr, &sorted[i], same });
		add_span(b, &(struct span){ sorted[i]->nr + 1u, NULL, 0 });
	}
}

int confine_filter(uint32_t otherwise, const struct allowed_call *calls, size_t n,
		   struct sock_filter out[CONFINE_FILTER_MAX])
{
	/* not on the stack: a process that idles for days would keep these pages */
	struct builder *b cleanup_free = xnew(struct builder);

	if (n > CALLS_MAX)
		return -E2BIG;
	b->otherwise = otherwise;
	b->out = out;
	for (size_t i = 0; i < n; i++)
		b->sorted[i] = &calls[i];
	qsort(b->sorted, n, sizeof(b->sorted[0]), compare);
	cut(b, n);
	load(b, offsetof(struct seccomp_data, arch));
	emit(b, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	give(b, SECCOMP_RET_KILL_PROCESS);
	load(b, offsetof(struct seccomp_data, nr));
	emit_search(b, 0, b->n_spans - 1);
	return b->too_big ? -E2BIG : (int)b->n;
}

#if !CONFINE_FILTERS
int confine_calls(uint32_t otherwise, const struct allowed_call *calls, size_t n, struct error *err)
{
	(void)otherwise;
	(void)calls;
	(void)n;
	(void)err;
	return 0;
}
#else
int confine_calls(uint32_t otherwise, const struct allowed_call *calls, size_t n, struct error *err)
{
	struct sock_filter *code cleanup_free = xcalloc(CONFINE_FILTER_MAX, sizeof(*code));
	int len = confine_filter(otherwise, calls, n, code);
	struct sock_fprog program = { .len = (unsigned short)len, .filter = code };

	if (len < 0)
		return error_errno(err, -len, "build the system call filter");
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return error_errno(err, errno, "load the system call filter");
	return 0;
}
#endif
