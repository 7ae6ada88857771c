/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio over memory-mapped registers (virtio 1.2, section 4.2), version 2.
 */
#ifndef MICROVM_VIRTIO_MMIO_H
#define MICROVM_VIRTIO_MMIO_H

#include "runtimes/microvm/devices/bus.h"
#include "runtimes/microvm/virtio/device.h"

#define VIRTIO_MMIO_BYTES  4096
#define VIRTIO_MMIO_NOTIFY 0x50 /* a write here is served by virtio_notify() */

extern const struct bus_ops virtio_mmio_ops; /* of a struct virtio_device */

/* virtio_init() - what the transport keeps, for a device just made; no notify_fds yet. */
void virtio_init(struct virtio_device *d, const struct virtio_ops *ops, uint64_t features,
		 const struct guest_memory *memory, int irq_fd);

/* virtio_notify() - the driver has put something into @queue.  On the loop. */
void virtio_notify(struct virtio_device *d, unsigned int queue);

#endif
