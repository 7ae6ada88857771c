/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aligned columns on standard output.
 */
#include "cri/tool/table.h"

#include <stdio.h>

#include "base/loop.h"
#include "base/mem.h"

static size_t column_width(const struct table *t, size_t column)
{
	size_t width = 0;

	for (size_t i = column; i < t->cells.count; i += t->columns)
		width = MAX(width, strlen(t->cells.items[i]));
	return width;
}

/* Names come from others: they must not steer the terminal. */
static void print_cell(const char *text, size_t width)
{
	size_t n = 0;

	for (; text[n]; n++)
		putchar((unsigned char)text[n] < ' ' || text[n] == 0x7f ? '?' : text[n]);
	for (; n < width; n++)
		putchar(' ');
}

void table_print(const struct table *t)
{
	for (size_t i = 0; i < t->cells.count; i++) {
		size_t column = i % t->columns;
		bool last = column + 1 == t->columns;

		print_cell(t->cells.items[i], last ? 0 : column_width(t, column) + 2);
		if (last)
			putchar('\n');
	}
}

void table_finish(struct table *t)
{
	strlist_finish(&t->cells);
}

void table_add_age(struct table *t, int64_t then_ns)
{
	int64_t s = (clock_wall_ns() - then_ns) / 1000000000;

	if (s < 120)
		strlist_addf(&t->cells, "%llds", (long long)MAX(s, 0));
	else if (s < 2 * 3600)
		strlist_addf(&t->cells, "%lldm", (long long)s / 60);
	else if (s < 48 * 3600)
		strlist_addf(&t->cells, "%lldh", (long long)s / 3600);
	else
		strlist_addf(&t->cells, "%lldd", (long long)s / 86400);
}

void table_format_size(uint64_t bytes, char out[TABLE_SIZE_MAX])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < ARRAY_LEN(units)) {
		value /= 1024;
		unit++;
	}
	snprintf(out, TABLE_SIZE_MAX, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void table_add_size(struct table *t, uint64_t bytes)
{
	char text[TABLE_SIZE_MAX];

	table_format_size(bytes, text);
	strlist_add(&t->cells, text);
}
