/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of a sandbox's configuration, and defaults where one is silent.
 */
#include "cri/pods/spec.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/path.h"

typedef Runtime__V1__NamespaceOption namespaces_t;

static const namespaces_t default_namespaces = RUNTIME__V1__NAMESPACE_OPTION__INIT;
static const spec_security_t default_security = RUNTIME__V1__LINUX_CONTAINER_SECURITY_CONTEXT__INIT;

const namespaces_t *spec_sandbox_namespaces(const Runtime__V1__PodSandboxConfig *config)
{
	if (!config->linux || !config->linux->security_context ||
	    !config->linux->security_context->namespace_options)
		return &default_namespaces;
	return config->linux->security_context->namespace_options;
}

const spec_security_t *spec_security(const Runtime__V1__ContainerConfig *config)
{
	if (!config->linux || !config->linux->security_context)
		return &default_security;
	return config->linux->security_context;
}

int spec_container_pid_mode(const Runtime__V1__ContainerConfig *config)
{
	const namespaces_t *ns = spec_security(config)->namespace_options;

	return ns ? (int)ns->pid : RUNTIME__V1__NAMESPACE_MODE__POD;
}

/* --- oom_score_adj ---------------------------------------------------------------------------- */

static bool may_lower_oom_score(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	return data[0].effective >> CAP_SYS_RESOURCE & 1;
}

static int own_oom_score_adj(void)
{
	struct strbuf text cleanup_strbuf = { 0 };

	if (fd_read_file(AT_FDCWD, "/proc/self/oom_score_adj", 64, &text, NULL) < 0 || !text.data)
		return 0;
	return atoi(text.data);
}

int spec_oom_score_adj(int64_t wanted)
{
	int adj = (int)MIN(MAX(wanted, -1000), 1000);

	return may_lower_oom_score() ? adj : MAX(adj, own_oom_score_adj());
}

/* --- checks ----------------------------------------------------------------------------------- */

static int check_mapping(const char *what, Runtime__V1__IDMapping *const *maps, size_t count,
			 struct error *err)
{
	if (count != 1)
		return error_set(err, EINVAL,
				 "user namespace needs exactly one %s mapping, has %zu", what,
				 count);
	if (maps[0]->container_id != 0)
		return error_set(err, EINVAL, "user namespace: %s 0 of the container is not mapped",
				 what);
	if (maps[0]->length == 0 || maps[0]->host_id > UINT32_MAX - maps[0]->length)
		return error_set(err, EINVAL,
				 "user namespace: %s range of %u from %u makes no sense", what,
				 maps[0]->length, maps[0]->host_id);
	return 0;
}

static int check_user_namespace(const Runtime__V1__UserNamespace *user, struct error *err)
{
	int rc;

	if (!user)
		return 0;
	if (user->mode == RUNTIME__V1__NAMESPACE_MODE__NODE) {
		if (user->n_uids + user->n_gids > 0)
			return error_set(err, EINVAL,
					 "user namespace of the node cannot have mappings");
		return 0;
	}
	if (user->mode != RUNTIME__V1__NAMESPACE_MODE__POD)
		return error_set(err, EINVAL, "user namespace mode %d is neither POD nor NODE",
				 user->mode);
	rc = check_mapping("uid", user->uids, user->n_uids, err);
	if (rc == 0)
		rc = check_mapping("gid", user->gids, user->n_gids, err);
	return rc;
}

static int check_namespaces(const namespaces_t *ns, struct error *err)
{
	if (ns->network != RUNTIME__V1__NAMESPACE_MODE__POD &&
	    ns->network != RUNTIME__V1__NAMESPACE_MODE__NODE)
		return error_set(err, EINVAL, "network namespace mode %d is neither POD nor NODE",
				 ns->network);
	if (ns->ipc != RUNTIME__V1__NAMESPACE_MODE__POD &&
	    ns->ipc != RUNTIME__V1__NAMESPACE_MODE__NODE)
		return error_set(err, EINVAL, "ipc namespace mode %d is neither POD nor NODE",
				 ns->ipc);
	if (ns->pid > RUNTIME__V1__NAMESPACE_MODE__TARGET)
		return error_set(err, EINVAL, "unknown pid namespace mode %d", ns->pid);
	return check_user_namespace(ns->userns_options, err);
}

static bool is_ipc_sysctl(const char *name)
{
	static const char *const names[] = {
		"kernel.msgmax",      "kernel.msgmnb",		"kernel.msgmni",
		"kernel.sem",	      "kernel.shmall",		"kernel.shmmax",
		"kernel.shmmni",      "kernel.shm_rmid_forced", "kernel.msg_next_id",
		"kernel.sem_next_id", "kernel.shm_next_id",	"kernel.auto_msgmni",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return str_has_prefix(name, "fs.mqueue.");
}

/* Only what a namespace of the pod holds: any other would change the node. */
static int check_sysctl(const namespaces_t *ns, const char *key, struct error *err)
{
	char *name cleanup_free = xstrdup(str_or(key, ""));

	if (strstr(name, "..") || name[0] == '/' || strchr(name, '='))
		return error_set(err, EINVAL, "sysctl '%s' is not a name", name);
	if (!strchr(name, '.') || strcspn(name, "/") < strcspn(name, "."))
		for (char *s = name; *s; s++)
			if (*s == '/')
				*s = '.';
	if (str_has_prefix(name, "net.")) {
		if (ns->network == RUNTIME__V1__NAMESPACE_MODE__NODE)
			return error_set(err, EINVAL,
					 "sysctl '%s' cannot be set on the host network", key);
		return 0;
	}
	if (is_ipc_sysctl(name)) {
		if (ns->ipc == RUNTIME__V1__NAMESPACE_MODE__NODE)
			return error_set(err, EINVAL,
					 "sysctl '%s' cannot be set in the host's ipc namespace",
					 key);
		return 0;
	}
	if (strcmp(name, "kernel.domainname") == 0 || strcmp(name, "kernel.hostname") == 0)
		return error_set(err, EINVAL, "sysctl '%s': the hostname is set by the pod", key);
	return error_set(err, EINVAL,
			 "sysctl '%s' is not namespaced: it would change the whole node", key);
}

int spec_check_sandbox(const Runtime__V1__PodSandboxConfig *config, struct error *err)
{
	const namespaces_t *ns = spec_sandbox_namespaces(config);
	const Runtime__V1__LinuxPodSandboxConfig *l = config->linux;
	int rc = check_namespaces(ns, err);

	if (rc == 0 && strlen(config->hostname) > 64)
		rc = error_set(err, EINVAL, "hostname '%.80s' has more than 64 characters",
			       config->hostname);
	if (rc == 0 && l && !str_empty(l->cgroup_parent) && !path_is_clean(l->cgroup_parent))
		rc = error_set(err, EINVAL,
			       "cgroup_parent '%s' is not an absolute path; set the kubelet's "
			       "cgroupDriver to cgroupfs",
			       l->cgroup_parent);
	for (size_t i = 0; rc == 0 && l && i < l->n_sysctls; i++)
		rc = check_sysctl(ns, l->sysctls[i]->key, err);
	return rc;
}
