/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of AF_UNIX share.
 *
 *   socket --peer--> socket      each has the queue of what others have sent to it
 *
 * A socket lives as long as its file, or somebody's peer or queue points to it.  Each has one lock;
 * two are never held at a time: who needs the peer takes a reference under the own lock first.
 */
#ifndef SENTRY_IPC_UNIX_INTERNAL_H
#define SENTRY_IPC_UNIX_INTERNAL_H

#include "base/list.h"
#include "runtimes/sentry/net/socket.h"

#define UNIX_BUFFER_BYTES 212992 /* as net.core.wmem_default */
#define UNIX_BACKLOG_MAX  4096	 /* as net.core.somaxconn */

/* Bytes on their way. */
struct unix_message {
	struct list in_queue;
	size_t len, at; /* at: read so far */
	struct file **files;
	size_t n_files;
	struct ucred cred;
	struct socket_address *from; /* datagrams: the sender's name; NULL: none */
	char data[];
};

enum unix_state { UNIX_NEW, UNIX_LISTENING, UNIX_CONNECTED, UNIX_CLOSED };

struct unix_socket {
	struct socket s;
	uint32_t refs;
	struct lock lock; /* LOCK_OBJECT: all below */
	enum unix_state state;
	struct unix_socket *peer;	    /* reference; datagrams: the default destination */
	bool peer_gone;			    /* was connected: the other side has closed */
	bool no_more_input, no_more_output; /* shutdown, here or there */
	bool reading;			    /* one reader at a time */
	bool pass_cred;
	struct list messages;
	size_t bytes;
	struct list blocked;	/* struct unix_blocked: datagram senders that wait for room */
	struct list in_backlog; /* of a listener: accepted by nobody yet */
	struct list backlog;
	int n_backlog, max_backlog;
	struct socket_address name; /* len 0: none; its inode is a reference */
	struct list in_abstract;
	int error; /* told once by SO_ERROR */
};

struct unix_blocked {
	struct list in_list;
	struct unix_socket *sender; /* reference */
};

static inline struct unix_socket *unix_of(struct socket *s)
{
	return (struct unix_socket *)s;
}

struct unix_socket *unix_get(struct unix_socket *u);
void unix_put(struct unix_socket *u); /* may be NULL */
/* unix_peer() - with a reference; NULL: none. */
struct unix_socket *unix_peer(struct unix_socket *u);

/* unix_name.c: who is called what */
int unix_bind(struct socket *s, const struct socket_address *a, const struct cred *c);
/* unix_find() - whom @a leads to, with a reference. Return: 0, -ECONNREFUSED, -EINVAL. */
int unix_find(const struct socket_address *a, struct unix_socket **ret);
void unix_unbind(struct unix_socket *u);

/* unix_data.c: messages */
ssize_t unix_send(struct socket *s, struct socket_message *m);
ssize_t unix_receive(struct socket *s, struct socket_message *m);
void unix_message_free(struct unix_message *m);
/* unix_has_room() - for one more message in the queue of @to. */
bool unix_has_room(struct unix_socket *to);
/* unix_wake_blocked() - there is room again. No lock held. */
void unix_wake_blocked(struct unix_socket *u);

#endif
