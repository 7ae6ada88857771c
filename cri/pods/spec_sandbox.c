/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bundle of a sandbox container: bulkhead-pause, with next to no rights.
 *
 * It joins the pod's namespaces and makes a pid namespace, which the pod's containers join.
 */
#include "cri/pods/spec.h"

#define SANDBOX_OOM_SCORE_ADJ (-998) /* what every peer gives it */

static void add_mounts(struct bundle *b)
{
	static const struct bundle_mount mounts[] = {
		{ .target = "/proc",
		  .type = "proc",
		  .source = "proc",
		  .options = "nosuid,noexec,nodev" },
		{ .target = "/dev",
		  .type = "tmpfs",
		  .source = "tmpfs",
		  .options = "nosuid,strictatime,mode=755,size=64k" },
	};

	b->mounts = arena_memdup(&b->arena, mounts, sizeof(mounts));
	b->n_mounts = ARRAY_LEN(mounts);
}

static void add_namespaces(const struct pod *pod, struct bundle *b)
{
	bundle_add_namespace(b, "mount", NULL);
	if (spec_sandbox_namespaces(pod->config)->pid != RUNTIME__V1__NAMESPACE_MODE__NODE)
		bundle_add_namespace(b, "pid", NULL);
	if (pod->netns)
		bundle_add_namespace(b, "network", pod->netns);
	if (pod->ipcns)
		bundle_add_namespace(b, "ipc", pod->ipcns);
	if (pod->utsns)
		bundle_add_namespace(b, "uts", pod->utsns);
	if (pod->userns)
		bundle_add_namespace(b, "user", pod->userns);
}

static void set_user(const Runtime__V1__LinuxSandboxSecurityContext *sec, struct bundle *b)
{
	if (!sec)
		return;
	if (sec->run_as_user)
		b->uid = (uid_t)sec->run_as_user->value;
	if (sec->run_as_group)
		b->gid = (gid_t)sec->run_as_group->value;
}

/*
 * A kernel of its own knows neither the name nor the settings of the namespaces that it is given:
 * they are told to it.
 */
static void tell_kernel(const struct pod *pod, struct bundle *b)
{
	const Runtime__V1__LinuxPodSandboxConfig *l = pod->config->linux;
	char hostname[HOSTNAME_BYTES];

	sandbox_hostname(pod, hostname);
	b->hostname = arena_strdup(&b->arena, hostname);
	for (size_t i = 0; l && i < l->n_sysctls; i++) {
		strlist_add(&b->sysctls, l->sysctls[i]->key);
		strlist_add(&b->sysctls, l->sysctls[i]->value);
	}
}

int spec_write_sandbox(const struct pod *pod, const struct handler *handler, const char *dir,
		       const char *cgroup, struct error *err)
{
	struct bundle b cleanup_bundle = {
		.root = pod->pods->pause_dir,
		.root_readonly = true,
		.no_new_privs = true,
		.seccomp = BUNDLE_SECCOMP_DEFAULT,
		.cgroup = cgroup,
		.oom_score_adj = spec_oom_score_adj(SANDBOX_OOM_SCORE_ADJ),
	};
	const Runtime__V1__LinuxPodSandboxConfig *l = pod->config->linux;

	strlist_add(&b.args, "/pause");
	strlist_add(&b.env, "PATH=/");
	set_user(l ? l->security_context : NULL, &b);
	if (l && l->security_context && !l->security_context->privileged)
		spec_selinux(l->security_context->selinux_options, &b);
	add_mounts(&b);
	add_namespaces(pod, &b);
	bundle_annotate(&b, "io.kubernetes.cri.container-type", "sandbox");
	bundle_annotate(&b, "io.kubernetes.cri.sandbox-id", pod->id);
	bundle_annotate(&b, "io.kubernetes.cri.sandbox-name", pod->config->metadata->name);
	bundle_annotate(&b, "io.kubernetes.cri.sandbox-namespace",
			pod->config->metadata->namespace_);
	bundle_annotate(&b, "io.kubernetes.cri-o.ContainerType", "sandbox");
	bundle_annotate(&b, "io.kubernetes.cri-o.SandboxID", pod->id);
	if (handler->sandbox == HANDLER_CONTAINER)
		tell_kernel(pod, &b);
	return bundle_write(&b, dir, err);
}
