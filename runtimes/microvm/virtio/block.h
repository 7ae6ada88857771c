/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio block device over a file.
 */
#ifndef MICROVM_VIRTIO_BLOCK_H
#define MICROVM_VIRTIO_BLOCK_H

#include "base/loop.h"
#include "runtimes/microvm/devices/limiter.h"
#include "runtimes/microvm/virtio/mmio.h"

struct block_backend {
	int fd; /* stays the caller's, and open for the device's life */
	bool read_only;
	bool writeback; /* a flush reaches the disk */
	bool async;	/* many requests at a time, by io_uring */
	const char *id; /* what the guest reads as the serial number; 20 bytes of it count */
	struct limiter_config limiter;
};

/* block_check_async() - whether this kernel lets us have io_uring.  Return: 0 or -errno. */
int block_check_async(struct error *err);

/* block_create() - Return: 0 or -errno.  Sectors beyond the last whole one do not exist. */
int block_create(struct virtio_device **ret, const struct block_backend *backend, struct loop *loop,
		 const struct guest_memory *memory, int irq_fd, struct error *err);

/*
 * While it runs, on the loop, the lock not held: block_set_file() - go on with @fd, and tell the
 * driver of its size; block_set_limiter() - as limiter_update().
 */
int block_set_file(struct virtio_device *d, int fd, struct error *err);
void block_set_limiter(struct virtio_device *d, const struct limiter_config *c);

#endif
