/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio socket device: the guest's AF_VSOCK streams are UNIX sockets of the host.
 *
 * A program of the host connects to the device's socket and says "CONNECT port\n"; it hears
 * "OK port\n" when a program of the guest has accepted, else the end of its connection.  What
 * the guest connects to at port N of CID 2 is the socket PATH_N.
 */
#ifndef MICROVM_VIRTIO_VSOCK_H
#define MICROVM_VIRTIO_VSOCK_H

#include "base/loop.h"
#include "runtimes/microvm/virtio/mmio.h"

struct vsock_backend {
	uint64_t cid;	  /* the guest's address */
	int listener;	  /* from vsock_listen(); stays the caller's, as @path does */
	const char *path; /* of the listener */
};

/* vsock_listen() - the device's socket at @path, which must not exist.
 * Return: descriptor or -errno. */
int vsock_listen(const char *path, struct error *err);

/* vsock_create() - connections are served on @loop.  Cannot fail. */
void vsock_create(struct virtio_device **ret, const struct vsock_backend *backend,
		  struct loop *loop, const struct guest_memory *memory, int irq_fd);

/*
 * vsock_transport_reset() - tell the driver that all connections are gone (after a restore).
 * Preconditions: on the loop, the device's lock is not held.
 */
void vsock_transport_reset(struct virtio_device *d);

#endif
