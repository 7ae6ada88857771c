/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RPCs about containers.
 */
#include "cri/services/methods.h"

int rpc_create_container(struct grpc_call *call, const void *request_, void *reply_,
			 struct error *err)
{
	const Runtime__V1__CreateContainerRequest *request = request_;
	Runtime__V1__CreateContainerResponse *reply = reply_;
	struct services *s = call->context;

	return container_create(s->pods, request->pod_sandbox_id, request->config, &call->arena,
				&reply->container_id, err);
}

int rpc_start_container(struct grpc_call *call, const void *request_, void *reply,
			struct error *err)
{
	const Runtime__V1__StartContainerRequest *request = request_;
	struct services *s = call->context;

	(void)reply;
	return container_start(s->pods, request->container_id, err);
}

int rpc_stop_container(struct grpc_call *call, const void *request_, void *reply, struct error *err)
{
	const Runtime__V1__StopContainerRequest *request = request_;
	struct services *s = call->context;

	(void)reply;
	return container_stop(s->pods, request->container_id, request->timeout, err);
}

int rpc_remove_container(struct grpc_call *call, const void *request_, void *reply,
			 struct error *err)
{
	const Runtime__V1__RemoveContainerRequest *request = request_;
	struct services *s = call->context;

	(void)reply;
	return container_remove(s->pods, request->container_id, err);
}

int rpc_list_containers(struct grpc_call *call, const void *request_, void *reply,
			struct error *err)
{
	const Runtime__V1__ListContainersRequest *request = request_;
	struct services *s = call->context;

	(void)err;
	pods_list_containers(s->pods, request->filter, &call->arena, reply);
	return 0;
}

int rpc_container_status(struct grpc_call *call, const void *request_, void *reply,
			 struct error *err)
{
	const Runtime__V1__ContainerStatusRequest *request = request_;
	struct services *s = call->context;

	return pods_container_status(s->pods, request->container_id, request->verbose, &call->arena,
				     reply, err);
}

int rpc_update_container_resources(struct grpc_call *call, const void *request_, void *reply,
				   struct error *err)
{
	const Runtime__V1__UpdateContainerResourcesRequest *request = request_;
	struct services *s = call->context;

	(void)reply;
	return container_update(s->pods, request->container_id, request->linux, err);
}

int rpc_reopen_container_log(struct grpc_call *call, const void *request_, void *reply,
			     struct error *err)
{
	const Runtime__V1__ReopenContainerLogRequest *request = request_;
	struct services *s = call->context;

	(void)reply;
	return container_reopen_log(s->pods, request->container_id, err);
}

int rpc_container_stats(struct grpc_call *call, const void *request_, void *reply_,
			struct error *err)
{
	const Runtime__V1__ContainerStatsRequest *request = request_;
	Runtime__V1__ContainerStatsResponse *reply = reply_;
	struct services *s = call->context;

	return stats_container(s->pods, request->container_id, &call->arena, &reply->stats, err);
}

int rpc_list_container_stats(struct grpc_call *call, const void *request_, void *reply,
			     struct error *err)
{
	const Runtime__V1__ListContainerStatsRequest *request = request_;
	struct services *s = call->context;

	(void)err;
	stats_list_containers(s->pods, request->filter, &call->arena, reply);
	return 0;
}
