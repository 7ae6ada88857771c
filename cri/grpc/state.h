/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What server, connections, streams and jobs know of each other.
 *
 *   server -> connections -> streams <-> job       (a detached job has no stream)
 *          -> jobs
 *
 * All of it belongs to the loop's thread; a job's thread touches only its own struct grpc_job
 * between start and the post that ends it.  A stream dies with its HTTP/2 stream.
 */
#ifndef CRI_GRPC_STATE_H
#define CRI_GRPC_STATE_H

#include <nghttp2/nghttp2.h>
#include <pthread.h>

#include "base/list.h"
#include "base/map.h"
#include "base/str.h"
#include "cri/grpc/message.h"
#include "cri/grpc/server.h"

/*
 * Limits of what clients can make us hold.  Streams: more than max_jobs of each of the
 * methods that wait for others (ExecSync, PullImage, StopContainer), so that a client with many of
 * those hears RESOURCE_EXHAUSTED instead of seeing its List queue behind them.
 */
#define GRPC_MAX_CONNECTIONS	256
#define GRPC_MAX_STREAMS	2048
#define GRPC_MAX_HEADER_BYTES	(32 << 10)
#define GRPC_MAX_REQUEST_BYTES	(32 << 20) /* of requests half received, a connection */
#define GRPC_MAX_REPLY_BYTES	(64 << 20) /* of replies not yet read, a connection */
#define GRPC_MAX_DECODED_BYTES	(64 << 20) /* a request */
#define GRPC_MAX_OUTBOUND_ITEMS 4096	   /* frames waiting, then reading pauses */
#define GRPC_STREAM_WINDOW	(1 << 20)
#define GRPC_CONNECTION_WINDOW	(4 << 20)
#define GRPC_IO_BYTES		(64 << 10)

struct grpc_route {
	char *path; /* "/service/method" */
	const struct grpc_service *service;
	const struct grpc_method *method;
	unsigned int n_jobs; /* running now; the loop's */
};

struct grpc_server {
	struct loop *loop;
	struct grpc_config config; /* listen is ours */
	int listen_fd;		   /* -1 once draining */
	struct loop_fd *listen_watch;
	struct loop_timer *accept_timer, *deadline_timer;
	int64_t armed_ns; /* when deadline_timer fires; 0 never */
	bool accept_paused;

	struct grpc_route *routes;
	size_t n_routes;
	struct map by_path;

	struct list connections, jobs;
	unsigned int n_connections, n_jobs;
	loop_fn *drained; /* NULL: not draining */
	void *drained_data;
	bool dead; /* destroyed; the last job frees it */

	pthread_mutex_t lock;
	pthread_cond_t idle;
	unsigned int n_threads; /* guarded by lock: jobs that have not posted their end */

	struct strbuf out; /* frames on their way to a socket, empty between calls */
	uint8_t in[GRPC_IO_BYTES];
};

struct grpc_connection {
	struct list in_server, streams;
	struct grpc_server *server;
	nghttp2_session *session;
	int fd;
	struct loop_fd *watch;
	uint32_t events;
	size_t request_bytes, reply_bytes;
	uint8_t *rest; /* what the socket did not take; malloc'd */
	size_t rest_len, rest_at;
};

/* Header fields seen, a bit each: none of them may come twice. */
enum {
	GRPC_SEEN_METHOD = 1,
	GRPC_SEEN_SCHEME = 2,
	GRPC_SEEN_AUTHORITY = 4,
	GRPC_SEEN_PATH = 8,
	GRPC_SEEN_TYPE = 16,
	GRPC_SEEN_REGULAR = 32, /* no pseudo header after this */
};

/*
 * One RPC on the wire:
 *   headers -> prefix -> body -> end of stream -> running -> answered
 * An error answers from wherever it is; what the client still sends is then ignored.
 */
struct grpc_stream {
	struct list in_connection;
	struct grpc_connection *connection;
	int32_t id;
	struct grpc_route *route; /* NULL: unknown path */
	struct grpc_job *job;	  /* NULL: not running on a thread */
	int64_t deadline_ns;	  /* 0: none */

	uint8_t seen;
	bool malformed; /* reset instead of answered */
	bool ended;	/* the client has sent everything */
	bool answered;
	enum grpc_status refusal; /* found in the headers, with its text and HTTP status */
	int refusal_http;
	char *refusal_text;
	size_t header_bytes;

	uint8_t prefix[GRPC_PREFIX_BYTES];
	size_t prefix_len;
	uint8_t *body;
	size_t body_len, body_cap, body_want;

	uint8_t *reply;
	size_t reply_len, reply_at;
};

/* grpc_server_deadline() - make sure that the server looks again at @deadline_ns. */
void grpc_server_deadline(struct grpc_server *s, int64_t deadline_ns);
/* grpc_server_connection_gone() - one of the connections was freed. */
void grpc_server_connection_gone(struct grpc_server *s);
/* grpc_server_job_gone() - one of the jobs was freed; may free the server. */
void grpc_server_job_gone(struct grpc_server *s);

#endif
