/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stub may ask of the host kernel.
 *
 * The table is the one source: the stub builds its seccomp filter from it, and
 * `bulkhead-sentry features` prints it.  No libc in here: the stub links this file too.
 */
#ifndef SENTRY_PLATFORM_FILTER_H
#define SENTRY_PLATFORM_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum filter_from {
	FILTER_GUEST, /* any code of the process: as good as native */
	FILTER_STUB,  /* only the stub's own instructions: for right behaviour, not for safety */
};

/*
 * How much the host does for guests by itself.  Strict: no instruction of theirs is served where it
 * stands, and what the sentry can do instead, or do without, is not there.
 */
enum filter_mode {
	FILTER_DEFAULT = 1,
	FILTER_STRICT = 2,
	FILTER_BOTH = FILTER_DEFAULT | FILTER_STRICT, /* of rows */
};

enum filter_test {
	FILTER_MASKED = 1, /* (argument & mask) == value */
	FILTER_LISTED,	   /* n = argument & mask; n < 32 and bit n of value is set */
	FILTER_AT_MOST,	   /* argument <= value */
};

struct filter_check {
	uint8_t arg, test;
	uint32_t mask, value; /* of the low 32 bits */
};

#define FILTER_MAX_CHECKS 3

/* One way in which a call is let through; a call may have several rows, side by side. */
struct filter_row {
	uint16_t nr;
	uint8_t from, modes;
	uint8_t to_sentry; /* handed to the listener, not run */
	const char name[18];
	struct filter_check checks[FILTER_MAX_CHECKS];
	const char why[56];
};

extern const struct filter_row filter_rows[];
extern const size_t filter_n_rows;

#define FILTER_MAX_LENGTH 512

/* filter_lets() - whether a call is let through at an instruction of @from (a stub's: also there).
 */
bool filter_lets(enum filter_mode mode, enum filter_from from, uint32_t nr, const uint64_t args[6]);
/* filter_has() - whether that can be for any arguments. */
bool filter_has(enum filter_mode mode, enum filter_from from, uint32_t nr);

/*
 * filter_build() - the program, for the architecture x86-64 alone; everything else traps, other
 * architectures kill.
 * @begin, @end: the stub's system call instructions; the upper halves of both are the same.
 * Return: number of instructions, 0: @size does not do.
 */
size_t filter_build(enum filter_mode mode, struct sock_filter *out, size_t size, uint64_t begin,
		    uint64_t end);

#endif
