/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image volumes: mounts whose source is an image.
 *
 * Their layers follow those of the rootfs in c->layers and are held with them; which are whose
 * is noted in <container dir>/volumes.json.  Volume i is attached at <container dir>/volumes/i.
 */
#ifndef CRI_PODS_VOLUMES_H
#define CRI_PODS_VOLUMES_H

#include "cri/pods/container_spec.h"

/*
 * volumes_hold() - find the images, hold their layers, resolve their sub paths, write the note.
 * @ret_sources: for each mount of the configuration its host path, or NULL; arena-owned.
 * Errors begin with "ImageVolumeMountFailed", which kubelets look for.
 */
int volumes_hold(struct container *c, struct arena *arena, char ***ret_sources, struct error *err);
/* volumes_read() - layers of the rootfs and of each volume, as counts of c->layers in order. */
int volumes_read(const struct container *c, size_t counts[CONTAINER_MAX_MOUNTS], size_t *ret_count,
		 struct error *err);
/* volumes_mount() - an overlay of @count layers from @first on; @upper and @work may be NULL. */
int volumes_mount(const struct container *c, size_t first, size_t count, const char *upper,
		  const char *work, int *ret_fd, struct error *err);

#endif
