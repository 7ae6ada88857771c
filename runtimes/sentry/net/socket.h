/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets: what every family offers, and their open files.
 *
 * A family never waits: an operation that cannot go on says -EAGAIN, and socket.c sleeps on the
 * socket's queue until poll says that it may be tried again.
 */
#ifndef SENTRY_NET_SOCKET_H
#define SENTRY_NET_SOCKET_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "runtimes/sentry/vfs/file.h"

#define SOCKET_CONTROL_MAX 4096 /* bytes of control messages */
#define SOCKET_FILES_MAX   253	/* of one message, as SCM_MAX_FD */

/* An address as the guest gave it or gets it. */
struct socket_address {
	union {
		struct sockaddr sa;
		struct sockaddr_un un;
		struct sockaddr_storage storage;
		char bytes[128];
	};
	socklen_t len;	     /* 0: none */
	struct inode *inode; /* AF_UNIX with a path: the node; the caller's reference */
};

/* One message; what sendmsg(2) and recvmsg(2) carry. */
struct socket_message {
	struct uio *uio;
	int flags;			/* MSG_* asked for */
	int out_flags;			/* MSG_* told back */
	struct socket_address *address; /* where to; where from (len 0: not said); may be NULL */
	/* SCM_RIGHTS: sending takes the references, receiving gives at most max_files */
	struct file **files;
	size_t n_files, max_files;
	bool has_cred; /* SCM_CREDENTIALS */
	struct ucred cred;
	/* other control messages of the host's network */
	char *control;
	size_t control_len, control_size;
};

struct socket;
struct stub_thread;

/* NULL operations: -EOPNOTSUPP. */
struct socket_ops {
	int (*bind)(struct socket *s, const struct socket_address *a, const struct cred *c);
	/* connect: -EINPROGRESS: poll tells; a second call then tells how it ended */
	int (*connect)(struct socket *s, const struct socket_address *a);
	int (*listen)(struct socket *s, int backlog);
	int (*accept)(struct socket *s, struct socket_address *peer, struct socket **ret);
	int (*name)(struct socket *s, bool peer, struct socket_address *ret);
	ssize_t (*send)(struct socket *s, struct socket_message *m);
	ssize_t (*receive)(struct socket *s, struct socket_message *m);
	int (*shutdown)(struct socket *s, int how);
	int (*set_option)(struct socket *s, int level, int name, const void *value, uint32_t len,
			  const struct cred *c);
	/* get_option: *len says the room, and then how much there was */
	int (*get_option)(struct socket *s, int level, int name, void *value, uint32_t *len);
	long (*ioctl)(struct socket *s, unsigned int cmd, uint64_t arg, struct ioctl_memory *m);
	uint32_t (*poll)(struct socket *s);
	/*
	 * ahead: it has just been reported as readable under number @fd: what is there may go along
	 * with the answer to @t, the calling thread's.  Other operations end that by themselves.
	 * settle: and this one does, when a number of the file is closed.
	 */
	void (*ahead)(struct socket *s, struct stub_thread *t, int fd);
	void (*settle)(struct socket *s);
	void (*release)(struct socket *s); /* the last reference of the file: frees it */
};

/* Begins the family's own structure. */
struct socket {
	const struct socket_ops *ops;
	int domain, type, protocol; /* type without flags */
	struct wait_queue queue;
	int64_t send_timeout_ns, receive_timeout_ns; /* SO_SNDTIMEO, SO_RCVTIMEO; 0: none */
	struct ucred owner; /* who made it, connected or listens: SO_PEERCRED of the other side */
};

void socket_init(struct socket *s, const struct socket_ops *ops, int domain, int type,
		 int protocol);
/* socket_file() - an open file for @s, which it owns from now on. @flags: O_NONBLOCK. */
struct file *socket_file(struct socket *s, unsigned int flags, struct cred *c);
/* socket_of() - NULL: -ENOTSOCK. */
struct socket *socket_of(const struct file *f);

/* The calls that may wait, on a file that is a socket; O_NONBLOCK, MSG_DONTWAIT and time limits are
 * heeded. */
ssize_t socket_send(struct file *f, struct socket_message *m);
ssize_t socket_receive(struct file *f, struct socket_message *m);
/* socket_read(), socket_write() - read(2) and write(2): SO_RCVTIMEO and SO_SNDTIMEO hold there too.
 */
ssize_t socket_read(struct file *f, struct uio *to);
ssize_t socket_write(struct file *f, struct uio *from);
int socket_connect(struct file *f, const struct socket_address *a);
/* socket_accept() - *peer: its address (len 0: it has none). */
int socket_accept(struct file *f, struct socket_address *peer, struct socket **ret);
/* socket_set_option(), socket_get_option() - those that all families share, then the family's. */
int socket_set_option(struct socket *s, int level, int name, const void *value, uint32_t len,
		      const struct cred *c);
int socket_get_option(struct socket *s, int level, int name, void *value, uint32_t *len);

#endif
