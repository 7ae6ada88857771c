/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patched call sites: which ones, and that they do what they did.
 *
 * Each shape of a site stands here as a small function that reads (0, n) or (signo, n), which the
 * toy answers with n.  The guest copies it to where the test wants it, makes it text, and calls
 * it until it is patched, or ought to be.
 */
#include <sys/auxv.h>

#include "tests/unit/runtimes/sentry/platform/guest.h"

/* A site as compilers make it: the number is loaded just before. */
#define SITE(nr, rc, a)                                  \
	__asm__ volatile("mov $" #nr ", %%eax\n syscall" \
			 : "=a"(rc)                      \
			 : "D"(a)                        \
			 : "rcx", "r11", "memory")

GUEST static long patched_getpid(void)
{
	long rc;

	SITE(39, rc, 0L);
	return rc;
}

GUEST static long patched_raise(long signo)
{
	long rc;

	SITE(901, rc, signo);
	return rc;
}

/* Everything that a call must keep is looked at after each one. */
GUEST static void hot(long n)
{
	volatile uint8_t *code = (volatile uint8_t *)patched_getpid;
	long pid = guest_call(SYS_getpid, 0, 0, 0, 0, 0, 0), kept = 0x1234, out = 0;

	for (int i = 0; i < 32 && code[i] != 0xb8; i++)
		code++;
	guest_handle(SIGUSR1, 0);
	for (long i = 0; i < n; i++) {
		__asm__ volatile("movq %0, %%xmm9" : : "r"(i) : "xmm9");
		if (patched_getpid() != pid)
			guest_data[1]++;
		if (patched_raise(SIGUSR1) != 0)
			guest_data[2]++;
		__asm__ volatile("movq %%xmm9, %0" : "=r"(out) : : "xmm9");
		if (out != i || kept != 0x1234 || guest_data[GUEST_CAUGHT] != i + 1)
			guest_data[3]++;
	}
	for (int i = 0; i < 64; i++)
		if (((volatile uint8_t *)patched_getpid)[i] == 0xe9)
			guest_data[4] = 1;
	guest_exit(0);
}

GUEST static void hot_forks(long n)
{
	for (long i = 0; i < n; i++)
		patched_getpid();
	long pid = guest_call(SYS_fork, 0, 0, 0, 0, 0, 0);

	guest_data[pid ? 1 : 2] = patched_getpid();
	if (pid)
		guest_call(SYS_wait4, pid, 0, 0, 0, 0, 0);
	guest_data[3] = pid;
	guest_exit(0);
}

GUEST static void hot_threads(long n)
{
	long me = patched_getpid();

	for (long i = 0; i < n; i++)
		if (patched_getpid() != me)
			guest_data[5]++;
	__atomic_fetch_add(&guest_data[0], 1, __ATOMIC_SEQ_CST);
}

GUEST static void hot_together(long n)
{
	volatile int *words = (volatile int *)&guest_data[64];

	for (int i = 0; i < 8; i++)
		guest_thread(hot_threads, n, &words[i]);
	for (int i = 0; i < 8; i++)
		guest_join(&words[i]);
	guest_exit(0);
}

/* As libc has read(2): the number is loaded by a short instruction. Return: -1 or the result. */
GUEST __attribute__((naked)) static long short_site(long signo __attribute__((unused)),
						    long n __attribute__((unused)))
{
	__asm__("xor %eax, %eax\n"
		"syscall\n"
		"cmp $0xfffffffffffff000, %rax\n"
		"ja 1f\n"
		"ret\n"
		"1: mov $-1, %rax\n"
		"ret\n"
		".fill 4096, 1, 0xcc\n"); /* text enough to look for jumps in */
}

/* As libc's syscall(3): a site for all numbers. */
GUEST __attribute__((naked)) static long any_site(long nr __attribute__((unused)),
						  long a __attribute__((unused)),
						  long b __attribute__((unused)))
{
	__asm__("mov %rdi, %rax\n"
		"mov %rsi, %rdi\n"
		"mov %rdx, %rsi\n"
		"xor %r10d, %r10d\n"
		"syscall\n"
		"cmp $0xfffffffffffff001, %rax\n"
		"jae 1f\n"
		"1: ret\n"
		".fill 2048, 1, 0xcc\n");
}

GUEST static void any_sites(long n)
{
	long pid = guest_call(SYS_getpid, 0, 0, 0, 0, 0, 0);

	for (long i = 0; i < n; i++) {
		long a = guest_call(SYS_mmap, 0, 8192, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (any_site(SYS_getpid, 0, 0) != pid || any_site(SYS_munmap, a, 8192) != 0)
			guest_data[1]++;
		if (any_site(SYS_sched_yield, 0, 0) != 0 || any_site(5000, 0, 0) != -ENOSYS)
			guest_data[2]++;
	}
	for (int i = 0; i < 32; i++)
		if (((volatile uint8_t *)any_site)[i] == 0xe9)
			guest_data[4] = 1;
	guest_exit(0);
}

GUEST static void short_sites(long n)
{
	guest_handle(SIGUSR1, 0);
	for (long i = 0; i < n; i++) {
		if (short_site(0, i) != i || short_site(0, -5) != -1)
			guest_data[1]++;
		if (short_site(SIGUSR1, i) != i || guest_data[GUEST_CAUGHT] != i + 1)
			guest_data[2]++;
	}
	for (int i = 0; i < 10; i++)
		if (((volatile uint8_t *)short_site)[i] == 0xe9)
			guest_data[4] = 1;
	guest_exit(0);
}

GUEST static void read_until(long unused)
{
	(void)unused;
	while (!guest_data[20])
		if (short_site(0, 3) != 3)
			__atomic_fetch_add(&guest_data[1], 1, __ATOMIC_SEQ_CST);
}

/* Others are inside the call while it becomes hot. */
GUEST static void short_together(long n)
{
	volatile int *words = (volatile int *)&guest_data[64];

	for (int i = 0; i < 4; i++)
		guest_thread(read_until, 0, &words[i]);
	for (long i = 0; i < n; i++)
		short_site(0, 3);
	guest_data[20] = 1;
	for (int i = 0; i < 4; i++)
		guest_join(&words[i]);
	for (int i = 0; i < 10; i++)
		if (((volatile uint8_t *)short_site)[i] == 0xe9)
			guest_data[4] = 1;
	guest_exit(0);
}

/* --- shapes of sites ----------------------------------------------------------------------------
 */

/* Two numbers before the code: where in it the `syscall` stands, and how many bytes it has. */
#define SHAPE(name, code)                                           \
	extern const char name[];                                   \
	__asm__(".pushsection guest, \"ax\"\n" #name ":\n"          \
		".long 8f - 7f, 9f - 7f\n"                          \
		"7: xor %eax, %eax\n" code "9: .fill 16, 1, 0x90\n" \
		".popsection\n");

/* what follows the call, and what it makes of the result */
SHAPE(with_test, "8: syscall\n test %rax, %rax\n js 1f\n ret\n 1: mov $-1, %rax\n ret\n")
SHAPE(with_data, "8: syscall\n mov 1f(%rip), %rdx\n add %rdx, %rax\n ret\n 1: .quad 1000\n")
SHAPE(with_lea, "8: syscall\n lea 8b(%rip), %rdx\n lea 7b(%rip), %rcx\n sub %rcx, %rdx\n"
		"add %rdx, %rax\n ret\n")
SHAPE(with_bytes, "8: syscall\n push %rax\n pop %rdx\n push %rdx\n pop %rax\n inc %eax\n ret\n")
SHAPE(with_two, "8: syscall\n mov %eax, %edx\n xchg %eax, %edx\n ret\n")
SHAPE(with_ret, "8: syscall\n ret\n int3\n int3\n int3\n")
SHAPE(with_nop, "8: syscall\n ret\n nopw 0(%rax, %rax)\n")
SHAPE(with_jump, "8: syscall\n jmp 1f\n nop\n nop\n 1: inc %rax\n ret\n")
SHAPE(with_branch, "8: syscall\n jc 1f\n inc %rax\n ret\n 1: hlt\n")
SHAPE(with_call, "8: syscall\n call 1f\n ret\n 1: inc %rax\n ret\n")
SHAPE(with_next, "8: syscall\n ret\n 1: inc %rax\n mov $5, %edx\n ret\n")
SHAPE(with_loop, "8: syscall\n 1: inc %rax\n inc %rcx\n mov %rax, %rdx\n sub %rsi, %rdx\n"
		 "cmp $3, %rdx\n jl 1b\n ret\n")
SHAPE(with_fault, "8: syscall\n mov (%rax), %rax\n ret\n")

#define PATCHED	   4
#define AT_SITE	   5 /* address of the `syscall` */
#define TEXT_AT	   0x60000000l
#define TEXT_BYTES 12288l

/* place() - a copy of a shape, its `syscall` at @at. Return: its first instruction. */
GUEST static long place(const volatile char *shape, long at, long prot)
{
	long offset = *(const volatile int *)shape, n = *(const volatile int *)(shape + 4);
	volatile char *to = (volatile char *)(at - offset);

	guest_call(SYS_mmap, TEXT_AT, TEXT_BYTES, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0);
	for (long i = 0; i < n; i++)
		to[i] = shape[8 + i];
	guest_call(SYS_mprotect, TEXT_AT, TEXT_BYTES, prot, 0, 0, 0);
	guest_data[AT_SITE] = at;
	return at - offset;
}

GUEST static void look(void)
{
	guest_data[PATCHED] = *(volatile unsigned char *)guest_data[AT_SITE] == 0xe9;
}

/* What a shape is to do, in words of the shared page that the test writes. */
#define SHAPE_OF 40 /* its offset in the guest's text */
#define ADDS	 41
#define WHERE	 42
#define PROT	 43
#define ERRORS	 1

#define ROUNDS 120

GUEST static void run_shape(long unused)
{
	long (*call)(long, long);

	(void)unused;
	call = (long (*)(long, long))place((const volatile char *)guest_data[SHAPE_OF],
					   guest_data[WHERE], guest_data[PROT]);
	guest_handle(SIGUSR1, 0);
	for (long i = 0; i < ROUNDS; i++) {
		if (call(0, i) != i + guest_data[ADDS])
			guest_data[ERRORS]++;
		if (i % 4 == 0 && call(SIGUSR1, i) != i + guest_data[ADDS])
			guest_data[ERRORS]++;
		if (guest_data[GUEST_CAUGHT] != i / 4 + 1)
			guest_data[ERRORS]++;
	}
	look();
	guest_exit(0);
}

/* shape() - Return: whether it was patched. */
static bool shape(const char *code, long adds, long where, int prot, const char *what)
{
	struct toy_process *p;

	memset(toy.data, 0, TOY_BYTES);
	toy_data[SHAPE_OF] = (long)TOY_TEXT + (code - __start_guest);
	toy_data[ADDS] = adds;
	toy_data[WHERE] = where;
	toy_data[PROT] = prot;
	p = toy_begin(run_shape, 0);
	is_int(toy_end(p), 0, what);
	is_int(toy_data[ERRORS], 0, "  does what it did");
	return toy_data[PATCHED];
}

static void shapes(void)
{
	enum { TEXT = PROT_READ | PROT_EXEC };
	long at = TEXT_AT + 4096 + 512, edge = TEXT_AT + 4096;

	ok(shape(with_test, 0, at, TEXT, "a look at the result"), "  is patched");
	ok(shape(with_data, 1000, at, TEXT, "data beside the code"), "  is patched");
	ok(shape(with_lea, 2, at, TEXT, "an address beside the code"), "  is patched");
	ok(shape(with_bytes, 1, at, TEXT, "three instructions of a byte"), "  is patched");
	ok(shape(with_two, 0, at, TEXT, "two bytes, then one"), "  is patched");
	ok(shape(with_ret, 0, at, TEXT, "the end of a function, int3 behind it"), "  is patched");
	ok(shape(with_nop, 0, at, TEXT, "the end of a function, a nop behind it"), "  is patched");
	ok(shape(with_jump, 1, at, TEXT, "a short jump"), "  is patched");
	ok(shape(with_branch, 1, at, TEXT, "a short branch"), "  is patched");
	ok(!shape(with_call, 1, at, TEXT, "a call, which shows where it is"), "  is left alone");
	ok(!shape(with_next, 0, at, TEXT, "the next function at once"), "  is left alone");
	ok(!shape(with_loop, 3, at, TEXT, "a loop right behind it"), "  is left alone");
	ok(shape(with_data, 1000, edge - 2, TEXT, "a call that ends a page"), "  is patched");
	ok(shape(with_data, 1000, edge - 4, TEXT, "one whose jump crosses pages"), "  is patched");
	ok(shape(with_test, 0, edge - 1, TEXT, "one that crosses pages itself"), "  is patched");
	ok(shape(with_ret, 0, TEXT_AT + TEXT_BYTES - 7, TEXT, "one at the end of memory"),
	   "  is patched");
	ok(!shape(with_test, 0, at, TEXT | PROT_WRITE, "writable code"), "  is left alone");
}

/* --- inside of a patched site -------------------------------------------------------------------
 */

/* Whoever comes to the old places goes on as before. */
GUEST static void enter_behind(long unused)
{
	long call = place((const volatile char *)guest_data[SHAPE_OF], guest_data[WHERE], 5);
	long rc;

	(void)unused;
	for (int i = 0; i < ROUNDS; i++)
		((long (*)(long, long))call)(0, i);
	look();
	for (int i = 0; i < 5; i++) {
		__asm__ volatile("call *%1"
				 : "=a"(rc)
				 : "r"(guest_data[AT_SITE] + guest_data[ADDS]), "a"(77L), "d"(5L)
				 : "rcx", "r11", "memory");
		guest_data[6 + i] = rc;
	}
	guest_exit(0);
}

static int behind(const char *code, long bytes)
{
	memset(toy.data, 0, TOY_BYTES);
	toy_data[SHAPE_OF] = (long)TOY_TEXT + (code - __start_guest);
	toy_data[WHERE] = TEXT_AT + 512;
	toy_data[ADDS] = bytes;
	return toy_end(toy_begin(enter_behind, 0));
}

/* A fault of a moved instruction happens where it stood. */
GUEST static void on_moved_fault(int signo, siginfo_t *info, void *context)
{
	volatile uint64_t *m = (volatile uint64_t *)((char *)context + 40);

	(void)info;
	guest_data[6] = signo;
	guest_data[7] = (long)m[16] - guest_data[AT_SITE];
	guest_data[8]++;
	m[16] += 3; /* over the instruction, to the `ret` */
}

GUEST static void moved_faults(long unused)
{
	long call = place((const volatile char *)guest_data[SHAPE_OF], TEXT_AT + 512, 5);
	volatile long here = 9;
	struct stub_action a;

	(void)unused;
	a.handler = (uint64_t)on_moved_fault;
	a.flags = 4 | 0x04000000;
	a.restorer = (uint64_t)guest_restorer;
	a.mask = 0;
	guest_call(SYS_rt_sigaction, SIGSEGV, (long)&a, 0, 8, 0, 0);
	for (int i = 0; i < ROUNDS; i++)
		if (((long (*)(long, long))call)(0, (long)&here) != 9)
			guest_data[ERRORS]++;
	look();
	((long (*)(long, long))call)(0, 0x123000);
	guest_exit(0);
}

static void inside(void)
{
	is_int(behind(with_test, 2), 0, "a jump to what stood behind the call");
	ok(toy_data[PATCHED] && toy_data[6] == 77 && toy_data[10] == 77, "finds it each time");
	is_int(behind(with_bytes, 2), 0, "to the first of some");
	ok(toy_data[PATCHED] && toy_data[6] == 78, "finds it");
	memset(toy.data, 0, TOY_BYTES);
	toy_data[SHAPE_OF] = (long)TOY_TEXT + (with_fault - __start_guest);
	is_int(toy_end(toy_begin(moved_faults, 0)), 0, "a fault in what was moved");
	ok(toy_data[PATCHED] && !toy_data[ERRORS], "is patched");
	is_int(toy_data[6], SIGSEGV, "is the guest's");
	is_int(toy_data[7], 2, "and happens where the instruction stood");
	is_int(toy_data[8], 1, "once");
}

/* --- forks and threads while sites are patched --------------------------------------------------
 */

#define SITES 40

GUEST static void patch_all(long rounds)
{
	for (long n = 0; n < SITES * rounds; n++) {
		long (*call)(long, long) = (long (*)(long, long))(TEXT_AT + n % SITES * 64);

		if (call(0, n) != n)
			__atomic_fetch_add(&guest_data[ERRORS], 1, __ATOMIC_SEQ_CST);
	}
}

/* Forks at any moment of it: each child must be able to use all sites, and to patch more. */
GUEST static void fork_and_patch(long unused)
{
	volatile int *words = (volatile int *)&guest_data[64];
	volatile char *shape = (volatile char *)guest_data[SHAPE_OF];
	long n = *(volatile int *)(shape + 4);

	(void)unused;
	guest_call(SYS_mmap, TEXT_AT, TEXT_BYTES, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0);
	for (int i = 0; i < SITES; i++)
		for (long k = 0; k < n; k++)
			((volatile char *)TEXT_AT)[i * 64 + k] = shape[8 + k];
	guest_call(SYS_mprotect, TEXT_AT, TEXT_BYTES, 5, 0, 0, 0);
	for (int i = 0; i < 3; i++)
		guest_thread(patch_all, 60, &words[i]);
	for (int i = 0; i < 25; i++) {
		long pid = guest_call(SYS_fork, 0, 0, 0, 0, 0, 0);

		if (pid == 0) {
			patch_all(25);
			__atomic_fetch_add(&guest_data[0], 1, __ATOMIC_SEQ_CST);
			guest_exit(0);
		}
		guest_call(SYS_wait4, pid, 0, 0, 0, 0, 0);
	}
	for (int i = 0; i < 3; i++)
		guest_join(&words[i]);
	for (int i = 0; i < SITES; i++)
		guest_data[2] += ((volatile unsigned char *)TEXT_AT)[i * 64 + 2] == 0xe9;
	guest_exit(0);
}

static void at_once(void)
{
	memset(toy.data, 0, TOY_BYTES);
	toy_data[SHAPE_OF] = (long)TOY_TEXT + (with_test - __start_guest);
	is_int(toy_end(toy_begin(fork_and_patch, 0)), 0, "threads that patch, and forks meanwhile");
	is_int(toy_data[ERRORS], 0, "all calls were right");
	is_int(toy_data[0], 25, "in all children too");
	is_int(toy_data[2], SITES, "all sites were patched");
}

/* --- guests that use %gs ------------------------------------------------------------------------
 */

#define ARCH_SET_GS 0x1001
#define ARCH_GET_GS 0x1004

GUEST static void gs_thread(long unused)
{
	long here;

	(void)unused;
	__asm__ volatile("mov %%gs:0, %0" : "=r"(here));
	guest_data[20] = here;
}

/* gs_works() - calls, signals, threads and forks of a guest with a %gs of its own. */
GUEST static void gs_works(void)
{
	volatile int *words = (volatile int *)&guest_data[64];
	long here, pid;

	guest_handle(SIGUSR1, 0);
	for (long i = 0; i < ROUNDS; i++) {
		if (short_site(0, i) != i || short_site(SIGUSR1, i) != i ||
		    guest_data[GUEST_CAUGHT] != i + 1)
			guest_data[ERRORS]++;
		__asm__ volatile("mov %%gs:0, %0" : "=r"(here));
		if (here != 4711)
			guest_data[ERRORS]++;
	}
	guest_thread(gs_thread, 0, words);
	guest_join(words);
	pid = guest_call(SYS_fork, 0, 0, 0, 0, 0, 0);
	if (!pid) {
		__asm__ volatile("mov %%gs:0, %0" : "=r"(here));
		guest_data[21] = here;
		guest_exit(0);
	}
	guest_call(SYS_wait4, pid, 0, 0, 0, 0, 0);
	guest_data[PATCHED] = ((volatile uint8_t *)short_site)[2] == 0xe9;
}

GUEST static void own_gs(long how)
{
	volatile long mine = 4711, base = 1;

	for (int i = 0; i < 64; i++)
		patched_getpid(); /* patched, and made through the trap afterwards */
	guest_call(SYS_arch_prctl, ARCH_GET_GS, (long)&base, 0, 0, 0, 0);
	guest_data[6] = base;
	if (how)
		__asm__ volatile("wrgsbase %0" : : "r"(&mine));
	else
		guest_data[7] = guest_call(SYS_arch_prctl, ARCH_SET_GS, (long)&mine, 0, 0, 0, 0);
	gs_works();
	guest_data[8] = patched_getpid() == guest_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
	guest_call(SYS_arch_prctl, ARCH_GET_GS, (long)&base, 0, 0, 0, 0);
	guest_data[9] = base == (long)&mine;
	guest_exit(0);
}

static void gs(int how, const char *what)
{
	is_int(toy_run(own_gs, how), 0, what);
	is_int(toy_data[6], 0, "%gs began as 0");
	is_int(toy_data[7], 0, "it can be set");
	is_int(toy_data[ERRORS], 0, "calls and signals go on, and leave it alone");
	is_int(toy_data[20], 4711, "a thread gets it");
	is_int(toy_data[21], 4711, "a forked child too");
	is_int(toy_data[8], 1, "sites that were patched before still work");
	is_int(toy_data[9], 1, "and it is read back");
	is_int(toy_data[PATCHED], 0, "nothing is patched any more");
}

static void patching(void)
{
	is_int(toy_run(short_sites, 200), 0, "sites whose number is loaded by a short instruction");
	is_int(toy_data[4], 1, "are patched too");
	is_int(toy_data[1], 0, "results and the look at them are right");
	is_int(toy_data[2], 0, "so are signals on the way");
	is_int(toy_run(any_sites, 100), 0, "a site for all numbers");
	is_int(toy_data[4], 1, "is patched");
	ok(!toy_data[1] && !toy_data[2], "and makes each call where it belongs");
	is_int(toy_run(short_together, 500), 0, "while other threads are inside of it");
	is_int(toy_data[4], 1, "it is patched");
	is_int(toy_data[1], 0, "and all of them come out as they should");
	is_int(toy_run(hot, 300), 0, "sites that are used often");
	is_int(toy_data[4], 1, "are patched");
	is_int(toy_data[1], 0, "and answer as before");
	is_int(toy_data[2], 0, "those that raise a signal too");
	is_int(toy_data[3], 0, "registers and handlers are right after each call");
	is_int(toy_run(hot_forks, 100), 0, "a fork of a patched process");
	ok(toy_data[1] > 0 && toy_data[2] == toy_data[3], "both know who they are");
	is_int(toy_run(hot_together, 2000), 0, "threads that patch the same site at once");
	ok(toy_data[0] == 8 && toy_data[5] == 0, "all get their answers");
}

int main(void)
{
	if (!toy_start())
		return tap_done();
	if (!(getauxval(AT_HWCAP2) & 2)) {
		skip("patched sites", "this processor has no rdgsbase");
		return tap_done();
	}
	patching();
	shapes();
	inside();
	at_once();
	gs(0, "a guest that sets %gs");
	gs(1, "one that needs no call for it");
	toy_stop();
	return tap_done();
}
