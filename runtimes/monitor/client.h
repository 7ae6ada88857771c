/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's side of a pod's monitor.
 *
 * A monitor listens on <dir>/monitor.sock (SOCK_SEQPACKET, protobuf-c messages, version in the
 * hello).  Each call here opens a connection of its own, so calls never wait for one another.
 * A call waits 2 s for its answer; run, exec and delete, which start the runtime, are told within
 * 2 s that they were taken on and then wait for the result: the caller's timeout (and 25 s more
 * for the deletion of what a failed run left), 25 s for delete.  Errors: -ECONNREFUSED or -ENOENT
 * the monitor is gone; -ETIMEDOUT it does not answer (stopped?).
 */
#ifndef RUNTIMES_MONITOR_CLIENT_H
#define RUNTIMES_MONITOR_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/fork.h"
#include "base/log.h"
#include "base/str.h"

struct monitor_spawn {
	const char *program; /* bulkhead-monitor */
	const char *id;	     /* sandbox id */
	const char *dir;     /* state/pods/<id>: socket, exits/<container id>, log */
	int netns_fd;	     /* -1: the host's */
	const struct fork_cgroups *cgroups;
	const char *runtime;		 /* OCI runtime program */
	const char *const *runtime_args; /* before the subcommand; NULL-terminated */
	const char *runtime_root;	 /* its --root */
	enum log_level log_level;
};

/* monitor_spawn() - start it; returns when its socket listens.  Our child: reap @ret_pid. */
int monitor_spawn(const struct monitor_spawn *s, pid_t *ret_pid, struct error *err);

/* A detached mount to be attached at @target below <dir>, before the container starts. */
struct monitor_mount {
	int fd;
	const char *target; /* relative to <dir>; made if absent */
};

struct monitor_container {
	const char *id;
	const char *bundle; /* directory with config.json */
	bool terminal, stdin_open, stdin_once;
	const char *log_path; /* absolute; NULL or "": no log */
	const char *cgroup;   /* for the OOM count at exit, cgroup.h path */
	const struct monitor_mount *mounts;
	size_t n_mounts;
};

/* monitor_mount() - attach mounts now (the pod's /dev/shm). */
int monitor_mount(const char *dir, const struct monitor_mount *mounts, size_t count,
		  struct error *err);
/*
 * monitor_run() - `runtime run --detach` of the bundle: created and started on return.
 * On failure the runtime's own message is the error, what was made is deleted again.
 */
int monitor_run(const char *dir, const struct monitor_container *c, int timeout_ms, pid_t *ret_pid,
		int64_t *ret_started_ns, struct error *err);
/* monitor_delete() - `runtime delete --force`, unmount and forget the container; absent is fine. */
int monitor_delete(const char *dir, const char *container_id, struct error *err);
int monitor_reopen_log(const char *dir, const char *container_id, struct error *err);
int monitor_resize(const char *dir, const char *container_id, uint16_t width, uint16_t height,
		   struct error *err);
/* monitor_stop() - end the monitor; containers must be gone. */
int monitor_stop(const char *dir, struct error *err);

/* How a container ended; also on disk as <dir>/exits/<container id> before it is reported. */
struct monitor_exit {
	char container_id[128];
	int exit_code; /* 0-255, 128 + signal */
	bool oom_killed;
	int64_t finished_ns;
};

/* monitor_read_exit() - from the file; -ENOENT: no exit known. */
int monitor_read_exit(const char *dir, const char *container_id, struct monitor_exit *ret,
		      struct error *err);
/*
 * monitor_watch() - a connection on which every exit arrives, those known already first.
 * monitor_next_exit() after poll: 1 got one, 0 the monitor is gone, -EAGAIN nothing yet.
 */
int monitor_watch(const char *dir, int *ret_fd, struct error *err);
int monitor_next_exit(int fd, struct monitor_exit *ret);

/* monitor_list() - ids of containers it runs ("id pid" each), for a restarted server. */
int monitor_list(const char *dir, struct strlist *ret, struct error *err);

struct monitor_exec {
	const char *container_id;
	const char *process_json; /* OCI process object */
	bool terminal;
	int stdio[3]; /* given to the process; -1 /dev/null; ignored with terminal */
};

/* A running exec: closing fd (or this server's death) kills its process tree. */
struct monitor_exec_handle {
	int fd;	     /* readable when it ended */
	int console; /* pty master with terminal, else -1; owned by the caller */
	pid_t pid;
};

int monitor_exec_start(const char *dir, const struct monitor_exec *e, int timeout_ms,
		       struct monitor_exec_handle *ret, struct error *err);
/* monitor_exec_wait() - after h->fd is readable (or blocking): exit code 0-255. */
int monitor_exec_wait(struct monitor_exec_handle *h, int *ret_exit_code, struct error *err);
void monitor_exec_close(struct monitor_exec_handle *h);

/*
 * monitor_attach() - stream descriptors of the container's stdio: what is written to stdin_fd
 * reaches it (NULL: no stdin), its output from now on is copied to stdout_fd and stderr_fd
 * (stdout only with a tty), which end at its exit.  A slow reader is dropped, never waited for.
 * *ret_fd is the control connection: readable at the container's exit; close it to detach.
 */
struct monitor_attach {
	int fd;
	int stdin_fd, stdout_fd, stderr_fd; /* our ends, owned by the caller; -1 not asked for */
};

int monitor_attach(const char *dir, const char *container_id, bool in, bool out, bool err_stream,
		   struct monitor_attach *ret, struct error *err);

/*
 * monitor_dial() - a TCP connection to 127.0.0.1 (then ::1) @port in the pod's netns.
 * Return: 0 with a connected socket, -ECONNREFUSED etc.
 */
int monitor_dial(const char *dir, uint16_t port, int *ret_fd, struct error *err);

#endif
