/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the benchmarks' guest: what a measurement is, and how often it is repeated.
 */
#ifndef TESTS_BENCH_GUEST_H
#define TESTS_BENCH_GUEST_H

#include <stddef.h>

/*
 * struct measure - one figure: time of one turn of @run.
 * @name: as in the table that bench-sentry prints
 * @run: do it @n times
 * @begin: what it needs, once before; may be NULL
 * @end: takes that away; may be NULL
 */
struct measure {
	const char *name;
	void (*run)(long n);
	void (*begin)(void);
	void (*end)(void);
};

/* The groups, each ended by a NULL name. */
extern const struct measure measures_calls[], measures_memory[], measures_process[],
	measures_signal[], measures_file[];

/* guest_must() - ends the program, with the reason, unless @rc is >= 0. Return: @rc. */
long guest_must(long rc, const char *what);

/* guest_self() - the program's own path, for measures that execute it: `PATH nothing` ends at once.
 */
const char *guest_self(void);

#endif
