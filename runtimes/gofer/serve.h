/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request, from bytes to a reply.
 */
#ifndef RUNTIMES_GOFER_SERVE_H
#define RUNTIMES_GOFER_SERVE_H

#include <stddef.h>

#include "runtimes/gofer/handles.h"
#include "runtimes/gofer/protocol.h"

/* What a request is answered with. */
struct gofer_answer {
	struct gofer_reply reply;
	char data[GOFER_DATA_MAX];
	int fd; /* -1: none; the receiver of the answer closes it */
};

/* A request that has been checked: what operations work on. */
struct gofer_call {
	const struct gofer_request *rq;
	struct handle handle, other; /* other: only where the operation has a second one */
	char name[GOFER_NAME_MAX + 1];
	const char *data; /* not terminated */
	size_t data_len;
	struct gofer_answer *answer;
};

/* An operation. Return: 0 or -errno. */
typedef int gofer_fn(struct gofer_call *c);

/*
 * gofer_serve() - @len bytes that may say anything.  Return: whether there is an answer to send;
 * *ret is filled in then.  Preconditions: the working directory is /proc/self/fd.
 */
int gofer_serve(const void *message, size_t len, struct gofer_answer *ret);

/* names.c */
gofer_fn gofer_do_lookup, gofer_do_create, gofer_do_tmpfile, gofer_do_mkdir, gofer_do_mknod,
	gofer_do_symlink, gofer_do_link, gofer_do_unlink, gofer_do_rename;
/* attributes.c */
gofer_fn gofer_do_getattr, gofer_do_open, gofer_do_readlink, gofer_do_setattr, gofer_do_getxattr,
	gofer_do_setxattr, gofer_do_listxattr, gofer_do_removexattr, gofer_do_statfs, gofer_do_sync;

/* gofer_name_ok() - one name that leads nowhere but into its directory. */
int gofer_name_ok(const char *name, size_t len);
/* gofer_attr_of() - attributes of an open file. Return: 0 or -errno. */
int gofer_attr_of(int fd, struct gofer_attr *ret);
/* gofer_self_name() - "N": @fd below the working directory. */
void gofer_self_name(int fd, char ret[12]);

#endif
