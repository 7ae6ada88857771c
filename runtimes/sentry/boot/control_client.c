/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking a running sentry.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"
#include "runtimes/sentry/boot/control.h"

#define ANSWER_BOUND_MS 120000 /* a start may wait for a slow volume */

int control_request_init(struct control_request *rq, enum control_op op, const char *id,
			 struct error *err)
{
	memset(rq, 0, sizeof(*rq));
	rq->version = CONTROL_VERSION;
	rq->op = op;
	if (strlen(id) >= sizeof(rq->id))
		return error_set(err, ENAMETOOLONG, "container id '%.20s...' is too long", id);
	memcpy(rq->id, id, strlen(id) + 1);
	return 0;
}

/* take_reply() - what the sentry says becomes ours. */
static int take_reply(const char *message, size_t len, int *ret_value, struct strbuf *ret_text,
		      struct error *err)
{
	struct control_reply reply;
	const char *text = message + sizeof(reply);

	if (len < sizeof(reply))
		return error_set(err, EPROTO, "the sentry ended while it was asked");
	memcpy(&reply, message, sizeof(reply));
	if (reply.text_len != len - sizeof(reply) || reply.error > 0)
		return error_set(err, EPROTO, "the sentry's reply is malformed");
	if (reply.error < 0)
		return error_set(err, -reply.error, "%.*s", (int)reply.text_len, text);
	if (ret_value)
		*ret_value = reply.value;
	if (ret_text)
		strbuf_append(ret_text, text, reply.text_len);
	return 0;
}

int control_call(const char *path, const struct control_request *rq, const int *fds, size_t n_fds,
		 int *ret_value, struct strbuf *ret_text, struct error *err)
{
	int sock cleanup_close = fd_connect_unix(path, SOCK_SEQPACKET, err);
	size_t size = sizeof(struct control_reply) + CONTROL_TEXT_MAX;
	char *message cleanup_free = NULL;
	ssize_t n;
	int rc;

	if (sock < 0)
		return error_wrap(err, "the sentry does not answer");
	rc = fd_send(sock, rq, sizeof(*rq), fds, n_fds);
	if (rc < 0)
		return error_errno(err, -rc, "ask the sentry");
	if (fd_wait(sock, POLLIN, ANSWER_BOUND_MS) <= 0)
		return error_set(err, ETIMEDOUT, "the sentry does not answer");
	message = xmalloc(size);
	n = fd_recv(sock, message, size, NULL, 0);
	if (n < 0)
		return error_errno(err, (int)-n, "hear from the sentry");
	return take_reply(message, (size_t)n, ret_value, ret_text, err);
}
