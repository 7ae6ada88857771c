/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attach: bounded copies of output, input with back-pressure.
 *
 * A client reads its output from a pipe.  What does not fit waits here, up to SINK_MAX bytes;
 * then the client is too slow and its stream is closed.  When the container has ended, clients
 * get END_MS to read what they miss; after that, or when nothing is left, the control connection
 * says that it is over.
 */
#include "runtimes/monitor/attached.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

#define SINK_MAX    (1 << 20)
#define INPUT_BYTES 4096
#define END_MS	    10000

struct sink {
	struct client *client;
	int fd; /* write end; -1 not asked for, or closed */
	struct strbuf pending;
	struct loop_fd *watch; /* while pending holds anything */
};

struct client {
	struct list in_stdio;
	struct stdio *io; /* NULL: the container has ended */
	struct loop *loop;
	struct conn *conn;
	int in; /* read end; -1 none, or ended */
	struct loop_fd *in_watch;
	struct sink sinks[2];
	struct loop_timer *timer; /* bounds the end */
};

/* --- output ----------------------------------------------------------------------------------- */

static void sink_close(struct sink *s)
{
	loop_fd_remove(s->watch);
	s->watch = NULL;
	close_fd(&s->fd);
	strbuf_finish(&s->pending);
}

static void destroy(struct client *c)
{
	list_remove(&c->in_stdio);
	loop_fd_remove(c->in_watch);
	close_fd(&c->in);
	sink_close(&c->sinks[0]);
	sink_close(&c->sinks[1]);
	loop_timer_remove(c->timer);
	free(c);
}

/* over() - everything was delivered, or time is up. */
static void over(void *data)
{
	struct client *c = data;
	Monitor__Reply reply = MONITOR__REPLY__INIT;

	serve_finish(c->conn, &reply, NULL, 0);
	destroy(c);
}

static void over_if_done(struct client *c)
{
	if (!c->io && c->sinks[0].fd < 0 && c->sinks[1].fd < 0)
		over(c);
}

static void on_sink_room(void *data, uint32_t events)
{
	struct sink *s = data;
	struct client *c = s->client;
	ssize_t n = write(s->fd, s->pending.data, s->pending.len);

	(void)events;
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		sink_close(s);
	} else if (n > 0) {
		strbuf_consume(&s->pending, (size_t)n);
		if (s->pending.len == 0) {
			loop_fd_remove(s->watch);
			s->watch = NULL;
			strbuf_finish(&s->pending);
			if (!c->io)
				sink_close(s);
		}
	}
	over_if_done(c);
}

static void sink_write(struct sink *s, const char *data, size_t len)
{
	ssize_t n = 0;

	if (s->fd < 0)
		return;
	if (s->pending.len == 0) {
		n = write(s->fd, data, len);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			sink_close(s);
			return;
		}
		n = MAX(n, 0);
		if ((size_t)n == len)
			return;
	}
	if (s->pending.len + len > SINK_MAX) {
		log_info("an attached client reads too slowly and is dropped");
		sink_close(s);
		return;
	}
	strbuf_append(&s->pending, data + n, len - (size_t)n);
	if (!s->watch)
		s->watch = loop_add_fd(s->client->loop, s->fd, EPOLLOUT, on_sink_room, s);
}

void attached_output(struct stdio *io, enum crilog_stream which, const char *data, size_t len)
{
	struct client *c;

	list_for_each(c, &io->clients, in_stdio)
		sink_write(&c->sinks[which], data, len);
}

/* --- input ------------------------------------------------------------------------------------ */

static void on_input(void *data, uint32_t events)
{
	struct client *c = data;
	char bytes[INPUT_BYTES];
	ssize_t n = read(c->in, bytes, sizeof(bytes));

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		stdio_input(c->io, bytes, (size_t)n);
		return;
	}
	loop_fd_remove(c->in_watch);
	c->in_watch = NULL;
	close_fd(&c->in);
	stdio_input_end(c->io);
}

static void watch_input(struct client *c)
{
	if (c->in >= 0 && !c->in_watch)
		c->in_watch = loop_add_fd(c->loop, c->in, EPOLLIN, on_input, c);
}

void attached_pause(struct stdio *io)
{
	struct client *c;

	list_for_each(c, &io->clients, in_stdio) {
		loop_fd_remove(c->in_watch);
		c->in_watch = NULL;
	}
}

void attached_resume(struct stdio *io)
{
	struct client *c;

	list_for_each(c, &io->clients, in_stdio)
		watch_input(c);
}

/* --- coming and going ------------------------------------------------------------------------- */

/* An interrupted client counts as one whose stdin ended. */
static void on_gone(void *data)
{
	struct client *c = data;

	if (c->io && c->in >= 0) {
		struct stdio *io = c->io;

		destroy(c);
		stdio_input_end(io);
		return;
	}
	destroy(c);
}

static void detach_one(struct client *c)
{
	list_remove(&c->in_stdio);
	c->io = NULL;
	loop_fd_remove(c->in_watch);
	c->in_watch = NULL;
	close_fd(&c->in);
	for (int i = 0; i < 2; i++)
		if (c->sinks[i].pending.len == 0)
			sink_close(&c->sinks[i]);
	c->timer = loop_add_timer(c->loop, over, c);
	loop_timer_arm(c->timer, END_MS);
	over_if_done(c);
}

void attached_end(struct stdio *io)
{
	struct client *c, *next;

	list_for_each_safe(c, next, &io->clients, in_stdio)
		detach_one(c);
}

/* make_pipe() - our end is non-blocking, the client's is not. */
static int make_pipe(int *ret_ours, int *ret_theirs, bool we_write, struct error *err)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return error_errno(err, errno, "pipe");
	*ret_ours = p[we_write];
	*ret_theirs = p[!we_write];
	return fd_set_nonblock(*ret_ours, true);
}

static int make_pipes(struct client *c, const Monitor__Attach *want, bool terminal, int theirs[3],
		      struct error *err)
{
	int rc = 0;

	if (want->in)
		rc = make_pipe(&c->in, &theirs[0], false, err);
	if (rc == 0 && want->out)
		rc = make_pipe(&c->sinks[0].fd, &theirs[1], true, err);
	if (rc == 0 && want->err && !terminal)
		rc = make_pipe(&c->sinks[1].fd, &theirs[2], true, err);
	return rc;
}

int attached_add(struct stdio *io, struct conn *conn, const Monitor__Attach *want,
		 struct error *err)
{
	struct client *c = xnew(struct client);
	Monitor__Reply reply = MONITOR__REPLY__INIT;
	int theirs[3] = { -1, -1, -1 };
	int fds[3];
	size_t n = 0;
	int rc;

	*c = (struct client){ .io = io, .loop = io->loop, .conn = conn, .in = -1 };
	c->sinks[0] = (struct sink){ .client = c, .fd = -1 };
	c->sinks[1] = (struct sink){ .client = c, .fd = -1 };
	list_add(&io->clients, &c->in_stdio);
	rc = make_pipes(c, want, io->terminal, theirs, err);
	for (int i = 0; i < 3; i++) {
		if (theirs[i] < 0)
			continue;
		reply.fd_mask |= 1U << i;
		fds[n++] = theirs[i];
	}
	if (rc == 0)
		rc = serve_send(conn, &reply, fds, n);
	if (rc < 0)
		error_errno(err, -rc, "answer");
	for (int i = 0; i < 3; i++)
		close_fd(&theirs[i]);
	if (rc < 0) {
		destroy(c);
		return rc;
	}
	serve_on_gone(conn, on_gone, c);
	if (io->pending.len == 0)
		watch_input(c);
	return 0;
}
