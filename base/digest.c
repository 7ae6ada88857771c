/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content digests over OpenSSL's EVP (which uses the CPU's SHA instructions).
 */
#include "base/digest.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static const struct {
	const char *name;
	size_t hex;
	const EVP_MD *(*md)(void);
} algorithms[] = {
	{ "sha256", 64, EVP_sha256 },
	{ "sha512", 128, EVP_sha512 },
};

bool digest_valid(const char *text)
{
	for (size_t i = 0; text && i < ARRAY_LEN(algorithms); i++) {
		const char *hex = str_after(text, algorithms[i].name);

		if (hex && *hex == ':')
			return strspn(hex + 1, "0123456789abcdef") == algorithms[i].hex &&
			       hex[1 + algorithms[i].hex] == '\0';
	}
	return false;
}

int digest_start(struct digest *d, const char *algorithm, struct error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
		if (!str_eq(algorithms[i].name, algorithm))
			continue;
		d->algorithm = algorithms[i].name;
		d->ctx = EVP_MD_CTX_new();
		if (!d->ctx || !EVP_DigestInit_ex(d->ctx, algorithms[i].md(), NULL)) {
			digest_finish(d);
			return error_set(err, ENOMEM, "digest %s: OpenSSL refuses", algorithm);
		}
		return 0;
	}
	return error_set(err, EINVAL, "digest algorithm '%s' is not sha256 or sha512", algorithm);
}

void digest_update(struct digest *d, const void *data, size_t len)
{
	EVP_DigestUpdate(d->ctx, data, len);
}

void digest_text(struct digest *d, char out[DIGEST_MAX])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	char *p = stpcpy(out, d->algorithm);

	EVP_DigestFinal_ex(d->ctx, raw, &len);
	*p++ = ':';
	for (unsigned int i = 0; i < len; i++) {
		*p++ = digits[raw[i] >> 4];
		*p++ = digits[raw[i] & 15];
	}
	*p = '\0';
	digest_finish(d);
}

void digest_finish(struct digest *d)
{
	EVP_MD_CTX_free(d->ctx);
	d->ctx = NULL;
}

void digest_of(const void *data, size_t len, char out[DIGEST_MAX])
{
	struct digest d;

	if (digest_start(&d, "sha256", NULL) < 0)
		abort();
	digest_update(&d, data, len);
	digest_text(&d, out);
}
