/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small blocking gRPC client for tests, on nghttp2.
 *
 * start() sends a request and returns at once; wait_for() reads until that call is closed.
 */
#ifndef TESTS_UNIT_CRI_GRPC_CLIENT_H
#define TESTS_UNIT_CRI_GRPC_CLIENT_H

#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

struct rpc {
	int32_t id;
	const uint8_t *body; /* to send; not owned */
	size_t body_len, body_at;
	bool open_ended; /* never end the request */

	int http, status; /* -1 until seen */
	char message[1200];
	char accept_encoding[32];
	struct strbuf reply;
	bool closed;
	uint32_t reset; /* error code of the close */
};

struct client {
	int fd;
	nghttp2_session *session;
	bool broken; /* the server closed the connection, or spoke nonsense */
	bool heard;  /* something came in the last turn */
	int goaways, pings;
};

static int client_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
			 size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
			 void *data)
{
	struct rpc *r = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
	const char *n = (const char *)name, *v = (const char *)value;

	(void)name_len;
	(void)flags;
	(void)data;
	if (!r)
		return 0;
	if (strcmp(n, ":status") == 0)
		r->http = atoi(v);
	else if (strcmp(n, "grpc-status") == 0)
		r->status = atoi(v);
	else if (strcmp(n, "grpc-accept-encoding") == 0)
		snprintf(r->accept_encoding, sizeof(r->accept_encoding), "%s", v);
	else if (strcmp(n, "grpc-message") == 0)
		snprintf(r->message, sizeof(r->message), "%.*s", (int)value_len, v);
	return 0;
}

static int client_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
		       size_t len, void *user)
{
	struct rpc *r = nghttp2_session_get_stream_user_data(session, id);

	(void)flags;
	(void)user;
	if (r)
		strbuf_append(&r->reply, data, len);
	return 0;
}

static int client_close(nghttp2_session *session, int32_t id, uint32_t code, void *data)
{
	struct rpc *r = nghttp2_session_get_stream_user_data(session, id);

	(void)data;
	if (r) {
		r->closed = true;
		r->reset = code;
	}
	return 0;
}

static int client_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
	struct client *c = data;

	(void)session;
	c->goaways += frame->hd.type == NGHTTP2_GOAWAY;
	c->pings += frame->hd.type == NGHTTP2_PING && frame->hd.flags & NGHTTP2_FLAG_ACK;
	return 0;
}

static void client_open(struct client *c, const char *path)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;

	*c = (struct client){ .fd = fd_connect_unix(path, SOCK_STREAM, NULL) };
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, client_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, client_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, client_close);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, client_frame);
	nghttp2_option_new(&option);
	nghttp2_option_set_no_http_messaging(option, 1);
	nghttp2_option_set_peer_max_concurrent_streams(option, 4096);
	nghttp2_session_client_new2(&c->session, callbacks, c, option);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, NULL, 0);
}

static void client_finish(struct client *c)
{
	nghttp2_session_del(c->session);
	close_fd(&c->fd);
}

/* One turn: send what waits, read what came within @timeout_ms.  Return: whether it still lives. */
static bool client_turn(struct client *c, int timeout_ms)
{
	const uint8_t *out;
	static uint8_t in[65536];
	ssize_t n;

	while ((n = nghttp2_session_mem_send(c->session, &out)) > 0) {
		while (n > 0) {
			ssize_t sent = send(c->fd, out, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);

			if (sent > 0) {
				out += sent;
				n -= sent;
			} else if (errno == EAGAIN) {
				/* read meanwhile would be polite; the server always reads */
				fd_wait(c->fd, POLLOUT, 10000);
			} else {
				c->broken = true;
				return false;
			}
		}
	}
	c->heard = fd_wait(c->fd, POLLIN, timeout_ms) > 0;
	if (!c->heard)
		return true;
	n = recv(c->fd, in, sizeof(in), 0);
	if (n <= 0 || nghttp2_session_mem_recv(c->session, in, (size_t)n) < 0)
		c->broken = true;
	return !c->broken;
}

static ssize_t client_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length,
			   uint32_t *flags, nghttp2_data_source *source, void *data)
{
	struct rpc *r = source->ptr;
	size_t n = MIN(length, r->body_len - r->body_at);

	(void)session;
	(void)id;
	(void)data;
	if (n == 0 && r->open_ended)
		return NGHTTP2_ERR_DEFERRED;
	memcpy(buf, r->body + r->body_at, n);
	r->body_at += n;
	if (r->body_at == r->body_len && !r->open_ended)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

#define NV(n, v)                                                                            \
	(nghttp2_nv)                                                                        \
	{                                                                                   \
		(uint8_t *)(n), (uint8_t *)(v), strlen(n), strlen(v), NGHTTP2_NV_FLAG_NONE, \
	}

/* Send a request with exactly these headers. */
static void start_raw(struct client *c, struct rpc *r, const nghttp2_nv *headers, size_t count,
		      const void *body, size_t len)
{
	nghttp2_data_provider provider = { .source.ptr = r, .read_callback = client_body };

	r->http = r->status = -1;
	r->body = body;
	r->body_len = len;
	r->id = nghttp2_submit_request(c->session, NULL, headers, count, &provider, r);
}

/* Send a well-formed request; @extra is one more header, or NULL. */
static void start(struct client *c, struct rpc *r, const char *path, const char *extra,
		  const char *value, const void *body, size_t len)
{
	nghttp2_nv headers[] = {
		NV(":method", "POST"),
		NV(":scheme", "http"),
		NV(":path", path),
		NV(":authority", "/run/a:b c/sock"),
		NV("content-type", "application/grpc"),
		NV("te", "trailers"),
		NV(extra ? extra : "x", extra ? value : "y"),
	};

	start_raw(c, r, headers, ARRAY_LEN(headers), body, len);
}

/* Return: whether @r was closed within ten seconds of silence at most. */
static bool wait_for(struct client *c, struct rpc *r)
{
	for (int quiet = 0; !r->closed && quiet < 100; quiet = c->heard ? 0 : quiet + 1)
		if (!client_turn(c, 100))
			break;
	return r->closed;
}

#endif
