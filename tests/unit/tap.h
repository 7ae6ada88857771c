/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TAP output for unit tests: one line a check, the plan at the end.
 *
 * A test program calls ok() and friends from main() and returns tap_done().
 */
#ifndef TESTS_UNIT_TAP_H
#define TESTS_UNIT_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;

/* ok() - one check; the text says what holds. */
__attribute__((format(printf, 4, 5), unused)) static bool
tap_check(bool good, const char *file, int line, const char *format, ...)
{
	va_list ap;

	printf("%s %d - ", good ? "ok" : "not ok", ++tap_count);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	if (!good) {
		printf("# at %s:%d\n", file, line);
		tap_failed++;
	}
	fflush(stdout);
	return good;
}

#define ok(cond, ...) tap_check((cond), __FILE__, __LINE__, __VA_ARGS__)

/* is_str() - @got equals @want; NULL equals only NULL. */
#define is_str(got, want, what)                                                  \
	({                                                                       \
		const char *g_ = (got), *w_ = (want);                            \
		bool same_ = g_ && w_ ? strcmp(g_, w_) == 0 : g_ == w_;          \
		ok(same_, "%s", what);                                           \
		if (!same_)                                                      \
			printf("#  got '%s'\n# want '%s'\n", g_ ? g_ : "(null)", \
			       w_ ? w_ : "(null)");                              \
		same_;                                                           \
	})

/* is_int() - @got equals @want, both as long long. */
#define is_int(got, want, what)                                          \
	({                                                               \
		long long g_ = (long long)(got), w_ = (long long)(want); \
		ok(g_ == w_, "%s", what);                                \
		if (g_ != w_)                                            \
			printf("#  got %lld\n# want %lld\n", g_, w_);    \
		g_ == w_;                                                \
	})

/* skip() - a check that this host cannot run, with the reason. */
#define skip(what, why) printf("ok %d - %s # SKIP %s\n", ++tap_count, what, why)

/* tap_done() - print the plan, also for one who leaves by _exit().  Return: main()'s exit code. */
__attribute__((unused)) static int tap_done(void)
{
	printf("1..%d\n", tap_count);
	fflush(stdout);
	return tap_failed ? 1 : 0;
}

#endif
