/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RPCs about pod sandboxes.
 */
#include "cri/services/methods.h"

int rpc_run_pod_sandbox(struct grpc_call *call, const void *request_, void *reply_,
			struct error *err)
{
	const Runtime__V1__RunPodSandboxRequest *request = request_;
	Runtime__V1__RunPodSandboxResponse *reply = reply_;
	struct services *s = call->context;

	return sandbox_run(s->pods, request->config, request->runtime_handler, &call->arena,
			   &reply->pod_sandbox_id, err);
}

int rpc_stop_pod_sandbox(struct grpc_call *call, const void *request_, void *reply,
			 struct error *err)
{
	const Runtime__V1__StopPodSandboxRequest *request = request_;
	struct services *s = call->context;

	(void)reply;
	return sandbox_stop(s->pods, request->pod_sandbox_id, err);
}

int rpc_remove_pod_sandbox(struct grpc_call *call, const void *request_, void *reply,
			   struct error *err)
{
	const Runtime__V1__RemovePodSandboxRequest *request = request_;
	struct services *s = call->context;

	(void)reply;
	return sandbox_remove(s->pods, request->pod_sandbox_id, err);
}

int rpc_pod_sandbox_status(struct grpc_call *call, const void *request_, void *reply,
			   struct error *err)
{
	const Runtime__V1__PodSandboxStatusRequest *request = request_;
	struct services *s = call->context;

	return pods_sandbox_status(s->pods, request->pod_sandbox_id, request->verbose, &call->arena,
				   reply, err);
}

int rpc_list_pod_sandbox(struct grpc_call *call, const void *request_, void *reply,
			 struct error *err)
{
	const Runtime__V1__ListPodSandboxRequest *request = request_;
	struct services *s = call->context;

	(void)err;
	pods_list_sandboxes(s->pods, request->filter, &call->arena, reply);
	return 0;
}

int rpc_pod_sandbox_stats(struct grpc_call *call, const void *request_, void *reply_,
			  struct error *err)
{
	const Runtime__V1__PodSandboxStatsRequest *request = request_;
	Runtime__V1__PodSandboxStatsResponse *reply = reply_;
	struct services *s = call->context;

	return stats_sandbox(s->pods, request->pod_sandbox_id, &call->arena, &reply->stats, err);
}

int rpc_list_pod_sandbox_stats(struct grpc_call *call, const void *request_, void *reply,
			       struct error *err)
{
	const Runtime__V1__ListPodSandboxStatsRequest *request = request_;
	struct services *s = call->context;

	(void)err;
	stats_list_sandboxes(s->pods, request->filter, &call->arena, reply);
	return 0;
}
