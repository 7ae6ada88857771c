/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streaming server behind Exec, Attach and PortForward.
 *
 * register -> one-use URL on a loopback listener -> HTTP/1.1 upgrade to SPDY/3.1 -> the backend's
 * descriptors are spliced to streams.  A thread a connection, at most max_connections.
 */
#ifndef CRI_STREAM_STREAM_H
#define CRI_STREAM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct stream_server;

/* One exec or attach request, as asked for by the RPC. */
struct stream_request {
	char *container_id; /* exec, attach */
	char *sandbox_id;   /* port-forward */
	char **argv;	    /* exec: NULL-terminated */
	bool in, out, err, tty;
	int32_t *ports; /* port-forward: allowed ones; n_ports 0 allows all */
	size_t n_ports;
};

/* What runs at the other end of a session; -1 for streams not asked for. */
struct stream_session {
	int stdin_fd, stdout_fd, stderr_fd; /* with tty: stdin and stdout may be the same pty */
	int done_fd;			    /* readable when it ended */
	void *handle;
};

/* Implemented by cri/pods; each may block (own thread). */
struct stream_backend {
	int (*exec)(void *data, const struct stream_request *r, struct stream_session *ret,
		    struct error *err);
	int (*attach)(void *data, const struct stream_request *r, struct stream_session *ret,
		      struct error *err);
	/* finish: after done_fd; exit code of an exec (0 for attach). Frees the handle. */
	int (*finish)(void *data, struct stream_session *s, int *ret_exit_code, struct error *err);
	void (*resize)(void *data, struct stream_session *s, uint16_t width, uint16_t height);
	int (*dial)(void *data, const char *sandbox_id, uint16_t port, int *ret_fd,
		    struct error *err);
	void *data;
};

struct stream_config {
	const char *address; /* "127.0.0.1" */
	uint16_t port;	     /* 0: the kernel's choice */
	const struct stream_backend *backend;
	unsigned int max_connections; /* 256 */
	unsigned int idle_timeout_s;  /* 4 h */
};

int stream_server_create(const struct stream_config *config, struct stream_server **ret,
			 struct error *err);
void stream_server_destroy(struct stream_server *s);

enum stream_kind { STREAM_EXEC, STREAM_ATTACH, STREAM_PORT_FORWARD };

/*
 * stream_register() - a copy of @r waits one minute for its client.
 * Return: 0 with the URL (caller frees), -EINVAL bad combination, -EDQUOT over 1000 waiting.
 */
int stream_register(struct stream_server *s, enum stream_kind kind, const struct stream_request *r,
		    char **ret_url, struct error *err);

#endif
