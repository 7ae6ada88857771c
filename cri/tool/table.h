/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aligned columns on standard output.
 */
#ifndef CRI_TOOL_TABLE_H
#define CRI_TOOL_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* {.columns = N} starts one; cells are added row by row with strlist_add() and friends. */
struct table {
	size_t columns;
	struct strlist cells;
};

/* table_print() - each column as wide as its widest cell; control characters become '?'. */
void table_print(const struct table *t);
void table_finish(struct table *t);
#define cleanup_table __attribute__((__cleanup__(table_finish)))

/* table_add_age() - a cell "3s", "2m", "5h", "9d" for wall clock @then_ns. */
void table_add_age(struct table *t, int64_t then_ns);
#define TABLE_SIZE_MAX 24
/* table_format_size() - "1.5 MiB". */
void table_format_size(uint64_t bytes, char out[TABLE_SIZE_MAX]);
/* table_add_size() - a cell "1.5 MiB". */
void table_add_size(struct table *t, uint64_t bytes);

#endif
