/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket helper's process.
 *
 * Started by the launcher in the pod's network namespace; keeps NET_BIND_SERVICE, and NET_RAW if a
 * container of the pod may have it, and no other right.
 */
#include "runtimes/sentry/net/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

#define SOCKET 3

static int lists = -1; /* /proc/net, as a process of the pod's namespace sees it */

static int confine(bool raw, struct error *err)
{
	const uint32_t keep = 1U << CAP_NET_BIND_SERVICE | (raw ? 1U << CAP_NET_RAW : 0);
	int rc;

	/* the lists of the namespace are all that it can name from now on */
	if (chroot("/proc/self/net") < 0 || chdir("/") < 0)
		return error_errno(err, errno, "enter /proc/self/net");
	lists = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lists < 0)
		return error_errno(err, errno, "open /proc/self/net");
	rc = confine_rights(keep, err);
	if (rc < 0)
		return rc;
	const struct allowed_call allowed[] = {
		/* requests, replies */
		ALLOW(recvmsg),
		ALLOW(sendmsg),
		ALLOW(write),
		/* what is asked */
		ALLOW(socket),
		ALLOW(bind),
		ALLOW(setsockopt),
		ALLOW(close),
		/* lists of the namespace, which are all of its root, to read */
		ALLOW_IF(openat, ARG_IS(0, (uint32_t)lists), ARG_IS(2, O_RDONLY | O_CLOEXEC)),
		/* the C library, the end */
		ALLOW(brk),
		ALLOW(munmap),
		ALLOW(rt_sigreturn),
		ALLOW(restart_syscall),
		ALLOW(exit_group),
	};
	return confine_calls(SECCOMP_RET_ERRNO | EPERM, allowed, ARRAY_LEN(allowed), err);
}

static int make_socket(const struct helper_request *rq, int *ret_fd)
{
	if (!helper_allowed(rq->domain, rq->type, rq->protocol))
		return -EPROTONOSUPPORT;
	*ret_fd = socket(rq->domain, rq->type | SOCK_NONBLOCK | SOCK_CLOEXEC, rq->protocol);
	return *ret_fd < 0 ? -errno : 0;
}

static int open_list(int32_t index, int *ret_fd)
{
	int32_t n = 0;

	while (helper_lists[n] && n != index)
		n++;
	if (!helper_lists[n])
		return -EINVAL;
	*ret_fd = openat(lists, helper_lists[n], O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

static int serve(const struct helper_request *rq, int fd, int *ret_fd)
{
	int rc;

	if (rq->op == HELPER_SOCKET)
		return make_socket(rq, ret_fd);
	if (rq->op == HELPER_LIST)
		return open_list(rq->name, ret_fd);
	if (fd < 0 || rq->len > sizeof(rq->bytes))
		return -EINVAL;
	if (rq->op == HELPER_BIND)
		rc = bind(fd, (const struct sockaddr *)(const void *)rq->bytes, rq->len);
	else if (rq->op == HELPER_OPTION && !helper_option_allowed(rq->level, rq->name))
		return -EPERM;
	else if (rq->op == HELPER_OPTION)
		rc = setsockopt(fd, rq->level, rq->name, rq->bytes, rq->len);
	else
		return -EINVAL;
	return rc < 0 ? -errno : 0;
}

static bool serve_one(void)
{
	struct helper_request rq;
	struct helper_reply reply = { .error = -EINVAL };
	int fd = -1, made = -1, rc;
	ssize_t n = fd_recv(SOCKET, &rq, sizeof(rq), &fd, 1);

	if (n <= 0 && n != -EMSGSIZE)
		return false;
	if (n == sizeof(rq))
		reply.error = serve(&rq, fd, &made);
	rc = fd_send(SOCKET, &reply, sizeof(reply), &made, made >= 0);
	close_fd(&fd);
	close_fd(&made);
	return rc == 0;
}

int helper_main(bool raw)
{
	struct error err = ERROR_INIT;

	log_init("bulkhead-sentry", LOG_LEVEL_INFO);
	if (confine(raw, &err) < 0) {
		log_error("socket helper: %s", err.text);
		return 1;
	}
	while (serve_one())
		;
	return 0;
}
