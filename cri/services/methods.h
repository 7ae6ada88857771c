/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The RPC functions, one file a subject, joined into tables by table.c.
 */
#ifndef CRI_SERVICES_METHODS_H
#define CRI_SERVICES_METHODS_H

#include "cri/proto/api.pb-c.h"
#include "cri/services/services.h"

/* node.c */
grpc_method_fn rpc_version, rpc_status, rpc_runtime_config, rpc_update_runtime_config;
/* sandbox.c */
grpc_method_fn rpc_run_pod_sandbox, rpc_stop_pod_sandbox, rpc_remove_pod_sandbox,
	rpc_pod_sandbox_status, rpc_list_pod_sandbox, rpc_pod_sandbox_stats,
	rpc_list_pod_sandbox_stats;
/* container.c */
grpc_method_fn rpc_create_container, rpc_start_container, rpc_stop_container, rpc_remove_container,
	rpc_list_containers, rpc_container_status, rpc_update_container_resources,
	rpc_reopen_container_log, rpc_container_stats, rpc_list_container_stats;
/* exec.c */
grpc_method_fn rpc_exec_sync, rpc_exec, rpc_attach, rpc_port_forward;
/* image.c */
grpc_method_fn rpc_list_images, rpc_image_status, rpc_pull_image, rpc_remove_image,
	rpc_image_fs_info;
/* admin.c */
grpc_method_fn rpc_import, rpc_pull_progress, rpc_tag;

#endif
