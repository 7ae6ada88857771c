/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting other programs, and the only function that kills.
 */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/fork.h"
#include "base/str.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
/*
 * spawn_unpoison() - a stack that a child sharing our memory will use: the last one that ran there
 * ended without returning, and its marks are still in the sanitizer's map.
 */
#define spawn_unpoison(ptr, size) ASAN_UNPOISON_MEMORY_REGION(ptr, size)
#else
#define spawn_unpoison(ptr, size) ((void)(ptr), (void)(size))
#endif

/* A detached mount (open_tree, fsmount) and where it goes: below cwd, never through a symlink. */
struct spawn_mount {
	int fd;
	const char *target;
};

/* What a child gets.  SPAWN_INIT first; every descriptor not named here is closed in it. */
struct spawn {
	const char *program;	 /* path */
	const char *const *argv; /* NULL-terminated, argv[0] included */
	const char *const *envp; /* NULL: ours */
	const char *cwd;	 /* NULL: ours */
	int stdio[3];		 /* -1: /dev/null */
	const int *extra_fds;	 /* become 3, 4, ... in the child */
	size_t n_extra_fds;
	const int *ns_fds; /* namespaces to enter (setns) before exec */
	size_t n_ns_fds;
	bool own_mounts; /* its own copy, with all propagation kept, of the mounts it then sees */
	const struct spawn_mount *mounts; /* attached in that copy, in this order */
	size_t n_mounts;
	const struct fork_cgroups *cgroups; /* NULL: ours */
	bool new_session;		    /* setsid() */
	int death_signal;		    /* PR_SET_PDEATHSIG when not 0 */
};

#define SPAWN_INIT                      \
	{                               \
		.stdio = { -1, -1, -1 } \
	}

/*
 * spawn_start() - start it; exec errors are reported here, by a pipe.
 * @ret_pid: child to be reaped by the caller.  @ret_pidfd: may be NULL.
 * Safe in a process with threads: the child runs only async-signal-safe code.
 */
int spawn_start(const struct spawn *s, pid_t *ret_pid, int *ret_pidfd, struct error *err);

/* What spawn_run() brings back. */
struct spawn_result {
	int exit_code; /* 0-255, or 128 + signal */
	bool timed_out, cancelled, truncated;
	struct strbuf out, err; /* at most 1 MiB each */
};

void spawn_result_finish(struct spawn_result *r);

/*
 * spawn_run() - run to the end with @input on stdin, collecting stdout and stderr.
 * @timeout_ms: -1 none; the child is killed (SIGKILL) at the bound.  @cancel_fd: -1, or a
 * descriptor whose readability kills the child.  stdio of @s is ignored.
 * Return: 0 when it ran (look at ret->exit_code), -ETIMEDOUT, -ECANCELED, or why it did not start.
 */
int spawn_run(const struct spawn *s, const char *input, size_t input_len, int timeout_ms,
	      int cancel_fd, struct spawn_result *ret, struct error *err);

/*
 * process_kill() - the one place that calls kill(2).  Refuses pid <= 1 (-EINVAL): -1 and 0 would
 * reach every process on the node.  Return: 0 or -errno.
 */
int process_kill(pid_t pid, int signo);

/* process_kill_group() - kill(-pgid): refuses pgid <= 1 and our own group. */
int process_kill_group(pid_t pgid, int signo);

/* process_exit_code() - waitpid status as 0-255, or 128 + signal. */
int process_exit_code(int wait_status);

/* process_start_time() - field 22 of /proc/PID/stat, which with the pid names a process for good.
 */
int process_start_time(pid_t pid, unsigned long long *ret_ticks);

#endif
