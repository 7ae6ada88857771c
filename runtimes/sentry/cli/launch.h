/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting what a pod and its containers consist of on the host.
 */
#ifndef SENTRY_CLI_LAUNCH_H
#define SENTRY_CLI_LAUNCH_H

#include <pthread.h>

#include "base/fork.h"
#include "runtimes/sentry/boot/control.h"
#include "runtimes/sentry/boot/spec.h"
#include "runtimes/sentry/cli/record.h"

/* One container to be. */
struct launching {
	const struct cli *cli;
	const char *id, *bundle; /* bundle: absolute */
	const struct spec *spec;
	int config;		     /* descriptor of config.json */
	struct fork_cgroups cgroups; /* of the container */
	int stdio[3];		     /* what the guest gets; kept by the caller */
	bool has_tty;		     /* they are a terminal of our making */
	bool once;		     /* the sentry ends with its first container */
	struct record *record;	     /* pids are noted here */
	/* of launch.c and launch_container.c; LAUNCHING_INIT */
	int *trees; /* descriptors of the root and of the sources of bind mounts, in order */
	size_t n_trees;
	size_t n_given; /* those that the gofer was started with */
	pthread_t preparer;
	bool preparing; /* it runs */
	int nowhere;	/* a network without anything in it, or -errno */
	int helper;	/* what the socket helper is started with; -1: it was */
	int outside;	/* our network, while we are where there is none; -1: we are in it */
	int log;	/* of the pod's processes, while they are started */
	int sync;	/* to a sentry that still starts; -1: none */
};

#define LAUNCHING_INIT                                                                       \
	.cgroups = FORK_CGROUPS_INIT, .nowhere = -1, .helper = -1, .outside = -1, .log = -1, \
	.sync = -1

/*
 * launch() - a container, and first gofer, sentry and socket helper if it is the @sandbox of its
 * pod.  All of them end when the caller does before this returns; l->record is saved before they
 * would live on.  The stand-in is a child of the caller.
 */
int launch(struct launching *l, bool sandbox, struct error *err);
/* launch_prepare() - before launch() of a sandbox: what can be made while the caller does more. */
void launch_prepare(struct launching *l);
/* launch_finish() - in any case at the end. */
void launch_finish(struct launching *l);
/* launch_helper() - of launch(): the socket helper of a new sandbox. */
int launch_helper(struct launching *l, struct error *err);
/* launch_sandbox() - of launch(): l->sync tells when the sentry serves. */
int launch_sandbox(struct launching *l, struct error *err);
/* launch_sandbox_ids() - of launch(): the sentry has its namespaces, and gets ids in them. */
int launch_sandbox_ids(struct launching *l, struct error *err);
/* launch_tree_read_only() - whether tree @n may not be changed. */
bool launch_tree_read_only(const struct launching *l, size_t n);
/* launch_program() - a program of ours, beside this one. Caller frees *ret. */
int launch_program(const char *name, char **ret, struct error *err);
/* launch_close() - those of @n descriptors that are open; all become -1. */
void launch_close(int *fds, size_t n);
/* launch_await() - until the sentry of l->sync serves, which is closed then. */
int launch_await(struct launching *l, struct error *err);
/*
 * launch_standin() - a stand-in with the caller's stdio (or @stdio): *ret_socket is the sentry's
 * end.
 */
int launch_standin(const int stdio[3], bool has_tty, const struct fork_cgroups *cgroups,
		   int *ret_socket, pid_t *ret_pid, struct error *err);
/* launch_stdio() - copies of @from that the sentry may read and write without waiting. */
int launch_stdio(const int from[3], int ret[3], struct error *err);
/* launch_memory_file() - @text as a sealed file that the sentry can read. Return: descriptor. */
int launch_memory_file(const char *text, size_t len, struct error *err);
/* launch_end() - kill what launch_sandbox() started, after a failure or for delete --force. */
void launch_end(const struct record *r);

#endif
