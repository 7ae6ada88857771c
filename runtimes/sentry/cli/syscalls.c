/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `syscalls`: the table of calls: number, name, state, note, tab separated.
 */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "runtimes/sentry/boot/tables.h"
#include "runtimes/sentry/cli/cli.h"

int cli_syscalls(const struct cli *c, int argc, char **argv)
{
	struct table_call call;

	if (flags_parse(c, NULL, 0, false, argc, argv) < 0)
		return 1;
	for (unsigned int nr = 0; tables_call(nr, &call); nr++)
		printf("%u\t%s\t%s\t%s\n", nr, call.name, call.state, call.note);
	return 0;
}
