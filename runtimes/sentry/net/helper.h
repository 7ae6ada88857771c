/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket helper: a process in the pod's network namespace, for `--network=host`
 * (standin/socket_helper.c).
 *
 * It makes sockets, binds them where that takes a right, and sets options that take one.  The
 * sentry, which asks, has checked the guest's capabilities; the helper checks that what is asked
 * is among what a pod may have.  One request and one reply a message, over SOCK_SEQPACKET.
 */
#ifndef SENTRY_NET_HELPER_H
#define SENTRY_NET_HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

#define HELPER_OPTION_MAX 256

enum helper_op { HELPER_SOCKET = 1, HELPER_BIND, HELPER_OPTION, HELPER_LIST };

struct helper_request {
	uint32_t op;
	int32_t domain, type, protocol; /* SOCKET */
	int32_t level, name;		/* OPTION; LIST: name is a number of helper_list_name() */
	uint32_t len;			/* of bytes: an address, or an option's value */
	uint8_t bytes[HELPER_OPTION_MAX];
};

struct helper_reply {
	int32_t error; /* 0 or -errno; SOCKET, LIST: a descriptor comes with it */
};

/*
 * helper_list_name() - file @index of /proc/net that a pod may read as its namespace's kernel
 * writes it; NULL: past the last.
 */
const char *helper_list_name(int32_t index);

/* --- the sentry's side --- */

/* helper_use() - from now on ask on @sock (taken over). */
void helper_use(int sock);
/* helper_socket() - non-blocking, close-on-exec. Return: descriptor or -errno. */
int helper_socket(int domain, int type, int protocol);
int helper_bind(int fd, const struct sockaddr *a, socklen_t len);
int helper_option(int fd, int level, int name, const void *value, uint32_t len);
/* helper_list() - open /proc/net/@name. Return: descriptor or -errno. */
int helper_list(const char *name);

/* --- of both sides --- */

/* helper_allowed() - whether a pod may have such a socket at all. Used on both sides. */
bool helper_allowed(int domain, int type, int protocol);
/* helper_option_allowed() - whether the helper would set it: those that take a right. */
bool helper_option_allowed(int level, int name);

#endif
