/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets of the family AF_UNIX, within the pod.
 */
#ifndef SENTRY_IPC_UNIX_H
#define SENTRY_IPC_UNIX_H

#include "runtimes/sentry/net/socket.h"

/* unix_create() - @type SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET. Return: 0 or -errno. */
int unix_create(int type, struct socket **ret);
/* unix_create_pair() - two that are connected. */
int unix_create_pair(int type, const struct ucred *owner, struct socket *ret[2]);

#endif
