/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jail of a program: a root directory of its own, few devices, limits, no privilege.
 */
#ifndef MICROVM_JAIL_JAIL_H
#define MICROVM_JAIL_JAIL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"

struct jail_options {
	const char *id, *exec_file, *base_dir, *netns, *parent_cgroup;
	uint64_t uid, gid, cgroup_version; /* version 0: the host's */
	bool has_uid, has_gid, daemonize, new_pid_ns;
	struct strlist cgroups, limits; /* "FILE=VALUE", "NAME=VALUE" */
	char *const *arguments;		/* of the program, NULL-terminated */
};

/* A jail that is being made; JAIL_INIT first. */
struct jail {
	const struct jail_options *options;
	char *exec_path;  /* owned: of the program, outside */
	const char *name; /* of the program, in exec_path */
	char *root;	  /* owned: BASE/NAME/ID/root */
	uid_t uid;
	gid_t gid;
	int64_t start_us, start_cpu_us;
};

/* jail_enter() - check everything, make the jail and go into it.  Return: 0 or -errno. */
int jail_enter(struct jail *j, const struct jail_options *o, struct error *err);

/* jail_exec() - become the program, or start it where the options say so.  Return: only -errno. */
int jail_exec(struct jail *j, struct error *err);

/* jail_limit() - resource limits and control groups.  Return: 0 or -errno naming the limit. */
int jail_limit(const struct jail *j, struct error *err);

/* jail_close_fds() - all that were inherited but standard input and outputs. */
void jail_close_fds(void);

#endif
