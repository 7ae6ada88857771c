/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grpc-timeout header.
 */
#ifndef CRI_GRPC_TIMEOUT_H
#define CRI_GRPC_TIMEOUT_H

#include <stddef.h>
#include <stdint.h>

/*
 * grpc_timeout_parse() - "100m" and the like: 1 to 8 digits, then H M S m u or n.
 * @ret_ns: length in nanoseconds, INT64_MAX when it does not fit.
 * Return: 0 or -EINVAL.
 */
int grpc_timeout_parse(const char *text, size_t len, int64_t *ret_ns);

/*
 * grpc_timeout_deadline() - the monotonic time @timeout_ns from @now_ns, never 0 (which means
 * no deadline) unless it is too far away to be told from none.
 */
int64_t grpc_timeout_deadline(int64_t now_ns, int64_t timeout_ns);

#endif
