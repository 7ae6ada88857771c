/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam below the sockets of the pod's network: what a TCP/IP stack must offer.
 *
 * net/inet.c is the only caller.  It has checked the guest's rights, the families of addresses, the
 * names of options and the levels of control messages, and it does all waiting: an operation that
 * cannot go on says -EAGAIN, and the stack wakes the end's queue with EPOLL* when it may be tried
 * again.  host.c, the host's stack in the pod's network namespace, is such a stack.
 */
#ifndef SENTRY_NET_STACK_H
#define SENTRY_NET_STACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "runtimes/sentry/kern/wait.h"

/* One socket as its stack sees it. */
struct stack_end;

/* All return 0 or what is said, or -errno as the system call of that name. */
struct stack_ops {
	/* open: @queue lives until close() */
	int (*open)(int domain, int type, int protocol, struct wait_queue *queue,
		    struct stack_end **ret);
	void (*close)(struct stack_end *e);
	/* bind: @low: also to a port that takes a right */
	int (*bind)(struct stack_end *e, const struct sockaddr *a, socklen_t len, bool low);
	int (*connect)(struct stack_end *e, const struct sockaddr *a, socklen_t len);
	int (*listen)(struct stack_end *e, int backlog);
	/* accept: @queue as in open; @peer: room for *len bytes */
	int (*accept)(struct stack_end *e, struct wait_queue *queue, struct sockaddr *peer,
		      socklen_t *len, struct stack_end **ret);
	int (*name)(struct stack_end *e, bool peer, struct sockaddr *a, socklen_t *len);
	/* send, receive: bytes; memory that @m points to may change at any time */
	ssize_t (*send)(struct stack_end *e, const struct msghdr *m, int flags);
	ssize_t (*receive)(struct stack_end *e, struct msghdr *m, int flags);
	int (*shutdown)(struct stack_end *e, int how);
	int (*set_option)(struct stack_end *e, int level, int name, const void *value,
			  socklen_t len);
	int (*get_option)(struct stack_end *e, int level, int name, void *value, socklen_t *len);
	/* ioctl: one that only asks, its structure in @value */
	int (*ioctl)(struct stack_end *e, unsigned int cmd, void *value);
	/* poll: EPOLL* that hold now */
	uint32_t (*poll)(struct stack_end *e);
};

#endif
