/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the metadata service: its data, requests and tokens, and its network with a
 * guest's frames made by hand.
 */
#include "runtimes/microvm/mmds/tcp.h"

#include <stdio.h>

#include "base/loop.h"
#include "base/mem.h"
#include "tests/unit/tap.h"

#define OURS  0xa9fea9fe
#define PEER  0xac100002
#define FRAME 2048
#define MS    INT64_C(1000000)

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

static struct mmds_store store;
static struct mmds_net net;
static int64_t now_ns = 1000000 * MS;

static const struct json *parsed(struct arena *a, const char *text)
{
	struct json *j = NULL;

	if (json_parse(a, text, strlen(text), 0, &j, NULL))
		ok(false, "test's own JSON: %s", text);
	return j;
}

static int put(const char *text, size_t max)
{
	struct arena a cleanup_arena = { 0 };

	return mmds_store_put(&store, parsed(&a, text), max, NULL);
}

static int patch(const char *text, size_t max)
{
	struct arena a cleanup_arena = { 0 };

	return mmds_store_patch(&store, parsed(&a, text), max, NULL);
}

static void is_data(const char *want)
{
	struct strbuf s cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &s };

	json_value(&w, store.data);
	is_str(s.data, want, "data");
}

static void test_data(void)
{
	is_int(patch("{}", 100), -ENODATA, "nothing to patch yet");
	is_int(put("{\"a\":1,\"b\":{\"c\":2,\"d\":3}}", 100), 0, "put");
	is_int(patch("{\"a\":null,\"b\":{\"c\":[4],\"e\":{\"f\":null}},\"g\":\"h\"}", 100), 0,
	       "merge");
	is_data("{\"b\":{\"c\":[4],\"d\":3,\"e\":{}},\"g\":\"h\"}");
	is_int(patch("{\"b\":5}", 100), 0, "an object makes room for a number");
	is_data("{\"b\":5,\"g\":\"h\"}");
	is_int(patch("{\"x\":\"0123456789\"}", 20), -E2BIG, "larger than it may be");
	is_int(put("\"0123456789\"", 11), -E2BIG, "so is this");
	is_data("{\"b\":5,\"g\":\"h\"}");
	is_int(patch("7", 100), 0, "a patch that is no object");
	is_data("7");
}

/* ask() - one request; the answer holds @want. */
static void ask(const char *request, int status, const char *want)
{
	struct strbuf out cleanup_strbuf = { 0 };
	char line[32];

	snprintf(line, sizeof(line), "HTTP/1.1 %d \r\n", status);
	is_int(mmds_store_answer(&store, request, strlen(request), &out), (long)strlen(request),
	       "a whole request");
	ok(str_has_prefix(out.data, line) && strstr(out.data, want), "answer %d to %.*s", status,
	   (int)strcspn(request, "\r"), request);
}

static void test_requests(void)
{
	struct strbuf out cleanup_strbuf = { 0 };

	put("{\"z\":{\"y\":\"text\"},\"a\":\"b\",\"l\":[1,{\"m\":\"n\"}],\"s/t~u\":\"v\"}", 1000);
	ask("GET / HTTP/1.1\r\n\r\n", 200, "\r\n\r\na\nl\ns/t~u\nz/");
	ask("GET /z/y HTTP/1.1\r\n\r\n", 200, "Content-Length: 4\r\n\r\ntext");
	ask("GET //z///y/ HTTP/1.0\r\n\r\n", 200, "text");
	ask("GET /l/1/m HTTP/1.1\r\n\r\n", 200, "\r\n\r\nn");
	ask("GET /s~1t~0u HTTP/1.1\r\n\r\n", 200, "\r\n\r\nv");
	ask("GET http://169.254.169.254/a HTTP/1.1\r\n\r\n", 200, "\r\n\r\nb");
	ask("GET /z HTTP/1.1\r\nAccept: application/json\r\n\r\n", 200, "{\"y\":\"text\"}");
	ask("GET /l HTTP/1.1\r\n\r\n", 501, "unsupported type");
	ask("GET /none HTTP/1.1\r\n\r\n", 404, "Resource not found: /none.");
	ask("GET /l/2 HTTP/1.1\r\n\r\n", 404, "not found");
	ask("DELETE /a HTTP/1.1\r\n\r\n", 405, "Allow: GET, PUT\r\n");
	ask("PUT /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 404, "not found");
	store.imds = true;
	ask("GET /z HTTP/1.1\r\nAccept: application/json\r\n\r\n", 200, "\r\n\r\ny");
	store.imds = false;
	is_int(mmds_store_answer(&store, "GET / HTTP/1.1\r\nA: b\r\n", 22, &out), 0, "half of one");
	is_int(mmds_store_answer(&store, "PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{}", 39, &out),
	       0, "without its body");
	is_int(mmds_store_answer(&store, "GET / HTTP/2.0\r\n\r\n", 18, &out), -EBADMSG,
	       "no HTTP/1");
	is_int(mmds_store_answer(&store, "\r\n\r\n", 4, &out), -EBADMSG, "nothing");
	is_int(mmds_store_answer(&store, "GET /\0 HTTP/1.1\r\n\r\n", 19, &out), -EBADMSG, "a zero");
	is_int(mmds_store_answer(&store, "GET / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 38, &out),
	       -EBADMSG, "a negative length");
	is_int(mmds_store_answer(&store, "GET / HTTP/1.1\r\nno colon\r\n\r\n", 28, &out), -EBADMSG,
	       "no header");
}

static void test_tokens(void)
{
	char *token = mmds_token_make(&store, 10, 0), request[300];

	ok(mmds_token_good(&store, token, 0) && mmds_token_good(&store, token, 9999 * MS), "good");
	ok(!mmds_token_good(&store, token, 10000 * MS), "in its time");
	token[3] ^= 1;
	ok(!mmds_token_good(&store, token, 0), "not when it was changed");
	ok(!mmds_token_good(&store, "", 0) && !mmds_token_good(&store, "x%y", 0), "others");
	free(token);
	store.version = MMDS_V2;
	ask("GET /a HTTP/1.1\r\n\r\n", 401, "No MMDS token provided.");
	ask("GET /a HTTP/1.1\r\nX-metadata-token: abc\r\n\r\n", 401, "MMDS token not valid.");
	ask("PUT /latest/api/token HTTP/1.1\r\n\r\n", 400, "time to live value not found");
	ask("PUT /latest/api/token HTTP/1.1\r\nX-metadata-token-ttl-seconds: 0\r\n\r\n", 400,
	    "between 1 and 21600");
	ask("PUT /latest/api/token HTTP/1.1\r\nX-metadata-token-ttl-seconds: x\r\n\r\n", 400,
	    "Invalid value");
	ask("PUT /latest/api/token HTTP/1.1\r\nX-metadata-token-ttl-seconds: 5\r\n"
	    "X-Forwarded-For: 1.2.3.4\r\n\r\n",
	    400, "Unsupported header");
	ask("PUT //latest/api/token HTTP/1.1\r\nX-aws-ec2-metadata-token-ttl-seconds:  60 \r\n\r\n",
	    200, "x-aws-ec2-metadata-token-ttl-seconds: 60\r\n");
	token = mmds_token_make(&store, 60, clock_monotonic_ns());
	snprintf(request, sizeof(request),
		 "GET /a HTTP/1.1\r\nX-aws-ec2-metadata-token: %s\r\n\r\n", token);
	ask(request, 200, "\r\n\r\nb");
	free(token);
	store.version = MMDS_V1;
}

/* --- network ---------------------------------------------------------------------------------- */

/* What a guest's TCP knows of a connection. */
struct client {
	uint16_t port;
	uint32_t next, heard; /* our next sequence number, and the next of theirs */
	uint16_t window;
};

static uint8_t frame[FRAME];

static bool send(struct client *c, uint8_t flags, const char *data)
{
	size_t len = strlen(data);
	uint8_t *ip = frame + 14, *tcp = ip + 20;

	memset(frame, 0, sizeof(frame));
	memcpy(frame + 6, "\2\0\0\0\0\1", 6);
	put16(frame + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, (uint16_t)(40 + len));
	ip[9] = 6;
	put32(ip + 12, PEER);
	put32(ip + 16, OURS);
	put16(tcp, c->port);
	put16(tcp + 2, 80);
	put32(tcp + 4, c->next);
	put32(tcp + 8, c->heard);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	put16(tcp + 14, c->window);
	memcpy(tcp + 20, data, len);
	c->next += (uint32_t)len + !!(flags & (SYN | FIN));
	return mmds_net_input(&net, frame, 54 + len, now_ns);
}

/* receive() - the next frame; *ret_text its data.  Return: its flags, or -1 when there is none. */
static int receive(struct client *c, char ret_text[FRAME])
{
	size_t len = mmds_net_output(&net, frame, sizeof(frame), now_ns);
	uint8_t *ip = frame + 14, *tcp = ip + 20;
	uint32_t sum = (OURS >> 16) + (OURS & 0xffff) + (PEER >> 16) + (PEER & 0xffff) + 6;
	size_t header, data;

	if (!len)
		return -1;
	header = (size_t)(tcp[12] >> 4) * 4;
	data = len - 34 - header;
	ok(!mmds_checksum(0, ip, 20) && !mmds_checksum(sum + (uint32_t)(len - 34), tcp, len - 34) &&
		   get16(ip + 2) == len - 14,
	   "sums and lengths are right");
	ok(!memcmp(frame, "\2\0\0\0\0\1", 6), "to the guest's address");
	memcpy(ret_text, tcp + header, data);
	ret_text[data] = '\0';
	if (get32(tcp + 4) == c->heard || (tcp[13] & SYN))
		c->heard = get32(tcp + 4) + (uint32_t)data + !!(tcp[13] & (SYN | FIN));
	return tcp[13];
}

static void dial(struct client *c)
{
	char text[FRAME];

	ok(send(c, SYN, ""), "a connection");
	is_int(receive(c, text), SYN | ACK, "is accepted");
	send(c, ACK, "");
	is_int(receive(c, text), -1, "nothing to say");
}

static void test_arp(void)
{
	uint8_t *p = frame + 14;

	memset(frame, 0, sizeof(frame));
	memcpy(frame + 6, "\2\0\0\0\0\1", 6);
	put16(frame + 12, 0x0806);
	memcpy(p, "\0\1\10\0\6\4\0\1\2\0\0\0\0\1", 14);
	put32(p + 14, PEER);
	put32(p + 24, OURS + 1);
	ok(!mmds_net_input(&net, frame, 42, now_ns), "another's address");
	put32(p + 24, OURS);
	ok(!mmds_net_input(&net, frame, 41, now_ns), "too short");
	ok(mmds_net_input(&net, frame, 42, now_ns), "who has our address");
	is_int(mmds_net_output(&net, frame, sizeof(frame), now_ns), 42, "we do");
	ok(p[7] == 2 && get32(p + 14) == OURS && !memcmp(p + 18, "\2\0\0\0\0\1", 6), "says so");
	is_int(mmds_net_output(&net, frame, sizeof(frame), now_ns), 0, "once");
}

static void test_exchange(void)
{
	struct client c = { .port = 1000, .next = 0xfffffff0, .window = 1000 };
	char text[FRAME];

	dial(&c);
	send(&c, ACK, "GET /z/y HT");
	is_int(receive(&c, text), ACK, "half a request is acknowledged");
	send(&c, ACK, "TP/1.1\r\n\r\n");
	ok(receive(&c, text) > 0 && strstr(text, "\r\n\r\ntext"), "the other half is answered");
	ok(mmds_net_waits(&net), "and sent again if need be");
	is_int(receive(&c, text), -1, "not yet");
	now_ns += 1300 * MS;
	ok(receive(&c, text) > 0 && strstr(text, "\r\n\r\ntext"), "now");
	send(&c, ACK, "");
	ok(!mmds_net_waits(&net), "it has been heard");
	send(&c, ACK | FIN, "GET /a HTTP/1.1\r\n\r\n");
	is_int(receive(&c, text), ACK | FIN | 8, "the last answer with our end");
	ok(strstr(text, "\r\n\r\nb"), "right to the end");
	send(&c, ACK, "");
	send(&c, ACK, "");
	is_int(receive(&c, text), RST, "after which nobody is there");
}

static void test_window(void)
{
	struct client c = { .port = 1001, .next = 5, .window = 50 };
	struct client old;
	char text[FRAME];

	dial(&c);
	send(&c, ACK, "GET /z/y HTTP/1.1\r\n\r\n");
	receive(&c, text);
	is_int((long)strlen(text), 50, "no more than the guest takes");
	is_int(receive(&c, text), -1, "until it takes more");
	old = c;
	send(&c, ACK, "");
	ok(receive(&c, text) > 0 && strlen(text) == 50, "then on");
	old.window = 10;
	send(&old, ACK, "");
	is_int(receive(&c, text), -1, "an old acknowledgement is none");
	c.heard += 1000000;
	send(&c, ACK, "");
	is_int(receive(&c, text), RST, "nor one of what was never said");
	c.heard -= 1000000;
	c.next += 10;
	send(&c, ACK, "x");
	ok(receive(&c, text) > 0 && get32(frame + 42) == c.next - 11, "what is ahead is not taken");
	c.next -= 11;
	send(&c, RST, "");
	send(&c, ACK, "");
	is_int(receive(&c, text), RST, "a reset ends it");
}

static void test_hostile(void)
{
	struct client c = { .port = 1002, .window = 1000 };
	char text[FRAME], junk[1001];
	int n;

	memset(junk, 'j', 1000);
	junk[1000] = '\0';
	dial(&c);
	for (n = 0; n < 10; n++) {
		send(&c, ACK, junk);
		if (receive(&c, text) != ACK)
			break;
	}
	ok(n < 10, "a head without end");
	for (n = 0; n < 40; n++) {
		struct client many = { .port = (uint16_t)(2000 + n), .window = 1000 };
		int flags;

		send(&many, SYN, "");
		flags = receive(&many, text);
		if (flags & RST)
			break;
	}
	ok(n >= 28 && n <= 30, "%d connections, no more", n);
	now_ns += 60000 * MS;
	for (n = 0; n < 100; n++) /* those that went unanswered go */
		receive(&c, text);
	dial(&c);
	send(&c, RST, "");
	send(&c, SYN | FIN, "");
	is_int(receive(&c, text), RST | ACK, "no way to connect");
	for (size_t cut = 14; cut < 54; cut++) {
		send(&c, ACK, "");
		while (receive(&c, text) >= 0)
			;
		send(&c, ACK, "");
		net.n_resets = 0;
		mmds_net_input(&net, frame, cut, now_ns);
	}
	ok(!net.n_resets, "cut frames are nothing");
	send(&c, ACK, "");
	net.n_resets = 0;
	frame[14 + 20 + 12] = 0xf0;
	ok(mmds_net_input(&net, frame, 54, now_ns) && !net.n_resets, "a header beyond its end");
	for (n = 0; n < 1000; n++)
		send(&c, ACK, "");
	ok(net.n_resets <= MMDS_RESETS, "resets are bounded");
}

int main(void)
{
	test_data();
	test_requests();
	test_tokens();
	mmds_net_init(&net, &store, OURS);
	test_arp();
	test_exchange();
	test_window();
	test_hostile();
	mmds_net_finish(&net);
	mmds_store_finish(&store);
	return tap_done();
}
