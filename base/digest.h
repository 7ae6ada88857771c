/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content digests as OCI writes them: "sha256:<64 hex>" (image-spec descriptor.md, Digests).
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define DIGEST_MAX 160 /* "sha512:" + 128 hex + NUL fits */

/* A running hash. */
struct digest {
	void *ctx; /* EVP_MD_CTX */
	const char *algorithm;
};

/* digest_valid() - a known algorithm (sha256, sha512) with the right number of lower-case hex. */
bool digest_valid(const char *text);
/* digest_start() - @algorithm "sha256" or "sha512". */
int digest_start(struct digest *d, const char *algorithm, struct error *err);
void digest_update(struct digest *d, const void *data, size_t len);
/* digest_text() - end it and write "sha256:<hex>". */
void digest_text(struct digest *d, char out[DIGEST_MAX]);
void digest_finish(struct digest *d); /* free without a result; harmless after digest_text() */
/* digest_of() - of a whole buffer, sha256. */
void digest_of(const void *data, size_t len, char out[DIGEST_MAX]);
#define cleanup_digest __attribute__((__cleanup__(digest_finish)))

#endif
