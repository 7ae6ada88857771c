/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving up rights: what helper processes do before they read a byte that others wrote.
 *
 * Each step is for good, and for a process with one thread.  What a helper keeps is its own to say:
 * its capabilities as a mask, its system calls as a table.
 */
#ifndef BASE_CONFINE_H
#define BASE_CONFINE_H

#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

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

/* A call that is let through, perhaps only with certain arguments (seccomp_rule_add(3)). */
struct allowed_call {
	int nr;
	const char *name;
	unsigned int conditions;
	struct scmp_arg_cmp where[2];
};

#define ALLOW(call)                                 \
	{                                           \
		.nr = SCMP_SYS(call), .name = #call \
	}
#define ALLOW_IF(call, n, ...)                                                                   \
	{                                                                                        \
		.nr = SCMP_SYS(call), .name = #call, .conditions = (n), .where = { __VA_ARGS__ } \
	}
/* mmap and mprotect: never memory that can be executed */
#define ALLOW_NO_EXEC(call) ALLOW_IF(call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0))

/*
 * confine_calls() - every system call but the @n of @calls gets the answer @otherwise
 * (SCMP_ACT_...).  A name may stand there more than once: each adds a condition under which it is
 * let through.  Sanitizer builds have no filter: their libraries call more than any list has.
 */
int confine_calls(uint32_t otherwise, const struct allowed_call *calls, size_t n,
		  struct error *err);

#endif
