/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What create, run and do have in common.
 */
#ifndef SENTRY_CLI_LIFECYCLE_H
#define SENTRY_CLI_LIFECYCLE_H

#include "runtimes/sentry/cli/console.h"
#include "runtimes/sentry/cli/launch.h"

struct create_options {
	const char *id, *bundle;	       /* bundle NULL: the working directory */
	const char *pid_file, *console_socket; /* may be NULL */
	const char *config;		       /* text of config.json; NULL: the bundle's */
	size_t config_len;
	bool detach; /* nobody waits here */
	bool once, no_cgroup;
};

/*
 * lifecycle_create() - all but the start; what was made is undone on failure.  A terminal goes to
 * o->console_socket, or (not detached) is joined to our own stdio: console_detach() at the end.
 */
int lifecycle_create(const struct cli *c, const struct create_options *o, struct record *ret,
		     struct error *err);
int lifecycle_start(const struct cli *c, const struct record *r, struct error *err);
/* lifecycle_wait() - until the stand-in (our child) ends; signals that we get go to it. */
int lifecycle_wait(pid_t standin);
/* lifecycle_delete() - a stopped container; @force: stopped first. */
int lifecycle_delete(const struct cli *c, const char *id, bool force, struct error *err);
/* lifecycle_forget() - takes away what is left of a container that the sentry knows no more. */
void lifecycle_forget(const struct cli *c, const struct record *r);
/* lifecycle_write_pid() - a --pid-file, never half-written. */
int lifecycle_write_pid(const char *path, pid_t pid, struct error *err);

#endif
