/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer of config.json (runtime-spec 1.0 and up).
 *
 * Only what is set is written: absent members mean the runtime's default.
 */
#include <fcntl.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "runtimes/bundle/bundle.h"

static void put_list(struct json_writer *w, const char *key, const struct strlist *l)
{
	if (l->count > 0)
		json_put_strings(w, key, l->items, l->count);
}

static void put_optional(struct json_writer *w, const char *key, const char *value)
{
	if (!str_empty(value))
		json_put_string(w, key, value);
}

/* --- process ---------------------------------------------------------------------------------- */

static void put_cap_set(struct json_writer *w, const char *key, uint64_t set)
{
	json_put_array(w, key);
	for (unsigned int i = 0; bundle_cap_name(i); i++)
		if (set >> i & 1)
			json_string(w, bundle_cap_name(i));
	json_end_array(w);
}

static void put_caps(struct json_writer *w, const struct bundle_caps *c)
{
	json_put_object(w, "capabilities");
	put_cap_set(w, "bounding", c->bounding);
	put_cap_set(w, "effective", c->effective);
	put_cap_set(w, "permitted", c->permitted);
	put_cap_set(w, "inheritable", c->inheritable);
	put_cap_set(w, "ambient", c->ambient);
	json_end_object(w);
}

static void put_user(struct json_writer *w, const struct bundle *b)
{
	json_put_object(w, "user");
	json_put_u64(w, "uid", b->uid);
	json_put_u64(w, "gid", b->gid);
	if (b->n_groups > 0) {
		json_put_array(w, "additionalGids");
		for (size_t i = 0; i < b->n_groups; i++)
			json_u64(w, b->groups[i]);
		json_end_array(w);
	}
	json_end_object(w);
}

static void put_process(struct json_writer *w, const struct bundle *b)
{
	json_put_object(w, "process");
	json_put_bool(w, "terminal", b->terminal);
	put_user(w, b);
	json_put_strings(w, "args", b->args.items, b->args.count);
	json_put_strings(w, "env", b->env.items, b->env.count);
	json_put_string(w, "cwd", str_or(b->cwd, "/"));
	put_caps(w, &b->caps);
	json_put_bool(w, "noNewPrivileges", b->no_new_privs);
	json_put_i64(w, "oomScoreAdj", b->oom_score_adj);
	put_optional(w, "apparmorProfile", b->apparmor_profile);
	put_optional(w, "selinuxLabel", b->selinux_label);
	json_end_object(w);
}

/* --- mounts ----------------------------------------------------------------------------------- */

static void put_id_maps(struct json_writer *w, const char *key, const struct bundle_id_map *maps,
			size_t count)
{
	if (count == 0)
		return;
	json_put_array(w, key);
	for (size_t i = 0; i < count; i++) {
		json_begin_object(w);
		json_put_u64(w, "containerID", maps[i].container_id);
		json_put_u64(w, "hostID", maps[i].host_id);
		json_put_u64(w, "size", maps[i].length);
		json_end_object(w);
	}
	json_end_array(w);
}

static void put_options(struct json_writer *w, const char *options)
{
	json_put_array(w, "options");
	while (!str_empty(options)) {
		size_t len = strcspn(options, ",");

		json_stringn(w, options, len);
		options += len + (options[len] == ',');
	}
	json_end_array(w);
}

static void put_mounts(struct json_writer *w, const struct bundle *b)
{
	json_put_array(w, "mounts");
	for (size_t i = 0; i < b->n_mounts; i++) {
		const struct bundle_mount *m = &b->mounts[i];

		json_begin_object(w);
		json_put_string(w, "destination", m->target);
		json_put_string(w, "type", m->type);
		json_put_string(w, "source", m->source);
		put_options(w, m->options);
		put_id_maps(w, "uidMappings", m->uid_maps, m->n_uid_maps);
		put_id_maps(w, "gidMappings", m->gid_maps, m->n_gid_maps);
		json_end_object(w);
	}
	json_end_array(w);
}

/* --- linux ------------------------------------------------------------------------------------ */

static void put_namespaces(struct json_writer *w, const struct bundle *b)
{
	json_put_array(w, "namespaces");
	for (size_t i = 0; i < b->n_namespaces; i++) {
		json_begin_object(w);
		json_put_string(w, "type", b->namespaces[i].type);
		put_optional(w, "path", b->namespaces[i].path);
		json_end_object(w);
	}
	json_end_array(w);
}

static void put_devices(struct json_writer *w, const struct bundle *b)
{
	if (b->n_devices == 0)
		return;
	json_put_array(w, "devices");
	for (size_t i = 0; i < b->n_devices; i++) {
		const struct bundle_device *d = &b->devices[i];

		json_begin_object(w);
		json_put_string(w, "path", d->path);
		json_put_string(w, "type", d->type == 'b' ? "b" : "c");
		json_put_i64(w, "major", d->major);
		json_put_i64(w, "minor", d->minor);
		json_put_u64(w, "fileMode", d->mode & 07777);
		json_put_u64(w, "uid", d->uid);
		json_put_u64(w, "gid", d->gid);
		json_end_object(w);
	}
	json_end_array(w);
}

/* Nothing, then each device that was given; the runtime adds /dev/null and its like. */
static void put_device_rules(struct json_writer *w, const struct bundle *b)
{
	json_put_array(w, "devices");
	json_begin_object(w);
	json_put_bool(w, "allow", b->resources.all_devices);
	json_put_string(w, "access", "rwm");
	json_end_object(w);
	for (size_t i = 0; i < b->n_devices && !b->resources.all_devices; i++) {
		const struct bundle_device *d = &b->devices[i];

		json_begin_object(w);
		json_put_bool(w, "allow", true);
		json_put_string(w, "type", d->type == 'b' ? "b" : "c");
		json_put_i64(w, "major", d->major);
		json_put_i64(w, "minor", d->minor);
		json_put_string(w, "access", str_or(d->access, "rwm"));
		json_end_object(w);
	}
	json_end_array(w);
}

static void put_cpu(struct json_writer *w, const struct bundle_resources *r)
{
	json_put_object(w, "cpu");
	if (r->cpu_shares)
		json_put_i64(w, "shares", r->cpu_shares);
	if (r->cpu_quota)
		json_put_i64(w, "quota", r->cpu_quota);
	if (r->cpu_period)
		json_put_i64(w, "period", r->cpu_period);
	put_optional(w, "cpus", r->cpuset_cpus);
	put_optional(w, "mems", r->cpuset_mems);
	json_end_object(w);
}

static void put_memory(struct json_writer *w, const struct bundle_resources *r)
{
	json_put_object(w, "memory");
	if (r->memory_limit)
		json_put_i64(w, "limit", r->memory_limit);
	if (r->memory_swap)
		json_put_i64(w, "swap", r->memory_swap);
	json_end_object(w);
}

static void put_hugepages(struct json_writer *w, const struct bundle_resources *r)
{
	if (r->n_hugepages == 0)
		return;
	json_put_array(w, "hugepageLimits");
	for (size_t i = 0; i < r->n_hugepages; i++) {
		json_begin_object(w);
		json_put_string(w, "pageSize", r->hugepages[i].size);
		json_put_u64(w, "limit", r->hugepages[i].limit);
		json_end_object(w);
	}
	json_end_array(w);
}

static void put_limits(struct json_writer *w, const struct bundle_resources *r)
{
	put_cpu(w, r);
	put_memory(w, r);
	put_hugepages(w, r);
	if (r->n_unified > 0) {
		json_put_object(w, "unified");
		for (size_t i = 0; i < r->n_unified; i++)
			json_put_string(w, r->unified[i].key, r->unified[i].value);
		json_end_object(w);
	}
}

static void put_resources(struct json_writer *w, const struct bundle *b)
{
	json_put_object(w, "resources");
	put_device_rules(w, b);
	put_limits(w, &b->resources);
	json_end_object(w);
}

static void put_seccomp(struct json_writer *w, const struct bundle *b)
{
	if (b->seccomp == BUNDLE_SECCOMP_NONE)
		return;
	json_key(w, "seccomp");
	if (b->seccomp == BUNDLE_SECCOMP_DEFAULT)
		bundle_seccomp_default(w, b->caps.bounding);
	else
		json_value(w, b->seccomp_json);
}

static void put_pairs(struct json_writer *w, const char *key, const struct strlist *pairs)
{
	json_put_object(w, key);
	for (size_t i = 0; i + 1 < pairs->count; i += 2)
		json_put_string(w, pairs->items[i], pairs->items[i + 1]);
	json_end_object(w);
}

static void put_linux(struct json_writer *w, const struct bundle *b)
{
	json_put_object(w, "linux");
	put_optional(w, "cgroupsPath", b->cgroup);
	put_namespaces(w, b);
	put_devices(w, b);
	put_resources(w, b);
	put_seccomp(w, b);
	if (b->sysctls.count > 0)
		put_pairs(w, "sysctl", &b->sysctls);
	put_list(w, "maskedPaths", &b->masked_paths);
	put_list(w, "readonlyPaths", &b->readonly_paths);
	put_optional(w, "rootfsPropagation", b->root_propagation);
	put_optional(w, "mountLabel", b->mount_label);
	json_end_object(w);
}

char *bundle_json(const struct bundle *b)
{
	struct strbuf out = { 0 };
	struct json_writer w = { .out = &out };

	json_begin_object(&w);
	json_put_string(&w, "ociVersion", "1.0.2");
	put_process(&w, b);
	json_put_object(&w, "root");
	json_put_string(&w, "path", b->root);
	json_put_bool(&w, "readonly", b->root_readonly);
	json_end_object(&w);
	put_optional(&w, "hostname", b->hostname);
	put_mounts(&w, b);
	put_linux(&w, b);
	put_pairs(&w, "annotations", &b->annotations);
	json_end_object(&w);
	return strbuf_steal(&out);
}

/* --- other limits ----------------------------------------------------------------------------- */

/* What is made anew while a parsed config.json is copied. */
struct rewrite {
	const struct bundle_resources *resources;
	int oom_score_adj;
};

static void copy_member(struct json_writer *w, const struct json *m)
{
	json_key(w, m->key);
	json_value(w, m);
}

static void rewrite_process(struct json_writer *w, const struct json *process,
			    const struct rewrite *r)
{
	const struct json *m;

	json_put_object(w, "process");
	json_for_each(m, process) {
		if (str_eq(m->key, "oomScoreAdj"))
			json_put_i64(w, m->key, r->oom_score_adj);
		else
			copy_member(w, m);
	}
	json_end_object(w);
}

static void rewrite_linux(struct json_writer *w, const struct json *linux_part,
			  const struct rewrite *r)
{
	const struct json *m, *devices;

	json_put_object(w, "linux");
	json_for_each(m, linux_part) {
		if (!str_eq(m->key, "resources")) {
			copy_member(w, m);
			continue;
		}
		json_put_object(w, "resources");
		devices = json_get(m, "devices");
		if (devices)
			copy_member(w, devices);
		put_limits(w, r->resources);
		json_end_object(w);
	}
	json_end_object(w);
}

static char *rewrite(const struct json *config, const struct rewrite *r)
{
	struct strbuf out = { 0 };
	struct json_writer w = { .out = &out };
	const struct json *m;

	json_begin_object(&w);
	json_for_each(m, config) {
		if (str_eq(m->key, "process"))
			rewrite_process(&w, m, r);
		else if (str_eq(m->key, "linux"))
			rewrite_linux(&w, m, r);
		else
			copy_member(&w, m);
	}
	json_end_object(&w);
	return strbuf_steal(&out);
}

int bundle_rewrite_resources(const char *dir, const struct bundle_resources *resources,
			     int oom_score_adj, struct error *err)
{
	struct rewrite r = { resources, oom_score_adj };
	char *path cleanup_free = path_join(dir, "config.json");
	struct strbuf text cleanup_strbuf = { 0 };
	struct arena arena cleanup_arena = { 0 };
	char *out cleanup_free = NULL;
	struct json *config;

	if (fd_read_file(AT_FDCWD, path, BUNDLE_CONFIG_MAX, &text, err) < 0)
		return err ? err->code : -EIO;
	if (json_parse(&arena, text.data ? text.data : "", text.len, 0, &config, err) < 0)
		return error_wrap(err, "%s", path);
	out = rewrite(config, &r);
	return fd_replace_file(AT_FDCWD, path, out, strlen(out), 0600, false, err);
}
