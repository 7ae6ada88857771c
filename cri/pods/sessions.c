/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Exec, Attach and PortForward connect to.
 *
 * cri/stream calls these from a connection's thread.  Bytes go between its socket and the
 * process directly: by pipes or the pty master for an exec, by the monitor's bounded streams for
 * an attach, by a socket dialled inside the pod's network namespace for a port-forward.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cri/pods/objects.h"
#include "cri/stream/stream.h"
#include "runtimes/monitor/client.h"

/* One end of a session: an exec with its handle, or an attach. */
struct session {
	struct container *container;
	struct monitor_exec_handle exec;
	struct monitor_attach attach;
	bool is_exec, tty;
	int console; /* exec with a tty: our copy for the size */
};

/* Pipes of an exec without a tty: the process gets [0][0], [1][1], [2][1]. */
static int make_pipes(const struct stream_request *r, int pipes[3][2], struct error *err)
{
	bool wanted[3] = { r->in, r->out, r->err };

	for (int i = 0; i < 3; i++)
		if (wanted[i] && pipe2(pipes[i], O_CLOEXEC) < 0)
			return error_errno(err, errno, "pipe");
	return 0;
}

static void close_pipes(int pipes[3][2])
{
	for (int i = 0; i < 3; i++) {
		close_fd(&pipes[i][0]);
		close_fd(&pipes[i][1]);
	}
}

static int exec_pipes(struct session *s, const struct stream_request *r, size_t argc,
		      struct stream_session *ret, struct error *err)
{
	int pipes[3][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	int rc = make_pipes(r, pipes, err);

	if (rc == 0) {
		int stdio[3] = { pipes[0][0], pipes[1][1], pipes[2][1] };

		rc = exec_start(s->container, r->argv, argc, false, stdio, &s->exec, err);
	}
	if (rc == 0) {
		ret->stdin_fd = steal_fd(&pipes[0][1]);
		ret->stdout_fd = steal_fd(&pipes[1][0]);
		ret->stderr_fd = steal_fd(&pipes[2][0]);
	}
	close_pipes(pipes);
	return rc;
}

static int exec_tty(struct session *s, const struct stream_request *r, size_t argc,
		    struct stream_session *ret, struct error *err)
{
	int none[3] = { -1, -1, -1 };
	int rc = exec_start(s->container, r->argv, argc, true, none, &s->exec, err);

	if (rc < 0)
		return rc;
	s->console = fcntl(s->exec.console, F_DUPFD_CLOEXEC, 3);
	ret->stdin_fd = r->in ? fcntl(s->exec.console, F_DUPFD_CLOEXEC, 3) : -1;
	ret->stdout_fd = steal_fd(&s->exec.console);
	return 0;
}

static struct session *session_new(struct container *c, bool is_exec, bool tty)
{
	struct session *s = xnew(struct session);

	s->container = c;
	s->is_exec = is_exec;
	s->tty = tty;
	s->console = -1;
	s->exec = (struct monitor_exec_handle){ .fd = -1, .console = -1 };
	s->attach = (struct monitor_attach){ -1, -1, -1, -1 };
	return s;
}

static void session_free(struct session *s)
{
	close_fd(&s->console);
	if (s->exec.fd >= 0)
		monitor_exec_close(&s->exec);
	close_fd(&s->attach.fd);
	container_put(s->container);
	free(s);
}

static int backend_exec(void *data, const struct stream_request *r, struct stream_session *ret,
			struct error *err)
{
	struct container *c;
	struct session *s;
	size_t argc = 0;
	int rc = pods_find_running(data, r->container_id, &c, err);

	if (rc < 0)
		return rc;
	while (r->argv && r->argv[argc])
		argc++;
	s = session_new(c, true, r->tty);
	rc = r->tty ? exec_tty(s, r, argc, ret, err) : exec_pipes(s, r, argc, ret, err);
	if (rc < 0) {
		session_free(s);
		return rc;
	}
	ret->done_fd = s->exec.fd;
	ret->handle = s;
	return 0;
}

static int backend_attach(void *data, const struct stream_request *r, struct stream_session *ret,
			  struct error *err)
{
	struct container *c;
	struct session *s;
	int rc = pods_find_running(data, r->container_id, &c, err);

	if (rc < 0)
		return rc;
	s = session_new(c, false, c->config->tty);
	rc = monitor_attach(c->pod->dir, c->id, r->in, r->out, r->err, &s->attach, err);
	if (rc < 0) {
		session_free(s);
		return rc;
	}
	ret->stdin_fd = steal_fd(&s->attach.stdin_fd);
	ret->stdout_fd = steal_fd(&s->attach.stdout_fd);
	ret->stderr_fd = steal_fd(&s->attach.stderr_fd);
	ret->done_fd = s->attach.fd;
	ret->handle = s;
	return 0;
}

static int backend_finish(void *data, struct stream_session *session, int *ret_exit_code,
			  struct error *err)
{
	struct session *s = session->handle;
	struct pollfd ended = { session->done_fd, POLLIN, 0 };
	int rc = 0;

	(void)data;
	*ret_exit_code = 0;
	if (s->is_exec && poll(&ended, 1, 0) == 1)
		rc = monitor_exec_wait(&s->exec, ret_exit_code, err);
	session_free(s);
	return rc;
}

static void backend_resize(void *data, struct stream_session *session, uint16_t width,
			   uint16_t height)
{
	struct session *s = session->handle;
	struct winsize size = { .ws_col = width, .ws_row = height };

	(void)data;
	if (!s->tty)
		return;
	if (s->is_exec)
		ioctl(s->console, TIOCSWINSZ, &size);
	else
		monitor_resize(s->container->pod->dir, s->container->id, width, height, NULL);
}

static int backend_dial(void *data, const char *sandbox_id, uint16_t port, int *ret_fd,
			struct error *err)
{
	struct pod *pod;
	int rc = pods_find_pod(data, sandbox_id, &pod, err);

	if (rc < 0)
		return rc;
	rc = monitor_dial(pod->dir, port, ret_fd, err);
	pod_put(pod);
	return rc;
}

void pods_stream_backend(struct pods *pods, struct stream_backend *ret)
{
	*ret = (struct stream_backend){
		.exec = backend_exec,
		.attach = backend_attach,
		.finish = backend_finish,
		.resize = backend_resize,
		.dial = backend_dial,
		.data = pods,
	};
}
