/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rate limiter in front of a device's queue.
 *
 * What it holds back stays in the queue; a timer notifies the queue again when there are tokens.
 */
#ifndef MICROVM_VIRTIO_GATE_H
#define MICROVM_VIRTIO_GATE_H

#include "base/loop.h"
#include "runtimes/microvm/devices/limiter.h"
#include "runtimes/microvm/virtio/device.h"

struct gate {
	struct limiter limiter;
	struct loop_timer *timer;
	struct virtio_device *device;
	unsigned int queue;
	uint64_t held; /* times that something was held back */
};

/* gate_init() - in front of @queue; @c may be all zero: no limit. */
void gate_init(struct gate *g, const struct limiter_config *c, struct loop *loop,
	       struct virtio_device *d, unsigned int queue);
void gate_finish(struct gate *g);

/* gate_update() - new limits, from the loop; see limiter_update(). */
void gate_update(struct gate *g, const struct limiter_config *c);

/* gate_pass() - one operation with @bytes, on the loop.  Return: false: not now. */
bool gate_pass(struct gate *g, uint64_t bytes);

#endif
