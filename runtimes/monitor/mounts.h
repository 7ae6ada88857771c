/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who sees which mounts.
 *
 * The pod's own mounts (its /dev/shm) are in the monitor's mount namespace and nowhere else.  A
 * container's are in a namespace made for the one run of its runtime: a fresh copy of the host's,
 * so that what the host mounted since the pod started is in it and still propagates, and nothing
 * is left to unmount when the runtime has ended.
 */
#ifndef RUNTIMES_MONITOR_MOUNTS_H
#define RUNTIMES_MONITOR_MOUNTS_H

#include "base/spawn.h"
#include "runtimes/monitor/monitor.h"

/* mounts_init() - leave the host's mount namespace, remembering it.  Changes directory to "/". */
int mounts_init(struct monitor *m, struct error *err);

/* mounts_add() - attach the pod's own mounts below its directory, all or none; @fds are kept by
 * the caller. */
int mounts_add(struct monitor *m, Monitor__Mount *const *mounts, size_t count, const int *fds,
	       struct error *err);

/*
 * mounts_of_run() - the pod's and then the container's mounts for spawn_start().
 * @want, @fds: the container's, borrowed as long as @ret is used.
 * @ret: to be freed with mounts_finish(), also after an error.
 */
struct run_mounts {
	struct spawn_mount *list;
	size_t count, n_pod; /* the first n_pod descriptors are ours to close */
};
int mounts_of_run(struct monitor *m, Monitor__Mount *const *want, size_t count, const int *fds,
		  struct run_mounts *ret, struct error *err);
void mounts_finish(struct run_mounts *r);

#endif
