/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes CNI configurations and journal texts: what parses is written, and parses again the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "network/attachment.h"
#include "network/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct conf *c)
{
	struct strbuf first cleanup_strbuf = { 0 }, second cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &first }, w2 = { .out = &second };
	struct conf *again;

	conf_json(c, &w);
	if (conf_parse(first.data, first.len, &again, NULL) < 0)
		abort();
	conf_json(again, &w2);
	if (strcmp(first.data, second.data) != 0)
		abort();
	conf_destroy(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text cleanup_free = xstrndup((const char *)data, size);
	struct attachment *a;
	struct conf *c;

	if (conf_parse((const char *)data, size, &c, NULL) == 0) {
		round_trip(c);
		conf_destroy(c);
	}
	if (attachment_parse(text, &a, NULL) == 0)
		attachment_destroy(a);
	return 0;
}
