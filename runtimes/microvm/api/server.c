/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API's socket.
 *
 * Requests are served in the loop, one after the other.  An answer goes out at once: it is
 * small, and a client that does not read its answers is dropped.
 */
#include "runtimes/microvm/api/server.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtimes/microvm/api/http.h"

#define CONNECTIONS_MAX 10 /* as Firecracker's server */

struct connection {
	struct server *server;
	int fd; /* -1: free */
	struct loop_fd *watch;
	struct strbuf in;
	bool continued; /* "100 Continue" has been said for the request that is coming */
};

struct server {
	struct loop *loop;
	struct api *api;
	char *path;
	size_t body_max;
	int fd;
	struct loop_fd *watch;
	struct connection connections[CONNECTIONS_MAX];
};

static void connection_close(struct connection *c)
{
	loop_fd_remove(c->watch);
	c->watch = NULL;
	close_fd(&c->fd);
	strbuf_finish(&c->in);
	c->continued = false;
}

/* --- requests --------------------------------------------------------------------------------- */

/* send_all() - Return: false when the client does not take it at once. */
static bool send_all(int fd, const struct strbuf *b)
{
	return send(fd, b->data, b->len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)b->len;
}

static void refuse(struct connection *c, int status, const char *text)
{
	struct strbuf body cleanup_strbuf = { 0 }, out cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &body };

	json_begin_object(&w);
	json_put_string(&w, "error", text);
	json_end_object(&w);
	http_answer(&out, status, body.data, body.len, false);
	send_all(c->fd, &out);
	connection_close(c);
}

static void say_continue(struct connection *c)
{
	static const char text[] = "HTTP/1.1 100 \r\n\r\n";

	if (!c->continued)
		send(c->fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	c->continued = true;
}

/* serve_one() - Return: whether there may be another request in the buffer. */
static bool serve_one(struct connection *c)
{
	struct strbuf body cleanup_strbuf = { 0 }, out cleanup_strbuf = { 0 };
	struct error err = ERROR_INIT;
	struct http_request req;
	ssize_t used;
	int status;

	if (!c->in.len)
		return false;
	used = http_parse(c->in.data, c->in.len, c->server->body_max, &req, &err);
	if (used < 0) {
		refuse(c, used == -E2BIG ? 413 : 400, err.text);
		return false;
	}
	if (used == 0) {
		if (req.continues)
			say_continue(c);
		return false;
	}
	status = api_handle(c->server->api, req.method, req.path, req.body, req.body_len, &body);
	http_answer(&out, status, body.len ? body.data : NULL, body.len, req.keep_alive);
	strbuf_consume(&c->in, (size_t)used);
	c->continued = false;
	if (!send_all(c->fd, &out) || !req.keep_alive) {
		connection_close(c);
		return false;
	}
	return true;
}

static void connection_readable(void *data, uint32_t events)
{
	struct connection *c = data;
	char bytes[4096];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		connection_close(c);
		return;
	}
	strbuf_append(&c->in, bytes, (size_t)n);
	while (serve_one(c))
		;
}

static void server_readable(void *data, uint32_t events)
{
	struct server *s = data;
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *c = &s->connections[i];

		if (c->fd >= 0)
			continue;
		*c = (struct connection){ .server = s, .fd = fd };
		c->watch = loop_add_fd(s->loop, fd, EPOLLIN, connection_readable, c);
		return;
	}
	close(fd); /* the client sees the end of its connection */
}

/* --- life ------------------------------------------------------------------------------------- */

static int listen_at(const char *path, struct error *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd cleanup_close = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (strlen(path) >= sizeof(a.sun_path))
		return error_set(err, ENAMETOOLONG, "socket %s", path);
	memcpy(a.sun_path, path, strlen(path));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, CONNECTIONS_MAX))
		return error_errno(err, errno, "listen on %s", path);
	return steal_fd(&fd);
}

int server_create(struct server **ret, struct loop *loop, struct api *api, const char *path,
		  size_t body_max, struct error *err)
{
	struct server *s;
	int fd = listen_at(path, err);

	if (fd < 0)
		return fd;
	s = xnew(struct server);
	s->loop = loop;
	s->api = api;
	s->path = xstrdup(path);
	s->body_max = body_max;
	s->fd = fd;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		s->connections[i].fd = -1;
	s->watch = loop_add_fd(loop, fd, EPOLLIN, server_readable, s);
	*ret = s;
	return 0;
}

void server_destroy(struct server *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		connection_close(&s->connections[i]);
	loop_fd_remove(s->watch);
	close_fd(&s->fd);
	unlink(s->path);
	free(s->path);
	free(s);
}
