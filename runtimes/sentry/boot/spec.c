/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json: reading it.
 *
 * Types and ranges are checked here; whether a field can be had at all is fields.c's.  Absent
 * members keep what the runtime-spec says their absence means.
 */
#include "runtimes/sentry/boot/spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "runtimes/bundle/bundle.h"

void spec_finish(struct spec *s)
{
	arena_finish(&s->arena);
	memset(s, 0, sizeof(*s));
}

/* --- small readers ---------------------------------------------------------------------------- */

/* get_u32() - member @key, or @def. */
static int get_u32(const struct json *j, const char *key, uint32_t def, uint32_t *ret,
		   struct error *err)
{
	const struct json *v = json_get(j, key);
	int64_t n;

	*ret = def;
	if (!v || v->type == JSON_NULL)
		return 0;
	if (json_int(v, &n) < 0 || n < 0 || n > UINT32_MAX)
		return error_set(err, EINVAL, "%s: not a number from 0 to 4294967295", key);
	*ret = (uint32_t)n;
	return 0;
}

/* get_strings() - array @key as a NULL-terminated list in @a; NULL when absent. */
static int get_strings(struct arena *a, const struct json *j, const char *key, char ***ret,
		       struct error *err)
{
	const struct json *v = json_get(j, key), *it;
	size_t n = 0;

	*ret = NULL;
	if (!v || v->type == JSON_NULL)
		return 0;
	if (v->type != JSON_ARRAY)
		return error_set(err, EINVAL, "%s: not an array", key);
	*ret = arena_alloc(a, (v->len + 1) * sizeof(char *));
	json_for_each(it, v) {
		if (it->type != JSON_STRING || strlen(it->text) != it->len)
			return error_set(err, EINVAL, "%s: not all of it are strings", key);
		(*ret)[n++] = arena_strndup(a, it->text, it->len);
	}
	return 0;
}

static const char *get_string(struct arena *a, const struct json *j, const char *key)
{
	const char *s = json_get_string(j, key, NULL);

	return s ? arena_strdup(a, s) : NULL;
}

/* --- process ---------------------------------------------------------------------------------- */

static int parse_groups(struct arena *a, const struct json *user, struct spec_process *p,
			struct error *err)
{
	const struct json *v = json_get(user, "additionalGids"), *it;
	int64_t n;

	if (!v || v->type == JSON_NULL)
		return 0;
	if (v->type != JSON_ARRAY || v->len > SPEC_GROUPS_MAX)
		return error_set(err, EINVAL,
				 "process.user.additionalGids: not an array of at most %d",
				 SPEC_GROUPS_MAX);
	p->groups = arena_alloc(a, (v->len + 1) * sizeof(gid_t));
	json_for_each(it, v) {
		if (json_int(it, &n) < 0 || n < 0 || n > UINT32_MAX)
			return error_set(err, EINVAL, "process.user.additionalGids: not a group");
		p->groups[p->n_groups++] = (gid_t)n;
	}
	return 0;
}

static int parse_user(struct arena *a, const struct json *j, struct spec_process *p,
		      struct error *err)
{
	const struct json *user = json_get(j, "user");
	const struct json *mask = json_get(user, "umask");
	int64_t n;
	int rc = get_u32(user, "uid", 0, &p->uid, err);

	p->umask = -1;
	if (rc == 0)
		rc = get_u32(user, "gid", 0, &p->gid, err);
	if (rc < 0)
		return error_wrap(err, "process.user");
	if (mask && mask->type != JSON_NULL) {
		if (json_int(mask, &n) < 0 || n < 0 || n > 0777)
			return error_set(err, EINVAL, "process.user.umask: not a mode");
		p->umask = (int)n;
	}
	return parse_groups(a, user, p, err);
}

/* Unknown names are capabilities of a newer kernel: nothing here has them. */
static uint64_t parse_cap_set(const struct json *caps, const char *key)
{
	const struct json *it;
	uint64_t set = 0;

	json_for_each(it, json_get(caps, key)) {
		int cap = it->type == JSON_STRING ? bundle_cap_parse(it->text) : -1;

		if (cap >= 0)
			set |= UINT64_C(1) << cap;
	}
	return set;
}

static void parse_caps(const struct json *caps, struct spec_process *p)
{
	if (!caps || caps->type != JSON_OBJECT)
		return;
	p->has_caps = true;
	p->bounding = parse_cap_set(caps, "bounding");
	p->effective = parse_cap_set(caps, "effective");
	p->permitted = parse_cap_set(caps, "permitted");
	p->inheritable = parse_cap_set(caps, "inheritable");
	p->ambient = parse_cap_set(caps, "ambient");
}

static int limit_number(const char *name)
{
	static const char *const names[RLIM_NLIMITS] = {
		[RLIMIT_CPU] = "CPU",		[RLIMIT_FSIZE] = "FSIZE",
		[RLIMIT_DATA] = "DATA",		[RLIMIT_STACK] = "STACK",
		[RLIMIT_CORE] = "CORE",		[RLIMIT_RSS] = "RSS",
		[RLIMIT_NPROC] = "NPROC",	[RLIMIT_NOFILE] = "NOFILE",
		[RLIMIT_MEMLOCK] = "MEMLOCK",	[RLIMIT_AS] = "AS",
		[RLIMIT_LOCKS] = "LOCKS",	[RLIMIT_SIGPENDING] = "SIGPENDING",
		[RLIMIT_MSGQUEUE] = "MSGQUEUE", [RLIMIT_NICE] = "NICE",
		[RLIMIT_RTPRIO] = "RTPRIO",	[RLIMIT_RTTIME] = "RTTIME",
	};

	name = str_has_prefix(name, "RLIMIT_") ? name + strlen("RLIMIT_") : "";
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (str_eq(names[i], name))
			return i;
	return -1;
}

/* parse_limit_value() - runtimes write "no limit" as 2^64-1 or as -1. */
static int parse_limit_value(const struct json *j, const char *key, rlim_t *ret)
{
	const struct json *v = json_get(j, key);
	int64_t n;
	uint64_t u;

	if (!v || v->type != JSON_NUMBER)
		return -EINVAL;
	if (str_parse_u64(v->text, &u) == 0)
		*ret = (rlim_t)u;
	else if (json_int(v, &n) == 0 && n == -1)
		*ret = RLIM_INFINITY;
	else
		return -EINVAL;
	return 0;
}

static int parse_limits(const struct json *limits, struct spec_process *p, struct error *err)
{
	const struct json *it;

	json_for_each(it, limits) {
		const char *name = json_get_string(it, "type", "");
		int n = limit_number(name);

		if (n < 0)
			return error_set(err, EINVAL, "process.rlimits: unknown type '%s'", name);
		if (p->has_limit[n])
			return error_set(err, EINVAL, "process.rlimits: %s twice", name);
		if (parse_limit_value(it, "soft", &p->limits[n].rlim_cur) < 0 ||
		    parse_limit_value(it, "hard", &p->limits[n].rlim_max) < 0 ||
		    p->limits[n].rlim_cur > p->limits[n].rlim_max)
			return error_set(err, EINVAL, "process.rlimits: %s has bad values", name);
		p->has_limit[n] = true;
	}
	return 0;
}

static int check_process(const struct spec_process *p, struct error *err)
{
	if (!p->args || !p->args[0])
		return error_set(err, EINVAL, "process.args: there is nothing to run");
	if (p->cwd[0] != '/')
		return error_set(err, EINVAL, "process.cwd: '%s' is not absolute", p->cwd);
	return 0;
}

int spec_process_parse(struct arena *a, const struct json *j, struct spec_process *ret,
		       struct error *err)
{
	const struct json *size = json_get(j, "consoleSize");
	const struct json *score = json_get(j, "oomScoreAdj");
	int64_t n;
	int rc;

	memset(ret, 0, sizeof(*ret));
	if (!j || j->type != JSON_OBJECT)
		return error_set(err, EINVAL, "process: not an object");
	ret->terminal = json_get_bool(j, "terminal", false);
	ret->rows = (unsigned int)json_get_int(size, "height", 0) & 0xffff;
	ret->columns = (unsigned int)json_get_int(size, "width", 0) & 0xffff;
	ret->cwd = arena_strdup(a, str_or(json_get_string(j, "cwd", "/"), "/"));
	ret->no_new_privs = json_get_bool(j, "noNewPrivileges", false);
	if (score && json_int(score, &n) == 0) {
		if (n < -1000 || n > 1000)
			return error_set(err, EINVAL,
					 "process.oomScoreAdj: not from -1000 to 1000");
		ret->has_oom_score_adj = true;
		ret->oom_score_adj = (int)n;
	}
	parse_caps(json_get(j, "capabilities"), ret);
	rc = parse_user(a, j, ret, err);
	if (rc == 0)
		rc = get_strings(a, j, "args", &ret->args, err);
	if (rc == 0)
		rc = get_strings(a, j, "env", &ret->env, err);
	if (rc == 0)
		rc = parse_limits(json_get(j, "rlimits"), ret, err);
	if (rc == 0 && !ret->env)
		ret->env = arena_alloc(a, sizeof(char *));
	return rc < 0 ? rc : check_process(ret, err);
}

/* --- namespaces ------------------------------------------------------------------------------- */

/* check_namespace() - one that is no field of struct spec: a new one is had, or it is refused. */
static int check_namespace(const char *type, const char *path, struct error *err)
{
	bool had = str_eq(type, "mount") || str_eq(type, "cgroup");

	if (!had)
		return error_set(err, ENOTSUP, "linux.namespaces: '%s' is refused: not done yet",
				 type);
	return *path ? error_set(err, ENOTSUP,
				 "linux.namespaces: '%s' is refused: it cannot be joined", type)
		     : 0;
}

static int parse_namespaces(const struct json *list, struct spec *s, struct error *err)
{
	struct {
		const char *type;
		enum spec_namespace *state;
		const char **path;
	} known[] = {
		{ "network", &s->network, &s->network_path },
		{ "pid", &s->pid, &s->pid_path },
		{ "ipc", &s->ipc, &s->ipc_path },
		{ "uts", &s->uts, &s->uts_path },
	};
	const struct json *it;

	json_for_each(it, list) {
		const char *type = json_get_string(it, "type", "");
		const char *path = json_get_string(it, "path", "");
		size_t i = 0;
		int rc;

		while (i < ARRAY_LEN(known) && !str_eq(type, known[i].type))
			i++;
		if (i == ARRAY_LEN(known)) {
			rc = check_namespace(type, path, err);
			if (rc < 0)
				return rc;
			continue;
		}
		*known[i].state = *path ? SPEC_JOINED : SPEC_NEW;
		*known[i].path = *path ? path : NULL;
	}
	return 0;
}

/* --- all of it -------------------------------------------------------------------------------- */

/* warn_of_mount() - what is taken, and done in part. */
static void warn_of_mount(const struct spec_mount *m, struct strlist *warnings)
{
	if (!warnings)
		return;
	if (str_eq(m->type, "mqueue"))
		strlist_add_owned(warnings,
				  xasprintf("mounts: %s: mqueue is not done yet: an empty "
					    "directory",
					    m->target));
	if (m->options.copy_up)
		strlist_add_owned(
			warnings,
			xasprintf("mounts: %s: tmpcopyup: no effect: it begins empty", m->target));
}

static int parse_mounts(const struct json *list, struct spec *s, struct strlist *warnings,
			struct error *err)
{
	const struct json *it;
	int rc;

	if (!list || list->type == JSON_NULL)
		return 0;
	if (list->type != JSON_ARRAY || list->len > SPEC_MOUNTS_MAX)
		return error_set(err, EINVAL, "mounts: not an array of at most %d",
				 SPEC_MOUNTS_MAX);
	s->mounts = arena_alloc(&s->arena, (list->len + 1) * sizeof(*s->mounts));
	json_for_each(it, list) {
		struct spec_mount *m = &s->mounts[s->n_mounts];

		m->target = json_get_string(it, "destination", "");
		m->type = json_get_string(it, "type", "");
		m->source = json_get_string(it, "source", "");
		if (m->target[0] != '/' && m->target[0] != '\0')
			m->target = arena_printf(&s->arena, "/%s", m->target);
		if (m->target[0] == '\0')
			return error_set(err, EINVAL, "mounts: one has no destination");
		rc = spec_options_parse(&s->arena, json_get(it, "options"), &m->options, err);
		if (rc < 0)
			return error_wrap(err, "mounts: %s", m->target);
		if (str_eq(m->type, "bind"))
			m->options.bind = true;
		warn_of_mount(m, warnings);
		s->n_mounts++;
	}
	return 0;
}

static int parse_linux(const struct json *j, struct spec *s, struct error *err)
{
	int rc = parse_namespaces(json_get(j, "namespaces"), s, err);

	s->cgroup = json_get_string(j, "cgroupsPath", NULL);
	if (str_empty(s->cgroup))
		s->cgroup = NULL;
	s->resources = json_get(j, "resources");
	s->seccomp = json_get(j, "seccomp");
	s->sysctls = json_get(j, "sysctl");
	s->devices = json_get(j, "devices");
	if (rc == 0)
		rc = get_strings(&s->arena, j, "maskedPaths", &s->masked, err);
	if (rc == 0)
		rc = get_strings(&s->arena, j, "readonlyPaths", &s->readonly, err);
	return rc < 0 ? error_wrap(err, "linux") : 0;
}

static int check_version(const char *version, struct error *err)
{
	if (!str_has_prefix(version, "1."))
		return error_set(err, EINVAL, "ociVersion: '%s' is not 1.x", version);
	return 0;
}

static int parse_all(struct spec *s, struct strlist *warnings, struct error *err)
{
	const struct json *root = json_get(s->json, "root");
	int rc;

	if (s->json->type != JSON_OBJECT)
		return error_set(err, EINVAL, "not an object");
	s->version = json_get_string(s->json, "ociVersion", "");
	rc = check_version(s->version, err);
	if (rc == 0)
		rc = spec_fields_check(s->json, warnings, err);
	if (rc < 0)
		return rc;
	s->hostname = get_string(&s->arena, s->json, "hostname");
	s->domainname = get_string(&s->arena, s->json, "domainname");
	s->root = json_get_string(root, "path", "");
	s->root_readonly = json_get_bool(root, "readonly", false);
	s->annotations = json_get(s->json, "annotations");
	s->hooks = json_get(s->json, "hooks");
	if (!*s->root)
		return error_set(err, EINVAL, "root.path: missing");
	rc = spec_process_parse(&s->arena, json_get(s->json, "process"), &s->process, err);
	if (rc == 0)
		rc = parse_mounts(json_get(s->json, "mounts"), s, warnings, err);
	if (rc == 0)
		rc = parse_linux(json_get(s->json, "linux"), s, err);
	return rc;
}

int spec_parse(const char *text, size_t len, struct spec *ret, struct strlist *warnings,
	       struct error *err)
{
	int rc;

	memset(ret, 0, sizeof(*ret));
	if (len > SPEC_BYTES_MAX)
		return error_set(err, EFBIG, "config.json: more than %d bytes", SPEC_BYTES_MAX);
	rc = json_parse(&ret->arena, text, len, 0, &ret->json, err);
	if (rc == 0)
		rc = parse_all(ret, warnings, err);
	if (rc < 0) {
		spec_finish(ret);
		error_wrap(err, "config.json");
	}
	return rc;
}

const char *spec_annotation(const struct spec *s, const char *const *keys)
{
	for (; *keys; keys++) {
		const char *value = json_get_string(s->annotations, *keys, NULL);

		if (value)
			return value;
	}
	return NULL;
}
