/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reader of the TOML that hosts.toml files use.
 *
 * Tables, dotted headers, basic and literal strings, booleans, numbers, nested arrays, comments.
 * Not: inline tables, multi-line strings, dates, arrays of tables; they are errors with a line.
 */
#ifndef IMAGE_TOML_H
#define IMAGE_TOML_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"

#define TOML_MAX_BYTES (1 << 20)
#define TOML_MAX_DEPTH 4 /* of headers and of arrays */

enum toml_type { TOML_STRING, TOML_BOOL, TOML_NUMBER, TOML_ARRAY };

struct toml_value {
	enum toml_type type;
	const char *text;	  /* string, number, "true" or "false" */
	struct toml_value *child; /* of an array, in order */
	struct toml_value *next;
};

/*
 * One "key = value" below the header @path (@depth names, 0 at the top); @key and @value are NULL
 * for the header itself.  Return: < 0 ends the parse.
 */
typedef int toml_fn(void *data, const char *const *path, size_t depth, const char *key,
		    const struct toml_value *value, struct error *err);

/* toml_parse() - call @fn for each header and pair, in order.  Errors name the line. */
int toml_parse(struct arena *a, const char *text, size_t len, toml_fn *fn, void *data,
	       struct error *err);

#endif
