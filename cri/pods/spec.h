/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From CRI configurations to OCI bundles.
 *
 * Everything is checked before anything is written: a configuration that cannot be obeyed is an
 * error at create, never a container with less than was asked for.
 */
#ifndef CRI_PODS_SPEC_H
#define CRI_PODS_SPEC_H

#include "cri/pods/objects.h"
#include "runtimes/bundle/bundle.h"

typedef Runtime__V1__LinuxContainerSecurityContext spec_security_t;

/* --- sandbox (spec.c, spec_sandbox.c) --- */

/* spec_check_sandbox() - namespaces, id mappings and sysctls make sense together. */
int spec_check_sandbox(const Runtime__V1__PodSandboxConfig *config, struct error *err);
/* spec_sandbox_namespaces() - never NULL: without any, the CRI's defaults. */
const Runtime__V1__NamespaceOption *
spec_sandbox_namespaces(const Runtime__V1__PodSandboxConfig *config);
/* spec_write_sandbox() - bundle of the sandbox container in @dir. */
int spec_write_sandbox(const struct pod *pod, const struct handler *handler, const char *dir,
		       const char *cgroup, struct error *err);

/* --- small answers about a container (spec.c) --- */

/* spec_security() - never NULL: without one, a static empty context. */
const spec_security_t *spec_security(const Runtime__V1__ContainerConfig *config);
int spec_container_pid_mode(const Runtime__V1__ContainerConfig *config);
/* spec_oom_score_adj() - @wanted, or our own where this process may not go below it. */
int spec_oom_score_adj(int64_t wanted);

/* --- signals (spec_signal.c) --- */

/* spec_cri_signal() - the CRI's number of a signal of this host. */
Runtime__V1__Signal spec_cri_signal(int signo);
/* spec_signal() - what ends the container: @config's, else the image's, else SIGTERM. */
int spec_signal(const Runtime__V1__ContainerConfig *config, const char *image_signal, int *ret,
		struct error *err);

/* --- parts of a container's bundle; each fills in its members of @b --- */

/* What the parts know of one container. */
struct spec_container {
	const struct pod *pod;
	const Runtime__V1__ContainerConfig *config;
	const Runtime__V1__LinuxContainerResources *resources; /* in force; may be NULL */
	const struct handler *handler;
	const struct image *image;
	int rootfs_fd;		     /* a mount of the image's layers, read-only use */
	char *const *volume_sources; /* a host path for each Mount with an image, else NULL */
};

/* spec_process() - arguments, environment, directory. (spec_process.c) */
int spec_process(const struct spec_container *s, struct bundle *b, struct error *err);
/* spec_user() - uid, gid and groups. (spec_user.c) */
int spec_user(const struct spec_container *s, struct bundle *b, struct error *err);
/* spec_security_apply() - capabilities, seccomp, LSMs, paths. (spec_security.c) */
int spec_security_apply(const spec_security_t *security, struct bundle *b, struct error *err);
/* spec_seccomp() - @profile for @b; NULL is unconfined. */
int spec_seccomp(const Runtime__V1__SecurityProfile *profile, const char *deprecated,
		 struct bundle *b, struct error *err);
/* spec_selinux() - labels from @options where the host has SELinux. */
void spec_selinux(const Runtime__V1__SELinuxOption *options, struct bundle *b);
/* spec_mounts() - standard mounts, the pod's files, what was asked for. (spec_mounts.c) */
int spec_mounts(const struct spec_container *s, struct bundle *b, struct error *err);
/* spec_devices() - devices of the configuration, or all of the host's. (spec_devices.c) */
int spec_devices(const struct spec_container *s, struct bundle *b, struct error *err);
/* spec_resources() - limits; @r may be NULL. (spec_devices.c) */
int spec_resources(const Runtime__V1__LinuxContainerResources *r, struct bundle *b,
		   struct error *err);

#endif
