/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Indexes, manifests and configs: the same bytes go through every reader.
 */
#include <stdint.h>

#include "base/digest.h"
#include "base/mem.h"
#include "image/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_blob(const struct manifest_blob *b)
{
	if (!digest_valid(b->digest))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text cleanup_free = xmemdup(data, size);
	char *digest cleanup_free = NULL;
	struct manifest_config c;
	enum manifest_kind kind;
	struct manifest m;
	struct error err = ERROR_INIT;

	manifest_kind(text, size, NULL, &kind, &err);
	if (manifest_choose(text, size, "linux", "amd64", &digest, &err) == 0 &&
	    !digest_valid(digest))
		abort();
	if (manifest_parse(text, size, &m, &err) == 0) {
		check_blob(&m.config);
		for (size_t i = 0; i < m.n_layers; i++)
			check_blob(&m.layers[i]);
		manifest_finish(&m);
	}
	if (manifest_config_parse(text, size, &c, &err) == 0) {
		for (size_t i = 0; i < c.diff_ids.count; i++) {
			if (!digest_valid(c.diff_ids.items[i]))
				abort();
		}
		manifest_config_finish(&c);
	}
	return 0;
}
