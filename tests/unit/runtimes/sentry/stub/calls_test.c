/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No wake-up is lost: a signal on each single instruction of the stub's blocking routine.
 *
 * The routine is the stub's own, assembled into this program.  A trap after each instruction
 * raises the kick on a chosen one; the call must come back at once.  The same without the
 * fix-up must sleep on: else this test could not fail.
 */
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "runtimes/sentry/stub/fixup.h"
#include "tests/unit/tap.h"

__asm__(".include \"runtimes/sentry/stub/calls.S\"\n.text\n");

long host_block(const uint64_t regs[7], const uint32_t *pending);
long host_call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f);
uint64_t guest_copy(void *to, const void *from, uint64_t n);
int guest_exchange(uint32_t *word, uint32_t old, uint32_t new);
void stub_child(void *uc);
void stub_take_signals(void *uc);

extern const char host_calls_begin[], host_calls_end[];
extern const char guest_copy_move[], guest_copy_fault[], guest_exchange_move[];
extern const char guest_exchange_fault[];

#define TRAP_FLAG    0x100
#define MAX_STEPS    64
#define ROUTINE_SIZE 0x60
#define TIMEOUT_NS   300000000L

static volatile uint32_t pending;
static volatile int fix, step_at, steps;

void stub_child(void *uc)
{
	(void)uc;
}

void stub_take_signals(void *uc)
{
	(void)uc;
}

static void on_kick(int signo, siginfo_t *info, void *context)
{
	greg_t *ip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

	(void)signo, (void)info;
	pending = 1;
	if (fix)
		*ip = (greg_t)fixup_ip((uint64_t)*ip);
}

static void on_trap(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	const char *ip = (const char *)uc->uc_mcontext.gregs[REG_RIP];

	(void)signo, (void)info;
	if (ip < host_calls_begin || ip >= host_calls_end)
		return;
	if (steps++ != step_at)
		return;
	uc->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	/* blocked in here, so it comes on the very instruction that was stepped to */
	syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1);
}

static void handle(int signo, void (*fn)(int, siginfo_t *, void *))
{
	struct sigaction a = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO };

	sigaddset(&a.sa_mask, SIGUSR1);
	sigaction(signo, &a, NULL);
}

/* round_at() - a signal after @step instructions. Return: what the sleep returned; 1: it is over.
 */
static long round_at(int step)
{
	uint32_t word = 0;
	struct timespec timeout = { 0, TIMEOUT_NS };
	uint64_t regs[7] = { SYS_futex, (uint64_t)&word, FUTEX_WAIT, 0, (uint64_t)&timeout };
	long rc;

	pending = 0, steps = 0, step_at = step;
	__asm__ volatile("pushfq\n orq $0x100, (%%rsp)\n popfq" ::: "memory", "cc");
	rc = host_block(regs, (const uint32_t *)&pending);
	__asm__ volatile("pushfq\n andq $~0x100, (%%rsp)\n popfq" ::: "memory", "cc");
	return pending ? rc : 1;
}

static void every_instruction(void)
{
	int good = 0, lost = 0, n;
	long rc;

	fix = 1;
	for (n = 0; n < MAX_STEPS && (rc = round_at(n)) != 1; n++)
		good += rc == -EINTR;
	ok(n >= 10 && good == n, "a signal on each of %d instructions: %d ended the sleep", n,
	   good);
	fix = 0;
	for (int i = 0; i < n; i++)
		lost += round_at(i) == -ETIMEDOUT;
	ok(lost > 0, "without the fix-up %d of them are lost", lost);
}

static void on_segv(int signo, siginfo_t *info, void *context)
{
	greg_t *ip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

	(void)signo, (void)info;
	if (*ip == (greg_t)guest_copy_move)
		*ip = (greg_t)guest_copy_fault;
	else if (*ip == (greg_t)guest_exchange_move)
		*ip = (greg_t)guest_exchange_fault;
	else
		_exit(1);
}

static void copies(void)
{
	char from[8] = "1234567", to[8] = "";
	uint32_t word = 5;

	handle(SIGSEGV, on_segv);
	is_int(guest_copy(to, from, sizeof(to)), 0, "a copy of everything");
	is_str(to, "1234567", "is the same");
	is_int(guest_copy((void *)4096, from, 8), 8, "a copy to nowhere says what is left");
	is_int(guest_copy(to, (void *)4096, 3), 3, "from nowhere too");
	is_int(guest_exchange(&word, 5, 6), 0, "an exchange");
	is_int(word, 6, "has changed the word");
	is_int(guest_exchange(&word, 5, 7), 1, "one that comes too late");
	is_int(guest_exchange((uint32_t *)4096, 1, 2), 2, "one of nothing");
}

int main(void)
{
	is_int(host_call(SYS_getpid, 0, 0, 0, 0, 0, 0), getpid(), "a plain call");
	ok(((uint64_t)host_calls_begin ^ (uint64_t)host_calls_end) >> 32 == 0,
	   "all calls share the upper half of their addresses");
	handle(SIGUSR1, on_kick);
	handle(SIGTRAP, on_trap);
	every_instruction();
	copies();
	return tap_done();
}
