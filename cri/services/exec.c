/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RPCs that run something in a container or connect to it.
 */
#include "base/mem.h"
#include "cri/services/methods.h"

int rpc_exec_sync(struct grpc_call *call, const void *request_, void *reply_, struct error *err)
{
	const Runtime__V1__ExecSyncRequest *request = request_;
	Runtime__V1__ExecSyncResponse *reply = reply_;
	struct services *s = call->context;
	struct exec_result result = { 0 };
	int rc = exec_sync(s->pods, request->container_id, request->cmd, request->n_cmd,
			   request->timeout, call->cancel_fd, &result, err);

	if (rc == 0) {
		reply->exit_code = result.exit_code;
		reply->stdout.len = result.out.len;
		reply->stdout.data = arena_memdup(&call->arena, result.out.data, result.out.len);
		reply->stderr.len = result.err.len;
		reply->stderr.data = arena_memdup(&call->arena, result.err.data, result.err.len);
	}
	strbuf_finish(&result.out);
	strbuf_finish(&result.err);
	return rc;
}

/* The combinations that cannot be served, as the peers refuse them. */
static int check_streams(bool in, bool out, bool err_stream, bool tty, struct error *err)
{
	if (tty && err_stream)
		return error_set(err, EINVAL, "tty and stderr cannot both be true");
	if (!in && !out && !err_stream)
		return error_set(err, EINVAL, "one of stdin, stdout or stderr must be set");
	return 0;
}

static int give_url(struct grpc_call *call, enum stream_kind kind, const struct stream_request *r,
		    char **ret_url, struct error *err)
{
	struct services *s = call->context;
	char *url cleanup_free = NULL;
	int rc = stream_register(s->stream, kind, r, &url, err);

	if (rc == 0)
		*ret_url = arena_strdup(&call->arena, url);
	return rc;
}

int rpc_exec(struct grpc_call *call, const void *request_, void *reply_, struct error *err)
{
	const Runtime__V1__ExecRequest *request = request_;
	Runtime__V1__ExecResponse *reply = reply_;
	struct services *s = call->context;
	struct stream_request r = {
		.in = request->stdin,
		.out = request->stdout,
		.err = request->stderr,
		.tty = request->tty,
	};
	bool tty;
	int rc = check_streams(r.in, r.out, r.err, r.tty, err);

	if (rc == 0 && request->n_cmd == 0)
		rc = error_set(err, EINVAL, "exec in container '%s': no command given",
			       request->container_id);
	if (rc == 0)
		rc = container_check_running(s->pods, request->container_id, &call->arena,
					     &r.container_id, &tty, err);
	if (rc < 0)
		return rc;
	r.argv = arena_alloc(&call->arena, (request->n_cmd + 1) * sizeof(*r.argv));
	memcpy(r.argv, request->cmd, request->n_cmd * sizeof(*r.argv));
	return give_url(call, STREAM_EXEC, &r, &reply->url, err);
}

int rpc_attach(struct grpc_call *call, const void *request_, void *reply_, struct error *err)
{
	const Runtime__V1__AttachRequest *request = request_;
	Runtime__V1__AttachResponse *reply = reply_;
	struct services *s = call->context;
	struct stream_request r = {
		.in = request->stdin,
		.out = request->stdout,
		.err = request->stderr,
	};
	int rc = check_streams(r.in, r.out, r.err, request->tty, err);

	if (rc == 0)
		rc = container_check_running(s->pods, request->container_id, &call->arena,
					     &r.container_id, &r.tty, err);
	if (rc == 0 && r.tty != request->tty)
		rc = error_set(err, EINVAL,
			       "container %.13s was created with%s a tty, attach asks "
			       "with%s one",
			       r.container_id, r.tty ? "" : "out", request->tty ? "" : "out");
	if (rc < 0)
		return rc;
	return give_url(call, STREAM_ATTACH, &r, &reply->url, err);
}

int rpc_port_forward(struct grpc_call *call, const void *request_, void *reply_, struct error *err)
{
	const Runtime__V1__PortForwardRequest *request = request_;
	Runtime__V1__PortForwardResponse *reply = reply_;
	struct services *s = call->context;
	struct stream_request r = { .ports = request->port, .n_ports = request->n_port };
	int rc = sandbox_check_ready(s->pods, request->pod_sandbox_id, &call->arena, &r.sandbox_id,
				     err);

	if (rc < 0)
		return rc;
	return give_url(call, STREAM_PORT_FORWARD, &r, &reply->url, err);
}
