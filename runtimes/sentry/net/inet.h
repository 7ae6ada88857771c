/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets of the pod's network: AF_INET, AF_INET6 and AF_NETLINK over a stack (net/stack.h).
 */
#ifndef SENTRY_NET_INET_H
#define SENTRY_NET_INET_H

#include "runtimes/sentry/net/socket.h"
#include "runtimes/sentry/net/stack.h"

/* inet_use() - from now on sockets are this stack's; before, the families are not supported. */
void inet_use(const struct stack_ops *stack);
/* inet_create() - @c: a raw one takes CAP_NET_RAW; NULL: it has no rights. Return: 0 or -errno as
 * socket(2). */
int inet_create(int domain, int type, int protocol, const struct cred *c, struct socket **ret);
/* inet_ask_interfaces() - ioctl(2) that asks for interfaces, without a socket. Return: as that. */
long inet_ask_interfaces(unsigned int cmd, uint64_t arg, struct ioctl_memory *m);

#endif
