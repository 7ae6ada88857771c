/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streams of one SPDY connection, and its socket.
 *
 * A data frame's payload goes to its stream as it comes in, whatever the frame's length; only
 * control frames are kept whole, and those are bounded (spdy.h).
 */
#include "cri/stream/mux.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/loop.h"
#include "base/mem.h"

#define READ_BYTES	(32 << 10)
#define OUT_BYTES	(128 << 10)
#define OUT_MAX_BYTES	(512 << 10) /* with answers to the client's frames */
#define ALL_STREAMS_MAX (8 << 20)   /* waiting for processes, over all streams */
#define STALL_MS	30000	    /* a closing client that takes nothing */
#define LINGER_MS	3000

int mux_init(struct mux *m, int fd, struct error *err)
{
	*m = (struct mux){ .fd = fd, .active_ns = clock_monotonic_ns() };
	return spdy_codec_init(&m->codec, err);
}

static void stream_free(struct mux_stream *s)
{
	strbuf_finish(&s->in);
	free(s);
}

void mux_finish(struct mux *m)
{
	for (size_t i = 0; i < m->n_streams; i++)
		stream_free(m->streams[i]);
	free(m->streams);
	strbuf_finish(&m->out);
	strbuf_finish(&m->head);
	spdy_codec_finish(&m->codec);
}

static struct mux_stream *find(const struct mux *m, uint32_t id)
{
	for (size_t i = 0; i < m->n_streams; i++)
		if (m->streams[i]->id == id)
			return m->streams[i];
	return NULL;
}

void mux_drop(struct mux *m, struct mux_stream *s)
{
	for (size_t i = 0; i < m->n_streams; i++)
		if (m->streams[i] == s) {
			m->streams[i] = m->streams[--m->n_streams];
			stream_free(s);
			return;
		}
}

/* --- frames in -------------------------------------------------------------------------------- */

static int stream_kind(const char *text, enum mux_kind *ret)
{
	static const char *const names[] = {
		[MUX_ERROR] = "error",	 [MUX_STDIN] = "stdin",	  [MUX_STDOUT] = "stdout",
		[MUX_STDERR] = "stderr", [MUX_RESIZE] = "resize", [MUX_DATA] = "data",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq(names[i], text)) {
			*ret = (enum mux_kind)i;
			return 0;
		}
	return -EINVAL;
}

/* What the headers say of a new stream.  Return: NULL when they make no sense. */
static struct mux_stream *stream_new(uint32_t id, const struct strbuf *block)
{
	struct mux_stream *s = xnew(struct mux_stream);
	char text[MUX_TEXT_MAX];
	uint64_t port = 0;
	int rc;

	s->id = id;
	if (spdy_find(block, "streamtype", text, sizeof(text)) < 0 ||
	    stream_kind(text, &s->kind) < 0)
		goto bad;
	rc = spdy_find(block, "port", text, sizeof(text));
	if (rc == 0 && (str_parse_u64(text, &port) < 0 || port == 0 || port > UINT16_MAX))
		goto bad;
	s->port = (uint16_t)port;
	rc = spdy_find(block, "requestid", s->request_id, sizeof(s->request_id));
	if (rc == 0 || rc == -ENOENT)
		return s;
bad:
	stream_free(s);
	return NULL;
}

static int accept_stream(struct mux *m, struct mux_stream *s, uint8_t flags, struct error *err)
{
	s->in_fin = flags & SPDY_FIN;
	m->streams = xrealloc(m->streams, m->n_streams + 1, sizeof(*m->streams));
	m->streams[m->n_streams++] = s;
	if (!m->opened(m->data, s)) {
		spdy_put_reset(&m->out, s->id, SPDY_PROTOCOL_ERROR);
		mux_drop(m, s);
		return 0;
	}
	return spdy_put_reply(&m->out, &m->codec, s->id, err);
}

/* stream id, associated stream id, priority and slot, headers */
static int take_syn_stream(struct mux *m, const uint8_t *p, size_t len, struct error *err)
{
	struct strbuf block cleanup_strbuf = { 0 };
	struct mux_stream *s;
	uint32_t id;
	int rc;

	if (len < 10)
		return error_set(err, EPROTO, "SPDY: SYN_STREAM of %zu bytes", len);
	id = spdy_u32(p) & INT32_MAX;
	rc = spdy_inflate_block(&m->codec, p + 10, len - 10, &block, err);
	if (rc < 0)
		return rc;
	if (id % 2 == 0 || id <= m->last_id) {
		spdy_put_reset(&m->out, id, SPDY_PROTOCOL_ERROR);
		return 0;
	}
	m->last_id = id;
	if (m->n_streams >= m->max_streams) {
		spdy_put_reset(&m->out, id, SPDY_REFUSED_STREAM);
		return 0;
	}
	s = stream_new(id, &block);
	if (!s) {
		spdy_put_reset(&m->out, id, SPDY_PROTOCOL_ERROR);
		return 0;
	}
	return accept_stream(m, s, m->frame.flags, err);
}

/* A reset is also the end of what the client sends. */
static void take_reset(struct mux *m, uint32_t id)
{
	struct mux_stream *s = find(m, id);

	if (s)
		s->reset = s->in_fin = s->out_fin = true;
}

/* Header blocks are inflated even where they say nothing to us: the context must not miss them. */
static int take_headers(struct mux *m, const uint8_t *p, size_t len, struct error *err)
{
	struct strbuf block cleanup_strbuf = { 0 };
	struct mux_stream *s;
	int rc;

	if (len < 4)
		return error_set(err, EPROTO, "SPDY: a header frame of %zu bytes", len);
	rc = spdy_inflate_block(&m->codec, p + 4, len - 4, &block, err);
	s = find(m, spdy_u32(p) & INT32_MAX);
	if (rc == 0 && s && (m->frame.flags & SPDY_FIN))
		s->in_fin = true;
	return rc;
}

static int take_control(struct mux *m, const uint8_t *p, size_t len, struct error *err)
{
	switch (m->frame.type) {
	case SPDY_SYN_STREAM:
		return take_syn_stream(m, p, len, err);
	case SPDY_SYN_REPLY:
	case SPDY_HEADERS:
		return take_headers(m, p, len, err);
	case SPDY_RST_STREAM:
		if (len != 8)
			return error_set(err, EPROTO, "SPDY: RST_STREAM of %zu bytes", len);
		take_reset(m, spdy_u32(p) & INT32_MAX);
		return 0;
	case SPDY_PING:
		if (len != 4)
			return error_set(err, EPROTO, "SPDY: PING of %zu bytes", len);
		if (spdy_u32(p) % 2 == 1) /* even ones would answer ours */
			spdy_put_ping(&m->out, spdy_u32(p));
		return 0;
	case SPDY_SETTINGS:
	case SPDY_WINDOW_UPDATE:
	case SPDY_GOAWAY: /* the end of the connection follows */
		return 0;
	}
	return 0;
}

static void end_data(struct mux *m)
{
	struct mux_stream *s = find(m, m->frame.stream);

	if (s && (m->frame.flags & SPDY_FIN))
		s->in_fin = true;
}

/* Data of a stream that is unknown, ended or dead goes nowhere: it may have been under way. */
static size_t feed_payload(struct mux *m, const uint8_t *data, size_t len)
{
	struct mux_stream *s = find(m, m->frame.stream);
	size_t n = MIN(len, (size_t)m->payload_left);

	if (s && !s->in_fin && !s->discard) {
		strbuf_append(&s->in, data, n);
		m->active_ns = clock_monotonic_ns();
	}
	m->payload_left -= (uint32_t)n;
	if (m->payload_left == 0)
		end_data(m);
	return n;
}

static int begin_frame(struct mux *m, struct error *err)
{
	int rc = spdy_parse_head((const uint8_t *)m->head.data, &m->frame, err);

	if (rc < 0 || m->frame.control)
		return rc;
	strbuf_reset(&m->head);
	m->payload_left = m->frame.length;
	if (m->payload_left == 0)
		end_data(m);
	return 0;
}

/* Add to the head, then to the body of a control frame.  Return: bytes taken, or what is wrong. */
static ssize_t feed_control(struct mux *m, const uint8_t *data, size_t len, struct error *err)
{
	size_t want = SPDY_HEAD_BYTES + (m->head.len < SPDY_HEAD_BYTES ? 0 : m->frame.length);
	size_t n = MIN(len, want - m->head.len);
	bool in_head = m->head.len < SPDY_HEAD_BYTES;
	int rc = 0;

	strbuf_append(&m->head, data, n);
	if (in_head && m->head.len == SPDY_HEAD_BYTES)
		rc = begin_frame(m, err);
	if (rc == 0 && m->head.len >= SPDY_HEAD_BYTES &&
	    m->head.len == SPDY_HEAD_BYTES + m->frame.length) {
		rc = take_control(m, (const uint8_t *)m->head.data + SPDY_HEAD_BYTES,
				  m->frame.length, err);
		strbuf_reset(&m->head);
	}
	return rc < 0 ? rc : (ssize_t)n;
}

int mux_feed(struct mux *m, const void *data, size_t len, struct error *err)
{
	const uint8_t *p = data;

	while (len > 0) {
		ssize_t n = m->payload_left ? (ssize_t)feed_payload(m, p, len)
					    : feed_control(m, p, len, err);

		if (n < 0)
			return (int)n;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* --- frames out ------------------------------------------------------------------------------- */

size_t mux_room(const struct mux *m)
{
	return m->out.len < OUT_BYTES ? OUT_BYTES - m->out.len : 0;
}

void mux_send(struct mux *m, struct mux_stream *s, const void *data, size_t len)
{
	if (!s || s->out_fin || len == 0)
		return;
	spdy_put_data(&m->out, s->id, data, len, false);
	m->active_ns = clock_monotonic_ns();
}

void mux_send_end(struct mux *m, struct mux_stream *s)
{
	if (!s || s->out_fin)
		return;
	s->out_fin = true;
	spdy_put_data(&m->out, s->id, "", 0, true);
}

void mux_reset(struct mux *m, struct mux_stream *s, enum spdy_status status)
{
	if (!s->reset)
		spdy_put_reset(&m->out, s->id, status);
	s->reset = s->in_fin = s->out_fin = true;
}

/* --- the socket ------------------------------------------------------------------------------- */

/* Whether the socket is to be left alone until something has been taken or sent. */
static bool is_full(const struct mux *m)
{
	size_t all = 0;

	if (m->out.len > OUT_MAX_BYTES)
		return true;
	for (size_t i = 0; i < m->n_streams; i++) {
		if (m->streams[i]->in.len >= m->max_stream_bytes)
			return true;
		all += m->streams[i]->in.len;
	}
	return all >= ALL_STREAMS_MAX;
}

bool mux_is_idle(const struct mux *m, unsigned int seconds)
{
	return clock_monotonic_ns() - m->active_ns >= seconds * INT64_C(1000000000);
}

short mux_events(const struct mux *m)
{
	short events = is_full(m) ? POLLRDHUP : POLLIN;

	return m->out.len > 0 ? events | POLLOUT : events;
}

static void flush(struct mux *m)
{
	ssize_t n = send(m->fd, m->out.data, m->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0)
		strbuf_consume(&m->out, (size_t)n);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		m->eof = true;
}

static int fill(struct mux *m, struct error *err)
{
	char buf[READ_BYTES];
	ssize_t n = recv(m->fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n > 0)
		return mux_feed(m, buf, (size_t)n, err);
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		m->eof = true;
	return 0;
}

int mux_io(struct mux *m, short revents, struct error *err)
{
	int rc = 0;

	if (revents & POLLIN)
		rc = fill(m, err);
	else if (revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL))
		m->eof = true;
	if (rc == 0 && !m->eof && m->out.len > 0)
		flush(m);
	return rc;
}

/* Wait for @events.  Return: false at @timeout_ms, at the server's stop, or on an error. */
static bool wait_for(const struct mux *m, short events, int stop_fd, int timeout_ms)
{
	struct pollfd fds[2] = { { m->fd, events, 0 }, { stop_fd, POLLIN, 0 } };
	int rc;

	do
		rc = poll(fds, 2, timeout_ms);
	while (rc < 0 && errno == EINTR);
	return rc > 0 && fds[1].revents == 0;
}

void mux_close(struct mux *m, int stop_fd)
{
	int64_t end_ns;
	char buf[4096];

	if (m->eof)
		return;
	spdy_put_goaway(&m->out, m->last_id);
	while (m->out.len > 0 && !m->eof && wait_for(m, POLLOUT, stop_fd, STALL_MS))
		flush(m);
	shutdown(m->fd, SHUT_WR);
	end_ns = clock_monotonic_ns() + LINGER_MS * INT64_C(1000000);
	while (!m->eof && clock_monotonic_ns() < end_ns && wait_for(m, POLLIN, stop_fd, LINGER_MS))
		m->eof = recv(m->fd, buf, sizeof(buf), MSG_DONTWAIT) <= 0;
}
