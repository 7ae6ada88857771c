/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A SPDY client of a few lines, for the tests of the streaming server.
 *
 * Blocking, with its own compression contexts; what comes in is collected by stream.
 */
#ifndef TESTS_UNIT_CRI_STREAM_CLIENT_H
#define TESTS_UNIT_CRI_STREAM_CLIENT_H

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <zlib.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "cri/stream/spdy.h"

#define CLIENT_STREAMS 32

struct client {
	int fd;
	z_stream deflate, inflate;
	struct strbuf head;		  /* of the HTTP answer */
	struct strbuf in[CLIENT_STREAMS]; /* by stream id */
	bool fin[CLIENT_STREAMS], replied[CLIENT_STREAMS], reset[CLIENT_STREAMS];
	uint32_t pong;
	bool goaway, eof;
};

/* "http://127.0.0.1:1234/exec/abc": connect.  Return: the path. */
static const char *client_connect(struct client *c, const char *url)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	const char *port = strrchr(url, ':') + 1;

	*c = (struct client){ 0 };
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons((uint16_t)atoi(port));
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(c->fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		abort();
	return strchr(port, '/');
}

/* Send a request head.  Return: the status of the answer, 0 for none. */
static int client_request(struct client *c, const char *method, const char *path,
			  const char *headers)
{
	char *text cleanup_free =
		xasprintf("%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n", method, path, headers);
	char ch;

	fd_write_all(c->fd, text, strlen(text));
	while (recv(c->fd, &ch, 1, 0) == 1) {
		strbuf_putc(&c->head, ch);
		if (str_has_suffix(c->head.data, "\r\n\r\n"))
			return atoi(c->head.data + strlen("HTTP/1.1 "));
	}
	return 0;
}

__attribute__((unused)) static int client_upgrade(struct client *c, const char *url,
						  const char *protocol)
{
	const char *path = client_connect(c, url);
	char *headers cleanup_free = xasprintf("Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
					       "X-Stream-Protocol-Version: %s\r\n",
					       protocol);
	size_t len;
	const uint8_t *dictionary = spdy_dictionary(&len);

	deflateInit(&c->deflate, 9);
	deflateSetDictionary(&c->deflate, dictionary, (uInt)len);
	inflateInit(&c->inflate);
	return client_request(c, "POST", path, headers);
}

static void client_close(struct client *c)
{
	close_fd(&c->fd);
	if (c->deflate.state)
		deflateEnd(&c->deflate);
	if (c->inflate.state)
		inflateEnd(&c->inflate);
	strbuf_finish(&c->head);
	for (int i = 0; i < CLIENT_STREAMS; i++)
		strbuf_finish(&c->in[i]);
}

static void add_u32(struct strbuf *b, uint32_t v)
{
	v = htonl(v);
	strbuf_append(b, &v, 4);
}

static void add_text(struct strbuf *b, const char *s)
{
	add_u32(b, (uint32_t)strlen(s));
	strbuf_puts(b, s);
}

__attribute__((unused)) static void client_control(struct client *c, int type, const void *data,
						   size_t len)
{
	struct strbuf f cleanup_strbuf = { 0 };

	add_u32(&f, 0x80030000U | (uint32_t)type);
	add_u32(&f, (uint32_t)len);
	strbuf_append(&f, data, len);
	fd_write_all(c->fd, f.data, f.len);
}

/* SYN_STREAM; @port and @request: NULL for exec. */
__attribute__((unused)) static void client_open(struct client *c, uint32_t id, const char *type,
						const char *port, const char *request)
{
	struct strbuf plain cleanup_strbuf = { 0 }, f cleanup_strbuf = { 0 };
	uint8_t block[4096];

	add_u32(&plain, 1 + (port != NULL) + (request != NULL));
	add_text(&plain, "streamtype");
	add_text(&plain, type);
	if (port) {
		add_text(&plain, "port");
		add_text(&plain, port);
	}
	if (request) {
		add_text(&plain, "requestid");
		add_text(&plain, request);
	}
	c->deflate.next_in = (Bytef *)plain.data;
	c->deflate.avail_in = (uInt)plain.len;
	c->deflate.next_out = block;
	c->deflate.avail_out = sizeof(block);
	deflate(&c->deflate, Z_SYNC_FLUSH);
	add_u32(&f, id);
	add_u32(&f, 0);
	strbuf_append(&f, "\0\0", 2);
	strbuf_append(&f, block, sizeof(block) - c->deflate.avail_out);
	client_control(c, SPDY_SYN_STREAM, f.data, f.len);
}

__attribute__((unused)) static void client_data(struct client *c, uint32_t id, const char *data,
						size_t len, bool fin)
{
	struct strbuf f cleanup_strbuf = { 0 };

	add_u32(&f, id);
	add_u32(&f, (fin ? 1U << 24 : 0) | (uint32_t)len);
	strbuf_append(&f, data, len);
	fd_write_all(c->fd, f.data, f.len);
}

static bool read_exactly(int fd, void *data, size_t len)
{
	for (size_t got = 0; got < len;) {
		ssize_t n = recv(fd, (char *)data + got, len - got, 0);

		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	return true;
}

/* A SYN_REPLY's headers must inflate to an empty block. */
static void take_reply(struct client *c, uint32_t id, uint8_t *data, size_t len)
{
	uint8_t plain[64];
	size_t dictionary_len;
	const uint8_t *dictionary = spdy_dictionary(&dictionary_len);

	c->inflate.next_in = data;
	c->inflate.avail_in = (uInt)len;
	c->inflate.next_out = plain;
	c->inflate.avail_out = sizeof(plain);
	if (inflate(&c->inflate, Z_SYNC_FLUSH) == Z_NEED_DICT) {
		inflateSetDictionary(&c->inflate, dictionary, (uInt)dictionary_len);
		inflate(&c->inflate, Z_SYNC_FLUSH);
	}
	c->replied[id] = c->inflate.avail_out == sizeof(plain) - 4 && spdy_u32(plain) == 0;
}

/* Read one frame.  Return: false at the end of the connection. */
static bool client_read(struct client *c)
{
	uint8_t head[8];
	uint8_t *data cleanup_free = NULL;
	uint32_t len, id;

	if (!read_exactly(c->fd, head, 8)) {
		c->eof = true;
		return false;
	}
	len = spdy_u32(head + 4) & 0xffffff;
	data = xmalloc(len + 1);
	if (!read_exactly(c->fd, data, len))
		return false;
	if (!(head[0] & 0x80)) {
		id = spdy_u32(head);
		if (id >= CLIENT_STREAMS || c->fin[id])
			abort();
		strbuf_append(&c->in[id], data, len);
		c->fin[id] = head[4] & 1;
		return true;
	}
	id = spdy_u32(data) % CLIENT_STREAMS;
	if (head[3] == SPDY_SYN_REPLY)
		take_reply(c, id, data + 4, len - 4);
	else if (head[3] == SPDY_RST_STREAM)
		c->reset[id] = true;
	else if (head[3] == SPDY_PING)
		c->pong = spdy_u32(data);
	else if (head[3] == SPDY_GOAWAY)
		c->goaway = true;
	return true;
}

/* Read until the server has closed. */
__attribute__((unused)) static void client_drain(struct client *c)
{
	while (client_read(c))
		;
}

#endif
