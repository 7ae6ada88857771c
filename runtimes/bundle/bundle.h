/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OCI bundle's config.json from plain structs.
 *
 * Knows the runtime-spec and nothing of who asks.  A bundle is filled in by the caller and then
 * written once; everything in it lives in its arena or belongs to the caller.
 */
#ifndef RUNTIMES_BUNDLE_BUNDLE_H
#define RUNTIMES_BUNDLE_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/str.h"

#define BUNDLE_CONFIG_MAX (8 << 20) /* bytes of a config.json that are read back */

struct bundle_id_map {
	uint32_t container_id, host_id, length;
};

struct bundle_mount {
	const char *target, *type, *source;
	const char *options;				 /* comma-separated */
	const struct bundle_id_map *uid_maps, *gid_maps; /* idmapped mount; NULL: none */
	size_t n_uid_maps, n_gid_maps;
};

struct bundle_namespace {
	const char *type; /* "pid", "network", ... */
	const char *path; /* NULL: a new one */
};

struct bundle_device {
	const char *path;
	char type; /* 'c' or 'b' */
	uint32_t major, minor;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	const char *access; /* "rwm" for the device cgroup */
};

struct bundle_hugepage {
	const char *size;
	uint64_t limit;
};

struct bundle_unified {
	const char *key, *value;
};

/* 0 and NULL: not set. */
struct bundle_resources {
	int64_t cpu_shares, cpu_quota, cpu_period;
	int64_t memory_limit, memory_swap; /* bytes; swap is memory+swap, -1 unlimited */
	const char *cpuset_cpus, *cpuset_mems;
	const struct bundle_hugepage *hugepages;
	size_t n_hugepages;
	const struct bundle_unified *unified;
	size_t n_unified;
	bool all_devices; /* device cgroup lets everything through */
};

/* Capability sets, one bit a capability. */
struct bundle_caps {
	uint64_t bounding, effective, permitted, inheritable, ambient;
};

enum bundle_seccomp { BUNDLE_SECCOMP_NONE, BUNDLE_SECCOMP_DEFAULT, BUNDLE_SECCOMP_JSON };

struct bundle {
	struct arena arena;
	/* process */
	struct strlist args, env;
	const char *cwd;
	bool terminal, no_new_privs;
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t n_groups;
	struct bundle_caps caps;
	int oom_score_adj;
	const char *apparmor_profile, *selinux_label; /* NULL: none */
	/* root */
	const char *root, *hostname; /* hostname NULL: not set */
	bool root_readonly;
	const char *root_propagation; /* NULL: default */
	const char *mount_label;
	struct bundle_mount *mounts;
	size_t n_mounts;
	struct bundle_namespace namespaces[8];
	size_t n_namespaces;
	struct strlist masked_paths, readonly_paths;
	struct bundle_device *devices;
	size_t n_devices;
	const char *cgroup;
	struct bundle_resources resources;
	enum bundle_seccomp seccomp;
	const struct json *seccomp_json;     /* for BUNDLE_SECCOMP_JSON */
	struct strlist annotations, sysctls; /* key, value, key, value, ... */
};

void bundle_finish(struct bundle *b);
#define cleanup_bundle __attribute__((__cleanup__(bundle_finish)))
void bundle_add_namespace(struct bundle *b, const char *type, const char *path);
void bundle_annotate(struct bundle *b, const char *key, const char *value);

/* bundle_json() - the whole config.json.  Caller frees. */
char *bundle_json(const struct bundle *b);
/* bundle_write() - to @dir/config.json, never half-written. */
int bundle_write(const struct bundle *b, const char *dir, struct error *err);

/*
 * bundle_rewrite_resources() - the bundle in @dir again, with other limits; its devices and all
 * else stay.
 */
int bundle_rewrite_resources(const char *dir, const struct bundle_resources *r, int oom_score_adj,
			     struct error *err);

/*
 * bundle_process_json() - an OCI process object for an exec in the container of @bundle_dir: its
 * user, environment, rights and directory, with other arguments.  Caller frees *ret.
 */
int bundle_process_json(const char *bundle_dir, char *const *argv, size_t argc, bool tty,
			char **ret, struct error *err);

/* --- capabilities (caps.c) --- */

/* bundle_cap_parse() - number of "NET_ADMIN", "CAP_net_admin"; -1 unknown. */
int bundle_cap_parse(const char *name);
/* bundle_cap_name() - "CAP_CHOWN", NULL past the last one. */
const char *bundle_cap_name(unsigned int cap);
/* bundle_caps_all() - what this process can give: its bounding set. */
uint64_t bundle_caps_all(void);

/* --- seccomp (seccomp.c) --- */

/* bundle_seccomp_default() - write the runtime's own profile for a process with @caps. */
void bundle_seccomp_default(struct json_writer *w, uint64_t caps);

#endif
