/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes what a CNI plugin prints: its result, and its error.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/str.h"
#include "network/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strlist ips cleanup_strlist = { 0 };
	struct strbuf out cleanup_strbuf = { 0 }, none cleanup_strbuf = { 0 };
	struct error err = ERROR_INIT;
	int rc = result_parse((const char *)data, size, &ips, &err);

	/* every address is text that fits, and a failure gives none */
	if (rc < 0 ? ips.count != 0 || err.code != rc : ips.count > 16)
		abort();
	strbuf_append(&out, data, size);
	if (result_error(&out, &none, 1, &err) >= 0 || result_error(&none, &out, 1, &err) >= 0)
		abort();
	return 0;
}
