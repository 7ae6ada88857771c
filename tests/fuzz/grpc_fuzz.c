/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the gRPC server: frames of one client, cut into pieces as a socket would.
 *
 * The first byte of the input is the length of the pieces, its top bit says whether the client's
 * preface is sent for it.  Methods are inline, so that nothing depends on threads; their requests
 * are the largest messages of the CRI.  No bytes may make the server hold more than its bounds.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "cri/grpc/connection.h"
#include "cri/proto/api.pb-c.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static struct grpc_server *server;

/* Answers with what was asked, or fails with it as its text. */
static int echo(struct grpc_call *call, const void *request_, void *reply_, struct error *err)
{
	const Runtime__V1__VersionRequest *request = request_;
	Runtime__V1__VersionResponse *reply = reply_;

	if (request->version[0] == 'f')
		return error_set(err, ENOENT, "%s", request->version);
	reply->runtime_name = arena_strdup(&call->arena, request->version);
	return 0;
}

static int accept_any(struct grpc_call *call, const void *request, void *reply, struct error *err)
{
	(void)call;
	(void)reply;
	if (!protobuf_c_message_check(request))
		abort();
	return error_set(err, ENOSYS, "no pods here");
}

#define MESSAGES(type) \
	&runtime__v1__##type##_request__descriptor, &runtime__v1__##type##_response__descriptor

static const struct grpc_method methods[] = {
	{ "Version", MESSAGES(version), echo, true, false },
	{ "RunPodSandbox", MESSAGES(run_pod_sandbox), accept_any, true, false },
	{ "CreateContainer", MESSAGES(create_container), accept_any, true, false },
	{ "PullImage", MESSAGES(pull_image), accept_any, true, false },
	{ "CheckpointContainer", MESSAGES(checkpoint_container), NULL, true, false },
};

static const struct grpc_service service = {
	.name = "runtime.v1.RuntimeService",
	.methods = methods,
	.n_methods = ARRAY_LEN(methods),
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char path[64];
	struct grpc_config config = { .listen = path,
				      .mode = 0600,
				      .max_message_bytes = 1 << 20,
				      .max_jobs = 1,
				      .services = &service,
				      .n_services = 1 };
	struct error err = ERROR_INIT;

	(void)argc;
	(void)argv;
	log_init("grpc_fuzz", LOG_LEVEL_ERROR);
	snprintf(path, sizeof(path), "/tmp/bulkhead-fuzz-%d.sock", (int)getpid());
	if (loop_create(&loop, &err) < 0 || grpc_server_create(loop, &config, &server, &err) < 0)
		abort();
	unlink(path); /* clients come by socketpair() */
	return 0;
}

/* The server's only connection, or NULL once it has given up on it. */
static struct grpc_connection *connection(void)
{
	struct grpc_connection *c;

	list_for_each(c, &server->connections, in_server)
		return c;
	return NULL;
}

static void feed(const uint8_t *data, size_t len, int client)
{
	static uint8_t sink[1 << 16];
	struct grpc_connection *c = connection();

	if (!c)
		return;
	if (grpc_connection_feed(c, data, len) < 0) {
		grpc_connection_destroy(c);
		return;
	}
	grpc_connection_flush(c);
	while (recv(client, sink, sizeof(sink), MSG_DONTWAIT) > 0)
		;
	c = connection();
	if (c && (c->request_bytes > GRPC_MAX_REQUEST_BYTES + (1 << 20) ||
		  c->reply_bytes > GRPC_MAX_REPLY_BYTES + (1 << 20)))
		abort();
}

static void stop(void *data)
{
	loop_stop(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece = size ? 1 + (data[0] & 0x7f) : 1;
	struct grpc_connection *c;
	int pair[2];

	if (size == 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return 0;
	fd_set_nonblock(pair[0], true);
	grpc_connection_create(server, pair[0]);
	if (data[0] & 0x80)
		feed((const uint8_t *)PREFACE, sizeof(PREFACE) - 1, pair[1]);
	for (size_t at = 1; at < size; at += piece)
		feed(data + at, MIN(piece, size - at), pair[1]);
	c = connection();
	if (c) {
		grpc_connection_expire(c, INT64_MAX);
		grpc_connection_flush(c);
	}
	c = connection();
	if (c)
		grpc_connection_destroy(c);
	if (server->n_connections != 0 || server->n_jobs != 0)
		abort();
	close(pair[1]);
	loop_post(loop, stop, loop); /* one turn frees what callbacks might still have pointed to */
	loop_run(loop);
	return 0;
}
