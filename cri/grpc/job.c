/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a method: on the loop, or as a job on a thread.
 *
 * Loop: start, detach, finish.  Thread: the method and the encoding of its reply.  Hand-over is
 * by pthread_create() on the way out and loop_post() on the way back, so nothing else is locked.
 * Each method has its own limit: commands, pulls and grace periods last as long as those who ask
 * for them like, and pods must still be stopped meanwhile.
 * Only the loop writes and closes the cancel eventfd.
 */
#include "cri/grpc/job.h"

#include <stdio.h>
#include <sys/eventfd.h>

#include "base/thread.h"
#include "cri/grpc/connection.h"
#include "cri/grpc/stream.h"

struct grpc_job {
	struct list in_server;
	struct grpc_server *server;
	struct grpc_stream *stream; /* NULL: detached */
	enum grpc_status left;	    /* why it is detached */
	struct grpc_route *route;
	struct grpc_call call;
	const ProtobufCMessage *request;
	struct grpc_result result;
};

void *grpc_call_new(struct grpc_call *call, const ProtobufCMessageDescriptor *type)
{
	void *message = arena_alloc(&call->arena, type->sizeof_message);

	protobuf_c_message_init(type, message);
	return message;
}

void grpc_job_run(struct grpc_server *s, const struct grpc_route *route, struct grpc_call *call,
		  const ProtobufCMessage *request, struct grpc_result *ret)
{
	ProtobufCMessage *reply = grpc_call_new(call, route->method->reply);
	int64_t start_ns = clock_monotonic_ns();
	int rc = route->method->run(call, request, reply, &ret->err);

	ret->ns = clock_monotonic_ns() - start_ns;
	if (rc == 0)
		rc = grpc_message_encode(reply, s->config.max_message_bytes, &ret->reply,
					 &ret->reply_len, &ret->err);
	if (rc < 0 && !ret->err.code)
		error_errno(&ret->err, -rc, "%s", route->method->name);
	ret->status = grpc_status_of(rc);
	arena_finish(&call->arena);
}

/* --- the end, on the loop --------------------------------------------------------------------- */

static void job_free(struct grpc_job *job)
{
	struct grpc_server *s = job->server;

	list_remove(&job->in_server);
	job->route->n_jobs--;
	close_fd(&job->call.cancel_fd);
	arena_finish(&job->call.arena);
	free(job->result.reply);
	free(job);
	grpc_server_job_gone(s);
}

/* Nobody waits: what observers hear is why, and what came of it. */
static void report_detached(struct grpc_job *job)
{
	struct grpc_result *r = &job->result;

	if (!job->server->config.observe)
		return;
	if (r->status == GRPC_OK)
		error_set(&r->err, ECANCELED, "done");
	error_wrap(&r->err, "%s; the call ended later",
		   job->left == GRPC_DEADLINE_EXCEEDED ? "deadline passed" : "caller left");
	job->server->config.observe(job->server->config.observe_data, job->route->path, job->left,
				    r->ns, &r->err);
}

static void on_end(void *data)
{
	struct grpc_job *job = data;
	struct grpc_stream *stream = job->stream;

	if (stream) {
		struct grpc_connection *c = stream->connection;

		stream->job = NULL;
		grpc_stream_finish(stream, &job->result);
		grpc_connection_flush(c);
	} else {
		report_detached(job);
	}
	job_free(job);
}

/* --- start ------------------------------------------------------------------------------------ */

static void *thread_main(void *data)
{
	struct grpc_job *job = data;
	struct grpc_server *s = job->server;

	grpc_job_run(s, job->route, &job->call, job->request, &job->result);
	loop_post(s->loop, on_end, job);
	/* job, and the server with the last one, may be gone once n_threads says so */
	pthread_mutex_lock(&s->lock);
	if (--s->n_threads == 0)
		pthread_cond_broadcast(&s->idle);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void count_thread(struct grpc_server *s, int by)
{
	pthread_mutex_lock(&s->lock);
	s->n_threads += (unsigned int)by;
	pthread_mutex_unlock(&s->lock);
}

static int refuse(struct grpc_call *call, struct error *err, int errnum, const char *why)
{
	arena_finish(&call->arena);
	return error_set(err, EDQUOT, "%s: %s; try again later", why, strerror(errnum));
}

int grpc_job_start(struct grpc_stream *stream, struct grpc_call *call,
		   const ProtobufCMessage *request, struct error *err)
{
	struct grpc_server *s = stream->connection->server;
	struct grpc_job *job;
	int cancel_fd, rc;

	if (stream->route->n_jobs >= s->config.max_jobs)
		return refuse(call, err, EAGAIN, "too many calls of this method are running");
	cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (cancel_fd < 0)
		return refuse(call, err, errno, "no descriptor for the call");
	call->cancel_fd = cancel_fd;
	job = xnew(struct grpc_job);
	*job = (struct grpc_job){
		.server = s,
		.stream = stream,
		.route = stream->route,
		.call = *call,
		.request = request,
	};
	list_add(&s->jobs, &job->in_server);
	s->n_jobs++;
	stream->route->n_jobs++;
	stream->job = job;
	count_thread(s, 1);
	rc = thread_start(thread_main, job);
	if (rc == 0)
		return 0;
	count_thread(s, -1);
	stream->job = NULL;
	job_free(job);
	return error_set(err, EDQUOT, "no thread for the call: %s; try again later", strerror(-rc));
}

void grpc_job_detach(struct grpc_job *job, enum grpc_status why)
{
	uint64_t one = 1;

	job->stream = NULL;
	job->left = why;
	(void)!write(job->call.cancel_fd, &one, sizeof(one));
}
