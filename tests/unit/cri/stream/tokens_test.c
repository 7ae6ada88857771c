/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens: one use, one minute, at most a thousand.
 */
#include "cri/stream/tokens.h"

#include "base/str.h"
#include "tests/unit/tap.h"

static char *argv_ls[] = { (char *)"ls", (char *)"-l", NULL };
static const struct stream_request request = {
	.container_id = (char *)"c1",
	.argv = argv_ls,
	.out = true,
};

static void test_once(void)
{
	struct tokens t = { 0 };
	char token[TOKENS_CHARS + 1];
	struct stream_request *r;

	is_int(tokens_put(&t, STREAM_EXEC, &request, 0, token, NULL), 0, "a token is made");
	is_int(strlen(token), 8, "of eight characters");
	is_int(strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 8,
	       "all of them safe in a URL");
	ok(!tokens_take(&t, STREAM_ATTACH, token, 1), "another kind does not get it");
	r = tokens_take(&t, STREAM_EXEC, token, 1);
	ok(r && str_eq(r->container_id, "c1") && str_eq(r->argv[1], "-l") && !r->argv[2] && r->out,
	   "its own kind gets a copy of the request");
	tokens_request_free(r);
	ok(!tokens_take(&t, STREAM_EXEC, token, 1), "but once only");
	ok(!tokens_take(&t, STREAM_EXEC, "", 1), "the empty token is none");
	tokens_finish(&t);
}

static void test_life(void)
{
	struct tokens t = { 0 };
	char token[TOKENS_CHARS + 1];
	struct stream_request *r;

	tokens_put(&t, STREAM_EXEC, &request, 5, token, NULL);
	ok(!tokens_take(&t, STREAM_EXEC, token, 5 + TOKENS_LIFE_NS), "a minute later it is gone");
	tokens_put(&t, STREAM_EXEC, &request, 5, token, NULL);
	r = tokens_take(&t, STREAM_EXEC, token, 4 + TOKENS_LIFE_NS);
	ok(r, "a moment before it is not");
	tokens_request_free(r);
	tokens_finish(&t);
}

static void test_many(void)
{
	struct tokens t = { 0 };
	char token[TOKENS_CHARS + 1];
	struct error err = ERROR_INIT;
	int rc = 0;

	for (int i = 0; i < TOKENS_MAX; i++)
		rc |= tokens_put(&t, STREAM_EXEC, &request, 0, token, &err);
	is_int(rc, 0, "a thousand may wait");
	is_int(tokens_put(&t, STREAM_EXEC, &request, 1, token, &err), -EDQUOT, "one more may not");
	is_int(tokens_put(&t, STREAM_EXEC, &request, TOKENS_LIFE_NS, token, &err), 0,
	       "until their minute is over");
	tokens_finish(&t);
}

int main(void)
{
	test_once();
	test_life();
	test_many();
	return tap_done();
}
