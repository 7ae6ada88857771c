/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts.toml files.
 */
#include <stdint.h>

#include "base/mem.h"
#include "image/hosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text cleanup_free = xmemdup(data, size);
	struct hosts hosts = { 0 };
	struct error err = ERROR_INIT;

	if (hosts_parse(text, size, "/nonexistent", "localhost:5000", &hosts, &err) == 0 &&
	    (hosts.count == 0 || hosts.count > HOSTS_MAX))
		abort();
	hosts_finish(&hosts);
	return 0;
}
