/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio block device over a file.
 */
#ifndef MICROVM_VIRTIO_BLOCK_H
#define MICROVM_VIRTIO_BLOCK_H

#include "runtimes/microvm/virtio/mmio.h"

struct block_backend {
	int fd; /* stays the caller's, and open for the device's life */
	bool read_only;
	bool writeback; /* a flush reaches the disk */
	const char *id; /* what the guest reads as the serial number; 20 bytes of it count */
};

/* block_create() - Return: 0 or -errno.  Sectors beyond the last whole one do not exist. */
int block_create(struct virtio_device **ret, const struct block_backend *backend,
		 const struct guest_memory *memory, int irq_fd, struct error *err);

#endif
