/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every RPC of runtime.v1 and bulkhead.v1, in one place.
 *
 * INLINE answers from memory on the loop; JOB runs on a thread of its own; LATER answers
 * UNIMPLEMENTED: nothing behind it yet.
 */
#include "base/mem.h"
#include "cri/proto/admin.pb-c.h"
#include "cri/services/methods.h"

#define MESSAGES(type) \
	&runtime__v1__##type##_request__descriptor, &runtime__v1__##type##_response__descriptor
#define INLINE(name, type, fn)                        \
	{                                             \
		name, MESSAGES(type), fn, true, false \
	}
#define JOB(name, type, fn)                            \
	{                                              \
		name, MESSAGES(type), fn, false, false \
	}
#define LATER(name, type)                               \
	{                                               \
		name, MESSAGES(type), NULL, true, false \
	}
#define LATER_STREAM(name, request, reply)                                                        \
	{                                                                                         \
		name, &runtime__v1__##request##__descriptor, &runtime__v1__##reply##__descriptor, \
			NULL, true, true                                                          \
	}

static const struct grpc_method runtime_methods[] = {
	INLINE("Version", version, rpc_version),
	JOB("RunPodSandbox", run_pod_sandbox, rpc_run_pod_sandbox),
	JOB("StopPodSandbox", stop_pod_sandbox, rpc_stop_pod_sandbox),
	JOB("RemovePodSandbox", remove_pod_sandbox, rpc_remove_pod_sandbox),
	INLINE("PodSandboxStatus", pod_sandbox_status, rpc_pod_sandbox_status),
	INLINE("ListPodSandbox", list_pod_sandbox, rpc_list_pod_sandbox),
	LATER_STREAM("StreamPodSandboxes", stream_pod_sandboxes_request,
		     stream_pod_sandboxes_response),
	JOB("CreateContainer", create_container, rpc_create_container),
	JOB("StartContainer", start_container, rpc_start_container),
	JOB("StopContainer", stop_container, rpc_stop_container),
	JOB("RemoveContainer", remove_container, rpc_remove_container),
	INLINE("ListContainers", list_containers, rpc_list_containers),
	LATER_STREAM("StreamContainers", stream_containers_request, stream_containers_response),
	INLINE("ContainerStatus", container_status, rpc_container_status),
	JOB("UpdateContainerResources", update_container_resources, rpc_update_container_resources),
	JOB("ReopenContainerLog", reopen_container_log, rpc_reopen_container_log),
	JOB("ExecSync", exec_sync, rpc_exec_sync),
	INLINE("Exec", exec, rpc_exec),
	INLINE("Attach", attach, rpc_attach),
	INLINE("PortForward", port_forward, rpc_port_forward),
	JOB("ContainerStats", container_stats, rpc_container_stats),
	JOB("ListContainerStats", list_container_stats, rpc_list_container_stats),
	LATER_STREAM("StreamContainerStats", stream_container_stats_request,
		     stream_container_stats_response),
	JOB("PodSandboxStats", pod_sandbox_stats, rpc_pod_sandbox_stats),
	JOB("ListPodSandboxStats", list_pod_sandbox_stats, rpc_list_pod_sandbox_stats),
	LATER_STREAM("StreamPodSandboxStats", stream_pod_sandbox_stats_request,
		     stream_pod_sandbox_stats_response),
	INLINE("UpdateRuntimeConfig", update_runtime_config, rpc_update_runtime_config),
	INLINE("Status", status, rpc_status),
	LATER("CheckpointContainer", checkpoint_container),
	LATER_STREAM("GetContainerEvents", get_events_request, container_event_response),
	LATER("ListMetricDescriptors", list_metric_descriptors),
	LATER("ListPodSandboxMetrics", list_pod_sandbox_metrics),
	LATER_STREAM("StreamPodSandboxMetrics", stream_pod_sandbox_metrics_request,
		     stream_pod_sandbox_metrics_response),
	INLINE("RuntimeConfig", runtime_config, rpc_runtime_config),
	LATER("UpdatePodSandboxResources", update_pod_sandbox_resources),
};

static const struct grpc_method image_methods[] = {
	INLINE("ListImages", list_images, rpc_list_images),
	LATER_STREAM("StreamImages", stream_images_request, stream_images_response),
	INLINE("ImageStatus", image_status, rpc_image_status),
	JOB("PullImage", pull_image, rpc_pull_image),
	JOB("RemoveImage", remove_image, rpc_remove_image),
	INLINE("ImageFsInfo", image_fs_info, rpc_image_fs_info),
};

#define ADMIN(name, type, fn)                                                          \
	{                                                                              \
		name, &bulkhead__v1__##type##_request__descriptor,                     \
			&bulkhead__v1__##type##_response__descriptor, fn, false, false \
	}

static const struct grpc_method admin_methods[] = {
	ADMIN("Import", import, rpc_import),
	ADMIN("PullProgress", pull_progress, rpc_pull_progress),
	ADMIN("Tag", tag, rpc_tag),
};

void services_tables(struct services *s, struct grpc_service ret[SERVICES_COUNT])
{
	ret[0] = (struct grpc_service){ "runtime.v1.RuntimeService", runtime_methods,
					ARRAY_LEN(runtime_methods), s };
	ret[1] = (struct grpc_service){ "runtime.v1.ImageService", image_methods,
					ARRAY_LEN(image_methods), s };
	ret[2] = (struct grpc_service){ "bulkhead.v1.Admin", admin_methods,
					ARRAY_LEN(admin_methods), s };
}
