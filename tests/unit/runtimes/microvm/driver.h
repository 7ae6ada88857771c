/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver made by hand, for unit tests of virtio devices: queues in a guest memory of its own,
 * registers by the same calls as a vCPU's exits.
 */
#ifndef TESTS_UNIT_MICROVM_DRIVER_H
#define TESTS_UNIT_MICROVM_DRIVER_H

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <sys/eventfd.h>

#include "base/mem.h"
#include "runtimes/microvm/virtio/mmio.h"
#include "tests/unit/tap.h"

#define DRIVER_QUEUE_SIZE 16
#define DRIVER_QUEUE_AT	  0x1000 /* queue N: descriptors, available, used at +0, +0x400, +0x800 */
#define DRIVER_DATA	  0x10000
#define DRIVER_MEMORY	  (1 << 20)

enum { DRIVER_NEXT = 1, DRIVER_WRITE = 2 };

static struct guest_memory memory;
static struct virtio_device *device;
static int irq_fd, notify_fd;
static uint16_t driver_available[VIRTIO_QUEUES_MAX], driver_seen[VIRTIO_QUEUES_MAX];

static void driver_set(uint64_t at, uint32_t v)
{
	virtio_mmio_ops.write(device, at, (uint8_t *)&v, sizeof(v));
}

static uint32_t driver_get(uint64_t at)
{
	uint32_t v;

	virtio_mmio_ops.read(device, at, (uint8_t *)&v, sizeof(v));
	return v;
}

static uint64_t driver_queue(unsigned int q)
{
	return DRIVER_QUEUE_AT * (1ULL + q);
}

static void *driver_at(uint64_t at)
{
	return memory.regions[0].host + at;
}

static void driver_memory(void)
{
	if (guest_memory_create(&memory, DRIVER_MEMORY, GUEST_PAGES_PLAIN, NULL))
		exit(1);
	irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

/* driver_start() - all queues of @device, with those of @features that it offers. */
static void driver_start(uint64_t features)
{
	driver_set(VIRTIO_MMIO_STATUS, 0);
	driver_set(VIRTIO_MMIO_STATUS, 3);
	features = (features & device->features) | VIRTIO_FEATURE_VERSION_1;
	for (uint32_t i = 0; i < 2; i++) {
		driver_set(VIRTIO_MMIO_DRIVER_FEATURES_SEL, i);
		driver_set(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32 * i));
	}
	driver_set(VIRTIO_MMIO_STATUS, 3 | VIRTIO_CONFIG_S_FEATURES_OK);
	for (unsigned int q = 0; q < device->ops->n_queues; q++) {
		device->notify_fds[q] = notify_fd;
		memset(driver_at(driver_queue(q)), 0, DRIVER_QUEUE_AT);
		driver_available[q] = driver_seen[q] = 0;
		driver_set(VIRTIO_MMIO_QUEUE_SEL, q);
		driver_set(VIRTIO_MMIO_QUEUE_NUM, DRIVER_QUEUE_SIZE);
		driver_set(VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)driver_queue(q));
		driver_set(VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)driver_queue(q) + 0x400);
		driver_set(VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)driver_queue(q) + 0x800);
		driver_set(VIRTIO_MMIO_QUEUE_READY, 1);
	}
	driver_set(VIRTIO_MMIO_STATUS, 11 | VIRTIO_CONFIG_S_DRIVER_OK);
}

static void driver_describe(unsigned int q, unsigned int i, uint64_t at, uint32_t len,
			    uint16_t flags, uint16_t next)
{
	struct {
		uint64_t at;
		uint32_t len;
		uint16_t flags, next;
	} d = { at, len, flags, next };

	memcpy(driver_at(driver_queue(q) + i * sizeof(d)), &d, sizeof(d));
}

/* driver_offer() - the chain that starts with descriptor @head; the device is not told yet. */
static void driver_offer(unsigned int q, uint16_t head)
{
	uint8_t *ring = driver_at(driver_queue(q) + 0x400);

	memcpy(ring + 4 + 2 * (driver_available[q]++ % DRIVER_QUEUE_SIZE), &head, 2);
	memcpy(ring + 2, &driver_available[q], 2);
}

/* driver_used() - the next chain that came back.  Return: its bytes, or -1. */
static inline int64_t driver_used(unsigned int q)
{
	uint8_t *ring = driver_at(driver_queue(q) + 0x800);
	uint16_t index;
	uint32_t len;

	memcpy(&index, ring + 2, 2);
	if (index == driver_seen[q])
		return -1;
	memcpy(&len, ring + 8 + 8 * (driver_seen[q]++ % DRIVER_QUEUE_SIZE), 4);
	return len;
}

static inline bool driver_stopped(void)
{
	return driver_get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

#endif
