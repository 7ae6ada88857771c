/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an interrupted thread goes on, so that it loses no signal.
 *
 * Whoever has found nothing pending, but has not yet made the call that sleeps or leaves, must look
 * again: a handler moves it from the window in between to the way out.
 */
#ifndef SENTRY_STUB_FIXUP_H
#define SENTRY_STUB_FIXUP_H

#include <stdint.h>

/* calls.S */
extern const char host_block_begin[], host_block_syscall[], host_block_out[];
extern const char stub_leave_begin[], stub_leave_syscall[], stub_leave_out[];

/* The address at @last has not been executed yet either. */
static inline int fixup_is_in(uint64_t ip, const char *begin, const char *last)
{
	return ip >= (uint64_t)begin && ip <= (uint64_t)last;
}

/* fixup_ip() - Return: @ip, or the way out of the window that it is in. */
static inline uint64_t fixup_ip(uint64_t ip)
{
	if (fixup_is_in(ip, host_block_begin, host_block_syscall))
		return (uint64_t)host_block_out;
	if (fixup_is_in(ip, stub_leave_begin, stub_leave_syscall))
		return (uint64_t)stub_leave_out;
	return ip;
}

#endif
