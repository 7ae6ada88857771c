/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest code that several tests run: threads and handlers.
 */
#ifndef TESTS_SENTRY_GUEST_H
#define TESTS_SENTRY_GUEST_H

#include "tests/unit/runtimes/sentry/platform/toy.h"

#define THREAD_FLAGS                                                                        \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | \
	 CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

/* guest_thread() - a thread that runs @fn(@arg); its word of @word is its tid until it ends. */
GUEST static long guest_thread(void (*fn)(long), long arg, volatile int *word)
{
	long stack = guest_call(SYS_mmap, 0, 65536, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long *top = (long *)(stack + 65536 - 64);
	long rc;

	top[0] = (long)fn;
	top[1] = arg;
	*word = 1;
	__asm__ volatile("mov %5, %%r10\n"
			 "mov %6, %%r8\n"
			 "syscall\n"
			 "test %%rax, %%rax\n"
			 "jnz 1f\n"
			 "pop %%rax\n"
			 "pop %%rdi\n"
			 "call *%%rax\n"
			 "mov $60, %%eax\n"
			 "xor %%edi, %%edi\n"
			 "syscall\n"
			 "1:\n"
			 : "=a"(rc)
			 : "a"((long)SYS_clone), "D"((long)THREAD_FLAGS), "S"(top), "d"(word),
			   "r"(word), "r"(stack)
			 : "rcx", "r11", "r10", "r8", "memory");
	return rc;
}

GUEST static void guest_join(volatile int *word)
{
	int value;

	while ((value = *word) != 0)
		guest_call(SYS_futex, (long)word, 0 /* WAIT, shared */, value, 0, 0, 0);
}

/* What the handler below leaves behind. */
#define GUEST_SIGNO  10
#define GUEST_INFO   11
#define GUEST_CAUGHT 12 /* how many */

GUEST __attribute__((naked)) static void guest_restorer(void)
{
	__asm__("mov $15, %eax\n syscall\n");
}

GUEST static void guest_on_signal(int signo, siginfo_t *info, void *context)
{
	(void)context;
	guest_data[GUEST_SIGNO] = signo;
	guest_data[GUEST_INFO] = info->si_signo;
	guest_data[GUEST_CAUGHT]++;
}

GUEST static void guest_handle(int signo, uint64_t flags)
{
	struct stub_action a;

	a.handler = (uint64_t)guest_on_signal;
	a.flags = flags | 4 /* SIGINFO */ | 0x04000000 /* RESTORER */;
	a.restorer = (uint64_t)guest_restorer;
	a.mask = 0;
	guest_call(SYS_rt_sigaction, signo, (long)&a, 0, 8, 0, 0);
}

#endif
