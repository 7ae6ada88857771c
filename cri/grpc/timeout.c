/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grpc-timeout header.
 */
#include "cri/grpc/timeout.h"

#include <errno.h>

#define MAX_DIGITS 8

static int64_t unit_ns(char unit)
{
	switch (unit) {
	case 'H':
		return INT64_C(3600000000000);
	case 'M':
		return INT64_C(60000000000);
	case 'S':
		return INT64_C(1000000000);
	case 'm':
		return INT64_C(1000000);
	case 'u':
		return INT64_C(1000);
	case 'n':
		return 1;
	default:
		return 0;
	}
}

int grpc_timeout_parse(const char *text, size_t len, int64_t *ret_ns)
{
	int64_t value = 0, unit;

	if (len < 2 || len > MAX_DIGITS + 1)
		return -EINVAL;
	for (size_t i = 0; i + 1 < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		value = value * 10 + (text[i] - '0');
	}
	unit = unit_ns(text[len - 1]);
	if (unit == 0)
		return -EINVAL;
	if (__builtin_mul_overflow(value, unit, ret_ns))
		*ret_ns = INT64_MAX;
	return 0;
}

int64_t grpc_timeout_deadline(int64_t now_ns, int64_t timeout_ns)
{
	int64_t deadline_ns;

	if (__builtin_add_overflow(now_ns, timeout_ns, &deadline_ns))
		return 0;
	return deadline_ns == 0 ? 1 : deadline_ns;
}
