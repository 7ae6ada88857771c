/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets of the pod's network namespace on the host (`--network=host`).
 */
#ifndef SENTRY_NET_HOST_H
#define SENTRY_NET_HOST_H

#include "runtimes/sentry/net/socket.h"

/* host_socket_create() - @c: a raw one takes CAP_NET_RAW. Return: 0 or -errno as socket(2). */
int host_socket_create(int domain, int type, int protocol, const struct cred *c,
		       struct socket **ret);

#endif
