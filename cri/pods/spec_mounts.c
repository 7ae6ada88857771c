/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts of a container: standard ones, the pod's own files, what was asked for.
 *
 * A mount that was asked for takes the place of ours with the same target; parents come before
 * what lies below them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "cri/pods/spec.h"

#define MOUNTINFO_MAX (32 << 20)
#define OUR_MOUNTS    16
#define MAX_MOUNTS    4096

#define PROPAGATION(x) RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_##x

static struct bundle_mount *add(struct bundle *b, const char *target, const char *type,
				const char *source, const char *options)
{
	struct bundle_mount *m = &b->mounts[b->n_mounts++];

	*m = (struct bundle_mount){
		.target = target, .type = type, .source = source, .options = options
	};
	return m;
}

/* --- ours ------------------------------------------------------------------------------------- */

static bool is_asked_for(const struct spec_container *s, const char *target)
{
	for (size_t i = 0; i < s->config->n_mounts; i++) {
		const char *path = s->config->mounts[i]->container_path;
		size_t len = strlen(path);

		while (len > 1 && path[len - 1] == '/')
			len--;
		if (strlen(target) == len && strncmp(path, target, len) == 0)
			return true;
	}
	return false;
}

static void add_ours(const struct spec_container *s, struct bundle *b, const char *target,
		     const char *type, const char *source, const char *options)
{
	if (!is_asked_for(s, target))
		add(b, target, type, source, options);
}

static void add_standard(const struct spec_container *s, struct bundle *b)
{
	bool privileged = spec_security(s->config)->privileged;
	const char *ro_sys = privileged ? "nosuid,noexec,nodev,rw" : "nosuid,noexec,nodev,ro";

	add_ours(s, b, "/proc", "proc", "proc", "nosuid,noexec,nodev");
	add_ours(s, b, "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k");
	add_ours(s, b, "/dev/pts", "devpts", "devpts",
		 "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
	/* a user namespace may not mount the host's queues; the host need not show them either */
	if (s->pod->ipcns || !s->pod->userns)
		add_ours(s, b, "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev");
	else if (path_exists("/dev/mqueue"))
		add_ours(s, b, "/dev/mqueue", "bind", "/dev/mqueue", "rbind,nosuid,noexec,nodev");
	/* a user namespace that does not own the network namespace may not mount sysfs */
	if (s->pod->userns && !s->pod->netns)
		add_ours(s, b, "/sys", "bind", "/sys", "rbind,nosuid,noexec,nodev,ro");
	else
		add_ours(s, b, "/sys", "sysfs", "sysfs", ro_sys);
	add_ours(s, b, "/sys/fs/cgroup", "cgroup", "cgroup",
		 privileged ? "nosuid,noexec,nodev,relatime,rw"
			    : "nosuid,noexec,nodev,relatime,ro");
}

static void add_pod_file(const struct spec_container *s, struct bundle *b, const char *target,
			 const char *name)
{
	bool ro = spec_security(s->config)->readonly_rootfs;

	add_ours(s, b, target, "bind", arena_printf(&b->arena, "%s/files/%s", s->pod->dir, name),
		 ro ? "rbind,rprivate,ro,nosuid,noexec,nodev"
		    : "rbind,rprivate,rw,nosuid,noexec,nodev");
}

static void add_pod_files(const struct spec_container *s, struct bundle *b)
{
	add_pod_file(s, b, "/etc/hostname", "hostname");
	add_pod_file(s, b, "/etc/hosts", "hosts");
	add_pod_file(s, b, "/etc/resolv.conf", "resolv.conf");
	add_ours(s, b, "/dev/shm", "bind",
		 s->pod->ipcns ? arena_printf(&b->arena, "%s/shm", s->pod->dir) : "/dev/shm",
		 "rbind,rprivate,rw,nosuid,noexec,nodev");
}

/* --- propagation ------------------------------------------------------------------------------ */

/* unescape() - mountinfo writes blanks as \040. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

static bool is_at_or_above(const char *mount, const char *path)
{
	size_t len = strlen(mount);

	return strcmp(mount, "/") == 0 ||
	       (strncmp(mount, path, len) == 0 && (path[len] == '\0' || path[len] == '/'));
}

/*
 * find_mount() - the mount that @path lies in: the last of the longest.
 * @ret_flags: its optional fields, "shared:1 master:2".
 */
static void find_mount(char *info, const char *path, char **ret_mount, char **ret_flags)
{
	char *save = NULL;

	*ret_mount = *ret_flags = NULL;
	for (char *line = strtok_r(info, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *fields = strstr(line, " - ");
		char *mount = line;

		if (!fields)
			continue;
		*fields = '\0';
		for (int i = 0; i < 4 && mount; i++)
			mount = strchr(mount, ' ') ? strchr(mount, ' ') + 1 : NULL;
		if (!mount || !strchr(mount, ' '))
			continue;
		fields = strchr(mount, ' ');
		*fields++ = '\0';
		unescape(mount);
		if (is_at_or_above(mount, path) &&
		    (!*ret_mount || strlen(mount) >= strlen(*ret_mount))) {
			*ret_mount = mount;
			*ret_flags = fields;
		}
	}
}

static int check_propagation(const char *path, Runtime__V1__MountPropagation wanted,
			     struct error *err)
{
	struct strbuf info cleanup_strbuf = { 0 };
	char *mount, *flags;

	if (fd_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &info, err) < 0)
		return err ? err->code : -EIO;
	find_mount(info.data ? info.data : (char[]){ "" }, path, &mount, &flags);
	if (!mount)
		return error_set(err, EINVAL, "%s is in no mount", path);
	if (strstr(flags, "shared:"))
		return 0;
	if (wanted == PROPAGATION(HOST_TO_CONTAINER) && strstr(flags, "master:"))
		return 0;
	return error_set(
		err, EINVAL,
		"%s propagation is asked for, but '%s' is in mount '%s', which is not shared%s: "
		"run mount --make-rshared %s",
		wanted == PROPAGATION(BIDIRECTIONAL) ? "bidirectional" : "host-to-container", path,
		mount, wanted == PROPAGATION(BIDIRECTIONAL) ? "" : " nor a slave of one", mount);
}

static int put_propagation(const Runtime__V1__Mount *m, const char *source, struct bundle *b,
			   const char **ret, struct error *err)
{
	switch (m->propagation) {
	case PROPAGATION(PRIVATE):
		*ret = "rprivate";
		return 0;
	case PROPAGATION(HOST_TO_CONTAINER):
		*ret = "rslave";
		if (!b->root_propagation)
			b->root_propagation = "rslave";
		return check_propagation(source, m->propagation, err);
	case PROPAGATION(BIDIRECTIONAL):
		*ret = "rshared";
		b->root_propagation = "rshared";
		return check_propagation(source, m->propagation, err);
	default:
		return error_set(err, EINVAL, "unknown mount propagation %d", m->propagation);
	}
}

/* --- asked for -------------------------------------------------------------------------------- */

static int check_recursive(const struct spec_container *s, const Runtime__V1__Mount *m,
			   struct error *err)
{
	if (!m->recursive_read_only)
		return 0;
	if (!m->readonly)
		return error_set(err, EINVAL, "recursive_read_only without readonly");
	if (m->propagation != PROPAGATION(PRIVATE))
		return error_set(err, EINVAL, "recursive_read_only needs private propagation");
	if (!s->handler->rro_mounts)
		return error_set(err, EINVAL,
				 "runtime handler '%s' (%s) has no recursive read-only mounts",
				 s->handler->name, str_or(s->handler->version, "unknown version"));
	return 0;
}

static const struct bundle_id_map *copy_maps(struct bundle *b, Runtime__V1__IDMapping *const *maps,
					     size_t count)
{
	struct bundle_id_map *to = arena_alloc(&b->arena, (count + 1) * sizeof(*to));

	for (size_t i = 0; i < count; i++)
		to[i] = (struct bundle_id_map){ maps[i]->container_id, maps[i]->host_id,
						maps[i]->length };
	return to;
}

static int put_id_maps(const struct spec_container *s, const Runtime__V1__Mount *m,
		       struct bundle *b, struct bundle_mount *to, struct error *err)
{
	if (m->n_uidmappings == 0 && m->n_gidmappings == 0)
		return 0;
	if (!s->handler->idmap_mounts)
		return error_set(err, EINVAL, "runtime handler '%s' (%s) has no idmapped mounts",
				 s->handler->name, str_or(s->handler->version, "unknown version"));
	to->uid_maps = copy_maps(b, m->uidmappings, m->n_uidmappings);
	to->n_uid_maps = m->n_uidmappings;
	to->gid_maps = copy_maps(b, m->gidmappings, m->n_gidmappings);
	to->n_gid_maps = m->n_gidmappings;
	return 0;
}

static int put_asked(const struct spec_container *s, const Runtime__V1__Mount *m, struct bundle *b,
		     struct error *err)
{
	char *source cleanup_free = NULL;
	const char *propagation = "rprivate";
	struct bundle_mount *to;
	int rc;

	if (str_empty(m->host_path))
		return error_set(err, EINVAL, "neither host_path nor image given");
	source = realpath(m->host_path, NULL);
	if (!source)
		return error_errno(
			err, errno == ENOENT ? EINVAL : errno, "host path '%s' %s", m->host_path,
			errno == ENOENT ? "does not exist on the node" : "cannot be used");
	rc = check_recursive(s, m, err);
	if (rc == 0)
		rc = put_propagation(m, source, b, &propagation, err);
	if (rc < 0)
		return rc;
	to = add(b, arena_strdup(&b->arena, m->container_path), "bind",
		 arena_strdup(&b->arena, source),
		 arena_printf(&b->arena, "rbind,%s,%s", propagation,
			      m->recursive_read_only ? "rro"
			      : m->readonly	     ? "ro"
						     : "rw"));
	return put_id_maps(s, m, b, to, err);
}

static int put_one(const struct spec_container *s, size_t i, struct bundle *b, struct error *err)
{
	const Runtime__V1__Mount *m = s->config->mounts[i];
	const char *target = m->container_path;

	if (str_empty(target) || strstr(target, "/../") || str_has_suffix(target, "/.."))
		return error_set(err, EINVAL, "'%s' is not a path to mount at", target);
	if (*target != '/') /* as every peer takes it */
		return error_set(err, EINVAL, "'%s' is not an absolute path", target);
	if (!s->volume_sources || !s->volume_sources[i])
		return put_asked(s, m, b, err);
	add(b, arena_strdup(&b->arena, target), "bind",
	    arena_strdup(&b->arena, s->volume_sources[i]), "rbind,rprivate,ro");
	return 0;
}

static size_t depth(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += path[0] == '/' && path[1] != '/' && path[1] != '\0';
	return n;
}

/* sort_mounts() - by depth, else in the order given: stable. */
static void sort_mounts(struct bundle_mount *m, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct bundle_mount one = m[i];
		size_t d = depth(one.target), j = i;

		for (; j > 0 && depth(m[j - 1].target) > d; j--)
			m[j] = m[j - 1];
		m[j] = one;
	}
}

int spec_mounts(const struct spec_container *s, struct bundle *b, struct error *err)
{
	size_t n = s->config->n_mounts;

	if (n > MAX_MOUNTS)
		return error_set(err, EINVAL, "%zu mounts, at most %d", n, MAX_MOUNTS);
	b->mounts = arena_alloc(&b->arena, (n + OUR_MOUNTS) * sizeof(*b->mounts));
	add_standard(s, b);
	add_pod_files(s, b);
	for (size_t i = 0; i < n; i++)
		if (put_one(s, i, b, err) < 0)
			return error_wrap(err, "mount '%s'", s->config->mounts[i]->container_path);
	sort_mounts(b->mounts, b->n_mounts);
	return 0;
}
