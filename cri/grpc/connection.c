/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client: a nghttp2 session on a socket.
 *
 * nghttp2 does framing, HPACK, flow control, SETTINGS and PING.  Frames are gathered into one
 * write; what the socket does not take waits in c->rest and nothing more is asked of nghttp2
 * until it is gone, so a client that does not read costs what its replies weigh (bounded) and
 * not more.  A client that also goes on sending is not read once too many frames wait for it.
 */
#include "cri/grpc/connection.h"

#include <sys/socket.h>

#include "base/log.h"
#include "cri/grpc/stream.h"

#define READS_A_TURN 16

/* --- nghttp2 callbacks ------------------------------------------------------------------------ */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
	struct grpc_stream *s;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	s = grpc_stream_create(data, frame->hd.stream_id);
	if (nghttp2_session_set_stream_user_data(session, s->id, s) != 0) {
		grpc_stream_destroy(s);
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	return 0;
}

static struct grpc_stream *stream_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

/* Trailers of the client's are of no interest. */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *data)
{
	struct grpc_stream *s = stream_of(session, frame->hd.stream_id);

	(void)flags;
	(void)data;
	if (s && frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		grpc_stream_header(s, (const char *)name, name_len, (const char *)value, value_len);
	return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
			 size_t len, void *user)
{
	struct grpc_stream *s = stream_of(session, id);

	(void)flags;
	(void)user;
	if (s)
		grpc_stream_data(s, data, len);
	return 0;
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
	struct grpc_stream *s;

	(void)data;
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	s = stream_of(session, frame->hd.stream_id);
	if (!s)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		grpc_stream_headers_done(s);
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		grpc_stream_end(s);
	return 0;
}

/* A client that was answered before it had sent everything need not send the rest. */
static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
	struct grpc_stream *s;

	(void)data;
	if (frame->hd.type != NGHTTP2_HEADERS || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	s = stream_of(session, frame->hd.stream_id);
	if (s && !s->ended)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *data)
{
	struct grpc_stream *s = stream_of(session, id);

	(void)code;
	(void)data;
	if (s) {
		nghttp2_session_set_stream_user_data(session, id, NULL);
		grpc_stream_destroy(s);
	}
	return 0;
}

/* --- life ------------------------------------------------------------------------------------- */

static int new_session(struct grpc_connection *c)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *option = NULL;
	int rc = nghttp2_session_callbacks_new(&callbacks);

	if (rc == 0)
		rc = nghttp2_option_new(&option);
	if (rc == 0) {
		nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks,
									on_begin_headers);
		nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
		nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
		nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
		nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
		nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
		nghttp2_option_set_no_http_messaging(option, 1);
		nghttp2_option_set_no_closed_streams(option, 1);
		rc = nghttp2_session_server_new2(&c->session, callbacks, c, option);
	}
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	return rc;
}

static int submit_settings(struct grpc_connection *c)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, GRPC_MAX_STREAMS },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, GRPC_STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, GRPC_MAX_HEADER_BYTES },
	};
	int rc = nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings,
					 ARRAY_LEN(settings));

	if (rc == 0)
		rc = nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0,
							   GRPC_CONNECTION_WINDOW);
	return rc;
}

void grpc_connection_destroy(struct grpc_connection *c)
{
	struct grpc_server *server = c->server;
	struct grpc_stream *s, *next;

	list_for_each_safe(s, next, &c->streams, in_connection)
		grpc_stream_destroy(s);
	nghttp2_session_del(c->session);
	loop_fd_remove(c->watch);
	close_fd(&c->fd);
	list_remove(&c->in_server);
	free(c->rest);
	free(c);
	grpc_server_connection_gone(server);
}

/* --- sending ---------------------------------------------------------------------------------- */

/* Send @data; what the socket does not take becomes c->rest.  Return: 0 or -errno. */
static int send_some(struct grpc_connection *c, const uint8_t *data, size_t len, size_t *ret_sent)
{
	ssize_t n;

	do
		n = send(c->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN)
		return -errno;
	*ret_sent = n < 0 ? 0 : (size_t)n;
	return 0;
}

/* Return: 0 with c->rest gone or shorter, or -errno. */
static int send_rest(struct grpc_connection *c)
{
	size_t sent;
	int rc = send_some(c, c->rest + c->rest_at, c->rest_len - c->rest_at, &sent);

	if (rc < 0)
		return rc;
	c->rest_at += sent;
	if (c->rest_at == c->rest_len)
		free(steal_ptr(c->rest));
	return 0;
}

/* Frames for one write, into server->out.  Return: 0 or negative. */
static int gather(struct grpc_connection *c, struct strbuf *out)
{
	while (out->len < GRPC_IO_BYTES) {
		const uint8_t *data;
		ssize_t n = nghttp2_session_mem_send(c->session, &data);

		if (n <= 0)
			return (int)n;
		strbuf_append(out, data, (size_t)n);
	}
	return 0;
}

static int send_gathered(struct grpc_connection *c, struct strbuf *out)
{
	size_t sent;
	int rc = send_some(c, (const uint8_t *)out->data, out->len, &sent);

	if (rc == 0 && sent < out->len) {
		c->rest_len = out->len - sent;
		c->rest_at = 0;
		c->rest = xmemdup(out->data + sent, c->rest_len);
	}
	return rc;
}

static int send_all(struct grpc_connection *c)
{
	struct strbuf *out = &c->server->out;
	int rc = 0;

	if (c->rest)
		rc = send_rest(c);
	while (rc == 0 && !c->rest) {
		strbuf_reset(out);
		rc = gather(c, out);
		if (rc < 0 || out->len == 0)
			break;
		rc = send_gathered(c, out);
	}
	strbuf_reset(out);
	return rc;
}

static void want_events(struct grpc_connection *c)
{
	size_t waiting = nghttp2_session_get_outbound_queue_size(c->session);
	uint32_t events = 0;

	if (!c->rest || waiting < GRPC_MAX_OUTBOUND_ITEMS)
		events |= EPOLLIN;
	if (c->rest)
		events |= EPOLLOUT;
	if (events != c->events)
		loop_fd_set_events(c->watch, events);
	c->events = events;
}

void grpc_connection_flush(struct grpc_connection *c)
{
	bool over = send_all(c) < 0;

	if (!over && !c->rest)
		over = !nghttp2_session_want_read(c->session) &&
		       !nghttp2_session_want_write(c->session);
	if (over)
		grpc_connection_destroy(c);
	else
		want_events(c);
}

/* --- receiving -------------------------------------------------------------------------------- */

int grpc_connection_feed(struct grpc_connection *c, const uint8_t *data, size_t len)
{
	ssize_t n = nghttp2_session_mem_recv(c->session, data, len);

	if (n < 0)
		log_debug("grpc: connection closed: %s", nghttp2_strerror((int)n));
	return n < 0 ? (int)n : 0;
}

/* Return: 0, or negative: over. */
static int receive(struct grpc_connection *c)
{
	uint8_t *in = c->server->in;

	for (int i = 0; i < READS_A_TURN; i++) {
		ssize_t n = recv(c->fd, in, GRPC_IO_BYTES, MSG_DONTWAIT);
		int rc;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0)
			return -ECONNRESET;
		rc = grpc_connection_feed(c, in, (size_t)n);
		if (rc < 0 || n < GRPC_IO_BYTES)
			return rc;
	}
	return 0;
}

static void on_event(void *data, uint32_t events)
{
	struct grpc_connection *c = data;

	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && receive(c) < 0)
		grpc_connection_destroy(c);
	else
		grpc_connection_flush(c);
}

void grpc_connection_create(struct grpc_server *server, int fd)
{
	struct grpc_connection *c = xnew(struct grpc_connection);

	list_init(&c->streams);
	c->server = server;
	c->fd = fd;
	c->events = EPOLLIN;
	list_add(&server->connections, &c->in_server);
	server->n_connections++;
	c->watch = loop_add_fd(server->loop, fd, c->events, on_event, c);
	if (new_session(c) != 0 || submit_settings(c) != 0)
		grpc_connection_destroy(c);
	else
		grpc_connection_flush(c);
}

void grpc_connection_goaway(struct grpc_connection *c)
{
	nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE,
			      nghttp2_session_get_last_proc_stream_id(c->session), NGHTTP2_NO_ERROR,
			      NULL, 0);
	grpc_connection_flush(c);
}

int64_t grpc_connection_expire(struct grpc_connection *c, int64_t now_ns)
{
	struct grpc_stream *s;
	int64_t next_ns = 0;
	bool any = false;

	list_for_each(s, &c->streams, in_connection) {
		if (s->answered || !s->deadline_ns)
			continue;
		if (s->deadline_ns <= now_ns) {
			grpc_stream_expire(s);
			any = true;
		} else if (!next_ns || s->deadline_ns < next_ns) {
			next_ns = s->deadline_ns;
		}
	}
	if (any)
		grpc_connection_flush(c);
	return next_ns;
}
