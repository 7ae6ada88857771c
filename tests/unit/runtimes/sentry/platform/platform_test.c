/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The platform with a toy kernel: calls, forks, threads, signals, faults, deaths.
 */
#include "tests/unit/runtimes/sentry/platform/guest.h"

GUEST static void hello(long unused)
{
	volatile char text[6];

	(void)unused;
	text[0] = 'h', text[1] = 'e', text[2] = 'l', text[3] = 'l', text[4] = 'o', text[5] = '\n';
	guest_call(SYS_write, 1, (long)text, 6, 0, 0, 0);
	guest_data[0] = guest_call(SYS_write, 1, 8, 6, 0, 0, 0);
	guest_data[1] = guest_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
	guest_data[2] = guest_call(5555, 0, 0, 0, 0, 0, 0);
	guest_exit(7);
}

GUEST static void memory(long unused)
{
	long a = guest_call(SYS_mmap, 0, 65536, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long end = guest_call(SYS_brk, 0, 0, 0, 0, 0, 0);

	(void)unused;
	*(volatile long *)a = 5;
	guest_data[0] = *(volatile long *)a;
	guest_data[1] = guest_call(SYS_munmap, a, 65536, 0, 0, 0, 0);
	guest_data[2] = end;
	guest_data[3] = guest_call(SYS_brk, end + 10000, 0, 0, 0, 0, 0);
	*(volatile long *)(end + 9000) = 6;
	guest_data[4] = guest_call(SYS_brk, end, 0, 0, 0, 0, 0);
	a = guest_call(SYS_mmap, 0, 4096, 3, MAP_SHARED, 5, 0);
	guest_data[5] = ((volatile long *)a)[1];
	guest_data[6] = guest_call(SYS_mmap, 0, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) > 0;
	guest_data[7] = guest_call(SYS_close, 0, 0, 0, 0, 0, 0);
	guest_data[8] = guest_call(SYS_openat, -100, TOY_DATA, 0, 0, 0, 0);
	guest_exit(0);
}

static void first_steps(void)
{
	uint64_t start, end;
	struct toy_process *p;

	is_int(toy_run(hello, 0), 7, "a guest ends with its status");
	is_str((char *)&toy_data[512], "hello\n", "it wrote through the sentry");
	is_int(toy_data[0], -EFAULT, "a bad address is EFAULT");
	ok(toy_data[1] > 0, "getpid() is answered with the published number");
	is_int(toy_data[2], -ENOSYS, "a number that does not exist");

	is_int(toy_run(memory, 0), 0, "memory calls");
	is_int(toy_data[0], 5, "private memory");
	is_int(toy_data[1], 0, "munmap");
	is_int(toy_data[2], TOY_HEAP, "the heap begins where the image says");
	is_int(toy_data[3], TOY_HEAP + 10000, "it grows");
	is_int(toy_data[4], TOY_HEAP, "it shrinks");
	is_int(toy_data[5], 0, "a descriptor of the sentry's is mapped");
	is_int(toy_data[6], 1, "executable memory");
	is_int(toy_data[7], -ENOSYS, "close() of the guest is no close() of the host");
	is_int(toy_data[8], -ENOSYS, "openat() neither");

	p = toy_begin(hello, 0);
	stub_area(p->stub, &start, &end);
	ok(start >= STUB_GUEST_TOP && end - start == STUB_AREA_BYTES, "the stub's area is known");
	toy_end(p);
}

/* --- children
 * ------------------------------------------------------------------------------------- */

GUEST static void fork_once(long how)
{
	long pid;

	guest_data[1] = 1;
	pid = guest_call(how, 0, 0, 0, 0, 0, 0);
	if (pid == 0) {
		guest_data[2] = guest_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
		guest_exit(3);
	}
	guest_data[3] = pid;
	guest_data[4] = guest_call(SYS_wait4, pid, 0, 0, 0, 0, 0);
	guest_data[5] = guest_data[2];
	guest_exit(0);
}

GUEST static void fork_many(long n)
{
	for (long i = 0; i < n; i++) {
		long pid = guest_call(SYS_fork, 0, 0, 0, 0, 0, 0);

		if (pid == 0) {
			__atomic_fetch_add(&guest_data[0], 1, __ATOMIC_SEQ_CST);
			guest_exit(0);
		}
		if (guest_call(SYS_wait4, pid, 0, 0, 0, 0, 0) != pid)
			guest_exit(1);
	}
	guest_exit(0);
}

GUEST static void count(long n)
{
	for (long i = 0; i < n; i++)
		__atomic_fetch_add(&guest_data[0], 1, __ATOMIC_SEQ_CST);
	guest_call(TOY_NOP, 0, 0, 0, 0, 0, 0);
}

GUEST static void threads(long n)
{
	volatile int *words = (volatile int *)&guest_data[64];

	for (int i = 0; i < n; i++)
		if (guest_thread(count, 1000, &words[i]) < 0)
			guest_exit(1);
	for (int i = 0; i < n; i++)
		guest_join(&words[i]);
	guest_exit(0);
}

/* receive() - of descriptor @fd, which the toy does not know. */
GUEST static long receive(long fd, long to, long room)
{
	return guest_call(SYS_recvfrom, fd, to, room, 0, 0, 0);
}

GUEST static void leased(long unused)
{
	long to = (long)&guest_data[100];

	(void)unused;
	guest_data[0] = guest_call(TOY_LEASE, 5, 10, 0, 0, 0, 0);
	guest_data[1] = receive(5, to, 9);
	guest_data[2] = receive(6, to, 100);
	guest_data[3] = receive(5, 0x10, 100);
	guest_data[4] = receive(5, to, 100);
	guest_data[5] = receive(5, to, 100);
	guest_data[6] = guest_call(TOY_TAKEN, 0, 0, 0, 0, 0, 0);
	guest_call(TOY_LEASE, 5, 10, 0, 0, 0, 0);
	guest_data[7] = guest_call(TOY_TAKEN, 0, 0, 0, 0, 0, 0);
	guest_data[8] = receive(5, to, 100);
	guest_data[9] = guest_call(TOY_LEASE, 5, 40000, 0, 0, 0, 0);
	guest_call(TOY_LEASE, 5, 30000, 0, 0, 0, 0); /* goes with the thread */
	guest_exit(0);
}

static void leases(void)
{
	is_int(toy_run(leased, 0), 0, "leases");
	is_int(toy_data[0], 0, "bytes lie ready");
	is_int(toy_data[1], -ENOSYS, "not for who has no room for all");
	is_int(toy_data[2], -ENOSYS, "nor under another number");
	is_int(toy_data[3], -ENOSYS, "nor at a bad address");
	is_int(toy_data[4], 10, "a receive takes them");
	ok(memcmp((char *)toy.data + 800, "leased", 7) == 0, "as they were");
	is_int(toy_data[5], -ENOSYS, "once");
	is_int(toy_data[6], 1, "which the kernel hears");
	is_int(toy_data[7], 0, "what it takes back was not taken");
	is_int(toy_data[8], -ENOSYS, "and is not there any more");
	is_int(toy_data[9], -ENOMEM, "more than there is room for");
}

static void children(void)
{
	is_int(toy_run(fork_once, SYS_fork), 0, "fork");
	ok(toy_data[3] > 0 && toy_data[3] == toy_data[4], "parent gets and waits for its number");
	is_int(toy_data[2], toy_data[3], "which the child knows as its own");
	is_int(toy_run(fork_once, SYS_vfork), 0, "vfork");
	ok(toy_data[5] == toy_data[3] && toy_data[3] > 0, "the parent went on after its child");
	is_int(toy_run(fork_many, 200), 0, "200 forks, each waited for");
	is_int(toy_data[0], 200, "all ran");
	is_int(toy_run(threads, 8), 0, "8 threads are made and joined");
	is_int(toy_data[0], 8000, "all ran to their end");
	for (int i = 0; i < 20; i++)
		if (toy_run(threads, 20) != 0 || toy_data[0] != 20000)
			ok(false, "round %d of 20 threads", i);
}

/* --- signals
 * -------------------------------------------------------------------------------------- */

GUEST static void raise_self(long unused)
{
	long set = 1l << (SIGUSR1 - 1);
	long x = 12345, y;

	(void)unused;
	guest_handle(SIGUSR1, 0);
	__asm__ volatile("movq %0, %%xmm5" : : "r"(x) : "xmm5");
	guest_call(TOY_RAISE, SIGUSR1, 0, 0, 0, 0, 0);
	__asm__ volatile("movq %%xmm5, %0" : "=r"(y) : : "xmm5");
	guest_data[0] = guest_data[12];
	guest_call(SYS_rt_sigprocmask, SIG_BLOCK, (long)&set, 0, 8, 0, 0);
	guest_call(TOY_RAISE, SIGUSR1, 0, 0, 0, 0, 0);
	guest_data[1] = guest_data[12];
	guest_call(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&set, 0, 8, 0, 0);
	guest_data[2] = guest_data[12];
	guest_data[3] = y == 12345;
	x = guest_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
	guest_call(SYS_tgkill, x, guest_call(SYS_gettid, 0, 0, 0, 0, 0, 0), SIGUSR1, 0, 0, 0);
	guest_data[4] = guest_data[12];
	guest_call(SYS_rt_sigprocmask, SIG_BLOCK, (long)&set, 0, 8, 0, 0);
	guest_data[5] = guest_call(SYS_tgkill, x, x, SIGUSR1, 0, 0, 0);
	guest_exit(0);
}

GUEST static void spin(long unused)
{
	(void)unused;
	guest_handle(SIGUSR2, 0);
	guest_data[0] = 1;
	while (!guest_data[12])
		__asm__ volatile("pause");
	guest_exit(4);
}

GUEST static void sleep_in_host(long flags)
{
	guest_handle(SIGUSR2, (uint64_t)flags);
	guest_data[0] = 1;
	guest_data[1] = guest_call(SYS_futex, (long)&guest_data[20], 0, 0, 0, 0, 0);
	guest_exit(5);
}

GUEST static void nap(long unused)
{
	volatile long t[2], left[2];

	(void)unused;
	guest_handle(SIGUSR2, SA_RESTART);
	t[0] = 3600, t[1] = 0;
	left[0] = 0;
	guest_data[0] = 1;
	guest_data[1] = guest_call(SYS_nanosleep, (long)t, (long)left, 0, 0, 0, 0);
	guest_data[2] = left[0];
	t[0] = 0, t[1] = 1000000;
	guest_data[3] = guest_call(SYS_nanosleep, (long)t, (long)left, 0, 0, 0, 0);
	guest_exit(6);
}

GUEST static void sleep_in_sentry(long code)
{
	guest_handle(SIGUSR2, 0);
	guest_data[0] = 1;
	guest_data[1] = guest_call(TOY_BLOCK, code, 0, 0, 0, 0, 0);
	guest_exit(5);
}

static int signalled(void (*fn)(long), long arg)
{
	struct toy_process *p;

	memset(toy.data, 0, TOY_BYTES);
	p = toy_begin(fn, arg);
	if (!p || !toy_await(0, 1))
		return -3;
	usleep(20000);
	toy_signal(p, SIGUSR2);
	return toy_end(p);
}

static void signals(void)
{
	struct toy_process *p;

	is_int(toy_run(raise_self, 0), 0, "signals to itself");
	is_int(toy_data[0], 1, "the handler ran before the call returned");
	is_int(toy_data[1], 1, "a blocked one waits");
	is_int(toy_data[2], 2, "and comes when it is let through");
	is_int(toy_data[3], 1, "vector registers outlive handlers");
	is_int(toy_data[11], SIGUSR1, "with its siginfo");
	is_int(toy_data[4], 3, "a signal to oneself needs no sentry");
	is_int(toy_data[5], -ENOSYS, "unless it is blocked");
	is_int(signalled(spin, 0), 4, "a busy loop takes a signal");
	is_int(signalled(sleep_in_host, 0), 5, "a futex wait takes a signal");
	is_int(toy_data[1], -EINTR, "and ends with EINTR");
	is_int(signalled(nap, 0), 6, "a sleep ends with a signal");
	ok(toy_data[1] == -EINTR && toy_data[2] >= 3590, "EINTR, and says what was left");
	is_int(toy_data[3], 0, "the next one ends by itself");
	is_int(signalled(sleep_in_sentry, ERESTARTSYS), 5, "a call that sleeps in the sentry");
	is_int(toy_data[1], -EINTR, "EINTR after a handler without SA_RESTART");

	memset(toy.data, 0, TOY_BYTES);
	p = toy_begin(sleep_in_host, SA_RESTART);
	toy_await(0, 1);
	usleep(20000);
	toy_signal(p, SIGUSR2);
	ok(toy_await(12, 1), "with SA_RESTART the handler runs");
	usleep(20000);
	is_int(toy_data[1], 0, "and the wait goes on");
	toy_data[20] = 1;
	toy_signal(p, SIGUSR2);
	is_int(toy_end(p), 5, "until the word has changed");
	is_int(toy_data[1], -EAGAIN, "which the restarted call finds");
}

/* --- faults and deaths --------------------------------------------------------------------------
 */

GUEST static void wild(long unused)
{
	(void)unused;
	*(volatile long *)0x123000 = 1;
	guest_exit(0);
}

GUEST static void on_fault(int signo, siginfo_t *info, void *context)
{
	volatile uint64_t *m = (volatile uint64_t *)((char *)context + 40);

	guest_data[10] = signo;
	guest_data[11] = (long)info->si_addr;
	guest_data[12]++;
	m[16] += 2; /* rip: over mov %eax,(%rdi) */
}

GUEST static void caught(long unused)
{
	struct stub_action a;

	(void)unused;
	a.handler = (uint64_t)on_fault;
	a.flags = 4 | 0x04000000;
	a.restorer = (uint64_t)guest_restorer;
	a.mask = 0;
	guest_call(SYS_rt_sigaction, SIGSEGV, (long)&a, 0, 8, 0, 0);
	for (int i = 0; i < 3; i++)
		__asm__ volatile("mov %%eax, (%%rdi)" : : "D"(0x456000), "a"(1) : "memory");
	guest_exit(9);
}

GUEST static void hang(long unused)
{
	(void)unused;
	guest_data[0] = 1;
	guest_call(TOY_BLOCK, ERESTARTSYS, 0, 0, 0, 0, 0);
	guest_exit(0);
}

static void deaths(void)
{
	struct toy_process *p;

	is_int(toy_run(wild, 0), 128 + SIGSEGV, "a fault without a handler ends the process");
	ok(toy.last_fault == SIGSEGV && toy.last_fault_address == 0x123000, "with its address");
	is_int(toy_run(caught, 0), 9, "a handler of faults");
	ok(toy_data[12] == 3 && toy_data[11] == 0x456000, "ran for each");

	memset(toy.data, 0, TOY_BYTES);
	p = toy_begin(hang, 0);
	toy_await(0, 1);
	stub_kill(p->stub);
	is_int(toy_end(p), -1, "a kill is seen, and its serving thread leaves");
	is_int(p->host_signal, SIGKILL, "as SIGKILL");
	memset(toy.data, 0, TOY_BYTES);
	p = toy_begin(spin, 0);
	toy_await(0, 1);
	toy_stop();
	is_int(toy_end(p), -1, "the end of the container ends its processes");
	ok(toy_begin(hello, 0) == NULL, "and no more are made");
}

int main(void)
{
	if (!toy_start())
		return tap_done();
	first_steps();
	leases();
	children();
	signals();
	deaths();
	return tap_done();
}
