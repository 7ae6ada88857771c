/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests on the sentry's control socket: what is let through is well-formed.
 *
 * The first byte says how many descriptors came along.
 */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "runtimes/sentry/boot/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_request rq = { 0 };
	size_t len;

	if (size < 1)
		return 0;
	/* a seed is short: the rest of a request are zeros, and its length is right */
	len = data[0] & 0x80 ? size - 1 : sizeof(rq);
	memcpy(&rq, data + 1, MIN(size - 1, sizeof(rq)));
	if (control_check(&rq, len, data[0] & 0x1f) < 0)
		return 0;
	if (rq.version != CONTROL_VERSION || rq.op == 0 || rq.op >= CONTROL_OPS)
		abort();
	if (strnlen(rq.id, sizeof(rq.id)) == sizeof(rq.id) || rq.n_trees > CONTROL_TREES_MAX)
		abort();
	if (rq.signo < 0 || rq.signo > 64 || rq.pid < 0)
		abort();
	return 0;
}
