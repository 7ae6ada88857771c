/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio entropy device: random bytes of the host's kernel.
 */
#ifndef MICROVM_VIRTIO_RNG_H
#define MICROVM_VIRTIO_RNG_H

#include "base/loop.h"
#include "runtimes/microvm/devices/limiter.h"
#include "runtimes/microvm/virtio/mmio.h"

/* rng_create() - cannot fail. */
void rng_create(struct virtio_device **ret, const struct limiter_config *limiter, struct loop *loop,
		const struct guest_memory *memory, int irq_fd);

#endif
