/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of host sockets share.
 */
#ifndef SENTRY_NET_HOST_INTERNAL_H
#define SENTRY_NET_HOST_INTERNAL_H

#include "runtimes/sentry/net/poller.h"
#include "runtimes/sentry/net/socket.h"

struct host_socket {
	struct socket s;
	int fd;
	struct poller_watch watch;
};

static inline struct host_socket *host_of(struct socket *s)
{
	return (struct host_socket *)s;
}

/* host_options.c */
int host_set_option(struct socket *s, int level, int name, const void *value, uint32_t len,
		    const struct cred *c);
int host_get_option(struct socket *s, int level, int name, void *value, uint32_t *len);

#endif
