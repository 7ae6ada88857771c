/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC over HTTP/2 with prior knowledge on a UNIX socket (gRPC over HTTP2 specification).
 *
 * A service is a table of methods.  Inline methods run on the loop's thread and must not block;
 * the others run as jobs, each on a thread of its own.  A deadline or RST_STREAM answers the
 * caller and detaches it: the job goes on to its own end and its reply is dropped.
 */
#ifndef CRI_GRPC_SERVER_H
#define CRI_GRPC_SERVER_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/loop.h"

struct grpc_server;

/* Status codes of the gRPC specification. */
enum grpc_status {
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_ALREADY_EXISTS = 6,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_ABORTED = 10,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_DATA_LOSS = 15,
	GRPC_UNAUTHENTICATED = 16,
};

/* One RPC, as its method sees it. */
struct grpc_call {
	void *context;	     /* of the service (struct grpc_service.context) */
	struct arena arena;  /* request and reply live here; freed when the method has returned */
	int cancel_fd;	     /* jobs only: readable once the caller left or its deadline passed */
	int64_t deadline_ns; /* monotonic; 0 none */
	const char *method;  /* path, for logs */
};

/*
 * A method.  @request is decoded and valid; fill @reply (initialised; strings and arrays from
 * call->arena or that outlive the return until encode; encoding happens right after the return,
 * on the same thread).  Return 0, or a negative errno with *err set: grpc_status_of() maps it.
 */
typedef int grpc_method_fn(struct grpc_call *call, const void *request, void *reply,
			   struct error *err);

struct grpc_method {
	const char *name; /* "Version" */
	const ProtobufCMessageDescriptor *request, *reply;
	grpc_method_fn *run; /* NULL: UNIMPLEMENTED */
	bool is_inline;	     /* on the loop's thread */
	bool streaming;	     /* server streaming; with run == NULL still UNIMPLEMENTED */
};

struct grpc_service {
	const char *name; /* "runtime.v1.RuntimeService" */
	const struct grpc_method *methods;
	size_t n_methods;
	void *context;
};

struct grpc_config {
	const char *listen;	  /* socket path */
	mode_t mode;		  /* of the socket, 0660 */
	size_t max_message_bytes; /* 16 MiB both ways */
	unsigned int max_jobs;	  /* of one method, 512; then RESOURCE_EXHAUSTED */
	const struct grpc_service *services;
	size_t n_services;
	/* Called once per finished RPC; may be NULL. @ns: how long the method took. */
	void (*observe)(void *data, const char *method, enum grpc_status status, int64_t ns,
			const struct error *err);
	void *observe_data;
};

int grpc_server_create(struct loop *loop, const struct grpc_config *config,
		       struct grpc_server **ret, struct error *err);
/* grpc_server_drain() - GOAWAY, no new streams; @done on the loop when all jobs have ended. */
void grpc_server_drain(struct grpc_server *s, loop_fn *done, void *data);
void grpc_server_destroy(struct grpc_server *s);

/* grpc_call_new() - a zeroed, initialised message in the call's arena. */
void *grpc_call_new(struct grpc_call *call, const ProtobufCMessageDescriptor *type);

/*
 * grpc_status_of() - the one table from errno to status: ENOENT NOT_FOUND, EEXIST ALREADY_EXISTS,
 * EINVAL INVALID_ARGUMENT, ETIMEDOUT DEADLINE_EXCEEDED, ECANCELED CANCELLED, ENOSYS UNIMPLEMENTED,
 * EDQUOT RESOURCE_EXHAUSTED, EBUSY FAILED_PRECONDITION, else UNKNOWN.
 */
enum grpc_status grpc_status_of(int code);

#endif
