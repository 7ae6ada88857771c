/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RuntimeClass handler names and the OCI runtimes behind them.
 *
 * A probe picks the first runtime of a handler's list that works on this host: its `features`
 * (or a table by version), the host's cgroup layout, and a trial run of bulkhead-pause.
 */
#ifndef RUNTIMES_HANDLERS_H
#define RUNTIMES_HANDLERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

enum handler_sandbox {
	HANDLER_NAMESPACES, /* pod = pinned namespaces, containers join them by path */
	HANDLER_CONTAINER,  /* a sandbox container always runs first */
};

/* From the configuration file. */
struct handler_config {
	char *name;
	struct strlist runtimes; /* names on PATH or paths; the first that passes its probe */
	struct strlist args;	 /* put before the subcommand */
	enum handler_sandbox sandbox;
};

struct handler {
	char *name;
	char *runtime; /* program that passed; NULL: none, see why */
	char *why;     /* why each candidate was passed over; "" when the first was taken */
	struct strlist args;
	enum handler_sandbox sandbox;
	char *version;	 /* first line of `runtime --version` */
	bool rro_mounts; /* features: recursive read-only mounts */
	bool user_namespaces;
	bool idmap_mounts;
};

struct handlers;

struct handlers_config {
	const struct handler_config *list;
	size_t count;
	const char *default_name;
	const char *pause_program; /* bulkhead-pause, for the trial run */
	const char *work_dir;	   /* scratch for the trial run; made and removed */
};

/* handlers_create() - probes them all (cached by program path, size and mtime in work_dir). */
int handlers_create(const struct handlers_config *config, struct handlers **ret, struct error *err);
void handlers_destroy(struct handlers *h);

/*
 * handlers_find() - by RuntimeClass handler; "" is the default one.
 * Errors: -ENOENT no such handler (names the configured ones); -ENOPKG configured, not installed or
 * not working here (says why and the cure).
 */
int handlers_find(struct handlers *h, const char *name, const struct handler **ret,
		  struct error *err);
/* handlers_at() - for listing; NULL past the end. */
const struct handler *handlers_at(struct handlers *h, size_t i);
const char *handlers_default(struct handlers *h);

#endif
