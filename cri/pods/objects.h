/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cri/pods keeps in memory: pods, containers, and the tables that find them.
 *
 * Two locks, in this order:
 *
 *   pod->op       held through a changing operation of one pod: may be held for seconds
 *     pods->lock  guards tables and every field marked (L): never held over a system call that
 *                 can block
 *
 * pods->changed is signalled at each change of a state.  Objects are counted; the last reference
 * frees on the loop's thread, so a view (which runs there) may point into an object's immutable
 * parts until it returns.
 */
#ifndef CRI_PODS_OBJECTS_H
#define CRI_PODS_OBJECTS_H

#include <pthread.h>

#include "base/list.h"
#include "base/map.h"
#include "cri/pods/message.h"
#include "cri/pods/pods.h"

#define ID_LEN	       64  /* hex digits, TR-10 */
#define HOSTNAME_BYTES 256 /* with the NUL; Linux itself takes 64 */

enum pod_state {
	POD_CREATING, /* not listed yet; its name is taken */
	POD_READY,
	POD_NOTREADY,
	POD_REMOVING, /* record kept until everything is gone */
	POD_GONE,     /* no longer in the tables: a failed creation or a finished removal */
};

enum container_state {
	CONTAINER_CREATING,
	CONTAINER_CREATED,
	CONTAINER_STARTING, /* shown as CREATED */
	CONTAINER_RUNNING,
	CONTAINER_EXITED,
	CONTAINER_REMOVING, /* shown as EXITED */
	CONTAINER_GONE,
};

struct pod {
	unsigned int refs; /* (L) */
	struct pods *pods;
	pthread_mutex_t op;

	/* immutable once it is in the tables */
	char id[ID_LEN + 1];
	char *key; /* "ns/name/uid/attempt" */
	Runtime__V1__PodSandboxConfig *config;
	char *handler_name; /* as asked for, "" stays "" */
	char *dir;	    /* <state>/pods/<id> */
	char *cgroup;	    /* parent of its containers' cgroups */
	bool own_cgroup;    /* made by us: no parent was asked for */
	char *netns;	    /* pin, or NULL on the host network */
	char *ipcns, *utsns, *userns;
	bool has_sandbox_container;
	int64_t created_ns;

	/* (L) */
	enum pod_state state;
	struct error failure; /* of a creation that others joined */
	struct strlist ips;
	struct list containers; /* struct container.in_pod */
	int64_t sandbox_pid;	/* of the sandbox container, 0 none */
	int monitor_pid;	/* 0 unknown */
	bool unwatched;		/* answer of exits_unwatch() */
	bool unreached;		/* its monitor hung when this server started (op) */

	/* loop's thread only */
	struct loop_fd *watch;
	int watch_fd;
};

struct container {
	unsigned int refs; /* (L) */
	struct pod *pod;   /* holds a reference */
	struct list in_pod;

	/* immutable once it is in the tables */
	char id[ID_LEN + 1];
	char *key; /* "<pod id>/name/attempt" */
	Runtime__V1__ContainerConfig *config;
	char *image_id;
	char *image_name; /* a tag or digest of it, or what was asked for */
	struct strlist layers;
	bool holds_layers;
	char *dir;  /* <pod dir>/containers/<id>: bundle, rootfs mount point */
	char *disk; /* <root>/containers/<id>: upper, work */
	char *cgroup;
	char *log_path; /* absolute, or NULL */
	int stop_signal;
	Runtime__V1__ContainerUser *user;
	int64_t created_ns;

	/* (L) */
	enum container_state state;
	Runtime__V1__LinuxContainerResources *resources; /* in force now; may be NULL */
	int64_t started_ns, finished_ns;
	int32_t exit_code;
	const char *reason; /* constant text */
	char *message;
	int pid;
	int pidfd; /* -1 when not running */
	struct error failure;
	/* writable layer, measured in the background (disk.c) */
	uint64_t disk_bytes, disk_inodes;
	int64_t disk_measured_ns;
};

struct pods {
	struct pods_config config;
	char *pods_dir;	 /* <state>/pods */
	char *disk_dir;	 /* <root>/containers */
	char *pause_dir; /* <root>/pause: the built-in rootfs */
	char *runtime_root;
	pthread_mutex_t lock;
	pthread_cond_t changed;					     /* CLOCK_MONOTONIC */
	struct map pod_ids, pod_keys, container_ids, container_keys; /* (L) */
	struct loop_timer *retry; /* network_retry() once a minute */
	bool closing;		  /* pods_close() is under way, the loop has ended */
	bool restoring;		  /* pods_open() is reading records; the loop does not run yet */
};

/* --- references and look-up (pods.c) --- */

struct pod *pod_new(struct pods *pods);
void pod_put(struct pod *pod); /* may be NULL */
struct container *container_new(struct pod *pod);
void container_put(struct container *c); /* may be NULL */

/* pods_find_pod() - by id or unique prefix, with a reference; -ENOENT, or -EINVAL if ambiguous. */
int pods_find_pod(struct pods *pods, const char *id, struct pod **ret, struct error *err);
int pods_find_container(struct pods *pods, const char *id, struct container **ret,
			struct error *err);
/* The same with pods->lock held, without a reference. NULL: none. */
struct pod *pods_peek_pod(struct pods *pods, const char *id);
struct container *pods_peek_container(struct pods *pods, const char *id);

void pods_lock(struct pods *pods);
void pods_unlock(struct pods *pods);
/* pods_wait() - wait for a change until @deadline_ns (monotonic). Return: false at the deadline. */
bool pods_wait(struct pods *pods, int64_t deadline_ns);
void pods_changed(struct pods *pods);

/* Tables; with pods->lock held. */
void pods_insert_pod(struct pod *pod);
void pods_drop_pod(struct pod *pod);
void pods_insert_container(struct container *c);
void pods_drop_container(struct container *c);

/* pods_has_labels() - whether all map entries of @wanted stand in @have. (view.c) */
bool pods_has_labels(void *have, size_t n_have, void *wanted, size_t n_wanted);

/* pods_containers() - referenced snapshot of a pod's containers. Caller puts and frees. */
struct container **pods_containers(struct pod *pod, size_t *ret_count);

/* --- records (record.c) --- */

int record_save_pod(struct pod *pod, int flags, struct error *err);
int record_save_container(struct container *c, int flags, struct error *err);
void record_delete_pod(struct pod *pod);
void record_delete_container(struct container *c);
/* record_load_*() - from a record's text; state as it was recorded. */
int record_load_pod(struct pods *pods, const char *id, const char *text, struct pod **ret,
		    struct error *err);
int record_load_container(struct pods *pods, const char *id, const char *text,
			  struct container **ret, struct error *err);
const char *pod_state_name(enum pod_state state);
const char *container_state_name(enum container_state state);

/* --- parts of a sandbox (sandbox_parts.c); each undo is harmless when there is nothing --- */

/* sandbox_derive() - paths and namespaces from pod->id and pod->config. */
void sandbox_derive(struct pod *pod);
/* sandbox_hostname() - as asked for; on the host network, and where none is asked for, the node's.
 */
void sandbox_hostname(const struct pod *pod, char out[HOSTNAME_BYTES]);
int sandbox_make_files(struct pod *pod, struct error *err);
int sandbox_make_namespaces(struct pod *pod, struct error *err);
int sandbox_add_network(struct pod *pod, struct error *err);
int sandbox_start_monitor(struct pod *pod, const struct handler *handler, struct error *err);
int sandbox_start_container(struct pod *pod, const struct handler *handler, struct error *err);
/* sandbox_disconnect() - the network; a failed plugin is journaled and does not count. */
void sandbox_disconnect(struct pod *pod, bool same_boot);
/* sandbox_end() - processes, cgroups and pins. */
int sandbox_end(struct pod *pod, struct error *err);
/* sandbox_teardown() - the two above: everything but records and files. */
int sandbox_teardown(struct pod *pod, bool same_boot, struct error *err);
/* sandbox_remove_files() - directories, after the teardown. */
void sandbox_remove_files(struct pod *pod);

/* --- exits (exits.c) --- */

/* exits_watch() - follow the pod's monitor from the loop. @fd: from monitor_watch(), taken over. */
void exits_watch(struct pod *pod, int fd);
void exits_unwatch(struct pod *pod);
/* exits_stop_watching() - the same at once, on the loop's thread. */
void exits_stop_watching(struct pod *pod);
/* exits_monitor_died() - ends what it watched over; without pod->op and the lock. */
void exits_monitor_died(struct pod *pod);
/* exits_apply() - a container ended.  With pods->lock held. */
struct monitor_exit;
void exits_apply(struct container *c, const struct monitor_exit *e);
/* exits_unknown() - its monitor is gone and nobody knows: reason Unknown, 255. */
void exits_unknown(struct container *c);

/* --- containers --- */

/* container_derive() - key and paths from c->id, c->pod and c->config. */
void container_derive(struct container *c);
/* container_kill() - SIGKILL its cgroup and wait until its exit is known (at most 10 s). */
int container_kill(struct container *c, struct error *err);
/* container_destroy() - runtime delete, files, layers, record; pod->op held, not running. */
int container_destroy(struct container *c, struct error *err);
/* container_forget_runtime() - `runtime delete` and the bundle's mounts; idempotent. */
int container_forget_runtime(struct container *c, struct error *err);
/*
 * runtime_forget() - what the runtime still keeps of container @id goes, without the monitor; its
 * processes have been killed.  Failures are logged: what stays is in nobody's way.
 */
void runtime_forget(struct pod *pod, const char *id);

/* --- exec (exec.c) --- */

/* pods_find_running() - the container, referenced, if an exec can enter it; -EBUSY if not. */
int pods_find_running(struct pods *pods, const char *id, struct container **ret, struct error *err);
struct monitor_exec_handle;
int exec_start(struct container *c, char *const *argv, size_t argc, bool tty, int stdio[3],
	       struct monitor_exec_handle *ret, struct error *err);

/* restore.c */
int restore_all(struct pods *pods, struct error *err);

/* fault_point() - tests only: with BULKHEAD_FAULT=<name> the server ends here as if killed. */
void fault_point(const char *name);

#endif
