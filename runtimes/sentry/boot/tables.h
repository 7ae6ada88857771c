/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel says about itself, for the command line.
 */
#ifndef SENTRY_BOOT_TABLES_H
#define SENTRY_BOOT_TABLES_H

#include <stdbool.h>

struct table_call {
	const char *name, *state; /* "full", "partial", "refused" */
	char note[160];
};

/* tables_call() - row @nr of the guest's system calls. Return: false past the last. */
bool tables_call(unsigned int nr, struct table_call *ret);

#endif
