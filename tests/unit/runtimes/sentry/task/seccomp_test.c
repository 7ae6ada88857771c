/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seccomp filters of the guest: what the checker refuses, what the interpreter answers.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>

#include "base/mem.h"
#include "runtimes/sentry/task/seccomp.h"
#include "tests/unit/tap.h"

#define OFFSET(f)   ((uint32_t)offsetof(struct seccomp_data, f))
#define RETURN(k)   BPF_STMT(BPF_RET | BPF_K, k)
#define LOAD(o)	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, o)
#define IS(k, t, f) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, t, f)

static uint32_t verdict(const struct seccomp_filter *f, uint32_t nr, uint64_t arg0)
{
	struct stub_call c = { .nr = nr, .args = { arg0 } };

	return seccomp_run(f, &c);
}

static int check(const struct sock_filter *code, size_t len)
{
	struct seccomp_filter *f;
	int rc = seccomp_create(code, len, NULL, &f);

	if (!rc)
		seccomp_put(f);
	return rc;
}

static void test_chain(void)
{
	const struct sock_filter no_mkdir[] = { LOAD(OFFSET(nr)), IS(83, 0, 1),
						RETURN(SECCOMP_RET_ERRNO | 1),
						RETURN(SECCOMP_RET_ALLOW) };
	const struct sock_filter kill_high[] = { LOAD(OFFSET(args[0]) + 4), IS(7, 0, 1),
						 RETURN(SECCOMP_RET_KILL_PROCESS),
						 RETURN(SECCOMP_RET_ALLOW) };
	struct seccomp_filter *one, *two;

	is_int(seccomp_create(no_mkdir, ARRAY_LEN(no_mkdir), NULL, &one), 0,
	       "a filter is accepted");
	is_int(verdict(one, 83, 0), SECCOMP_RET_ERRNO | 1, "its call gets the error");
	is_int(verdict(one, 84, 0), SECCOMP_RET_ALLOW, "others go on");
	is_int(seccomp_create(kill_high, ARRAY_LEN(kill_high), one, &two), 0, "a second on top");
	is_int(verdict(two, 83, 0), SECCOMP_RET_ERRNO | 1, "the first still counts");
	is_int(verdict(two, 83, 7ull << 32), SECCOMP_RET_KILL_PROCESS, "the strictest wins");
	is_int(verdict(two, 84, 7), SECCOMP_RET_ALLOW, "the halves of an argument are told apart");
	is_int(verdict(NULL, 83, 0), SECCOMP_RET_ALLOW, "no filter lets all go on");
	seccomp_put(two);
}

static bool asks(const struct seccomp_filter *f, uint32_t nr)
{
	return seccomp_ask(f)[nr / 64] & 1ull << nr % 64;
}

/* Whether a call must be asked for depends on its number alone. */
static void test_conditions(void)
{
	const struct sock_filter by_number[] = { LOAD(OFFSET(arch)),
						 IS(AUDIT_ARCH_X86_64, 0, 3),
						 LOAD(OFFSET(nr)),
						 IS(39, 1, 0),
						 IS(511, 0, 1),
						 RETURN(SECCOMP_RET_ERRNO | 1),
						 RETURN(SECCOMP_RET_ALLOW) };
	const struct sock_filter by_argument[] = { LOAD(OFFSET(nr)),
						   IS(202, 0, 3),
						   LOAD(OFFSET(args[1])),
						   IS(5, 0, 1),
						   RETURN(SECCOMP_RET_ERRNO | 1),
						   RETURN(SECCOMP_RET_ALLOW) };
	const struct sock_filter logs[] = { LOAD(OFFSET(nr)), IS(24, 0, 1), RETURN(SECCOMP_RET_LOG),
					    RETURN(SECCOMP_RET_ALLOW) };
	struct seccomp_filter *one, *two, *three;

	if (seccomp_create(by_number, ARRAY_LEN(by_number), NULL, &one) ||
	    seccomp_create(by_argument, ARRAY_LEN(by_argument), one, &two) ||
	    seccomp_create(logs, ARRAY_LEN(logs), two, &three)) {
		ok(false, "three filters");
		return;
	}
	ok(asks(one, 39) && asks(one, 511), "calls that a filter refuses are asked for");
	ok(!asks(one, 38) && !asks(one, 202), "those that it always allows are not");
	ok(asks(two, 202), "one that it allows for some arguments is");
	ok(asks(three, 24), "so is one that it logs");
	ok(asks(three, 39) && asks(three, 202) && !asks(three, 25), "earlier filters count");
	ok(!asks(one, 24) && !asks(two, 24), "but not later ones");
	seccomp_put(three);
}

static void test_arithmetic(void)
{
	const struct sock_filter code[] = {
		LOAD(OFFSET(args[0])),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 5),
		BPF_STMT(BPF_ST, 3),
		BPF_STMT(BPF_LDX | BPF_MEM, 3),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_X, 0),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 1),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct seccomp_filter *f;

	is_int(seccomp_create(code, ARRAY_LEN(code), NULL, &f), 0, "arithmetic is accepted");
	/* Allow is the upper bound of verdicts, so the value must look like a stricter one. */
	is_int(verdict(f, 0, 3), (64 / 2) ^ sizeof(struct seccomp_data),
	       "add, store, load, multiply, shift, length, xor, return A");
	seccomp_put(f);
}

static void test_division(void)
{
	const struct sock_filter code[] = { BPF_STMT(BPF_LD | BPF_IMM, 9),
					    BPF_STMT(BPF_LDX | BPF_IMM, 0),
					    BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
					    BPF_STMT(BPF_RET | BPF_A, 0) };
	struct seccomp_filter *f;

	is_int(seccomp_create(code, ARRAY_LEN(code), NULL, &f), 0, "division by X is accepted");
	is_int(verdict(f, 0, 0), 0, "and by 0 gives 0");
	seccomp_put(f);
}

static void test_refused(void)
{
	const struct sock_filter falls_off[] = { LOAD(0) };
	const struct sock_filter jumps_out[] = { IS(1, 0, 1), RETURN(0) };
	const struct sock_filter far[] = { BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), RETURN(0) };
	const struct sock_filter beyond[] = { LOAD(64), RETURN(0) };
	const struct sock_filter odd[] = { LOAD(2), RETURN(0) };
	const struct sock_filter half[] = { BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RETURN(0) };
	const struct sock_filter divides[] = { BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(0) };
	const struct sock_filter shifts[] = { BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RETURN(0) };
	const struct sock_filter scratch[] = { BPF_STMT(BPF_ST, 16), RETURN(0) };

	is_int(check(falls_off, 0), -EINVAL, "an empty program");
	is_int(check(falls_off, 1), -EINVAL, "one that does not end in a return");
	is_int(check(jumps_out, 2), -EINVAL, "a jump out of it");
	is_int(check(far, 2), -EINVAL, "a jump far out of it");
	is_int(check(beyond, 2), -EINVAL, "a load behind the data");
	is_int(check(odd, 2), -EINVAL, "an unaligned load");
	is_int(check(half, 2), -EINVAL, "a load of half a word");
	is_int(check(divides, 2), -EINVAL, "a division by 0");
	is_int(check(shifts, 2), -EINVAL, "a shift by 32");
	is_int(check(scratch, 2), -EINVAL, "a store behind the scratch memory");
}

static void test_long_chain(void)
{
	static struct sock_filter code[4096];
	struct seccomp_filter *f = NULL, *next;
	int rc = 0, n = 0;

	for (size_t i = 0; i < ARRAY_LEN(code); i++)
		code[i] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	while (!rc && n < 100) {
		rc = seccomp_create(code, ARRAY_LEN(code), f, &next);
		if (!rc) {
			f = next;
			n++;
		}
	}
	is_int(rc, -ENOMEM, "a chain has an end");
	is_int(n, 7, "where Linux has it");
	seccomp_put(f);
}

int main(void)
{
	test_chain();
	test_conditions();
	test_arithmetic();
	test_division();
	test_refused();
	test_long_chain();
	return tap_done();
}
