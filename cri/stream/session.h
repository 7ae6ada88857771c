/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a connection becomes after its upgrade: one of these runs on its thread to its end.
 */
#ifndef CRI_STREAM_SESSION_H
#define CRI_STREAM_SESSION_H

#include "cri/stream/mux.h"
#include "cri/stream/stream.h"

#define SESSION_STREAMS_WAIT_NS (30 * INT64_C(1000000000)) /* for the client's streams */

struct session_config {
	const struct stream_backend *backend;
	const struct stream_request *request;
	enum stream_kind kind;
	int version; /* 2, 3 or 4 of [vN.]channel.k8s.io */
	int stop_fd; /* readable when the server stops */
	unsigned int idle_timeout_s;
};

/* exec_session_run() - exec and attach. */
void exec_session_run(struct mux *m, const struct session_config *c);
/* port_forward_run() - any number of forwarded connections over one client's. */
void port_forward_run(struct mux *m, const struct session_config *c);

#endif
