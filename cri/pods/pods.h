/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods and their containers: everything that a node's state consists of.
 *
 * Changing operations block (they run on job threads) and go on to their end whoever asked.
 * Views answer from memory and never block: they run on the event loop.  Errors carry the codes
 * that cri/services maps to gRPC: -ENOENT unknown object, -EINVAL bad argument, -EEXIST name in
 * use by an unequal request, -EBUSY wrong state.
 */
#ifndef CRI_PODS_PODS_H
#define CRI_PODS_PODS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/str.h"
#include "cri/proto/api.pb-c.h"
#include "image/image.h"
#include "network/pod.h"
#include "runtimes/handlers.h"
#include "storage/db.h"

struct pods;

struct pods_config {
	struct loop *loop;
	struct db *db;
	struct image_store *images;
	struct network *network;
	struct handlers *handlers;
	const char *root, *state, *netns_dir, *monitor_cgroup;
	const char *monitor_program, *pause_program;
	enum log_level log_level;
	bool privileged_without_host_devices;
};

/*
 * pods_open() - read the records of an earlier server: running pods are taken over, half-made
 * ones undone, those of an earlier boot shown as ended.
 */
int pods_open(const struct pods_config *config, struct pods **ret, struct error *err);
void pods_close(struct pods *pods);

/* --- sandboxes (sandbox.c) --- */

/*
 * sandbox_run() - make a pod sandbox and return its id (in @arena).
 * The same name and attempt again: an equal request joins or gets the id, an unequal one is
 * -EEXIST naming the difference.  A failure leaves nothing behind and the name free.
 */
int sandbox_run(struct pods *pods, const Runtime__V1__PodSandboxConfig *config, const char *handler,
		struct arena *arena, char **ret_id, struct error *err);
/* sandbox_stop() - kill its containers, give back the network; absent or stopped is fine. */
int sandbox_stop(struct pods *pods, const char *id, struct error *err);
/* sandbox_remove() - stop, remove its containers and all that it had; absent is fine. */
int sandbox_remove(struct pods *pods, const char *id, struct error *err);

/* --- containers (container.c, stop.c) --- */

int container_create(struct pods *pods, const char *pod_id,
		     const Runtime__V1__ContainerConfig *config, struct arena *arena, char **ret_id,
		     struct error *err);
int container_start(struct pods *pods, const char *id, struct error *err);
/* container_stop() - stop signal, then after @timeout_s SIGKILL to its cgroup. */
int container_stop(struct pods *pods, const char *id, int64_t timeout_s, struct error *err);
int container_remove(struct pods *pods, const char *id, struct error *err);
int container_update(struct pods *pods, const char *id,
		     const Runtime__V1__LinuxContainerResources *resources, struct error *err);
int container_reopen_log(struct pods *pods, const char *id, struct error *err);

/* --- exec (exec.c) --- */

struct exec_result {
	int32_t exit_code;
	struct strbuf out, err; /* at most 16 MiB together with what else the reply holds */
};

/* exec_sync() - @timeout_s 0: none.  -ETIMEDOUT and -ECANCELED have killed the process tree. */
int exec_sync(struct pods *pods, const char *id, char *const *argv, size_t argc, int64_t timeout_s,
	      int cancel_fd, struct exec_result *ret, struct error *err);
/* container_check_running() - whether Exec and Attach make sense; full id into @ret_id. */
int container_check_running(struct pods *pods, const char *id, struct arena *arena, char **ret_id,
			    bool *ret_tty, struct error *err);
int sandbox_check_ready(struct pods *pods, const char *id, struct arena *arena, char **ret_id,
			struct error *err);

/* pods_stream_backend() - what the streaming server connects its clients to (sessions.c). */
struct stream_backend;
void pods_stream_backend(struct pods *pods, struct stream_backend *ret);

/* --- views (view.c, stats.c): replies allocated in @arena --- */

void pods_list_sandboxes(struct pods *pods, const Runtime__V1__PodSandboxFilter *filter,
			 struct arena *arena, Runtime__V1__ListPodSandboxResponse *reply);
int pods_sandbox_status(struct pods *pods, const char *id, bool verbose, struct arena *arena,
			Runtime__V1__PodSandboxStatusResponse *reply, struct error *err);
void pods_list_containers(struct pods *pods, const Runtime__V1__ContainerFilter *filter,
			  struct arena *arena, Runtime__V1__ListContainersResponse *reply);
int pods_container_status(struct pods *pods, const char *id, bool verbose, struct arena *arena,
			  Runtime__V1__ContainerStatusResponse *reply, struct error *err);

/* Stats read cgroups: jobs, not inline. */
int stats_container(struct pods *pods, const char *id, struct arena *arena,
		    Runtime__V1__ContainerStats **ret, struct error *err);
void stats_list_containers(struct pods *pods, const Runtime__V1__ContainerStatsFilter *filter,
			   struct arena *arena, Runtime__V1__ListContainerStatsResponse *reply);
int stats_sandbox(struct pods *pods, const char *id, struct arena *arena,
		  Runtime__V1__PodSandboxStats **ret, struct error *err);
void stats_list_sandboxes(struct pods *pods, const Runtime__V1__PodSandboxStatsFilter *filter,
			  struct arena *arena, Runtime__V1__ListPodSandboxStatsResponse *reply);

#endif
