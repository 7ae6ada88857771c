/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Port-forward: many TCP connections over one client's.
 *
 * A forwarded connection is a pair of streams, "error" and "data", that share a requestID (old
 * clients: the data stream's id follows the error stream's).  A complete pair is dialled on a
 * thread of its own, since the backend may block and the other pairs must go on.
 *
 *   HALF --both streams--> DIALING --fd--> OPEN --both ends closed--> ENDED
 *     `--30 s--> ENDED        `--failed: text on the error stream--> ENDED
 *
 * The pod's end of file ends both streams towards the client (which waits for the error
 * stream's); the client's is passed on by shutdown(2).  One refused port ends its pair only.
 */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/thread.h"
#include "cri/stream/session.h"

#define MAX_PAIRS	 256
#define MAX_STREAM_BYTES (1 << 20)
#define COPY_BYTES	 (32 << 10)
#define TICK_MS		 1000

enum pair_state { PAIR_HALF, PAIR_DIALING, PAIR_OPEN, PAIR_ENDED };

struct pair {
	enum pair_state state;
	struct mux_stream *error, *data; /* NULL: not opened yet */
	int64_t half_end_ns;
	int fd;	      /* OPEN: towards the pod */
	bool shut;    /* the client's end was passed on */
	bool fd_eof;  /* the pod's end was passed on */
	short polled; /* index in the poll set, or -1 */
	/* DIALING: written by the dialling thread, read after done_fd */
	const struct session_config *config;
	int done_fd;
	int rc, dialled_fd;
	struct error err;
};

struct port_forward {
	struct mux *mux;
	const struct session_config *config;
	struct pair *pairs[MAX_PAIRS];
	size_t n_pairs;
	struct pollfd fds[MAX_PAIRS + 2];
};

/* --- pairs ------------------------------------------------------------------------------------ */

static bool belongs(const struct pair *p, const struct mux_stream *s)
{
	const struct mux_stream *other = p->error ? p->error : p->data;
	struct mux_stream *const *place = s->kind == MUX_ERROR ? &p->error : &p->data;

	if (p->state != PAIR_HALF || *place || other->port != s->port)
		return false;
	if (*s->request_id || *other->request_id)
		return str_eq(s->request_id, other->request_id);
	return s->kind == MUX_DATA ? s->id == other->id + 2 : other->id == s->id + 2;
}

static struct pair *pair_new(struct port_forward *f)
{
	struct pair *p;

	if (f->n_pairs == MAX_PAIRS)
		return NULL;
	p = xnew(struct pair);
	p->fd = p->done_fd = p->dialled_fd = -1;
	p->config = f->config;
	p->half_end_ns = clock_monotonic_ns() + SESSION_STREAMS_WAIT_NS;
	f->pairs[f->n_pairs++] = p;
	return p;
}

static bool opened(void *data, struct mux_stream *s)
{
	struct port_forward *f = data;
	struct pair *p = NULL;

	if ((s->kind != MUX_ERROR && s->kind != MUX_DATA) || s->port == 0)
		return false;
	for (size_t i = 0; i < f->n_pairs && !p; i++)
		if (belongs(f->pairs[i], s))
			p = f->pairs[i];
	if (!p)
		p = pair_new(f);
	if (!p)
		return false;
	s->discard = s->kind == MUX_ERROR;
	*(s->kind == MUX_ERROR ? &p->error : &p->data) = s;
	return true;
}

/* --- dialling --------------------------------------------------------------------------------- */

static bool port_allowed(const struct stream_request *r, uint16_t port)
{
	for (size_t i = 0; i < r->n_ports; i++)
		if (r->ports[i] == port)
			return true;
	return r->n_ports == 0;
}

/* Waits for the thread, and orders us after what it wrote. */
static void dial_wait(struct pair *p)
{
	uint64_t count;

	while (read(p->done_fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}

/* The last thing it does with @data is to write done_fd: the pair may be freed at once. */
static void *dial(void *data)
{
	struct pair *p = data;
	const struct stream_backend *b = p->config->backend;
	int done_fd = p->done_fd;
	uint64_t one = 1;

	p->rc = b->dial(b->data, p->config->request->sandbox_id, p->data->port, &p->dialled_fd,
			&p->err);
	(void)fd_write_all(done_fd, &one, sizeof(one));
	return NULL;
}

static void pair_fail(struct port_forward *f, struct pair *p)
{
	char *text cleanup_free = xasprintf("error forwarding port %u to pod %s: %s", p->data->port,
					    p->config->request->sandbox_id, p->err.text);

	log_debug("stream: %s", text);
	mux_send(f->mux, p->error, text, strlen(text));
	p->state = PAIR_ENDED;
}

static void pair_dial(struct port_forward *f, struct pair *p)
{
	uint16_t port = p->data->port;

	if (!port_allowed(f->config->request, port)) {
		error_set(&p->err, EACCES, "port %u was not asked for by PortForward", port);
		pair_fail(f, p);
		return;
	}
	p->done_fd = eventfd(0, EFD_CLOEXEC);
	if (p->done_fd < 0) {
		error_errno(&p->err, errno, "eventfd");
		pair_fail(f, p);
		return;
	}
	p->state = PAIR_DIALING;
	thread_detach(dial, p);
}

static void pair_dialled(struct port_forward *f, struct pair *p)
{
	dial_wait(p);
	close_fd(&p->done_fd);
	if (p->rc < 0) {
		pair_fail(f, p);
		return;
	}
	p->fd = steal_fd(&p->dialled_fd);
	fd_set_nonblock(p->fd, true);
	p->state = PAIR_OPEN;
}

/* --- moving bytes ----------------------------------------------------------------------------- */

/* The pod sends no more: the client learns it by the end of both streams. */
static void pass_eof(struct port_forward *f, struct pair *p)
{
	p->fd_eof = true;
	mux_send_end(f->mux, p->data);
	mux_send_end(f->mux, p->error);
}

static void read_pod(struct port_forward *f, struct pair *p)
{
	char buf[COPY_BYTES];
	ssize_t n = read(p->fd, buf, MIN(sizeof(buf), mux_room(f->mux)));

	if (n > 0)
		mux_send(f->mux, p->data, buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		pass_eof(f, p);
}

static void write_pod(struct pair *p)
{
	struct mux_stream *s = p->data;

	if (s->in.len > 0) {
		ssize_t n = send(p->fd, s->in.data, s->in.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			strbuf_consume(&s->in, (size_t)n);
		} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
			s->discard = true; /* what the pod still says is read to its end */
			strbuf_reset(&s->in);
		}
	}
	if (s->in.len == 0 && s->in_fin && !p->shut) {
		shutdown(p->fd, SHUT_WR);
		p->shut = true;
	}
}

static void pair_free(struct port_forward *f, struct pair *p)
{
	if (p->data) {
		mux_send_end(f->mux, p->data);
		mux_drop(f->mux, p->data);
	}
	if (p->error) {
		mux_send_end(f->mux, p->error);
		mux_drop(f->mux, p->error);
	}
	close_fd(&p->fd);
	close_fd(&p->done_fd);
	close_fd(&p->dialled_fd);
	free(p);
}

static bool half_is_over(const struct port_forward *f, struct pair *p)
{
	struct mux_stream *s = p->error ? p->error : p->data;

	if (!s->reset && clock_monotonic_ns() < p->half_end_ns)
		return false;
	mux_reset(f->mux, s, SPDY_CANCEL);
	return true;
}

static void pair_step(struct port_forward *f, struct pair *p)
{
	short revents = p->polled >= 0 ? f->fds[p->polled].revents : 0;

	if (p->state == PAIR_HALF && p->error && p->data)
		pair_dial(f, p);
	else if (p->state == PAIR_HALF && half_is_over(f, p))
		p->state = PAIR_ENDED;
	else if (p->state == PAIR_DIALING && revents)
		pair_dialled(f, p);
	if (p->state != PAIR_OPEN)
		return;
	if (revents && !p->fd_eof && mux_room(f->mux) > 0)
		read_pod(f, p);
	write_pod(p);
	if (p->data->reset || (p->fd_eof && (p->shut || (revents & (POLLHUP | POLLERR)))))
		p->state = PAIR_ENDED;
}

/* --- the loop --------------------------------------------------------------------------------- */

static struct pollfd pair_poll(const struct port_forward *f, const struct pair *p)
{
	struct pollfd fd = { -1, 0, 0 };

	if (p->state == PAIR_DIALING)
		return (struct pollfd){ p->done_fd, POLLIN, 0 };
	if (p->state != PAIR_OPEN)
		return fd;
	if (!p->fd_eof && mux_room(f->mux) > 0)
		fd.events |= POLLIN;
	if (p->data->in.len > 0)
		fd.events |= POLLOUT;
	/* without an event of interest HUP would make poll return at once, for nothing */
	fd.fd = fd.events || p->fd_eof ? p->fd : -1;
	return fd;
}

static nfds_t fill_poll(struct port_forward *f)
{
	nfds_t n = 2;

	f->fds[0] = (struct pollfd){ f->mux->fd, mux_events(f->mux), 0 };
	f->fds[1] = (struct pollfd){ f->config->stop_fd, POLLIN, 0 };
	for (size_t i = 0; i < f->n_pairs; i++) {
		f->pairs[i]->polled = (short)n;
		f->fds[n++] = pair_poll(f, f->pairs[i]);
	}
	return n;
}

static void step_pairs(struct port_forward *f, size_t polled)
{
	for (size_t i = 0; i < f->n_pairs; i++) {
		if (i >= polled)
			f->pairs[i]->polled = -1;
		pair_step(f, f->pairs[i]);
	}
	for (size_t i = 0; i < f->n_pairs;) {
		if (f->pairs[i]->state == PAIR_ENDED) {
			pair_free(f, f->pairs[i]);
			f->pairs[i] = f->pairs[--f->n_pairs];
		} else {
			i++;
		}
	}
}

static bool step(struct port_forward *f)
{
	nfds_t n = fill_poll(f);
	struct error err = ERROR_INIT;

	if (poll(f->fds, n, TICK_MS) < 0)
		return errno == EINTR;
	if (f->fds[1].revents || mux_is_idle(f->mux, f->config->idle_timeout_s))
		return false;
	if (mux_io(f->mux, f->fds[0].revents, &err) < 0) {
		log_debug("stream: %s", err.text);
		return false;
	}
	step_pairs(f, n - 2);
	return !f->mux->eof;
}

/* The dialling threads use the pairs and the backend: wait for them, they are bounded. */
static void end_pairs(struct port_forward *f)
{
	for (size_t i = 0; i < f->n_pairs; i++) {
		struct pair *p = f->pairs[i];

		if (p->state == PAIR_DIALING)
			dial_wait(p);
		pair_free(f, p);
	}
	f->n_pairs = 0;
}

void port_forward_run(struct mux *m, const struct session_config *c)
{
	struct port_forward *f cleanup_free = xnew(struct port_forward);

	f->mux = m;
	f->config = c;
	m->max_streams = 2 * MAX_PAIRS;
	m->max_stream_bytes = MAX_STREAM_BYTES;
	m->opened = opened;
	m->data = f;
	while (step(f))
		;
	end_pairs(f);
	mux_close(m, c->stop_fd);
}
