/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio device behind its transport.
 *
 * The transport keeps status, features and queues; the device has only its operations.  They
 * run with the transport's lock held, on the loop (notify) or on a vCPU's thread (the rest).
 */
#ifndef MICROVM_VIRTIO_DEVICE_H
#define MICROVM_VIRTIO_DEVICE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "runtimes/microvm/virtio/queue.h"

#define VIRTIO_QUEUES_MAX 5

#define VIRTIO_FEATURE_INDIRECT	   (1ULL << 28)
#define VIRTIO_FEATURE_EVENT_INDEX (1ULL << 29)
#define VIRTIO_FEATURE_VERSION_1   (1ULL << 32)

struct virtio_device;

struct virtio_ops {
	uint32_t type; /* number of the device type */
	unsigned int n_queues;
	/* The driver has said that it is ready; may be NULL. */
	void (*activate)(struct virtio_device *d);
	/*
	 * Serve queue @queue, so much at a time that the loop's other business is not kept
	 * waiting.  Return: 0; 1 when there is more to do: it is called again; -EBADMSG: the
	 * device stops.
	 */
	int (*notify)(struct virtio_device *d, unsigned int queue);
	/* The driver resets: forget all requests.  May be NULL. */
	void (*reset)(struct virtio_device *d);
	/* Finish what is under way outside of the queues, before state is saved.  May be NULL. */
	void (*drain)(struct virtio_device *d);
	/* Fill @len bytes of the configuration space at @offset; zero beyond its end. */
	void (*config_read)(struct virtio_device *d, uint32_t offset, uint8_t *to, uint32_t len);
	/* The driver writes @len bytes (1, 2, 4 or 8) there.  May be NULL. */
	void (*config_write)(struct virtio_device *d, uint32_t offset, const uint8_t *from,
			     uint32_t len);
	/*
	 * Append what the device has besides its transport's state; take it back, before it is
	 * activated.  May be NULL: nothing.  Return: 0 or -EBADMSG.
	 */
	void (*save)(struct virtio_device *d, struct strbuf *out);
	int (*load)(struct virtio_device *d, const void *data, size_t len, struct error *err);
	void (*destroy)(struct virtio_device *d);
};

struct virtio_device {
	const struct virtio_ops *ops;
	uint64_t features; /* offered, besides those of the transport */

	/* The transport's, under its lock; devices read them. */
	pthread_mutex_t lock;
	uint64_t driver_features;
	uint32_t status, interrupt_status, config_generation;
	uint32_t device_features_select, driver_features_select, queue_select;
	int irq_fd;			   /* eventfd; owned by the machine */
	int notify_fds[VIRTIO_QUEUES_MAX]; /* eventfds, one a queue; owned by the machine */
	struct virtqueue queues[VIRTIO_QUEUES_MAX];
};

/*
 * For what a device does by itself, on the loop and with the lock taken: virtio_running() -
 * whether the driver is ready and nothing was wrong; virtio_stop() - it is wrong now.
 */
bool virtio_running(const struct virtio_device *d);
void virtio_stop(struct virtio_device *d, const char *why);

/* virtio_config_changed() - the driver is to read the configuration anew.  With the lock. */
void virtio_config_changed(struct virtio_device *d);

/* virtio_interrupt() - tell the driver of used chains in @queue, if it wants to know. */
void virtio_interrupt(struct virtio_device *d, unsigned int queue);

#endif
