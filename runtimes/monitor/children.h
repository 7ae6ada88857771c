/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exits of children, also of those we learn about too late.
 *
 * The monitor is a subreaper: a container's first process becomes its child when the runtime that
 * made it ends, and may end before the pid file was read.  While a runtime is at work (between
 * hold and release) exits of pids that nobody watches are therefore kept.
 */
#ifndef RUNTIMES_MONITOR_CHILDREN_H
#define RUNTIMES_MONITOR_CHILDREN_H

#include <sys/types.h>

#include "base/error.h"
#include "base/loop.h"

struct child; /* one watched pid */

/* @status as of waitpid(2); the watch is gone when this is called. */
typedef void child_fn(void *data, int status);

/* children_init() - become subreaper, reap on SIGCHLD.  Once. */
int children_init(struct loop *loop, struct error *err);
void children_hold(void);
void children_release(void);
/* children_watch() - call @fn from the loop when @pid has ended, also if it has already. */
struct child *children_watch(pid_t pid, child_fn *fn, void *data);
/* children_unwatch() - nobody cares any more; it is still reaped.  May be NULL. */
void children_unwatch(struct child *child);

/*
 * children_kill_tree() - SIGKILL @pid, its descendants and the members of its session.
 * Preconditions: @pid is our child and not reaped yet.
 */
void children_kill_tree(pid_t pid);

#endif
