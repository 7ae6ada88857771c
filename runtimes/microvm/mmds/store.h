/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata service's data, tokens, and answers to the guest's requests.
 */
#ifndef MICROVM_MMDS_STORE_H
#define MICROVM_MMDS_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"

enum mmds_version { MMDS_V1, MMDS_V2 };

struct mmds_store {
	enum mmds_version version; /* V2: only with a token */
	bool imds;		   /* never JSON, whatever a request accepts */
	struct arena arena;	   /* of data */
	const struct json *data;   /* NULL: nothing has been put yet */
	uint64_t secret[2];	   /* of tokens; 0: not made yet */
};

void mmds_store_finish(struct mmds_store *s);

/*
 * mmds_store_put() - instead of what was; mmds_store_patch() - merged into it (RFC 7396).
 * Return: 0; -ENODATA for a patch of nothing; -E2BIG when it would be longer than @max as text;
 * nothing has changed then.
 */
int mmds_store_put(struct mmds_store *s, const struct json *value, size_t max, struct error *err);
int mmds_store_patch(struct mmds_store *s, const struct json *patch, size_t max, struct error *err);

/*
 * mmds_store_answer() - one HTTP request of the guest at the start of @request.
 * Return: its length, with the answer appended to @out; 0 when more is to come; -EBADMSG for what
 * is no request (an answer says so).
 */
ssize_t mmds_store_answer(struct mmds_store *s, const char *request, size_t len,
			  struct strbuf *out);

/* mmds_token_make() - good for @seconds from @now_ns.  Return: owned by the caller. */
char *mmds_token_make(struct mmds_store *s, uint32_t seconds, int64_t now_ns);
bool mmds_token_good(struct mmds_store *s, const char *token, int64_t now_ns);

#endif
