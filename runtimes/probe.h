/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether an OCI runtime works on this host, and what it can do.
 */
#ifndef RUNTIMES_PROBE_H
#define RUNTIMES_PROBE_H

#include "runtimes/handlers.h"

/* What a probe found out. */
struct probe {
	char *version; /* first line of --version */
	bool rro_mounts, user_namespaces, idmap_mounts;
};

void probe_finish(struct probe *p);

/*
 * probe_run() - version, features, a trial container.
 * @args: before the subcommand, may be empty.
 * Return: 0, or why it cannot be used here, with the cure in @err.
 */
int probe_run(const char *program, const struct strlist *args, const char *pause_program,
	      const char *work_dir, struct probe *ret, struct error *err);

/* probe_features() - fill in *ret from a version line and `features` JSON ("" if it has none). */
void probe_features(const char *version, const char *json, struct probe *ret);

#endif
