/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers of the pod, and what their processes share: numbers, names, mounts.
 *
 * A container has a zygote (its host processes) and namespaces of the guest.  Containers of a pod
 * may share a pid namespace ("shareProcessNamespace", a debug container's target); namespaces of
 * pids do not nest, so a process has one number.
 */
#ifndef SENTRY_TASK_CONTAINER_H
#define SENTRY_TASK_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/list.h"
#include "runtimes/sentry/kern/cred.h"
#include "runtimes/sentry/kern/lock.h"
#include "runtimes/sentry/platform/platform.h"
#include "runtimes/sentry/vfs/dentry.h"
#include "runtimes/sentry/vfs/fdtable.h"

struct ipc_namespace; /* ipc/: System V and message queues */
struct process;
struct seccomp_filter; /* task/seccomp.h */
struct tty_control;

#define PID_MAX	    32768 /* numbers go round at it: kernel.pid_max's default */
#define PID_BUCKETS 64

/* Numbers of tasks, process groups and sessions. All under the tasks lock. */
struct pid_namespace {
	uint32_t refs;
	pid_t last; /* the number given last */
	uint32_t count;
	uint32_t limit;	      /* tasks at most (pids cgroup of the pod); 0: PID_MAX */
	struct process *init; /* reaps orphans; NULL: has ended, or none yet */
	struct list tasks[PID_BUCKETS], processes[PID_BUCKETS], groups[PID_BUCKETS];
	struct list sessions;
};

struct pid_namespace *pid_namespace_create(void);
struct pid_namespace *pid_namespace_get(struct pid_namespace *ns);
void pid_namespace_put(struct pid_namespace *ns); /* may be NULL */

#define UTS_NAME_BYTES 65

/* Names that uname(2) tells. */
struct uts_namespace {
	uint32_t refs;
	struct lock lock; /* LOCK_OBJECT */
	char nodename[UTS_NAME_BYTES], domainname[UTS_NAME_BYTES];
};

struct uts_namespace *uts_namespace_create(const char *nodename);
struct uts_namespace *uts_namespace_get(struct uts_namespace *ns);
struct uts_namespace *uts_namespace_copy(struct uts_namespace *ns);
void uts_namespace_put(struct uts_namespace *ns); /* may be NULL */

struct container {
	uint32_t refs;
	char *id;
	struct zygote *zygote;
	struct pid_namespace *pids;
	struct uts_namespace *uts;
	struct mount_namespace *mounts;
	struct ipc_namespace *ipc;
	struct seccomp_filter *seccomp;		 /* of the bundle; NULL: none */
	struct rlimit host_limits[RLIM_NLIMITS]; /* task/execve.c: of its fresh stubs on the host */
	bool host_limits_known;
};

/*
 * guest_container_create() - takes over a reference of each of @pids, @uts, @mounts; @zygote is the
 * caller's and outlives it.
 */
struct container *guest_container_create(const char *id, struct zygote *zygote,
					 struct pid_namespace *pids, struct uts_namespace *uts,
					 struct mount_namespace *mounts);
struct container *guest_container_get(struct container *c);
void guest_container_put(struct container *c); /* may be NULL */

/* What a process that no guest process makes begins with: a container's first, or an exec's. */
struct process_start {
	struct container *container;
	struct cred *cred;     /* as process.user and capabilities of the bundle say */
	struct fs_context *fs; /* root and cwd are there */
	struct fdtable *fds;   /* 0, 1, 2 as they should be */
	const char *path;      /* looked for in PATH of @envp when it has no '/' */
	char **argv, **envp;
	const struct rlimit *limits; /* RLIM_NLIMITS of them; NULL: the defaults of Linux */
	struct tty_control *tty;     /* its controlling terminal (task/pgroup.h); NULL: none */
	/* when it has ended: from any thread, no lock held. @wait_status: as wait(2) tells */
	void (*exited)(struct process *p, int wait_status, void *data);
	void *data;
};

/*
 * process_start() - make a process and let it run.  cred, fs, fds are referenced, the rest is read.
 * Return: 0 with a reference in *ret, or what execve(2) would fail with (-ENOENT, -EACCES,
 * -ENOEXEC, ..), or what the platform says.
 */
int process_start(const struct process_start *s, struct process **ret);
/* process_default_limits() - what Linux begins with. */
void process_default_limits(struct rlimit l[RLIM_NLIMITS]);
/* process_signal() - a signal from outside: init's protection does not hold. Return: 0, -ESRCH. */
int process_signal(struct process *p, int signo);
/* container_kill_all() - SIGKILL for every process of @c. */
void container_kill_all(struct container *c);

#endif
