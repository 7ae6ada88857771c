/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers of the calls on sockets, for the table; and what their files share.
 */
#ifndef SENTRY_SYS_SOCKET_H
#define SENTRY_SYS_SOCKET_H

#include "runtimes/sentry/net/socket.h"
#include "runtimes/sentry/sys/sys.h"

/* socket.c */
sys_fn sys_socket, sys_socketpair, sys_bind, sys_connect, sys_listen, sys_accept, sys_accept4,
	sys_getsockname, sys_getpeername, sys_setsockopt, sys_getsockopt, sys_shutdown;
/* socket_message.c */
sys_fn sys_sendto, sys_recvfrom, sys_sendmsg, sys_recvmsg, sys_sendmmsg, sys_recvmmsg;

/* sys_socket_file() - of descriptor @fd, with a reference. Return: 0, -EBADF, -ENOTSOCK. */
int sys_socket_file(struct task *t, uint64_t fd, struct file **ret);
/*
 * sys_address_in() - an address of the guest; one of AF_UNIX with a path leads to its node, whose
 * reference is sys_address_finish()'s to give back.
 */
int sys_address_in(struct task *t, const struct socket *s, uint64_t addr, uint64_t len,
		   struct socket_address *ret);
void sys_address_finish(struct socket_address *a);
/* sys_address_out() - as much of @a as there is room for, and its whole length. 0: not wanted. */
int sys_address_out(struct task *t, const struct socket_address *a, uint64_t addr, uint64_t len);

#endif
