/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a method: on the loop, or as a job on a thread.
 */
#ifndef CRI_GRPC_JOB_H
#define CRI_GRPC_JOB_H

#include "cri/grpc/state.h"

/* What a method left behind. */
struct grpc_result {
	enum grpc_status status;
	int64_t ns;
	uint8_t *reply; /* framed; malloc'd; NULL unless status is GRPC_OK */
	size_t reply_len;
	struct error err;
};

/* grpc_job_run() - call the method here and now, encode, free the arena. */
void grpc_job_run(struct grpc_server *s, const struct grpc_route *route, struct grpc_call *call,
		  const ProtobufCMessage *request, struct grpc_result *ret);

/*
 * grpc_job_start() - run @stream's method on a thread of its own; grpc_stream_finish() hears
 * how it ended.  Takes call->arena over (on failure too).
 * Return: 0 or -EDQUOT: too many jobs, or no thread to be had.
 */
int grpc_job_start(struct grpc_stream *stream, struct grpc_call *call,
		   const ProtobufCMessage *request, struct error *err);

/* grpc_job_detach() - the caller of @job is gone (@why): tell the method, drop its reply. */
void grpc_job_detach(struct grpc_job *job, enum grpc_status why);

#endif
