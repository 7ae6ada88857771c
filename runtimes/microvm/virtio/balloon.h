/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio memory balloon: takes memory from the guest, is told of free pages, asks for statistics.
 */
#ifndef MICROVM_VIRTIO_BALLOON_H
#define MICROVM_VIRTIO_BALLOON_H

#include "base/loop.h"
#include "runtimes/microvm/virtio/mmio.h"

#define BALLOON_PAGES_PER_MIB 256

struct balloon_backend {
	uint32_t amount_mib;	   /* that the guest is to give away */
	bool deflate_on_oom;	   /* the guest may take it back rather than kill */
	uint16_t stats_interval_s; /* 0: no statistics */
	bool hinting, reporting;
};

/* What the guest's kernel says of itself; the tags of virtio 1.2, section 5.5.6.3. */
#define BALLOON_STATS 16

struct balloon_stats {
	uint32_t target_pages, actual_pages;
	uint32_t known; /* bit N: value N has been told */
	uint64_t values[BALLOON_STATS];
};

struct balloon_hinting {
	uint32_t host_command;
	bool heard; /* the guest has said something */
	uint32_t guest_command;
};

/* balloon_create() - cannot fail. */
void balloon_create(struct virtio_device **ret, const struct balloon_backend *backend,
		    struct loop *loop, const struct guest_memory *memory, int irq_fd);

/*
 * On the loop, the lock not held.  Return: 0; -ENODEV while no driver runs, -EOPNOTSUPP for what
 * the device was made without, -ERANGE for more than there is memory.
 */
int balloon_resize(struct virtio_device *d, uint32_t amount_mib, struct error *err);
int balloon_set_interval(struct virtio_device *d, uint16_t interval_s, struct error *err);
int balloon_get_stats(struct virtio_device *d, struct balloon_stats *ret, struct error *err);

/*
 * A run of free page hints.  balloon_hint_start() - with @acknowledge, the guest's end of it is
 * answered, and it may use the pages again.
 */
int balloon_hint_start(struct virtio_device *d, bool acknowledge, struct error *err);
int balloon_hint_stop(struct virtio_device *d, struct error *err);
int balloon_hint_status(struct virtio_device *d, struct balloon_hinting *ret, struct error *err);

#endif
