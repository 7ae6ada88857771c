/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ExecSync: a command in a container, its output in the reply.
 *
 * The process writes into pipes that this server holds; the monitor only starts it and tells its
 * exit code.  A process that ended but left a child behind with the pipe open is not waited for:
 * after DRAIN_MS without its end of file the reply goes out.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/fd.h"
#include "cri/pods/objects.h"
#include "runtimes/bundle/bundle.h"
#include "runtimes/monitor/client.h"

#define EXEC_MAX_BYTES (16 << 20) /* each, and both together must fit one reply */
#define REPLY_ROOM     (64 << 10)
#define EXEC_START_MS  60000
#define DRAIN_MS       2000
#define SECOND_NS      INT64_C(1000000000)

int pods_find_running(struct pods *pods, const char *id, struct container **ret, struct error *err)
{
	struct container *c;
	enum container_state state;
	int rc = pods_find_container(pods, id, &c, err);

	if (rc < 0)
		return rc;
	pods_lock(pods);
	state = c->state;
	pods_unlock(pods);
	if (state != CONTAINER_RUNNING) {
		rc = error_set(err, EBUSY, "container %.13s is not running (%s)", c->id,
			       container_state_name(state));
		container_put(c);
		return rc;
	}
	*ret = c;
	return 0;
}

int exec_start(struct container *c, char *const *argv, size_t argc, bool tty, int stdio[3],
	       struct monitor_exec_handle *ret, struct error *err)
{
	char *process cleanup_free = NULL;
	struct monitor_exec e = { .container_id = c->id, .terminal = tty };
	int rc = bundle_process_json(c->dir, argv, argc, tty, &process, err);

	if (rc < 0)
		return rc;
	e.process_json = process;
	memcpy(e.stdio, stdio, sizeof(e.stdio));
	return monitor_exec_start(c->pod->dir, &e, EXEC_START_MS, ret, err);
}

/* --- ExecSync --------------------------------------------------------------------------------- */

struct collector {
	int out[2], err[2]; /* pipes */
	struct exec_result *result;
};

/* take() - read what is there; bytes over the limit are dropped, the command goes on. */
static void take(int *fd, struct strbuf *buf, size_t room)
{
	char data[16384];
	ssize_t n = read(*fd, data, sizeof(data));

	if (n > 0)
		strbuf_append(buf, data, MIN((size_t)n, room > buf->len ? room - buf->len : 0));
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		close_fd(fd);
}

static int wait_ms(int64_t deadline_ns)
{
	int64_t left_ns;

	if (deadline_ns == 0)
		return -1;
	left_ns = deadline_ns - clock_monotonic_ns();
	return left_ns <= 0 ? 0 : (int)MIN(left_ns / 1000000 + 1, INT32_MAX);
}

/*
 * collect() - until both pipes ended and the process too.  The clock is looked at whether or not
 * there is something to read: who writes without end must not keep us.
 * Return: 0, -ETIMEDOUT or -ECANCELED.
 */
static int collect(struct collector *k, struct monitor_exec_handle *h, int64_t deadline_ns,
		   int cancel_fd)
{
	const size_t room = EXEC_MAX_BYTES - REPLY_ROOM;
	bool ended = false;

	for (;;) {
		struct pollfd p[] = {
			{ k->out[0], POLLIN, 0 },
			{ k->err[0], POLLIN, 0 },
			{ ended ? -1 : h->fd, POLLIN, 0 },
			{ cancel_fd, POLLIN, 0 },
		};
		int left_ms = wait_ms(deadline_ns);

		if (ended && k->out[0] < 0 && k->err[0] < 0)
			return 0;
		if (left_ms == 0)
			return ended ? 0 : -ETIMEDOUT;
		if (poll(p, ARRAY_LEN(p), left_ms) <= 0)
			continue;
		if (p[3].revents)
			return -ECANCELED;
		if (p[0].revents)
			take(&k->out[0], &k->result->out, room - k->result->err.len);
		if (p[1].revents)
			take(&k->err[0], &k->result->err, room - k->result->out.len);
		if (p[2].revents && !ended) {
			ended = true;
			deadline_ns = clock_monotonic_ns() + DRAIN_MS * SECOND_NS / 1000;
		}
	}
}

static int run_collected(struct container *c, char *const *argv, size_t argc, int64_t timeout_s,
			 int cancel_fd, struct collector *k, struct error *err)
{
	struct monitor_exec_handle h;
	int stdio[3] = { -1, k->out[1], k->err[1] };
	int64_t deadline_ns = 0;
	int code = 0;
	int rc;

	if (timeout_s > 0)
		deadline_ns = clock_monotonic_ns() + MIN(timeout_s, INT64_C(1) << 30) * SECOND_NS;
	rc = exec_start(c, argv, argc, false, stdio, &h, err);
	close_fd(&k->out[1]);
	close_fd(&k->err[1]);
	if (rc < 0)
		return rc;
	rc = collect(k, &h, deadline_ns, cancel_fd);
	if (rc == -ETIMEDOUT)
		error_set(err, ETIMEDOUT, "command '%s' timed out after %lld s", argv[0],
			  (long long)timeout_s);
	else if (rc == -ECANCELED)
		error_set(err, ECANCELED, "command '%s': the caller left", argv[0]);
	else
		rc = monitor_exec_wait(&h, &code, err);
	monitor_exec_close(&h); /* kills what is left of it */
	k->result->exit_code = code;
	return rc;
}

int exec_sync(struct pods *pods, const char *id, char *const *argv, size_t argc, int64_t timeout_s,
	      int cancel_fd, struct exec_result *ret, struct error *err)
{
	struct collector k = { { -1, -1 }, { -1, -1 }, ret };
	struct container *c;
	int rc;

	if (argc == 0)
		return error_set(err, EINVAL, "exec in container '%s': no command given", id);
	rc = pods_find_running(pods, id, &c, err);
	if (rc < 0)
		return rc;
	if (pipe2(k.out, O_CLOEXEC) < 0 || pipe2(k.err, O_CLOEXEC) < 0)
		rc = error_errno(err, errno, "pipe");
	else
		rc = run_collected(c, argv, argc, timeout_s, cancel_fd, &k, err);
	close_fd(&k.out[0]);
	close_fd(&k.out[1]);
	close_fd(&k.err[0]);
	close_fd(&k.err[1]);
	if (rc < 0)
		error_wrap(err, "exec in container %.13s", c->id);
	container_put(c);
	return rc;
}

/* --- checks before a streaming URL is given out ----------------------------------------------- */

int container_check_running(struct pods *pods, const char *id, struct arena *arena, char **ret_id,
			    bool *ret_tty, struct error *err)
{
	struct container *c;
	int rc = pods_find_running(pods, id, &c, err);

	if (rc < 0)
		return rc;
	*ret_id = arena_strdup(arena, c->id);
	*ret_tty = c->config->tty;
	container_put(c);
	return 0;
}

int sandbox_check_ready(struct pods *pods, const char *id, struct arena *arena, char **ret_id,
			struct error *err)
{
	struct pod *pod;
	enum pod_state state;
	int rc = pods_find_pod(pods, id, &pod, err);

	if (rc < 0)
		return rc;
	pods_lock(pods);
	state = pod->state;
	pods_unlock(pods);
	if (state != POD_READY)
		rc = error_set(err, EBUSY, "pod sandbox %.13s is not ready (%s)", pod->id,
			       pod_state_name(state));
	else
		*ret_id = arena_strdup(arena, pod->id);
	pod_put(pod);
	return rc;
}
