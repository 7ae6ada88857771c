/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of dates: the same as the C library's.
 */
#include <stdio.h>
#include <time.h>

#include "base/str.h"
#include "tests/unit/tap.h"

static bool same(int64_t seconds)
{
	time_t t = (time_t)seconds;
	char ours[20], theirs[32];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%S", &tm);
	str_utc(seconds, ours);
	return str_eq(ours, theirs);
}

int main(void)
{
	int64_t wrong = -1;
	char text[36];

	for (int64_t t = 0; t < INT64_C(253402300800) && wrong < 0; t += 86399)
		if (!same(t))
			wrong = t;
	is_int(wrong, -1, "from 1970 to 9999");
	ok(same(0) && same(951782400) && same(4107542400) && same(253402300799), "edges");
	str_rfc3339(1700000000123456789, text);
	is_str(text, "2023-11-14T22:13:20.123456789Z", "with nanoseconds");
	return tap_done();
}
