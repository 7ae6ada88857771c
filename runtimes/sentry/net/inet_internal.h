/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of AF_INET, AF_INET6 and AF_NETLINK share.
 */
#ifndef SENTRY_NET_INET_INTERNAL_H
#define SENTRY_NET_INET_INTERNAL_H

#include "runtimes/sentry/net/inet.h"

/* What a stream has received before anybody read it, see inet_ahead.c. */
struct ahead {
	struct lock lock;	  /* LOCK_OBJECT: all of this, and over each receive of a stream */
	uint8_t *data;		  /* NULL: nothing */
	size_t at, len;		  /* data[at .. len - 1] */
	bool off;		  /* never: an option needs to see each receive */
	unsigned int misses;	  /* leases in a row that were of no use */
	int error;		  /* that came instead of bytes: for who asks next; 0 or -errno */
	struct stub_lease *lease; /* NULL: none */
};

struct inet_socket {
	struct socket s;
	const struct stack_ops *stack;
	struct stack_end *end;
	struct ahead ahead; /* of a stream */
};

static inline struct inet_socket *inet_of(struct socket *s)
{
	return (struct inet_socket *)s;
}

/* inet_ahead.c; all but the receive do nothing for what is no stream */
void inet_ahead(struct socket *s, struct stub_thread *t, int fd);
void inet_ahead_settle(struct socket *s);
/* inet_ahead_drop() - bytes and error are nobody's any more. Return: whether bytes were there. */
bool inet_ahead_drop(struct inet_socket *i);
/* inet_ahead_bytes() - that wait; *ret_error: what the next receive says, 0: nothing. */
size_t inet_ahead_bytes(struct inet_socket *i, int *ret_error);
int inet_ahead_take_error(struct inet_socket *i);
/* inet_ahead_keep() - what a receive that holds the lock could not give to anybody. */
void inet_ahead_keep(struct inet_socket *i, const void *from, size_t len);
/* inet_ahead_off() - an option was set that each receive must see. */
void inet_ahead_off(struct inet_socket *i);
/* inet_ahead_receive() - receive(2) of a stream: those bytes first, then by @fn. */
typedef ssize_t inet_receive_fn(struct socket *s, struct socket_message *m);
ssize_t inet_ahead_receive(struct socket *s, struct socket_message *m, inet_receive_fn *fn);

/* inet_options.c */
int inet_set_option(struct socket *s, int level, int name, const void *value, uint32_t len,
		    const struct cred *c);
int inet_get_option(struct socket *s, int level, int name, void *value, uint32_t *len);

/* inet_ioctl.c */
long inet_ioctl(struct socket *s, unsigned int cmd, uint64_t arg, struct ioctl_memory *m);

#endif
