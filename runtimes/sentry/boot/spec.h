/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json of a bundle, and process.json of an exec, as structs.
 *
 * The launcher and the sentry both read it: the one what concerns the host (trees, cgroup,
 * network), the other what concerns the guest.  Text lives in the spec's arena.
 */
#ifndef SENTRY_BOOT_SPEC_H
#define SENTRY_BOOT_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"

#define SPEC_BYTES_MAX	(8 << 20) /* of a config.json */
#define SPEC_MOUNTS_MAX 256
#define SPEC_GROUPS_MAX 65536 /* as NGROUPS_MAX */

struct spec_process {
	bool terminal;
	unsigned int rows, columns; /* 0: not said */
	uid_t uid;
	gid_t gid;
	int umask; /* -1: not said */
	gid_t *groups;
	size_t n_groups;
	char **args, **env; /* NULL-terminated */
	const char *cwd;
	bool has_caps; /* without, all sets are empty */
	uint64_t bounding, effective, permitted, inheritable, ambient;
	bool no_new_privs;
	bool has_oom_score_adj;
	int oom_score_adj;
	bool has_limit[RLIM_NLIMITS];
	struct rlimit limits[RLIM_NLIMITS];
};

/* What a mount's options say. */
struct spec_options {
	unsigned long flags; /* MS_RDONLY MS_NOSUID MS_NODEV MS_NOEXEC MS_NOATIME .. */
	bool bind, recursive;
	bool copy_up;	  /* tmpfs: to begin with what is below it; not done */
	bool follow;	  /* what the host mounts below it later is seen too (slave, shared) */
	const char *data; /* the rest, comma-separated: "size=64k,mode=1777" */
};

struct spec_mount {
	const char *target, *type, *source;
	struct spec_options options;
};

enum spec_namespace { SPEC_SHARED, SPEC_NEW, SPEC_JOINED };

struct spec {
	struct arena arena;
	struct json *json;
	const char *version, *hostname, *domainname;
	struct spec_process process;
	const char *root;
	bool root_readonly;
	struct spec_mount *mounts;
	size_t n_mounts;
	char **masked, **readonly; /* NULL-terminated; may be NULL */
	enum spec_namespace network, pid, ipc, uts;
	const char *network_path, *pid_path, *ipc_path, *uts_path; /* when joined */
	const char *cgroup; /* linux.cgroupsPath; may be NULL */
	const struct json *resources, *seccomp, *sysctls, *annotations, *devices, *hooks;
};

/*
 * spec_parse() - a whole config.json.  Fields that cannot be had are errors that name the field;
 * those that are accepted without effect are added to @warnings (may be NULL), one a line.
 */
int spec_parse(const char *text, size_t len, struct spec *ret, struct strlist *warnings,
	       struct error *err);
void spec_finish(struct spec *s);
#define cleanup_spec __attribute__((__cleanup__(spec_finish)))

/* spec_process_parse() - a "process" object alone (exec --process); text lives in @a. */
int spec_process_parse(struct arena *a, const struct json *j, struct spec_process *ret,
		       struct error *err);
/* spec_annotation() - the first of the NULL-terminated @keys that is set; NULL: none. */
const char *spec_annotation(const struct spec *s, const char *const *keys);
/* spec_options_parse() - "ro", "nosuid", .. of one mount. Unknown words go to data. */
int spec_options_parse(struct arena *a, const struct json *options, struct spec_options *ret,
		       struct error *err);

/* --- fields.c: what becomes of each field ------------------------------------------------------
 */

enum field_state { FIELD_ENFORCED, FIELD_WARNED, FIELD_REFUSED };

/* One row. @path: "linux.resources.memory.limit"; "[]" an array's items, "*" any key. */
struct spec_field {
	const char *path;
	enum field_state state;
	const char *note; /* for what is not enforced: why */
};

extern const struct spec_field spec_fields[];
extern const size_t spec_n_fields;

/* spec_fields_check() - every member of @config is in the table and not refused. */
int spec_fields_check(const struct json *config, struct strlist *warnings, struct error *err);

#endif
