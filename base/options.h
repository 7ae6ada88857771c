/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines of long options, from a table.
 *
 * Names are exact (no abbreviations), "--name value" and "--name=value" are the same, and an
 * option that is no list stands at most once.
 */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

enum option_kind {
	OPTION_FLAG, /* bool */
	OPTION_TEXT, /* const char *, into argv */
	OPTION_U64,  /* uint64_t, decimal */
	OPTION_LIST, /* struct strlist, a value each time */
};

struct option_spec {
	const char *name; /* without the dashes; NULL ends the table */
	enum option_kind kind;
	size_t offset;	   /* of the field in the structure that is filled */
	const char *value; /* what the value is, for the help; NULL for flags */
	const char *help;
};

/*
 * options_parse() - fill @into by @specs.  "--" ends the options.
 * @ret_rest: index of the first argument after "--" (argc when there is none).
 * Return: 0, or -EINVAL naming the argument; a word that is no option is one.
 */
int options_parse(const struct option_spec *specs, int argc, char **argv, void *into, int *ret_rest,
		  struct error *err);

/* options_help() - the table as text, one option a line. */
void options_help(const struct option_spec *specs, FILE *to);

#endif
