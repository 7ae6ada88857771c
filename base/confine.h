/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving up rights: what helper processes do before they read a byte that others wrote.
 *
 * Each step is for good, and for a process with one thread.  What a helper keeps is its own to say:
 * its capabilities as a mask, its system calls as a table.
 */
#ifndef BASE_CONFINE_H
#define BASE_CONFINE_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/error.h"

/*
 * confine_empty_root() - an empty read-only file system becomes the root and the working directory
 * of the caller, who has a mount namespace of its own and may mount in it.
 */
int confine_empty_root(struct error *err);

/*
 * confine_bounding() - nothing that the caller executes can gain a capability but those in @keep
 * (bits by number, below 32).  A caller that may not change its bounding set keeps it.
 */
int confine_bounding(uint32_t keep, struct error *err);

/*
 * confine_rights() - capabilities but those in @keep leave every set of the caller's; no_new_privs;
 * no core file; nobody of the same user may look into the process.
 */
int confine_rights(uint32_t keep, struct error *err);

#define ALLOWED_CHECKS 2

/* The lower half of argument @arg, with @mask over it, is @value; @mask 0: nothing is checked. */
struct argument_check {
	uint8_t arg;
	uint32_t mask, value;
};

/* A call that is let through, perhaps only with certain arguments: all checks have to hold. */
struct allowed_call {
	uint16_t nr;
	char name[22];
	struct argument_check checks[ALLOWED_CHECKS];
};

#define ARG_MASKED(arg, mask, value)   \
	{                              \
		(arg), (mask), (value) \
	}
#define ARG_IS(arg, value) ARG_MASKED(arg, ~0u, value)
#define ALLOW_IF(call, ...)                                                \
	{                                                                  \
		.nr = SYS_##call, .name = #call, .checks = { __VA_ARGS__ } \
	}
#define ALLOW(call)                             \
	{                                       \
		.nr = SYS_##call, .name = #call \
	}
/* mmap and mprotect: never memory that can be executed */
#define ALLOW_NO_EXEC(call) ALLOW_IF(call, ARG_MASKED(2, PROT_EXEC, 0))

/* Sanitizer builds have no filters: their libraries call more than any list has. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CONFINE_FILTERS 0
#else
#define CONFINE_FILTERS 1
#endif

/*
 * confine_calls() - every system call but the @n of @calls gets the answer @otherwise
 * (SECCOMP_RET_...); those of another architecture end the process.  A call may stand there more
 * than once: each adds arguments with which it is let through.  Does nothing without
 * CONFINE_FILTERS.
 */
int confine_calls(uint32_t otherwise, const struct allowed_call *calls, size_t n,
		  struct error *err);

#define CONFINE_FILTER_MAX 640 /* instructions */

/* confine_filter() - the program that confine_calls() loads.  Return: its length, or -E2BIG. */
int confine_filter(uint32_t otherwise, const struct allowed_call *calls, size_t n,
		   struct sock_filter out[CONFINE_FILTER_MAX]);

#endif
