/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the command line and a running sentry say to each other.
 *
 * One request and one reply a connection, SOCK_SEQPACKET; longer things (config.json) travel as
 * descriptors of sealed files in memory.  The socket is below the runtime's root, for its owner
 * only; the sentry checks all of it none the less, as it checks everything.
 */
#ifndef SENTRY_BOOT_CONTROL_H
#define SENTRY_BOOT_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define CONTROL_VERSION	  1
#define CONTROL_ID_BYTES  256
#define CONTROL_TREES_MAX 257 /* of a container: its root and its bind mounts */
#define CONTROL_FDS_MAX	  16
#define CONTROL_TEXT_MAX  (60 << 10) /* of a reply */

enum control_op {
	CONTROL_CREATE = 1, /* a container; trees; fds: enum control_create_fd */
	CONTROL_START,
	CONTROL_EXEC,	/* fds: enum control_exec_fd */
	CONTROL_KILL,	/* signo to pid, or to the first process, or with CONTROL_ALL to all */
	CONTROL_PS,	/* text: a JSON array of the guest's processes */
	CONTROL_STATE,	/* value: enum control_state */
	CONTROL_DELETE, /* a container that has stopped; the sandbox's own: the sentry ends */
	CONTROL_STATS,	/* text: JSON */
	CONTROL_TRACE,	/* value 1 on, 0 off; fds[0]: where lines go */
	CONTROL_OPS,
};

enum control_create_fd {
	CONTROL_FD_CONFIG, /* config.json */
	CONTROL_FD_STDIN,
	CONTROL_FD_STDOUT,
	CONTROL_FD_STDERR,
	CONTROL_FD_STANDIN,  /* socket to the stand-in */
	CONTROL_FD_ZYGOTE,   /* pidfd */
	CONTROL_FD_LISTENER, /* seccomp notifications of its stubs */
	CONTROL_FD_PROC,     /* a /proc that shows them */
	CONTROL_FD_SECCOMP,  /* of a BPF program; only with CONTROL_HAS_SECCOMP */
	CONTROL_CREATE_FDS,
};

enum control_exec_fd {
	CONTROL_FD_PROCESS, /* process.json */
	CONTROL_FD_EXEC_STDIN,
	CONTROL_FD_EXEC_STDOUT,
	CONTROL_FD_EXEC_STDERR,
	CONTROL_FD_EXEC_STANDIN,
	CONTROL_EXEC_FDS,
};

enum control_flags {
	CONTROL_ALL = 1 << 0,
	CONTROL_HAS_SECCOMP = 1 << 1,
	CONTROL_SANDBOX = 1 << 2, /* the first container: the sentry ends when it is deleted */
	CONTROL_ONCE = 1 << 3,	  /* or already when it has ended */
};

/* PAUSED is the launcher's word: the cgroup is frozen, and with it whoever could be asked. */
enum control_state { CONTROL_CREATED = 1, CONTROL_RUNNING, CONTROL_STOPPED, CONTROL_PAUSED };

/* What a tree becomes. */
struct control_tree {
	uint32_t handle;
	uint32_t shared; /* others change it: a volume */
};

struct control_request {
	uint32_t version, op;
	char id[CONTROL_ID_BYTES]; /* NUL-terminated */
	uint32_t flags;
	int32_t pid, signo, value;
	uint32_t n_trees;
	struct control_tree trees[CONTROL_TREES_MAX]; /* [0]: root; then bind mounts in order */
};

struct control_reply {
	int32_t error; /* 0 or -errno; then text says why */
	int32_t value;
	uint32_t text_len; /* bytes after this */
};

/* --- the command line's side (control_client.c) ------------------------------------------------
 */

/*
 * control_call() - one request on the socket at @path, with @n_fds descriptors (kept).
 * @ret_value, @ret_text (appended): may be NULL.  Return: 0 or -errno with what the sentry says.
 */
struct strbuf;
int control_call(const char *path, const struct control_request *rq, const int *fds, size_t n_fds,
		 int *ret_value, struct strbuf *ret_text, struct error *err);
/* control_request_init() - for container @id. Return: 0 or -ENAMETOOLONG. */
int control_request_init(struct control_request *rq, enum control_op op, const char *id,
			 struct error *err);

/* --- the sentry's side (control.c) --------------------------------------------------------------
 */

/*
 * control_check() - whether @len bytes with @n_fds descriptors are a well-formed request.
 * Return: 0, or -EINVAL.  Fuzzed.
 */
int control_check(const struct control_request *rq, size_t len, size_t n_fds);
/* control_serve() - accept and answer on @listener until the last container is deleted. */
int control_serve(int listener);

#endif
