/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a container in memory to its bundle and mounts.
 *
 * At create the image is mounted for a moment, read-only and attached nowhere, to look up users
 * and groups in it.  At start the mounts are made again, with the writable layer, and go to the
 * pod's monitor as descriptors.
 */
#include "cri/pods/container_spec.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/path.h"
#include "cri/pods/spec.h"
#include "cri/pods/volumes.h"
#include "runtimes/cgroup/cgroup.h"

/* --- mounts ----------------------------------------------------------------------------------- */

static void add_mount(struct container_mounts *m, int fd, char *target)
{
	m->targets[m->count] = target;
	m->list[m->count++] = (struct monitor_mount){ .fd = fd, .target = target };
}

static int make_rootfs(struct container *c, size_t n_layers, struct container_mounts *m,
		       struct error *err)
{
	char *upper cleanup_free = path_join(c->disk, "upper");
	char *work cleanup_free = path_join(c->disk, "work");
	int fd = -1;
	int rc = volumes_mount(c, 0, n_layers, upper, work, &fd, err);

	if (rc < 0)
		return error_wrap(err, "mount rootfs");
	add_mount(m, fd, xasprintf("containers/%s/rootfs", c->id));
	return 0;
}

int container_mounts_make(struct container *c, struct container_mounts *ret, struct error *err)
{
	size_t counts[CONTAINER_MAX_MOUNTS], n, first;
	int rc = volumes_read(c, counts, &n, err);

	if (rc == 0)
		rc = make_rootfs(c, counts[0], ret, err);
	if (rc < 0)
		return rc;
	first = counts[0];
	for (size_t i = 1; i < n; i++) {
		int fd = -1;

		rc = volumes_mount(c, first, counts[i], NULL, NULL, &fd, err);
		if (rc < 0) {
			container_mounts_finish(ret);
			return error_wrap(err, "ImageVolumeMountFailed: volume %zu", i - 1);
		}
		add_mount(ret, fd, xasprintf("containers/%s/volumes/%zu", c->id, i - 1));
		first += counts[i];
	}
	return 0;
}

void container_mounts_finish(struct container_mounts *m)
{
	for (size_t i = 0; i < m->count; i++) {
		close_fd(&m->list[i].fd);
		free(m->targets[i]);
	}
	m->count = 0;
}

/* --- namespaces ------------------------------------------------------------------------------- */

/* pidns_of() - the pid namespace of a process that this server knows to be running. */
static int join_pid(int64_t pid, const char *whose, struct bundle *b, struct error *err)
{
	char *path;

	if (pid <= 1)
		return error_set(err, EBUSY, "%s is not running: no pid namespace to join", whose);
	path = arena_printf(&b->arena, "/proc/%lld/ns/pid", (long long)pid);
	if (!path_exists(path))
		return error_set(err, EBUSY, "%s is not running: no pid namespace to join", whose);
	bundle_add_namespace(b, "pid", path);
	return 0;
}

static int join_target(const struct container *c, const char *target, struct bundle *b,
		       struct error *err)
{
	struct pods *pods = c->pod->pods;
	struct container *other;
	int64_t pid;
	int rc = pods_find_container(pods, target, &other, err);

	if (rc < 0)
		return error_wrap(err, "target of the pid namespace");
	pods_lock(pods);
	pid = other->state == CONTAINER_RUNNING ? other->pid : 0;
	pods_unlock(pods);
	if (other->pod != c->pod)
		rc = error_set(err, EINVAL,
			       "container %.13s, whose pid namespace is asked for, is in "
			       "another pod",
			       other->id);
	else
		rc = join_pid(pid, "the target container", b, err);
	container_put(other);
	return rc;
}

/* The pod's: what its sandbox was made with. */
static int join_pod(const struct container *c, struct bundle *b, struct error *err)
{
	const struct pod *pod = c->pod;

	switch (spec_sandbox_namespaces(pod->config)->pid) {
	case RUNTIME__V1__NAMESPACE_MODE__NODE:
		return 0;
	case RUNTIME__V1__NAMESPACE_MODE__POD:
		return join_pid(pod->sandbox_pid, "the sandbox container", b, err);
	default: /* it has none to share */
		bundle_add_namespace(b, "pid", NULL);
		return 0;
	}
}

static int put_pid_namespace(const struct container *c, struct bundle *b, struct error *err)
{
	const Runtime__V1__NamespaceOption *ns = spec_security(c->config)->namespace_options;

	switch (spec_container_pid_mode(c->config)) {
	case RUNTIME__V1__NAMESPACE_MODE__POD:
		return join_pod(c, b, err);
	case RUNTIME__V1__NAMESPACE_MODE__CONTAINER:
		bundle_add_namespace(b, "pid", NULL);
		return 0;
	case RUNTIME__V1__NAMESPACE_MODE__NODE:
		return 0;
	case RUNTIME__V1__NAMESPACE_MODE__TARGET:
		return join_target(c, ns->target_id, b, err);
	default:
		return error_set(err, EINVAL, "unknown pid namespace mode %d", ns->pid);
	}
}

static int put_namespaces(const struct container *c, struct bundle *b, struct error *err)
{
	const struct pod *pod = c->pod;

	bundle_add_namespace(b, "mount", NULL);
	if (pod->netns)
		bundle_add_namespace(b, "network", pod->netns);
	if (pod->ipcns)
		bundle_add_namespace(b, "ipc", pod->ipcns);
	if (pod->utsns)
		bundle_add_namespace(b, "uts", pod->utsns);
	if (pod->userns)
		bundle_add_namespace(b, "user", pod->userns);
	if (cgroup_version() == 2 && !spec_security(c->config)->privileged)
		bundle_add_namespace(b, "cgroup", NULL);
	return put_pid_namespace(c, b, err);
}

/* --- the bundle ------------------------------------------------------------------------------- */

static int check_privileged(const struct container *c, struct error *err)
{
	const Runtime__V1__LinuxPodSandboxConfig *l = c->pod->config->linux;

	if (!spec_security(c->config)->privileged)
		return 0;
	if (l && l->security_context && l->security_context->privileged)
		return 0;
	return error_set(err, EINVAL, "a privileged container in a sandbox that is not privileged");
}

static void put_annotations(const struct container *c, struct bundle *b)
{
	const Runtime__V1__PodSandboxMetadata *m = c->pod->config->metadata;

	bundle_annotate(b, "io.kubernetes.cri.container-type", "container");
	bundle_annotate(b, "io.kubernetes.cri.sandbox-id", c->pod->id);
	bundle_annotate(b, "io.kubernetes.cri.sandbox-name", m->name);
	bundle_annotate(b, "io.kubernetes.cri.sandbox-namespace", m->namespace_);
	bundle_annotate(b, "io.kubernetes.cri.sandbox-uid", m->uid);
	bundle_annotate(b, "io.kubernetes.cri.container-name", c->config->metadata->name);
	bundle_annotate(b, "io.kubernetes.cri.image-name", c->image_name);
	bundle_annotate(b, "io.kubernetes.cri-o.ContainerType", "container");
	bundle_annotate(b, "io.kubernetes.cri-o.SandboxID", c->pod->id);
}

static int fill(const struct spec_container *s, const struct container *c, struct bundle *b,
		struct error *err)
{
	int rc = check_privileged(c, err);

	if (rc == 0)
		rc = spec_process(s, b, err);
	if (rc == 0)
		rc = spec_user(s, b, err);
	if (rc == 0)
		rc = spec_security_apply(spec_security(s->config), b, err);
	if (rc == 0)
		rc = spec_devices(s, b, err);
	if (rc == 0)
		rc = spec_resources(s->resources, b, err);
	if (rc == 0)
		rc = put_namespaces(c, b, err);
	if (rc == 0)
		rc = spec_mounts(s, b, err);
	put_annotations(c, b);
	return rc;
}

/* What ContainerStatus reports of the first process, in the message of the API. */
static Runtime__V1__ContainerUser *make_user(const struct bundle *b)
{
	Runtime__V1__ContainerUser user = RUNTIME__V1__CONTAINER_USER__INIT;
	Runtime__V1__LinuxContainerUser l = RUNTIME__V1__LINUX_CONTAINER_USER__INIT;
	int64_t *groups cleanup_free = xcalloc(b->n_groups + 1, sizeof(*groups));

	for (size_t i = 0; i < b->n_groups; i++)
		groups[i] = b->groups[i];
	l.uid = b->uid;
	l.gid = b->gid;
	l.supplemental_groups = groups;
	l.n_supplemental_groups = b->n_groups;
	user.linux = &l;
	return message_copy(&user);
}

/* In a user namespace the writable layer belongs to its root. */
static int own_disk(const struct container *c, struct error *err)
{
	const Runtime__V1__UserNamespace *user =
		spec_sandbox_namespaces(c->pod->config)->userns_options;
	static const char *const dirs[] = { "upper", "work" };

	for (size_t i = 0; c->pod->userns && i < ARRAY_LEN(dirs); i++) {
		char *path cleanup_free = path_join(c->disk, dirs[i]);

		if (chown(path, user->uids[0]->host_id, user->gids[0]->host_id) < 0)
			return error_errno(err, errno, "chown %s", path);
	}
	return 0;
}

static int write_with(struct container *c, struct spec_container *s, struct bundle *b,
		      struct error *err)
{
	int signo;
	int rc = spec_signal(c->config, s->image->stop_signal, &signo, err);

	if (rc == 0)
		rc = fill(s, c, b, err);
	if (rc == 0)
		rc = own_disk(c, err);
	if (rc == 0)
		rc = bundle_write(b, c->dir, err);
	if (rc < 0)
		return rc;
	c->stop_signal = signo;
	message_free(c->user);
	c->user = make_user(b);
	return 0;
}

int container_spec_write(struct container *c, const struct image *image,
			 const struct handler *handler, struct error *err)
{
	char *root cleanup_free = path_join(c->dir, "rootfs");
	struct bundle b cleanup_bundle = { .root = root, .cgroup = c->cgroup };
	size_t n_layers = c->layers.count;
	int rootfs cleanup_close = -1;
	struct spec_container s = {
		.pod = c->pod,
		.config = c->config,
		.resources = c->resources,
		.handler = handler,
		.image = image,
	};
	char **sources = NULL;
	int rc = volumes_hold(c, &b.arena, &sources, err);

	if (rc == 0)
		rc = volumes_mount(c, 0, n_layers, NULL, NULL, &rootfs, err);
	if (rc < 0)
		return rc;
	s.volume_sources = sources;
	s.rootfs_fd = rootfs;
	return write_with(c, &s, &b, err);
}

int container_spec_rewrite(struct container *c, struct error *err)
{
	struct bundle b cleanup_bundle = { 0 };
	int rc = spec_resources(c->resources, &b, err);

	if (rc == 0)
		rc = bundle_rewrite_resources(c->dir, &b.resources, b.oom_score_adj, err);
	return rc;
}
