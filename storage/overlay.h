/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's rootfs: overlay of layer directories, made detached.
 *
 * The mount is never attached in the host's tree: the descriptor goes to the pod's monitor, and
 * the mount ends with the last process of the pod (see the design's Mounts section in README).
 */
#ifndef STORAGE_OVERLAY_H
#define STORAGE_OVERLAY_H

#include <stddef.h>

#include "base/error.h"

/* From linux/fs/overlayfs: more lower directories are refused by the kernel. */
#define OVERLAY_MAX_LAYERS 500

struct overlay {
	char *const *lower; /* directories, bottom first, at least one */
	size_t n_lower;
	const char *upper, *work; /* NULL: read-only */
	int userns_fd;		  /* -1, or idmap the layers into this user namespace */
};

/* overlay_mount() - Return: a detached mount's descriptor in *ret_fd, owned by the caller. */
int overlay_mount(const struct overlay *o, int *ret_fd, struct error *err);

/* overlay_tmpfs() - a detached tmpfs (for /dev/shm and the like): size in bytes, mode 1777, nosuid
 * nodev noexec. */
int overlay_tmpfs(size_t size_bytes, unsigned int uid, unsigned int gid, int *ret_fd,
		  struct error *err);

#endif
