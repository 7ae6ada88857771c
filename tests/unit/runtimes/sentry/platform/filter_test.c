/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stubs' seccomp program does what its table says, in each mode.
 *
 * The program is run by the interpreter that runs the guest's own filters.
 */
#include <linux/seccomp.h>
#include <stdlib.h>

#include "runtimes/sentry/platform/filter.h"
#include "runtimes/sentry/task/seccomp.h"
#include "tests/unit/tap.h"

#define BEGIN 0x7ff123456000ull
#define END   (BEGIN + 0xb0)

enum { ROUNDS = 400000 };

/* Values near those that rows ask for. */
static uint64_t value(unsigned int *seed)
{
	const struct filter_row *r = &filter_rows[(size_t)rand_r(seed) % filter_n_rows];
	uint64_t v = (uint64_t)rand_r(seed) % 26;

	if (rand_r(seed) % 3 == 0)
		v = r->checks[rand_r(seed) % FILTER_MAX_CHECKS].value;
	if (rand_r(seed) % 8 == 0)
		v ^= 1ull << rand_r(seed) % 64;
	return v;
}

static uint32_t expect(enum filter_mode mode, const struct stub_call *c, bool from_stub)
{
	if (!filter_lets(mode, from_stub ? FILTER_STUB : FILTER_GUEST, c->nr, c->args))
		return SECCOMP_RET_TRAP;
	return c->nr == STUB_RESERVED_CALL ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW;
}

static void agrees(enum filter_mode mode, const char *name)
{
	static struct sock_filter code[FILTER_MAX_LENGTH];
	size_t n = filter_build(mode, code, FILTER_MAX_LENGTH, BEGIN, END);
	long wrong = 0, allowed = 0;
	struct seccomp_filter *f;
	unsigned int seed = 1;

	ok(n > 50, "a program of %zu instructions for the %s mode", n, name);
	is_int(seccomp_create(code, n, NULL, &f), 0, "is one that Linux takes");
	for (int i = 0; i < ROUNDS; i++) {
		bool from_stub = rand_r(&seed) & 1;
		struct stub_call c = { .ip = from_stub ? BEGIN + 1 + (uint64_t)rand_r(&seed) % 0xb0
						       : BEGIN - (uint64_t)rand_r(&seed) };
		uint32_t want;

		c.nr = rand_r(&seed) % 8 ? filter_rows[(size_t)rand_r(&seed) % filter_n_rows].nr
					 : (uint32_t)rand_r(&seed) % 500;
		for (int k = 0; k < 6; k++)
			c.args[k] = value(&seed);
		want = expect(mode, &c, from_stub);
		allowed += want != SECCOMP_RET_TRAP;
		wrong += seccomp_run(f, &c) != want;
	}
	ok(allowed > ROUNDS / 20 && allowed < ROUNDS / 2, "%ld of %d calls are let through",
	   allowed, ROUNDS);
	is_int(wrong, 0, "those that the table lets through");
	seccomp_put(f);
}

static void strict_has_less(void)
{
	int more = 0, less = 0;

	for (uint32_t nr = 0; nr < 500; nr++) {
		bool strict = filter_has(FILTER_STRICT, FILTER_STUB, nr);
		bool usual = filter_has(FILTER_DEFAULT, FILTER_STUB, nr);

		more += strict && !usual;
		less += usual && !strict;
		if (filter_has(FILTER_STRICT, FILTER_GUEST, nr))
			ok(false, "call %u is served where it stands", nr);
	}
	is_int(more, 0, "the strict mode has no call that the other has not");
	ok(less >= 6, "and lacks %d of its", less);
}

int main(void)
{
	agrees(FILTER_DEFAULT, "usual");
	agrees(FILTER_STRICT, "strict");
	strict_has_less();
	return tap_done();
}
