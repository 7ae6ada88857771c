/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc-timeout values.
 */
#include "cri/grpc/timeout.h"

#include <errno.h>

#include "base/mem.h"
#include "tests/unit/tap.h"

static void good(const char *text, int64_t want_ns)
{
	int64_t ns = -1;

	ok(grpc_timeout_parse(text, strlen(text), &ns) == 0 && ns == want_ns, "%s is %lld ns", text,
	   (long long)want_ns);
}

static void bad(const char *text)
{
	int64_t ns = 77;

	ok(grpc_timeout_parse(text, strlen(text), &ns) == -EINVAL && ns == 77, "'%s' is refused",
	   text);
}

int main(void)
{
	static const char *const wrong[] = { "",	   "1",	   "m",	  "-1m", "+1m",
					     "1 m",	   " 1m",  "1ms", "1s",	 "1.5S",
					     "123456789n", "0x1m", "1h" };

	good("1n", 1);
	good("2u", 2000);
	good("1m", 1000000);
	good("120S", INT64_C(120000000000));
	good("2M", INT64_C(120000000000));
	good("1H", INT64_C(3600000000000));
	good("0m", 0);
	good("99999999n", 99999999);
	good("99999999S", INT64_C(99999999000000000));
	good("99999999H", INT64_MAX);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		bad(wrong[i]);
	is_int(grpc_timeout_deadline(100, 5), 105, "a deadline is now and the timeout");
	is_int(grpc_timeout_deadline(100, INT64_MAX), 0, "too far away is none");
	is_int(grpc_timeout_deadline(0, 0), 1, "but at once is one");
	return tap_done();
}
