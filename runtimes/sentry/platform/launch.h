/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a container's zygote: for the launcher, which still has rights.
 *
 * The zygote lives in user, pid, network, ipc and mount namespaces of its own with an empty root,
 * no capability, no descriptor, and the seccomp filter of stubs.  Its user namespace is a child of
 * the sentry's and is made by a process with the sentry's euid: the kernel's owner rule then gives
 * the sentry its rights over all stubs without any capability.
 */
#ifndef SENTRY_PLATFORM_LAUNCH_H
#define SENTRY_PLATFORM_LAUNCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/fork.h"

struct launch {
	const char *program; /* path of bulkhead-stub; run from a sealed copy in memory */
	int user_ns;	     /* the sentry's user namespace; -1: the caller's (tests) */
	int pid_ns;	     /* the sentry's pid namespace; -1: the caller's */
	uid_t owner_uid;     /* the sentry's ids, as numbers of user_ns; unused when that is -1 */
	gid_t owner_gid;
	uid_t stub_uid; /* ids of stubs, as numbers of the sentry's user namespace */
	gid_t stub_gid;
	const struct fork_cgroups *cgroups; /* NULL: ours */
	bool share_network; /* the caller's, which has nothing in it; else a new one */
	bool strict;	    /* stubs of the strict mode, see filter.h */
	int oom_score_adj;
	bool set_oom_score_adj;
};

#define LAUNCH_INIT                                                    \
	{                                                              \
		.user_ns = -1, .pid_ns = -1, .stub_uid = (uid_t)-1,    \
		.stub_gid = (gid_t)-1 /* of stubs: the caller's own */ \
	}

/* What the sentry needs; the two descriptors go to it (zygote_attach()). */
struct launched {
	pid_t pid; /* in the caller's pid namespace; nobody's child but init's */
	int pidfd, listener;
};

/*
 * launch_zygote() - make a zygote and wait until it has its filter.
 * The caller is single-threaded or at least holds no lock that a forked copy would need.
 * The zygote ends when the listener is closed everywhere.
 * Return: 0 or -errno with @err.
 */
int launch_zygote(const struct launch *l, struct launched *ret, struct error *err);

/*
 * The same in three steps, between which the caller may do other things: launch_zygote_begin()
 * starts a process that makes the zygote; launch_zygote_go() waits for it and lets the zygote go
 * on; launch_zygote_end() waits for the filter, and takes @w whatever it returns.
 * launch_zygote_abandon() - instead of a later step; @w may be NULL.
 */
struct launch_work;
int launch_zygote_begin(const struct launch *l, struct launch_work **ret, struct error *err);
int launch_zygote_go(struct launch_work *w, struct error *err);
int launch_zygote_end(struct launch_work *w, struct launched *ret, struct error *err);
void launch_zygote_abandon(struct launch_work *w);

#endif
