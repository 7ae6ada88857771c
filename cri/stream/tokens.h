/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-use tokens: what a URL stands for until its client comes.
 *
 * A token lives for a minute and is taken once.  At most TOKENS_MAX wait at a time.  Not locked.
 */
#ifndef CRI_STREAM_TOKENS_H
#define CRI_STREAM_TOKENS_H

#include "cri/stream/stream.h"

#define TOKENS_MAX     1000
#define TOKENS_CHARS   8
#define TOKENS_LIFE_NS (60 * INT64_C(1000000000))

struct tokens {
	struct token_slot *slots; /* TOKENS_MAX, allocated with the first one */
};

void tokens_finish(struct tokens *t);

/*
 * tokens_put() - keep a copy of @r.  @now_ns: monotonic clock.
 * Return: 0 with the token in @ret, -EDQUOT when TOKENS_MAX wait.
 */
int tokens_put(struct tokens *t, enum stream_kind kind, const struct stream_request *r,
	       int64_t now_ns, char ret[TOKENS_CHARS + 1], struct error *err);

/*
 * tokens_take() - end a token.  A token of another kind stays where it is.
 * Return: its request, to be freed with tokens_request_free(); NULL: unknown, used or too old.
 */
struct stream_request *tokens_take(struct tokens *t, enum stream_kind kind, const char *token,
				   int64_t now_ns);
void tokens_request_free(struct stream_request *r); /* may be NULL */

#endif
