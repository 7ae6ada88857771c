/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pod: its containers, and what control requests do to them.
 *
 *   struct member   a container: its bundle, its guest kernel objects, its state
 *   struct guest    a process that was started from outside (a container's first, or an exec's)
 *                   with the socket to its stand-in
 *
 * pod_lock guards members and their states; it is never held over work of the guest kernel.
 */
#ifndef SENTRY_BOOT_POD_H
#define SENTRY_BOOT_POD_H

#include <pthread.h>
#include <stdbool.h>

#include "base/list.h"
#include "base/str.h"
#include "runtimes/gofer/client.h"
#include "runtimes/sentry/boot/control.h"
#include "runtimes/sentry/boot/spec.h"
#include "runtimes/sentry/net/poller.h"
#include "runtimes/sentry/task/container.h"
#include "runtimes/sentry/task/task.h"

struct guest {
	struct member *member;
	struct process *process; /* under pod_lock; NULL: not started yet */
	bool ended;		 /* under pod_lock */
	bool started;		 /* under pod_lock: guest_started() was called */
	int wait_status;	 /* once ended */
	bool is_init;
	int standin;
	struct poller_watch watch;
	struct file *tty; /* its terminal, to hear of its size; NULL: none */
};

struct member {
	struct list in_pod;
	uint32_t refs; /* of the list and of guests; under pod_lock */
	char *id;
	char *config; /* text of config.json: spec points into its own arena */
	struct spec spec;
	struct container *container;
	struct zygote *zygote;
	struct fdtable *fds; /* of the first process, until it starts */
	struct file *tty;    /* its terminal; may be NULL */
	struct guest *init;  /* NULL: has ended */
	enum control_state state;
	bool is_sandbox, once; /* once: the sentry ends with it */
};

extern pthread_mutex_t pod_lock;

/* pod_init() - files come from @g. */
void pod_init(struct gofer *g);
struct gofer *pod_gofer(void);
/* pod_is_empty() - no container, not even one that is being made. */
bool pod_is_empty(void);
/* pod_find() - a container with a reference (member_put()). Return: 0 or -ENOENT. */
struct member;
int pod_find(const char *id, struct member **ret, struct error *err);

/* What a request answers. */
struct control_answer {
	int value;
	struct strbuf text;
	bool last; /* the sentry ends after this answer */
};

/*
 * Handlers: @fds as the operation's enum says; what is kept is set to -1 by the handler.
 * Return: 0 or -errno with @err.
 */
typedef int control_fn(const struct control_request *rq, int *fds, struct control_answer *ret,
		       struct error *err);
control_fn pod_create, pod_start, pod_exec, pod_kill, pod_ps, pod_state, pod_delete, pod_stats,
	pod_trace;

/* shown.c: shown_limits() - what container @id is shown of linux.resources, and is bound by. */
void shown_limits(const char *id, const struct json *resources);

/* --- mounts.c ----------------------------------------------------------------------------------
 */

/*
 * mounts_create() - what the container sees: root, mounts of the bundle in order, masked and
 * read-only paths.  @trees: of the gofer, root first, then bind mounts in order.
 */
int mounts_create(const struct spec *s, const struct control_tree *trees, size_t n_trees,
		  struct container *c, struct mount_namespace **ret, struct error *err);

/* mounts_make_directory() - as mkdir -p. */
int mounts_make_directory(struct fs_context *fs, const char *path, const struct cred *c);

/* --- begin.c -----------------------------------------------------------------------------------
 */

/* begin_cred() - ids and capabilities of a process as the bundle says. */
struct cred *begin_cred(const struct spec_process *p);
/* begin_stdio() - descriptors 0, 1, 2 from the host's (taken over, set to -1). */
int begin_stdio(int *fds, struct cred *c, struct fdtable **ret, struct error *err);
/* begin_terminal() - the same from a terminal of the host; *ret_tty is the caller's. */
int begin_terminal(struct member *m, const struct spec_process *p, int *fds, struct fdtable **ret,
		   struct file **ret_tty, struct error *err);
/* begin_check() - whether the program is there and may be run, before anything is started. */
int begin_check(struct member *m, const struct spec_process *p, struct error *err);
/* begin_process() - start @p in @m for @g. Return: the guest's pid, or -errno: @g was never told.
 */
int begin_process(struct member *m, const struct spec_process *p, struct fdtable *fds,
		  struct guest *g, struct error *err);

/* --- guest.c -----------------------------------------------------------------------------------
 */

/* guest_create() - with the socket to its stand-in (taken over, set to -1). */
int guest_create(struct member *m, int *standin, struct guest **ret, struct error *err);
/* guest_started() - takes over the reference of @p, which may have ended already. Return: its pid.
 */
int guest_started(struct guest *g, struct process *p);
/* guest_exited() - process_start.exited: tells the stand-in, ends a container with its first. */
void guest_exited(struct process *p, int wait_status, void *guest);
/* guest_abandon() - it never started: its stand-in ends with @wait_status. */
void guest_abandon(struct guest *g, int wait_status);
void member_put(struct member *m);

#endif
