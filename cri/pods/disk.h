/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container's writable layer holds.
 */
#ifndef CRI_PODS_DISK_H
#define CRI_PODS_DISK_H

#include "cri/pods/objects.h"

/*
 * disk_usage() - bytes and inodes of the upper directory, as last measured.
 * The first call measures a small directory at once; later ones are refreshed in the background
 * when they are older than 10 s and somebody asks.
 */
void disk_usage(struct container *c, uint64_t *ret_bytes, uint64_t *ret_inodes);

#endif
