/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the socket helper.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "runtimes/sentry/net/helper.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int helper = -1;

void helper_use(int sock)
{
	helper = sock;
}

/* ask() - @fd goes along (-1: none). Return: 0 or -errno; *ret_fd: what came back. */
static int ask(const struct helper_request *rq, int fd, int *ret_fd)
{
	struct helper_reply reply;
	int got = -1, rc;
	ssize_t n;

	if (helper < 0)
		return -EAFNOSUPPORT;
	pthread_mutex_lock(&lock);
	rc = fd_send(helper, rq, sizeof(*rq), &fd, fd >= 0);
	n = rc < 0 ? rc : fd_recv(helper, &reply, sizeof(reply), &got, 1);
	pthread_mutex_unlock(&lock);
	if (n != sizeof(reply))
		return -ENETDOWN;
	if (reply.error < 0 || !ret_fd)
		close_fd(&got);
	if (ret_fd)
		*ret_fd = got;
	return reply.error;
}

int helper_socket(int domain, int type, int protocol)
{
	struct helper_request rq = {
		.op = HELPER_SOCKET, .domain = domain, .type = type, .protocol = protocol
	};
	int fd, rc = ask(&rq, -1, &fd);

	return rc < 0 ? rc : fd < 0 ? -ENETDOWN : fd;
}

int helper_bind(int fd, const struct sockaddr *a, socklen_t len)
{
	struct helper_request rq = { .op = HELPER_BIND, .len = len };

	if (len > sizeof(rq.bytes))
		return -EINVAL;
	memcpy(rq.bytes, a, len);
	return ask(&rq, fd, NULL);
}

int helper_option(int fd, int level, int name, const void *value, uint32_t len)
{
	struct helper_request rq = {
		.op = HELPER_OPTION, .level = level, .name = name, .len = len
	};

	if (len > sizeof(rq.bytes))
		return -EINVAL;
	memcpy(rq.bytes, value, len);
	return ask(&rq, fd, NULL);
}

int helper_list(const char *name)
{
	struct helper_request rq = { .op = HELPER_LIST };
	int fd, rc;

	while (helper_list_name(rq.name) && strcmp(helper_list_name(rq.name), name) != 0)
		rq.name++;
	rc = ask(&rq, -1, &fd);
	return rc < 0 ? rc : fd < 0 ? -ENETDOWN : fd;
}
