/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gRPC server: socket, method table, deadlines, draining.
 *
 * One timer serves all deadlines: it is armed for the earliest one, looks at every stream when
 * it fires, and is armed again for the next.
 */
#include <errno.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "cri/grpc/connection.h"
#include "cri/grpc/job.h"

#define NS_MS		INT64_C(1000000)
#define ACCEPT_RETRY_MS 100

/* --- accepting -------------------------------------------------------------------------------- */

/* Out of descriptors or at the limit: a listening socket stays readable, so stop looking at it. */
static void pause_accept(struct grpc_server *s)
{
	s->accept_paused = true;
	loop_fd_set_events(s->listen_watch, 0);
	loop_timer_arm(s->accept_timer, ACCEPT_RETRY_MS);
}

static void resume_accept(void *data)
{
	struct grpc_server *s = data;

	if (!s->accept_paused || !s->listen_watch || s->n_connections >= GRPC_MAX_CONNECTIONS)
		return;
	s->accept_paused = false;
	loop_fd_set_events(s->listen_watch, EPOLLIN);
}

static void on_accept(void *data, uint32_t events)
{
	struct grpc_server *s = data;

	(void)events;
	while (s->n_connections < GRPC_MAX_CONNECTIONS) {
		int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			grpc_connection_create(s, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno == EAGAIN)
			return;
		log_debug("grpc: accept: %s", strerror(errno));
		break;
	}
	pause_accept(s);
}

void grpc_server_connection_gone(struct grpc_server *s)
{
	s->n_connections--;
	resume_accept(s);
}

static void stop_listening(struct grpc_server *s)
{
	if (s->listen_fd < 0)
		return;
	loop_fd_remove(steal_ptr(s->listen_watch));
	unlink(s->config.listen);
	close_fd(&s->listen_fd);
}

/* --- deadlines -------------------------------------------------------------------------------- */

void grpc_server_deadline(struct grpc_server *s, int64_t deadline_ns)
{
	int64_t left_ns;

	if (s->armed_ns && s->armed_ns <= deadline_ns)
		return;
	left_ns = MAX(deadline_ns - clock_monotonic_ns(), 0);
	s->armed_ns = deadline_ns;
	loop_timer_arm(s->deadline_timer, left_ns / NS_MS + 1);
}

static void on_deadline(void *data)
{
	struct grpc_server *s = data;
	struct grpc_connection *c, *next;
	int64_t now_ns = clock_monotonic_ns();

	s->armed_ns = 0;
	list_for_each_safe(c, next, &s->connections, in_server) {
		int64_t due_ns = grpc_connection_expire(c, now_ns);

		if (due_ns)
			grpc_server_deadline(s, due_ns);
	}
}

/* --- create ----------------------------------------------------------------------------------- */

static void add_routes(struct grpc_server *s)
{
	struct grpc_route *r;

	for (size_t i = 0; i < s->config.n_services; i++)
		s->n_routes += s->config.services[i].n_methods;
	s->routes = xcalloc(s->n_routes, sizeof(*s->routes));
	r = s->routes;
	for (size_t i = 0; i < s->config.n_services; i++) {
		const struct grpc_service *service = &s->config.services[i];

		for (size_t k = 0; k < service->n_methods; k++, r++) {
			r->service = service;
			r->method = &service->methods[k];
			r->path = xasprintf("/%s/%s", service->name, r->method->name);
			map_put(&s->by_path, r->path, r);
		}
	}
}

int grpc_server_create(struct loop *loop, const struct grpc_config *config,
		       struct grpc_server **ret, struct error *err)
{
	struct grpc_server *s;
	int fd = fd_listen_unix(config->listen, SOCK_STREAM, config->mode, err);

	if (fd < 0)
		return fd;
	fd_set_nonblock(fd, true);
	s = xnew(struct grpc_server);
	s->loop = loop;
	s->config = *config;
	s->config.listen = xstrdup(config->listen);
	s->listen_fd = fd;
	list_init(&s->connections);
	list_init(&s->jobs);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->idle, NULL);
	add_routes(s);
	s->accept_timer = loop_add_timer(loop, resume_accept, s);
	s->deadline_timer = loop_add_timer(loop, on_deadline, s);
	s->listen_watch = loop_add_fd(loop, fd, EPOLLIN, on_accept, s);
	*ret = s;
	return 0;
}

/* --- drain and destroy ------------------------------------------------------------------------ */

/* The caller may destroy the server before the post runs: it carries only what is the caller's. */
static void check_drained(struct grpc_server *s)
{
	if (s->drained && s->n_jobs == 0 && !s->dead)
		loop_post(s->loop, steal_ptr(s->drained), s->drained_data);
}

void grpc_server_drain(struct grpc_server *s, loop_fn *done, void *data)
{
	struct grpc_connection *c, *next;

	if (s->listen_fd < 0)
		return; /* once is enough */
	stop_listening(s);
	list_for_each_safe(c, next, &s->connections, in_server)
		grpc_connection_goaway(c);
	s->drained = done;
	s->drained_data = data;
	check_drained(s);
}

static void server_free(struct grpc_server *s)
{
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->idle);
	for (size_t i = 0; i < s->n_routes; i++)
		free(s->routes[i].path);
	free(s->routes);
	map_finish(&s->by_path);
	strbuf_finish(&s->out);
	free((char *)s->config.listen);
	free(s);
}

void grpc_server_job_gone(struct grpc_server *s)
{
	s->n_jobs--;
	check_drained(s);
	if (s->dead && s->n_jobs == 0)
		server_free(s);
}

static void wait_for_threads(struct grpc_server *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->n_threads > 0)
		pthread_cond_wait(&s->idle, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

void grpc_server_destroy(struct grpc_server *s)
{
	struct grpc_connection *c, *next;

	if (!s)
		return;
	stop_listening(s);
	loop_timer_remove(s->accept_timer);
	loop_timer_remove(s->deadline_timer);
	list_for_each_safe(c, next, &s->connections, in_server)
		grpc_connection_destroy(c);
	wait_for_threads(
		s); /* their ends are posted now, and run with the loop's next or last turn */
	s->dead = true;
	if (s->n_jobs == 0)
		server_free(s);
}
