/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program without a libc begins with.
 *
 * For those of which there is one for each container or pod, idle: they take 20 KiB that way
 * instead of 700.
 */
#ifndef SENTRY_STANDIN_BARE_H
#define SENTRY_STANDIN_BARE_H

#include <asm/unistd.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* BARE_START() - the program's first instructions: they call int @fn(uint64_t argc, char **argv).
 */
#define BARE_START(fn)                                     \
	__asm__(".text\n"                                  \
		".globl _start\n"                          \
		"_start:\n"                                \
		"	xor %ebp, %ebp\n"                        \
		"	mov (%rsp), %rdi\n"                      \
		"	lea 8(%rsp), %rsi\n"                     \
		"	and $-16, %rsp\n"                        \
		"	call " #fn "\n"                    \
		"	mov %eax, %edi\n"                        \
		"	mov $231, %eax\n" /* exit_group */ \
		"	syscall\n")

/* bare_call() - a system call.  Return: the kernel's answer, -errno for errors. */
static inline long bare_call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return ret;
}

static inline bool bare_same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static inline void bare_print(int fd, const char *text)
{
	size_t len = 0;

	while (text[len])
		len++;
	bare_call(__NR_write, (uint64_t)fd, (uint64_t)text, len, 0, 0);
}

#endif
