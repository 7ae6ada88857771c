/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of the table of system calls as text.
 */
#include "runtimes/sentry/boot/tables.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "runtimes/sentry/sys/sys.h"

bool tables_call(unsigned int nr, struct table_call *ret)
{
	static const char *const states[] = {
		[SYS_FULL] = "full", [SYS_PARTIAL] = "partial", [SYS_REFUSED] = "refused"
	};
	const struct sys_entry *e;

	if (nr >= SYS_CALLS)
		return false;
	e = &sys_table[nr];
	ret->name = str_or(e->name, "unknown");
	ret->state = e->fn ? states[e->state] : "refused";
	if (e->fn)
		snprintf(ret->note, sizeof(ret->note), "%s", str_or(e->note, ""));
	else
		snprintf(ret->note, sizeof(ret->note), "%s: %s",
			 e->errnum ? strerrorname_np(e->errnum) : "ENOSYS",
			 str_or(e->note, "no such call"));
	return true;
}
