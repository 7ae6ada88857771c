/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of a jailed program: of its resources, and of its control group.
 */
#include <stdio.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "runtimes/cgroup/cgroup.h"
#include "runtimes/cgroup/file.h"
#include "runtimes/microvm/jail/jail.h"

#define NO_FILE_DEFAULT 2048

/* --- resources -------------------------------------------------------------------------------- */

static int set_limit(int resource, const char *name, rlim_t value, struct error *err)
{
	struct rlimit limit = { value, value };

	if (setrlimit((__rlimit_resource_t)resource, &limit))
		return error_errno(err, errno, "limit %s to %llu", name, (unsigned long long)value);
	return 0;
}

static int set_resource(const char *text, bool *has_files, struct error *err)
{
	const char *value = strchr(text, '=');
	uint64_t n;

	if (!value)
		return error_set(err, EINVAL, "--resource-limit %s: not NAME=VALUE", text);
	if (str_parse_u64(value + 1, &n))
		return error_set(err, EINVAL, "--resource-limit %s: '%s' is no number", text,
				 value + 1);
	if (str_has_prefix(text, "fsize="))
		return set_limit(RLIMIT_FSIZE, "fsize", n, err);
	if (!str_has_prefix(text, "no-file="))
		return error_set(err, EINVAL, "--resource-limit %s: neither fsize nor no-file",
				 text);
	*has_files = true;
	return set_limit(RLIMIT_NOFILE, "no-file", n, err);
}

static int set_resources(const struct strlist *limits, struct error *err)
{
	bool has_files = false;
	int r = 0;

	for (size_t i = 0; i < limits->count && !r; i++)
		r = set_resource(limits->items[i], &has_files, err);
	if (!r && !has_files)
		r = set_limit(RLIMIT_NOFILE, "no-file", NO_FILE_DEFAULT, err);
	return r;
}

/* --- control group ---------------------------------------------------------------------------- */

/* Relative, without anything that leads out of it. */
static bool good_path(const char *path)
{
	if (str_empty(path) || path[0] == '/')
		return false;
	for (const char *p = path; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL) {
		size_t len = strcspn(p, "/");

		if (!len || (len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
			return false;
	}
	return true;
}

static int set_value(const char *cgroup, const char *text, struct error *err)
{
	const char *value = strchr(text, '=');
	char *file cleanup_free = NULL, *controller cleanup_free = NULL;
	const struct hierarchy *h;
	int r;

	if (!value || !value[1])
		return error_set(err, EINVAL, "--cgroup %s: not FILE=VALUE", text);
	file = xstrndup(text, (size_t)(value - text));
	if (!strchr(file, '.') || strchr(file, '/') || str_has_prefix(file, "."))
		return error_set(err, EINVAL, "--cgroup %s: no file of a control group", text);
	controller = xstrndup(file, strcspn(file, "."));
	h = hierarchy_with(controller);
	if (!h && str_eq(controller, "cgroup"))
		h = hierarchies_get()->primary;
	if (!h)
		return error_set(err, ENOENT, "--cgroup %s: this host has no controller %s", text,
				 controller);
	r = cgroup_file_write(h, cgroup, file, value + 1);
	return r ? error_errno(err, -r, "--cgroup %s: write to %s%s", text, h->mount, cgroup) : 0;
}

static int join(const char *cgroup, struct error *err)
{
	const struct hierarchies *all = hierarchies_get();
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	for (size_t i = 0; i < all->count; i++) {
		const struct hierarchy *h = &all->list[i];
		int r = cgroup_file_write(h, cgroup, "cgroup.procs", pid);

		if (r && r != -ENOENT) /* not made in hierarchies that have no part in it */
			return error_errno(err, -r, "enter control group %s%s", h->mount, cgroup);
	}
	return 0;
}

static int check_version(uint64_t version, struct error *err)
{
	if (version > 2)
		return error_set(err, EINVAL, "--cgroup-version %llu: neither 1 nor 2",
				 (unsigned long long)version);
	if (version && (int)version != cgroup_version())
		return error_set(
			err, ENOENT,
			"--cgroup-version %llu: this host has control groups of version %d",
			(unsigned long long)version, cgroup_version());
	return 0;
}

static int set_cgroup(const struct jail *j, struct error *err)
{
	const struct jail_options *o = j->options;
	const char *parent = o->parent_cgroup ? o->parent_cgroup : j->name;
	char *cgroup cleanup_free = NULL;
	int r = check_version(o->cgroup_version, err);

	if (r)
		return r;
	if (!good_path(parent))
		return error_set(err, EINVAL,
				 "--parent-cgroup %s: not a relative path below the root", parent);
	if (!o->cgroups.count) { /* into the parent, where somebody made one; else stay */
		cgroup = xasprintf("/%s", parent);
		return o->cgroup_version == 2 && cgroup_exists(cgroup) ? join(cgroup, err) : 0;
	}
	cgroup = xasprintf("/%s/%s", parent, o->id);
	r = cgroup_create(cgroup, err);
	for (size_t i = 0; i < o->cgroups.count && !r; i++)
		r = set_value(cgroup, o->cgroups.items[i], err);
	return r ? r : join(cgroup, err);
}

int jail_limit(const struct jail *j, struct error *err)
{
	int r = set_resources(&j->options->limits, err);

	return r ? r : set_cgroup(j, err);
}
