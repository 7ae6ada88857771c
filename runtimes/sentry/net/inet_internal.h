/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of AF_INET, AF_INET6 and AF_NETLINK share.
 */
#ifndef SENTRY_NET_INET_INTERNAL_H
#define SENTRY_NET_INET_INTERNAL_H

#include "runtimes/sentry/net/inet.h"

struct inet_socket {
	struct socket s;
	const struct stack_ops *stack;
	struct stack_end *end;
};

static inline struct inet_socket *inet_of(struct socket *s)
{
	return (struct inet_socket *)s;
}

/* inet_options.c */
int inet_set_option(struct socket *s, int level, int name, const void *value, uint32_t len,
		    const struct cred *c);
int inet_get_option(struct socket *s, int level, int name, void *value, uint32_t *len);

/* inet_ioctl.c */
long inet_ioctl(struct socket *s, unsigned int cmd, uint64_t arg, struct ioctl_memory *m);

#endif
