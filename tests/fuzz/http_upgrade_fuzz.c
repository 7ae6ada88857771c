/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the request head of the streaming server.
 */
#include <stdlib.h>

#include "cri/stream/upgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const offered[] = { "v4.channel.k8s.io", "v3.channel.k8s.io" };
	struct upgrade_request r = { 0 };
	ssize_t n = upgrade_parse((const char *)data, size, &r, NULL);
	size_t chosen;

	if (n > (ssize_t)size || (n > 0) != (r.text != NULL))
		abort();
	if (n > 0) {
		if (r.path[0] != '/')
			abort();
		upgrade_has(&r, "Connection", "upgrade");
		if (upgrade_choose(&r, offered, 2, &chosen, NULL) == 0 && chosen > 1)
			abort();
	}
	upgrade_finish(&r);
	return 0;
}
