/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The upgrade request's parser: what it takes, what it refuses, its bounds.
 */
#include "cri/stream/upgrade.h"

#include "base/mem.h"
#include "tests/unit/tap.h"

static const char good[] = "POST /exec/abc?x=1 HTTP/1.1\r\n"
			   "Host: 127.0.0.1\r\n"
			   "connection: keep-alive , Upgrade\r\n"
			   "Upgrade: SPDY/3.1\r\n"
			   "X-Stream-Protocol-Version: v5.channel.k8s.io,v4.channel.k8s.io\r\n"
			   "X-Stream-Protocol-Version:\tv3.channel.k8s.io \r\n"
			   "\r\n";

static const char *const offered[] = { "v3.channel.k8s.io", "v4.channel.k8s.io" };

static ssize_t parse(const char *text, struct error *err)
{
	struct upgrade_request r = { 0 };
	ssize_t n = upgrade_parse(text, strlen(text), &r, err);

	upgrade_finish(&r);
	return n;
}

static void test_good(void)
{
	struct upgrade_request r = { 0 };
	size_t chosen = 9;

	is_int(upgrade_parse(good, strlen(good), &r, NULL), strlen(good), "a whole head is taken");
	is_str(r.method, "POST", "method");
	is_str(r.path, "/exec/abc", "path, its query cut off");
	ok(upgrade_has(&r, "Connection", "upgrade"), "a value is found in a list, case apart");
	ok(!upgrade_has(&r, "Connection", "websocket"), "an absent one is not");
	is_int(upgrade_choose(&r, offered, 2, &chosen, NULL), 0, "a protocol is agreed on");
	is_int(chosen, 1, "the client's order wins");
	is_int(upgrade_choose(&r, offered + 1, 0, &chosen, NULL), -EPROTO, "none in common");
	upgrade_finish(&r);
	for (size_t n = 0; n < strlen(good); n++)
		if (upgrade_parse(good, n, &r, NULL) != 0)
			ok(false, "%zu bytes of it are not a head", n);
	ok(true, "every part of it asks for more");
}

static void test_bad(void)
{
	static const char *const bad[] = {
		"\r\n\r\n",
		"POST\r\n\r\n",
		"POST /\r\n\r\n",
		"POST / HTTP/1.0\r\n\r\n",
		"POST / HTTP/1.1 \r\n\r\n",
		"POST exec HTTP/1.1\r\n\r\n",
		"PO ST / HTTP/1.1\r\n\r\n",
		" / HTTP/1.1\r\n\r\n",
		"POST / HTTP/1.1\r\nno colon\r\n\r\n",
		"POST / HTTP/1.1\r\n: empty\r\n\r\n",
		"POST / HTTP/1.1\r\nbad name: x\r\n\r\n",
		"POST / HTTP/1.1\r\n folded: x\r\n\r\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ok(parse(bad[i], NULL) == -EINVAL, "malformed head %zu is refused", i);
	is_int(upgrade_parse("GET /\0 HTTP/1.1\r\n\r\n", 19, &(struct upgrade_request){ 0 }, NULL),
	       -EINVAL, "a NUL byte");
}

static void test_bounds(void)
{
	struct strbuf s cleanup_strbuf = { 0 };

	strbuf_puts(&s, "GET / HTTP/1.1\r\n");
	for (int i = 0; i < UPGRADE_MAX_HEADERS; i++)
		strbuf_puts(&s, "a: b\r\n");
	strbuf_puts(&s, "\r\n");
	is_int(parse(s.data, NULL), s.len, "64 headers are taken");
	s.data[s.len - 2] = 'x';
	s.data[s.len - 1] = ':';
	strbuf_puts(&s, "\r\n\r\n");
	is_int(parse(s.data, NULL), -EMSGSIZE, "65 are not");
	strbuf_reset(&s);
	while (s.len < UPGRADE_MAX_BYTES)
		strbuf_putc(&s, 'a');
	is_int(parse(s.data, NULL), -EMSGSIZE, "nor a head without an end");
}

static void test_no_protocol(void)
{
	static const char text[] = "GET / HTTP/1.1\r\nX-Stream-Protocol-Version: ,\r\n\r\n";
	struct upgrade_request r = { 0 };
	size_t chosen;

	upgrade_parse(text, strlen(text), &r, NULL);
	is_int(upgrade_choose(&r, offered, 2, &chosen, NULL), -EINVAL,
	       "an empty protocol header is a missing one");
	upgrade_finish(&r);
}

int main(void)
{
	test_good();
	test_bad();
	test_bounds();
	test_no_protocol();
	return tap_done();
}
