/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a container in memory to its bundle and mounts.
 */
#ifndef CRI_PODS_CONTAINER_SPEC_H
#define CRI_PODS_CONTAINER_SPEC_H

#include "cri/pods/objects.h"
#include "runtimes/monitor/client.h"

#define CONTAINER_MAX_MOUNTS 64 /* rootfs and image volumes, each a detached mount */

/* Detached mounts to be attached for a container: its rootfs, then its image volumes. */
struct container_mounts {
	struct monitor_mount list[CONTAINER_MAX_MOUNTS];
	char *targets[CONTAINER_MAX_MOUNTS];
	size_t count;
};

/* container_mounts_make() - make them anew from the layers; errors leave nothing open. */
int container_mounts_make(struct container *c, struct container_mounts *ret, struct error *err);
void container_mounts_finish(struct container_mounts *m);

/*
 * container_spec_write() - check the configuration against the image and write <dir>/config.json.
 * Fills c->user, c->stop_signal; image volumes are held as layers of the container.
 */
int container_spec_write(struct container *c, const struct image *image,
			 const struct handler *handler, struct error *err);

/* container_spec_rewrite() - the bundle again, with c->resources (an update before the start). */
int container_spec_rewrite(struct container *c, struct error *err);

#endif
