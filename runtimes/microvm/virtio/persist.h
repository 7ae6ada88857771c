/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a virtio device's transport and queues, saved and loaded.
 *
 * What a device has besides (virtio_ops.save, .load) follows in a section of its own.
 */
#ifndef MICROVM_VIRTIO_PERSIST_H
#define MICROVM_VIRTIO_PERSIST_H

#include "runtimes/microvm/kvm/state.h"
#include "runtimes/microvm/virtio/mmio.h"

/* virtio_save() - Preconditions: nothing runs; virtio_ops.drain has been called. */
void virtio_save(struct virtio_device *d, struct strbuf *out);

/*
 * virtio_load() - into a device just made.  Its driver is told to look, and its queues are looked
 * at when the loop runs: what was under way then may have been lost.
 * Return: 0, or -EBADMSG for a state that no device of this type has.
 */
int virtio_load(struct virtio_device *d, struct state_reader *r, struct error *err);

#endif
