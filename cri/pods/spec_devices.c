/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices and limits of a container.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/path.h"
#include "cri/pods/spec.h"
#include "runtimes/cgroup/hierarchy.h"

#define MAX_DEVICES 4096
#define MAX_DEPTH   8

/* --- devices ---------------------------------------------------------------------------------- */

struct device_list {
	struct bundle *b;
	const char *access;
	const char *const *skip; /* names left out, NULL-terminated */
};

static int add_device(struct device_list *l, const char *path, const struct stat *st,
		      struct error *err)
{
	struct bundle *b = l->b;

	if (!b->devices)
		b->devices = arena_alloc(&b->arena, MAX_DEVICES * sizeof(*b->devices));
	if (b->n_devices == MAX_DEVICES)
		return error_set(err, EINVAL, "more than %d devices", MAX_DEVICES);
	b->devices[b->n_devices++] = (struct bundle_device){
		.path = arena_strdup(&b->arena, path),
		.type = S_ISBLK(st->st_mode) ? 'b' : 'c',
		.major = major(st->st_rdev),
		.minor = minor(st->st_rdev),
		.mode = st->st_mode & 0777,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.access = l->access,
	};
	return 0;
}

static bool is_skipped(const struct device_list *l, const char *name)
{
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return true;
	for (const char *const *s = l->skip; s && *s; s++)
		if (strcmp(*s, name) == 0)
			return true;
	return false;
}

/* add_dir() - all devices below @host, with @host replaced by @target. Never through symlinks. */
static int add_dir(struct device_list *l, const char *host, const char *target, int levels,
		   struct error *err)
{
	DIR *dir = opendir(host);
	struct dirent *e;
	int rc = 0;

	if (!dir)
		return error_errno(err, errno, "open %s", host);
	while (rc == 0 && (e = readdir(dir))) {
		char *from cleanup_free = path_join(host, e->d_name);
		char *to cleanup_free = path_join(target, e->d_name);
		struct stat st;

		if (is_skipped(l, e->d_name) || lstat(from, &st) < 0)
			continue;
		if (S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode))
			rc = add_device(l, to, &st, err);
		else if (S_ISDIR(st.st_mode) && levels > 0)
			rc = add_dir(l, from, to, levels - 1, err);
	}
	closedir(dir);
	return rc;
}

static bool is_access(const char *access)
{
	return !str_empty(access) && strspn(access, "rwm") == strlen(access) && strlen(access) <= 3;
}

static int add_asked(const Runtime__V1__Device *d, struct bundle *b, struct error *err)
{
	const char *target = str_or(d->container_path, d->host_path);
	char *host cleanup_free = realpath(d->host_path, NULL);
	struct device_list l = { .b = b, .access = str_or(d->permissions, "rwm") };
	struct stat st;

	if (!is_access(l.access))
		return error_set(err, EINVAL, "permissions '%s' are not of r, w and m", l.access);
	if (!path_is_clean(target))
		return error_set(err, EINVAL, "'%s' is not a path for a device", target);
	if (!host || stat(host, &st) < 0)
		return error_errno(err, EINVAL, "host path '%s' does not exist", d->host_path);
	if (S_ISDIR(st.st_mode))
		return add_dir(&l, host, target, MAX_DEPTH, err);
	if (!S_ISBLK(st.st_mode) && !S_ISCHR(st.st_mode))
		return error_set(err, EINVAL, "'%s' is no device", d->host_path);
	return add_device(&l, target, &st, err);
}

int spec_devices(const struct spec_container *s, struct bundle *b, struct error *err)
{
	/* what the container has of its own, or what belongs to a session of the host */
	static const char *const own[] = { "pts",  "shm",	  "fd",	   "mqueue", "console",
					   ".lxc", ".lxd-mounts", ".udev", NULL };
	const Runtime__V1__ContainerConfig *c = s->config;
	struct device_list all = { .b = b, .access = "rwm", .skip = own };
	bool privileged = spec_security(c)->privileged;

	if (c->n_cdi_devices > 0)
		return error_set(err, EINVAL,
				 "CDI device '%s' is asked for; this runtime does not support CDI",
				 c->cdi_devices[0]->name);
	b->resources.all_devices = privileged;
	if (privileged && !s->pod->pods->config.privileged_without_host_devices &&
	    add_dir(&all, "/dev", "/dev", MAX_DEPTH, err) < 0)
		return error_wrap(err, "host devices");
	for (size_t i = 0; i < c->n_devices; i++)
		if (add_asked(c->devices[i], b, err) < 0)
			return error_wrap(err, "device '%s'", c->devices[i]->host_path);
	return 0;
}

/* --- limits ----------------------------------------------------------------------------------- */

/* A kubelet sends a limit of 0 for each page size of its node, and runc fails on any without the
 * controller; there 0 asks for nothing (as in an update of the limits). */
static int put_lists(const Runtime__V1__LinuxContainerResources *r, struct bundle *b,
		     struct error *err)
{
	struct bundle_hugepage *pages =
		arena_alloc(&b->arena, (r->n_hugepage_limits + 1) * sizeof(*pages));
	struct bundle_unified *unified =
		arena_alloc(&b->arena, (r->n_unified + 1) * sizeof(*unified));
	size_t n = 0;

	for (size_t i = 0; i < r->n_hugepage_limits; i++) {
		const char *size = r->hugepage_limits[i]->page_size;

		if (str_empty(size) || strpbrk(size, "/."))
			return error_set(err, EINVAL, "hugepage size '%s' is none", size);
		if (r->hugepage_limits[i]->limit == 0 && !hierarchy_with("hugetlb"))
			continue;
		pages[n++] = (struct bundle_hugepage){ arena_strdup(&b->arena, size),
						       r->hugepage_limits[i]->limit };
	}
	for (size_t i = 0; i < r->n_unified; i++) {
		if (str_empty(r->unified[i]->key) || strchr(r->unified[i]->key, '/'))
			return error_set(err, EINVAL, "'%s' is not a cgroup file",
					 r->unified[i]->key);
		unified[i] =
			(struct bundle_unified){ arena_strdup(&b->arena, r->unified[i]->key),
						 arena_strdup(&b->arena, r->unified[i]->value) };
	}
	b->resources.hugepages = pages;
	b->resources.n_hugepages = n;
	b->resources.unified = unified;
	b->resources.n_unified = r->n_unified;
	return 0;
}

int spec_resources(const Runtime__V1__LinuxContainerResources *r, struct bundle *b,
		   struct error *err)
{
	struct bundle_resources *to = &b->resources;

	b->oom_score_adj = spec_oom_score_adj(r ? r->oom_score_adj : 0);
	if (!r)
		return 0;
	if (r->cpu_shares < 0 || r->cpu_period < 0 || r->memory_limit_in_bytes < -1 ||
	    r->memory_swap_limit_in_bytes < -1)
		return error_set(err, EINVAL, "negative limit in the container's resources");
	to->cpu_shares = r->cpu_shares;
	to->cpu_quota = r->cpu_quota;
	to->cpu_period = r->cpu_period;
	to->memory_limit = r->memory_limit_in_bytes;
	to->memory_swap = r->memory_swap_limit_in_bytes;
	to->cpuset_cpus = arena_strdup(&b->arena, str_or(r->cpuset_cpus, ""));
	to->cpuset_mems = arena_strdup(&b->arena, str_or(r->cpuset_mems, ""));
	return put_lists(r, b, err);
}
