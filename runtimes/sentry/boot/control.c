/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: requests of the command line.
 *
 * A thread a connection, at most CALLS_MAX at a time, so that a start that waits for a slow volume
 * does not keep a kill waiting.
 */
#include "runtimes/sentry/boot/control.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "runtimes/sentry/boot/pod.h"

#define CALLS_MAX 16

static const struct {
	control_fn *fn;
	size_t n_fds, n_optional;
} ops[CONTROL_OPS] = {
	[CONTROL_CREATE] = { pod_create, CONTROL_CREATE_FDS - 1, 1 },
	[CONTROL_START] = { pod_start, 0, 0 },
	[CONTROL_EXEC] = { pod_exec, CONTROL_EXEC_FDS, 0 },
	[CONTROL_KILL] = { pod_kill, 0, 0 },
	[CONTROL_PS] = { pod_ps, 0, 0 },
	[CONTROL_STATE] = { pod_state, 0, 0 },
	[CONTROL_DELETE] = { pod_delete, 0, 0 },
	[CONTROL_STATS] = { pod_stats, 0, 0 },
	[CONTROL_TRACE] = { pod_trace, 0, 1 },
};

int control_check(const struct control_request *rq, size_t len, size_t n_fds)
{
	size_t want;

	if (len != sizeof(*rq) || rq->version != CONTROL_VERSION)
		return -EINVAL;
	if (rq->op == 0 || rq->op >= CONTROL_OPS || !ops[rq->op].fn)
		return -EINVAL;
	if (!memchr(rq->id, '\0', sizeof(rq->id)) || rq->id[0] == '\0')
		return -EINVAL;
	if (rq->n_trees > CONTROL_TREES_MAX || (rq->op == CONTROL_CREATE && rq->n_trees == 0))
		return -EINVAL;
	if (rq->signo < 0 || rq->signo > N_SIGNALS || rq->pid < 0)
		return -EINVAL;
	want = ops[rq->op].n_fds;
	if (rq->flags & CONTROL_HAS_SECCOMP)
		want++;
	return n_fds >= want && n_fds <= ops[rq->op].n_fds + ops[rq->op].n_optional ? 0 : -EINVAL;
}

static void answer(int sock, int rc, const struct control_answer *a, const struct error *err)
{
	struct control_reply reply = { .error = rc < 0 ? rc : 0, .value = a->value };
	const char *text = rc < 0 ? err->text : a->text.data;
	struct iovec iov[2] = { { &reply, sizeof(reply) } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	reply.text_len =
		(uint32_t)(rc < 0 ? strlen(err->text) : MIN(a->text.len, (size_t)CONTROL_TEXT_MAX));
	iov[1] = (struct iovec){ (void *)(uintptr_t)text, reply.text_len };
	sendmsg(sock, &m, MSG_NOSIGNAL);
}

static sem_t calls;

static void serve_call(int sock)
{
	struct control_request rq;
	struct control_answer a = { 0 };
	struct error err = ERROR_INIT;
	int fds[CONTROL_FDS_MAX], rc;
	ssize_t n = fd_recv(sock, &rq, sizeof(rq), fds, CONTROL_FDS_MAX);
	size_t n_fds = 0;

	while (n > 0 && n_fds < CONTROL_FDS_MAX && fds[n_fds] >= 0)
		n_fds++;
	if (n <= 0 || control_check(&rq, (size_t)n, n_fds) < 0)
		rc = error_set(&err, EINVAL, "malformed request");
	else
		rc = ops[rq.op].fn(&rq, fds, &a, &err);
	answer(sock, rc, &a, &err);
	for (size_t i = 0; n > 0 && i < n_fds; i++)
		close_fd(&fds[i]);
	strbuf_finish(&a.text);
	if (rc == 0 && a.last)
		_exit(0);
}

static void *call_run(void *data)
{
	int sock = (int)(intptr_t)data;

	serve_call(sock);
	close(sock);
	sem_post(&calls);
	return NULL;
}

int control_serve(int listener)
{
	sem_init(&calls, 0, CALLS_MAX);
	for (;;) {
		int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (sock < 0 && errno != EINTR && errno != ECONNABORTED)
			return -errno;
		if (sock < 0)
			continue;
		while (sem_wait(&calls) < 0)
			;
		if (thread_start(call_run, (void *)(intptr_t)sock) < 0) {
			close(sock);
			sem_post(&calls);
		}
	}
}
