/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio network device over a tap.
 */
#ifndef MICROVM_VIRTIO_NET_H
#define MICROVM_VIRTIO_NET_H

#include "base/loop.h"
#include "runtimes/microvm/devices/limiter.h"
#include "runtimes/microvm/virtio/mmio.h"

/*
 * Who takes some of the guest's frames instead of the tap, and has frames for it.  All may be
 * called on the loop with the device's lock.
 */
struct net_detour {
	void *owner; /* NULL: nobody */
	/* Return: whether the frame was for the owner. */
	bool (*take)(void *owner, const uint8_t *frame, size_t len);
	/* Return: the length of the next frame, or 0. */
	size_t (*next)(void *owner, uint8_t *frame, size_t room);
	/* Return: whether there may be a frame in a while, though the guest is silent. */
	bool (*waits)(void *owner);
};

struct net_backend {
	int tap; /* from net_open_tap(); stays the caller's, and open for the device's life */
	bool has_mac;
	uint8_t mac[6];
	uint16_t mtu; /* 0: the guest chooses */
	struct limiter_config rx_limiter, tx_limiter;
	struct net_detour detour;
};

/* net_open_tap() - the tap @name, which exists or is made.  Return: descriptor or -errno. */
int net_open_tap(const char *name, struct error *err);

/* net_create() - packets from the tap arrive on @loop.  Return: 0 or -errno. */
int net_create(struct virtio_device **ret, const struct net_backend *backend, struct loop *loop,
	       const struct guest_memory *memory, int irq_fd, struct error *err);

/* net_set_limiters() - as limiter_update(), while it runs; on the loop, the lock not held. */
void net_set_limiters(struct virtio_device *d, const struct limiter_config *rx,
		      const struct limiter_config *tx);

#endif
