/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters of system calls: every number gets what the table says, also when the kernel runs it.
 */
#include "base/confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/unit/tap.h"

#define DENIED (SECCOMP_RET_ERRNO | EPERM)

static const struct allowed_call table[] = {
	ALLOW(read),
	ALLOW(write),
	ALLOW_NO_EXEC(mmap),
	ALLOW(exit_group),
	ALLOW(close),
	ALLOW_IF(openat, ARG_IS(0, 7), ARG_IS(2, 0)),
	ALLOW_IF(openat, ARG_IS(0, 9)),
	ALLOW(getpid),
};

/* run() - the program as the kernel would: those instructions that it is made of. */
static uint32_t run(const struct sock_filter *code, const struct seccomp_data *d)
{
	uint32_t a = 0;

	for (const struct sock_filter *i = code;; i++) {
		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)d + i->k, sizeof(a));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			i += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			i += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			return SECCOMP_RET_LOG;
		}
	}
}

static bool in_table(int nr)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].nr == nr)
			return true;
	return false;
}

static void test_numbers(const struct sock_filter *code)
{
	struct seccomp_data d = { .arch = AUDIT_ARCH_X86_64, .args = { 7 } };
	int wrong = 0;

	for (d.nr = 0; d.nr < 1024; d.nr++)
		wrong += run(code, &d) != (in_table(d.nr) ? SECCOMP_RET_ALLOW : DENIED);
	is_int(wrong, 0, "what is in the table is let through, and nothing else");
	d.nr = SYS_read | 0x40000000;
	ok(run(code, &d) == DENIED, "not with the bit of x32");
	d.nr = -1;
	ok(run(code, &d) == DENIED, "not a negative number");
	d.nr = SYS_read;
	d.arch = AUDIT_ARCH_I386;
	ok(run(code, &d) == SECCOMP_RET_KILL_PROCESS, "another architecture ends the process");
}

static void test_checks(const struct sock_filter *code)
{
	struct seccomp_data d = { .arch = AUDIT_ARCH_X86_64, .nr = SYS_mmap };

	d.args[2] = PROT_READ | PROT_WRITE;
	ok(run(code, &d) == SECCOMP_RET_ALLOW, "a mask that holds");
	d.args[2] = PROT_READ | PROT_EXEC;
	ok(run(code, &d) == DENIED, "a mask that does not");
	d.nr = SYS_openat;
	d.args[2] = 0;
	d.args[0] = 7;
	ok(run(code, &d) == SECCOMP_RET_ALLOW, "both of two checks");
	d.args[0] = 8;
	ok(run(code, &d) == DENIED, "the first does not hold");
	d.args[0] = 7;
	d.args[2] = 1;
	ok(run(code, &d) == DENIED, "the second does not");
	d.args[0] = 9;
	ok(run(code, &d) == SECCOMP_RET_ALLOW, "another row of the same call holds");
}

static void test_bounds(void)
{
	struct allowed_call many[160] = { 0 };
	struct sock_filter code[CONFINE_FILTER_MAX];
	int n;

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i].nr = (uint16_t)(2 * i);
	n = confine_filter(DENIED, many, 100, code);
	ok(n > 0 && n <= CONFINE_FILTER_MAX, "100 calls with gaps: %d instructions", n);
	is_int(confine_filter(DENIED, many, ARRAY_LEN(many), code), -E2BIG,
	       "more than jumps reach");
}

/* in_kernel() - Return: how a process ended that lives with the filter. */
static int in_kernel(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (confine_calls(DENIED, table, ARRAY_LEN(table), NULL) < 0)
			_exit(2);
		_exit(sched_yield() == -1 && errno == EPERM && getpid() > 0 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	return status;
}

int main(void)
{
	struct sock_filter code[CONFINE_FILTER_MAX];

	ok(confine_filter(DENIED, table, ARRAY_LEN(table), code) > 0, "it is built");
	test_numbers(code);
	test_checks(code);
	test_bounds();
#if !CONFINE_FILTERS
	skip("the kernel takes it", "sanitizer builds have no filter");
	(void)in_kernel;
#else
	is_int(in_kernel(), 0, "the kernel takes it");
#endif
	return tap_done();
}
