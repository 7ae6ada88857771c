/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving a container's bytes.
 *
 * Streams are read a chunk at a time, level-triggered, so one busy container cannot keep the
 * loop from the others.  A pty's master fails with EIO when its last slave is closed: its end.
 */
#include "runtimes/monitor/stdio.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/mem.h"
#include "runtimes/monitor/attached.h"

#define CHUNK_BYTES 16384
#define REST_MAX    (2 << 20) /* a process left behind may write for ever */
#define TEXT_MAX    4096

void stdio_init(struct stdio *io, struct loop *loop)
{
	*io = (struct stdio){ .loop = loop, .in = -1, .log.fd = -1 };
	for (int i = 0; i < 2; i++)
		io->streams[i] =
			(struct stream){ .io = io, .which = (enum crilog_stream)i, .fd = -1 };
	list_init(&io->clients);
}

int stdio_make_pipes(struct stdio *io, int ret_child[3], struct error *err)
{
	int p[3][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	int rc = 0;

	for (int i = io->stdin_open ? 0 : 1; i < 3 && rc == 0; i++)
		if (pipe2(p[i], O_CLOEXEC) < 0)
			rc = error_errno(err, errno, "pipe");
	if (rc < 0) {
		for (int i = 0; i < 3; i++) {
			close_fd(&p[i][0]);
			close_fd(&p[i][1]);
		}
		return rc;
	}
	ret_child[0] = p[0][0];
	ret_child[1] = p[1][1];
	ret_child[2] = p[2][1];
	io->in = p[0][1];
	io->streams[0].fd = p[1][0];
	io->streams[1].fd = p[2][0];
	if (io->in >= 0)
		fd_set_nonblock(io->in, true);
	fd_set_nonblock(io->streams[0].fd, true);
	fd_set_nonblock(io->streams[1].fd, true);
	return 0;
}

/* One file cannot stand twice in an epoll set, so stdin gets a duplicate. */
int stdio_set_console(struct stdio *io, int master, struct error *err)
{
	fd_set_nonblock(master, true);
	io->streams[0].fd = master;
	if (!io->stdin_open)
		return 0;
	io->in = fcntl(master, F_DUPFD_CLOEXEC, 3);
	return io->in < 0 ? error_errno(err, errno, "duplicate the console") : 0;
}

/* --- output ----------------------------------------------------------------------------------- */

static void end_stream(struct stream *s)
{
	loop_fd_remove(s->watch);
	s->watch = NULL;
	close_fd(&s->fd);
}

/* read_stream() - one chunk.  Return: bytes, 0 ended, -EAGAIN nothing there. */
static ssize_t read_stream(struct stream *s)
{
	char data[CHUNK_BYTES] __attribute__((uninitialized));
	ssize_t n = read(s->fd, data, sizeof(data));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	if (n <= 0) {
		end_stream(s);
		return 0;
	}
	crilog_write(&s->io->log, s->which, data, (size_t)n);
	attached_output(s->io, s->which, data, (size_t)n);
	return n;
}

static bool all_ended(const struct stdio *io)
{
	return io->streams[0].fd < 0 && io->streams[1].fd < 0;
}

static void on_output(void *data, uint32_t events)
{
	struct stream *s = data;
	struct stdio *io = s->io;

	(void)events;
	if (read_stream(s) == 0 && all_ended(io) && io->on_end)
		io->on_end(io->data);
}

void stdio_start(struct stdio *io, stdio_fn *on_end, void *data)
{
	io->on_end = on_end;
	io->data = data;
	for (int i = 0; i < 2; i++) {
		struct stream *s = &io->streams[i];

		if (s->fd >= 0)
			s->watch = loop_add_fd(io->loop, s->fd, EPOLLIN, on_output, s);
	}
}

bool stdio_read_rest(struct stdio *io)
{
	for (int i = 0; i < 2; i++) {
		struct stream *s = &io->streams[i];
		ssize_t n = 1;

		for (size_t got = 0; s->fd >= 0 && n > 0 && got < REST_MAX; got += (size_t)n) {
			n = read_stream(s);
			if (n < 0)
				break;
		}
	}
	return all_ended(io);
}

void stdio_take_text(struct stdio *io, struct strbuf *ret)
{
	char text[TEXT_MAX];

	for (int i = 0; i < 2; i++) {
		ssize_t n = io->streams[i].fd < 0 ? 0 : read(io->streams[i].fd, text, sizeof(text));

		if (n > 0)
			strbuf_append(ret, text, (size_t)n);
	}
}

/* --- input ------------------------------------------------------------------------------------ */

static void end_input(struct stdio *io)
{
	loop_fd_remove(io->in_watch);
	io->in_watch = NULL;
	close_fd(&io->in);
	strbuf_finish(&io->pending);
	io->close_in = false;
}

static void on_room(void *data, uint32_t events)
{
	struct stdio *io = data;
	ssize_t n = write(io->in, io->pending.data, io->pending.len);

	(void)events;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		end_input(io);
	else if (n > 0)
		strbuf_consume(&io->pending, (size_t)n);
	if (io->pending.len > 0)
		return;
	if (io->in >= 0 && io->close_in)
		end_input(io);
	loop_fd_remove(io->in_watch);
	io->in_watch = NULL;
	strbuf_finish(&io->pending);
	attached_resume(io);
}

void stdio_input(struct stdio *io, const char *data, size_t len)
{
	ssize_t n;

	if (io->in < 0)
		return;
	n = write(io->in, data, len);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		end_input(io);
		return;
	}
	n = MAX(n, 0);
	if ((size_t)n == len)
		return;
	strbuf_append(&io->pending, data + n, len - (size_t)n);
	attached_pause(io);
	io->in_watch = loop_add_fd(io->loop, io->in, EPOLLOUT, on_room, io);
}

void stdio_input_end(struct stdio *io)
{
	if (!io->stdin_once || io->in < 0)
		return;
	if (io->pending.len > 0)
		io->close_in = true;
	else
		end_input(io);
}

void stdio_finish(struct stdio *io)
{
	end_input(io);
	for (int i = 0; i < 2; i++)
		end_stream(&io->streams[i]);
	crilog_close(&io->log);
	attached_end(io);
}
