/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bulkhead-jailer: starts a program in a jail, with Firecracker's command line.
 */
#include <stdio.h>

#include "base/mem.h"
#include "base/options.h"
#include "runtimes/microvm/jail/jail.h"

struct options {
	struct jail_options jail;
	const char *uid, *gid;
	bool version, help;
};

#define AT(field) offsetof(struct options, field)

/* clang-format off */
static const struct option_spec specs[] = {
	{ "id", OPTION_TEXT, AT(jail.id), "ID", "name of the instance: letters, digits, dashes" },
	{ "exec-file", OPTION_TEXT, AT(jail.exec_file), "FILE", "program, linked statically" },
	{ "uid", OPTION_TEXT, AT(uid), "N", "user that it runs as" },
	{ "gid", OPTION_TEXT, AT(gid), "N", "group that it runs as" },
	{ "chroot-base-dir", OPTION_TEXT, AT(jail.base_dir), "DIR",
	  "the root is DIR/NAME/ID/root (/srv/jailer)" },
	{ "netns", OPTION_TEXT, AT(jail.netns), "FILE", "network namespace to enter" },
	{ "daemonize", OPTION_FLAG, AT(jail.daemonize), NULL, "a session of its own, without terminal" },
	{ "new-pid-ns", OPTION_FLAG, AT(jail.new_pid_ns), NULL, "a process namespace of its own" },
	{ "cgroup", OPTION_LIST, AT(jail.cgroups), "FILE=VALUE",
	  "write VALUE into FILE of the control group; repeatable" },
	{ "cgroup-version", OPTION_U64, AT(jail.cgroup_version), "N", "1 or 2 (the host's)" },
	{ "parent-cgroup", OPTION_TEXT, AT(jail.parent_cgroup), "PATH",
	  "the control group is PATH/ID (the program's name)" },
	{ "resource-limit", OPTION_LIST, AT(jail.limits), "NAME=VALUE",
	  "fsize in bytes, no-file (2048); repeatable" },
	{ "version", OPTION_FLAG, AT(version), NULL, "print the version" },
	{ "help", OPTION_FLAG, AT(help), NULL, "print this" },
	{ 0 },
};
/* clang-format on */

static int parse(struct options *o, int argc, char **argv, struct error *err)
{
	int rest, r = options_parse(specs, argc, argv, o, &rest, err);

	o->jail.arguments = argv + (r ? argc : rest);
	if (!r && o->uid && str_parse_u64(o->uid, &o->jail.uid))
		r = error_set(err, EINVAL, "--uid %s is no number", o->uid);
	if (!r && o->gid && str_parse_u64(o->gid, &o->jail.gid))
		r = error_set(err, EINVAL, "--gid %s is no number", o->gid);
	o->jail.has_uid = o->uid != NULL;
	o->jail.has_gid = o->gid != NULL;
	return r;
}

int main(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	static struct options o;
	static struct jail jail;
	int r = parse(&o, argc, argv, &err);

	if (!r && o.help) {
		fputs("usage: bulkhead-jailer [OPTION...] [-- ARGUMENT...]\n", stdout);
		options_help(specs, stdout);
		return 0;
	}
	if (!r && o.version) {
		puts("bulkhead-jailer " BULKHEAD_VERSION);
		return 0;
	}
	jail_close_fds();
	if (!r)
		r = jail_enter(&jail, &o.jail, &err);
	if (!r)
		r = jail_exec(&jail, &err);
	fprintf(stderr, "bulkhead-jailer: %s\n", err.text);
	return 1;
}
