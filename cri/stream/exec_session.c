/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exec and attach: a process's standard streams over one connection.
 *
 * First the client's streams are awaited (error, the ones asked for, resize with a tty), then
 * the backend starts.  Bytes move until done_fd says that it is over:
 *
 *   RUNNING --done_fd--> DRAINING --all read--> status on the error stream, FIN, close
 *      `----client left, server stops--> finish without a status
 *
 * What the process had written by its end is always delivered.  A child of its that keeps the
 * pipe open gets DRAIN_NS more, no longer.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "cri/stream/session.h"

#define MAX_STREAMS	 8
#define MAX_STREAM_BYTES (256 << 10)
#define RESIZE_MAX_BYTES 1024
#define COPY_BYTES	 (32 << 10)
#define DRAIN_NS	 (2 * INT64_C(1000000000))
#define TICK_MS		 1000

/* One of the process's outputs. */
struct output {
	int *fd; /* member of the backend's session; -1 at its end */
	struct mux_stream *stream;
	int owed_bytes; /* were there when the process ended */
};

struct exec_session {
	struct mux *mux;
	const struct session_config *config;
	struct mux_stream *streams[MUX_DATA]; /* by kind */
	unsigned int wanted;		      /* bits of kinds */
	struct stream_session backend;
	struct output outputs[2];
	bool done; /* done_fd was readable */
	int64_t drain_end_ns;
};

/* --- the client's streams --------------------------------------------------------------------- */

static bool opened(void *data, struct mux_stream *stream)
{
	struct exec_session *s = data;

	if (!(s->wanted & 1U << stream->kind) || s->streams[stream->kind])
		return false;
	s->streams[stream->kind] = stream;
	stream->discard = stream->kind != MUX_STDIN && stream->kind != MUX_RESIZE;
	return true;
}

static unsigned int kinds_wanted(const struct session_config *c)
{
	const struct stream_request *r = c->request;

	return 1U << MUX_ERROR | (unsigned)r->in << MUX_STDIN | (unsigned)r->out << MUX_STDOUT |
	       (unsigned)r->err << MUX_STDERR | (unsigned)(r->tty && c->version >= 3) << MUX_RESIZE;
}

static bool all_opened(const struct exec_session *s)
{
	for (int i = 0; i < MUX_DATA; i++)
		if ((s->wanted & 1U << i) && !s->streams[i])
			return false;
	return true;
}

/* One round with nothing but the socket.  Return: false when the session is over. */
static bool wait_socket(struct exec_session *s, int timeout_ms)
{
	struct pollfd fds[2] = { { s->mux->fd, mux_events(s->mux), 0 },
				 { s->config->stop_fd, POLLIN, 0 } };
	struct error err = ERROR_INIT;
	int n = poll(fds, 2, timeout_ms);

	if (n < 0)
		return errno == EINTR;
	if (fds[1].revents)
		return false;
	if (mux_io(s->mux, fds[0].revents, &err) < 0) {
		log_debug("stream: %s", err.text);
		return false;
	}
	return !s->mux->eof;
}

static bool await_streams(struct exec_session *s)
{
	int64_t end_ns = clock_monotonic_ns() + SESSION_STREAMS_WAIT_NS;

	while (!all_opened(s)) {
		if (clock_monotonic_ns() >= end_ns || !wait_socket(s, TICK_MS))
			return false;
	}
	return true;
}

/* --- the end ---------------------------------------------------------------------------------- */

static void put_status(struct strbuf *out, int exit_code, const struct error *err)
{
	char code[16];
	struct json_writer w = { .out = out };

	json_begin_object(&w);
	json_put_object(&w, "metadata");
	json_end_object(&w);
	json_put_string(&w, "status", err->code || exit_code ? "Failure" : "Success");
	if (err->code) {
		json_put_string(&w, "message", err->text);
		json_put_string(&w, "reason", "InternalError");
		json_put_i64(&w, "code", 500);
	} else if (exit_code) {
		snprintf(code, sizeof(code), "%d", exit_code);
		json_key(&w, "message");
		json_string(&w, "command terminated with non-zero exit code");
		json_put_string(&w, "reason", "NonZeroExitCode");
		json_put_object(&w, "details");
		json_put_array(&w, "causes");
		json_begin_object(&w);
		json_put_string(&w, "reason", "ExitCode");
		json_put_string(&w, "message", code);
		json_end_object(&w);
		json_end_array(&w);
		json_end_object(&w);
	}
	json_end_object(&w);
}

/* Before v4 the error stream carries text, and nothing after a success. */
static void put_text(struct strbuf *out, int exit_code, const struct error *err)
{
	if (err->code)
		strbuf_puts(out, err->text);
	else if (exit_code)
		strbuf_printf(out, "command terminated with exit code %d", exit_code);
}

static void send_status(struct exec_session *s, int exit_code, const struct error *err)
{
	struct strbuf text cleanup_strbuf = { 0 };

	if (s->config->version >= 4)
		put_status(&text, exit_code, err);
	else
		put_text(&text, exit_code, err);
	mux_send(s->mux, s->streams[MUX_ERROR], text.data, text.len);
	for (int i = 0; i < MUX_DATA; i++)
		mux_send_end(s->mux, s->streams[i]);
	mux_close(s->mux, s->config->stop_fd);
}

/* --- moving bytes ----------------------------------------------------------------------------- */

static void close_stdin(struct exec_session *s)
{
	struct mux_stream *in = s->streams[MUX_STDIN];

	close_fd(&s->backend.stdin_fd);
	if (in) {
		in->discard = true;
		strbuf_reset(&in->in);
	}
}

static void write_stdin(struct exec_session *s)
{
	struct mux_stream *in = s->streams[MUX_STDIN];

	if (!in || s->backend.stdin_fd < 0)
		return;
	if (in->in.len > 0) {
		ssize_t n = write(s->backend.stdin_fd, in->in.data, in->in.len);

		if (n > 0)
			strbuf_consume(&in->in, (size_t)n);
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			close_stdin(s);
	}
	if (in->in.len == 0 && in->in_fin)
		close_stdin(s);
}

static void read_output(struct exec_session *s, struct output *o)
{
	char buf[COPY_BYTES];
	ssize_t n = read(*o->fd, buf, MIN(sizeof(buf), mux_room(s->mux)));

	if (n > 0) {
		mux_send(s->mux, o->stream, buf, (size_t)n);
		o->owed_bytes -= (int)MIN(n, o->owed_bytes);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		close_fd(o->fd); /* a pty reports its end as EIO */
		o->owed_bytes = 0;
	}
}

/* One object {"Width":80,"Height":24}. */
static void apply_size(struct exec_session *s, const char *text, size_t len)
{
	const struct stream_backend *b = s->config->backend;
	struct arena arena cleanup_arena = { 0 };
	struct json *size;
	int64_t width, height;

	if (json_parse(&arena, text, len, 0, &size, NULL) < 0)
		return;
	width = json_get_int(size, "Width", 0);
	height = json_get_int(size, "Height", 0);
	if (width > 0 && width <= UINT16_MAX && height > 0 && height <= UINT16_MAX)
		b->resize(b->data, &s->backend, (uint16_t)width, (uint16_t)height);
}

static void take_sizes(struct exec_session *s)
{
	struct mux_stream *r = s->streams[MUX_RESIZE];
	char *end;

	if (!r)
		return;
	while (r->in.len > 0 && (end = memchr(r->in.data, '}', r->in.len))) {
		size_t len = (size_t)(end - r->in.data) + 1;

		apply_size(s, r->in.data, len);
		strbuf_consume(&r->in, len);
	}
	if (r->in.len > RESIZE_MAX_BYTES)
		strbuf_reset(&r->in);
}

/* --- the loop --------------------------------------------------------------------------------- */

/* From here on only what is in the pipes by now is owed to the client. */
static void begin_drain(struct exec_session *s)
{
	s->done = true;
	s->drain_end_ns = clock_monotonic_ns() + DRAIN_NS;
	close_stdin(s);
	for (int i = 0; i < 2; i++)
		if (*s->outputs[i].fd >= 0 &&
		    ioctl(*s->outputs[i].fd, FIONREAD, &s->outputs[i].owed_bytes) < 0)
			s->outputs[i].owed_bytes = 0;
}

static bool drained(const struct exec_session *s)
{
	const struct output *a = &s->outputs[0], *b = &s->outputs[1];

	if (*a->fd < 0 && *b->fd < 0)
		return true;
	return clock_monotonic_ns() >= s->drain_end_ns && a->owed_bytes == 0 && b->owed_bytes == 0;
}

enum { AT_SOCKET, AT_STOP, AT_DONE, AT_STDIN, AT_STDOUT, AT_STDERR, AT_COUNT };

static void fill_poll(const struct exec_session *s, struct pollfd fds[AT_COUNT])
{
	const struct mux_stream *in = s->streams[MUX_STDIN];
	bool room = mux_room(s->mux) > 0;

	fds[AT_SOCKET] = (struct pollfd){ s->mux->fd, mux_events(s->mux), 0 };
	fds[AT_STOP] = (struct pollfd){ s->config->stop_fd, POLLIN, 0 };
	fds[AT_DONE] = (struct pollfd){ s->done ? -1 : s->backend.done_fd, POLLIN, 0 };
	fds[AT_STDIN] = (struct pollfd){ in && in->in.len ? s->backend.stdin_fd : -1, POLLOUT, 0 };
	for (int i = 0; i < 2; i++)
		fds[AT_STDOUT + i] = (struct pollfd){ room ? *s->outputs[i].fd : -1, POLLIN, 0 };
}

/* Return: false when the session is over without an end of its own. */
static bool step(struct exec_session *s)
{
	struct pollfd fds[AT_COUNT];
	struct error err = ERROR_INIT;

	fill_poll(s, fds);
	if (poll(fds, AT_COUNT, s->done ? TICK_MS / 10 : TICK_MS) < 0)
		return errno == EINTR;
	if (fds[AT_STOP].revents || mux_is_idle(s->mux, s->config->idle_timeout_s))
		return false;
	for (int i = 0; i < 2; i++)
		if (fds[AT_STDOUT + i].revents && mux_room(s->mux) > 0)
			read_output(s, &s->outputs[i]);
	if (mux_io(s->mux, fds[AT_SOCKET].revents, &err) < 0) {
		log_debug("stream: %s", err.text);
		return false;
	}
	take_sizes(s); /* before what was typed after the window changed */
	write_stdin(s);
	if (fds[AT_DONE].revents)
		begin_drain(s);
	return !s->mux->eof;
}

static int start_backend(struct exec_session *s, struct error *err)
{
	const struct stream_backend *b = s->config->backend;
	int (*start)(void *, const struct stream_request *, struct stream_session *,
		     struct error *) = s->config->kind == STREAM_EXEC ? b->exec : b->attach;
	int rc = start(b->data, s->config->request, &s->backend, err);

	if (rc < 0)
		return rc;
	if (s->backend.stdin_fd >= 0 && s->backend.stdin_fd == s->backend.stdout_fd)
		s->backend.stdin_fd = fcntl(s->backend.stdout_fd, F_DUPFD_CLOEXEC, 3);
	if (s->backend.stdin_fd >= 0)
		fd_set_nonblock(s->backend.stdin_fd, true);
	for (int i = 0; i < 2; i++)
		if (*s->outputs[i].fd >= 0)
			fd_set_nonblock(*s->outputs[i].fd, true);
	return 0;
}

static void end_backend(struct exec_session *s, int *ret_exit_code, struct error *err)
{
	const struct stream_backend *b = s->config->backend;

	close_fd(&s->backend.stdin_fd);
	close_fd(&s->backend.stdout_fd);
	close_fd(&s->backend.stderr_fd);
	if (b->finish(b->data, &s->backend, ret_exit_code, err) < 0 && !err->code)
		error_set(err, EIO, "the session's exit code is lost");
}

/* Return: whether it came to its own end. */
static bool pump(struct exec_session *s)
{
	bool going = true;

	while (going && !(s->done && drained(s)))
		going = step(s);
	return going;
}

void exec_session_run(struct mux *m, const struct session_config *c)
{
	struct exec_session s = {
		.mux = m,
		.config = c,
		.wanted = kinds_wanted(c),
		.backend = { -1, -1, -1, -1, NULL },
	};
	struct error err = ERROR_INIT;
	int exit_code = 0;
	bool ended;

	m->max_streams = MAX_STREAMS;
	m->max_stream_bytes = MAX_STREAM_BYTES;
	m->opened = opened;
	m->data = &s;
	if (!await_streams(&s))
		return;
	s.outputs[0] = (struct output){ &s.backend.stdout_fd, s.streams[MUX_STDOUT], 0 };
	s.outputs[1] = (struct output){ &s.backend.stderr_fd, s.streams[MUX_STDERR], 0 };
	if (start_backend(&s, &err) < 0) {
		send_status(&s, 0, &err);
		return;
	}
	ended = pump(&s);
	end_backend(&s, &exit_code, &err);
	if (ended)
		send_status(&s, exit_code, &err);
}
