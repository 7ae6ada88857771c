/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streaming server behind Exec, Attach and PortForward.
 *
 * One thread accepts; each connection has its own, with a small stack, from the request's first
 * byte to the session's end.  stop_fd becomes readable when the server goes: every poll includes
 * it, and destroy waits until the last connection has left.
 */
#include "cri/stream/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/thread.h"
#include "cri/stream/session.h"
#include "cri/stream/tokens.h"
#include "cri/stream/upgrade.h"

#define REQUEST_NS	  (10 * INT64_C(1000000000)) /* to send the request's head */
#define DEFAULT_IDLE_S	  (4 * 3600)
#define DEFAULT_MAX_CONNS 256

struct stream_server {
	struct stream_backend backend;
	unsigned int max_connections, idle_timeout_s;
	char *url; /* "http://127.0.0.1:1234" */
	int listen_fd, stop_fd;
	pthread_t acceptor;
	bool accepting;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t left;
	unsigned int connections;
	struct tokens tokens;
};

struct connection {
	struct stream_server *server;
	int fd;
};

/* --- one connection --------------------------------------------------------------------------- */

static const struct {
	const char *path; /* before the token */
	enum stream_kind kind;
} paths[] = {
	{ "/exec/", STREAM_EXEC },
	{ "/attach/", STREAM_ATTACH },
	{ "/portforward/", STREAM_PORT_FORWARD },
};

static struct stream_request *take_token(struct stream_server *s, const char *path,
					 enum stream_kind *ret_kind)
{
	struct stream_request *r = NULL;

	for (size_t i = 0; i < ARRAY_LEN(paths) && !r; i++) {
		const char *token = str_after(path, paths[i].path);

		if (!token)
			continue;
		pthread_mutex_lock(&s->lock);
		r = tokens_take(&s->tokens, paths[i].kind, token, clock_monotonic_ns());
		pthread_mutex_unlock(&s->lock);
		*ret_kind = paths[i].kind;
	}
	return r;
}

/* Bytes until a whole request stands in @in.  Return: its length, 0 the client left, -errno. */
static ssize_t read_request(struct connection *c, struct strbuf *in, struct upgrade_request *ret,
			    struct error *err)
{
	int64_t end_ns = clock_monotonic_ns() + REQUEST_NS;
	char buf[4096];

	for (;;) {
		struct pollfd fds[2] = { { c->fd, POLLIN, 0 }, { c->server->stop_fd, POLLIN, 0 } };
		int64_t left_ns = end_ns - clock_monotonic_ns();
		ssize_t n;

		if (left_ns <= 0 || poll(fds, 2, (int)(left_ns / 1000000) + 1) == 0)
			return error_set(err, ETIMEDOUT, "no request within 10 seconds");
		if (fds[1].revents)
			return 0;
		n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return 0;
		if (n < 0)
			continue;
		strbuf_append(in, buf, (size_t)n);
		n = upgrade_parse(in->data, in->len, ret, err);
		if (n != 0)
			return n;
	}
}

static void refuse_bad_request(int fd, const struct error *err)
{
	int status = err->code == -ETIMEDOUT ? 408 : err->code == -EMSGSIZE ? 431 : 400;

	upgrade_refuse(fd, status, "", err->text);
}

/* What can be refused without looking at the token, so that the token stays good. */
static bool check_transport(int fd, const struct upgrade_request *r)
{
	if (!str_eq(r->method, "POST") && !str_eq(r->method, "GET"))
		upgrade_refuse(fd, 405, "Allow: GET, POST\r\n", "only GET and POST are served");
	else if (upgrade_has(r, "Upgrade", "websocket"))
		upgrade_refuse(fd, 426, "Upgrade: SPDY/3.1\r\n",
			       "WebSocket is not served here: upgrade to SPDY/3.1 "
			       "(crictl --transport spdy)");
	else if (!upgrade_has(r, "Connection", "upgrade") || !upgrade_has(r, "Upgrade", "SPDY/3.1"))
		upgrade_refuse(fd, 400, "Upgrade: SPDY/3.1\r\n",
			       "this URL needs Connection: Upgrade and Upgrade: SPDY/3.1");
	else
		return true;
	return false;
}

/* Return: the protocol agreed on, or NULL after an answer that refuses. */
static const char *negotiate(int fd, const struct upgrade_request *r, enum stream_kind kind)
{
	static const char *const shells[] = { "v4.channel.k8s.io", "v3.channel.k8s.io",
					      "v2.channel.k8s.io" };
	static const char *const forwards[] = { "portforward.k8s.io" };
	bool forward = kind == STREAM_PORT_FORWARD;
	const char *const *offered = forward ? forwards : shells;
	size_t n = forward ? ARRAY_LEN(forwards) : ARRAY_LEN(shells);
	struct strbuf accepted cleanup_strbuf = { 0 };
	struct error err = ERROR_INIT;
	size_t chosen;
	int rc = upgrade_choose(r, offered, n, &chosen, &err);

	if (rc == 0)
		return offered[chosen];
	for (size_t i = 0; i < n; i++)
		strbuf_printf(&accepted, "X-Accepted-Stream-Protocol-Versions: %s\r\n", offered[i]);
	upgrade_refuse(fd, rc == -EPROTO ? 403 : 400, accepted.data, err.text);
	return NULL;
}

static void run_session(struct connection *c, const struct session_config *config)
{
	struct error err = ERROR_INIT;
	struct mux m;

	if (mux_init(&m, c->fd, &err) < 0) {
		log_debug("stream: %s", err.text);
		return;
	}
	if (config->kind == STREAM_PORT_FORWARD)
		port_forward_run(&m, config);
	else
		exec_session_run(&m, config);
	mux_finish(&m);
}

static void serve_request(struct connection *c, const struct upgrade_request *r)
{
	struct stream_server *s = c->server;
	struct session_config config = {
		.backend = &s->backend,
		.stop_fd = s->stop_fd,
		.idle_timeout_s = s->idle_timeout_s,
	};
	struct stream_request *request;
	const char *protocol;

	if (!check_transport(c->fd, r))
		return;
	request = take_token(s, r->path, &config.kind);
	if (!request) {
		upgrade_refuse(c->fd, 404, "", "unknown token: it is good once and for one minute");
		return;
	}
	protocol = negotiate(c->fd, r, config.kind);
	if (protocol && upgrade_accept(c->fd, protocol) == 0) {
		config.request = request;
		config.version = protocol[1] - '0'; /* "v4.channel..."; of no use to a forward */
		run_session(c, &config);
	}
	tokens_request_free(request);
}

static void serve(struct connection *c)
{
	struct upgrade_request request = { 0 };
	struct strbuf in cleanup_strbuf = { 0 };
	struct error err = ERROR_INIT;
	ssize_t n = read_request(c, &in, &request, &err);

	if (n < 0)
		refuse_bad_request(c->fd, &err);
	else if (n > 0 && (size_t)n < in.len)
		upgrade_refuse(c->fd, 400, "", "bytes sent before the upgrade was answered");
	else if (n > 0)
		serve_request(c, &request);
	upgrade_finish(&request);
}

static bool enter(struct stream_server *s)
{
	bool room;

	pthread_mutex_lock(&s->lock);
	room = s->connections < s->max_connections;
	if (room)
		s->connections++;
	pthread_mutex_unlock(&s->lock);
	return room;
}

static void leave(struct stream_server *s)
{
	pthread_mutex_lock(&s->lock);
	s->connections--;
	pthread_cond_broadcast(&s->left);
	pthread_mutex_unlock(&s->lock);
}

static void *connection_thread(void *data)
{
	struct connection *c = data;
	struct stream_server *s = c->server;

	serve(c);
	shutdown(c->fd, SHUT_RDWR);
	close(c->fd);
	free(c);
	leave(s);
	return NULL;
}

/* --- accepting -------------------------------------------------------------------------------- */

static void refuse_busy(int fd)
{
	upgrade_refuse(fd, 503, "Retry-After: 5\r\n",
		       "too many streaming connections; close some and try again");
	close(fd);
}

static void accept_one(struct stream_server *s)
{
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	struct connection *c;
	int one = 1;

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!enter(s)) {
		refuse_busy(fd);
		return;
	}
	c = xnew(struct connection);
	*c = (struct connection){ s, fd };
	if (thread_start(connection_thread, c) == 0)
		return;
	free(c);
	refuse_busy(fd);
	leave(s);
}

static void *acceptor_thread(void *data)
{
	struct stream_server *s = data;
	struct pollfd fds[2] = { { s->listen_fd, POLLIN, 0 }, { s->stop_fd, POLLIN, 0 } };

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents)
			return NULL;
		accept_one(s);
	}
}

/* --- the server ------------------------------------------------------------------------------- */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int parse_address(const char *text, uint16_t port, union address *ret, socklen_t *ret_len,
			 struct error *err)
{
	*ret = (union address){ 0 };
	if (inet_pton(AF_INET, text, &ret->v4.sin_addr) == 1) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(port);
		*ret_len = sizeof(ret->v4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &ret->v6.sin6_addr) == 1) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(port);
		*ret_len = sizeof(ret->v6);
		return 0;
	}
	return error_set(err, EINVAL, "stream address '%s' is not an IP address", text);
}

static int listen_on(struct stream_server *s, const char *text, uint16_t port, struct error *err)
{
	union address a;
	socklen_t len;
	int one = 1;
	int rc = parse_address(text, port, &a, &len, err);

	if (rc < 0)
		return rc;
	s->listen_fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listen_fd < 0)
		return error_errno(err, errno, "socket for streaming");
	setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(s->listen_fd, &a.any, len) < 0 || listen(s->listen_fd, SOMAXCONN) < 0)
		return error_errno(err, errno, "listen for streaming on %s port %u", text, port);
	if (getsockname(s->listen_fd, &a.any, &len) < 0)
		return error_errno(err, errno, "port of the streaming server");
	if (a.any.sa_family == AF_INET)
		s->url = xasprintf("http://%s:%u", text, ntohs(a.v4.sin_port));
	else
		s->url = xasprintf("http://[%s]:%u", text, ntohs(a.v6.sin6_port));
	return 0;
}

int stream_server_create(const struct stream_config *config, struct stream_server **ret,
			 struct error *err)
{
	struct stream_server *s = xnew(struct stream_server);
	int rc;

	s->backend = *config->backend;
	s->max_connections = config->max_connections ? config->max_connections : DEFAULT_MAX_CONNS;
	s->idle_timeout_s = config->idle_timeout_s ? config->idle_timeout_s : DEFAULT_IDLE_S;
	s->listen_fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->left, NULL);
	s->stop_fd = eventfd(0, EFD_CLOEXEC);
	rc = s->stop_fd < 0 ? error_errno(err, errno, "eventfd")
			    : listen_on(s, config->address, config->port, err);
	if (rc == 0) {
		rc = thread_start_joinable(&s->acceptor, acceptor_thread, s);
		if (rc < 0)
			error_errno(err, -rc, "thread of the streaming server");
	}
	if (rc < 0) {
		stream_server_destroy(s);
		return rc;
	}
	s->accepting = true;
	*ret = s;
	return 0;
}

void stream_server_destroy(struct stream_server *s)
{
	if (!s)
		return;
	if (s->stop_fd >= 0)
		eventfd_write(s->stop_fd, 1);
	if (s->accepting)
		pthread_join(s->acceptor, NULL);
	pthread_mutex_lock(&s->lock);
	while (s->connections > 0)
		pthread_cond_wait(&s->left, &s->lock);
	pthread_mutex_unlock(&s->lock);
	close_fd(&s->listen_fd);
	close_fd(&s->stop_fd);
	tokens_finish(&s->tokens);
	pthread_cond_destroy(&s->left);
	pthread_mutex_destroy(&s->lock);
	free(s->url);
	free(s);
}

static int check_request(enum stream_kind kind, const struct stream_request *r, struct error *err)
{
	if (kind == STREAM_PORT_FORWARD)
		return r->sandbox_id ? 0 : error_set(err, EINVAL, "port-forward names no sandbox");
	if (!r->container_id)
		return error_set(err, EINVAL, "no container named");
	if (r->tty && r->err)
		return error_set(err, EINVAL, "tty and stderr cannot both be true");
	if (!r->in && !r->out && !r->err)
		return error_set(err, EINVAL, "one of stdin, stdout or stderr must be set");
	if (kind == STREAM_EXEC && (!r->argv || !r->argv[0]))
		return error_set(err, EINVAL, "no command given");
	return 0;
}

int stream_register(struct stream_server *s, enum stream_kind kind, const struct stream_request *r,
		    char **ret_url, struct error *err)
{
	char token[TOKENS_CHARS + 1];
	int rc = check_request(kind, r, err);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&s->lock);
	rc = tokens_put(&s->tokens, kind, r, clock_monotonic_ns(), token, err);
	pthread_mutex_unlock(&s->lock);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (paths[i].kind == kind)
			*ret_url = xasprintf("%s%s%s", s->url, paths[i].path, token);
	return 0;
}
