/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzer: a hostile driver in front of the VMM's virtio devices.
 *
 * The input is the guest's memory (rings, descriptors, requests), behind a few bytes that say
 * how the queue is set up and what is written to the registers.  The device may stop; it may
 * touch nothing outside of the memory, and a malformed queue must leave it stopped.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_net.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtimes/microvm/virtio/balloon.h"
#include "runtimes/microvm/virtio/block.h"
#include "runtimes/microvm/virtio/net.h"
#include "runtimes/microvm/virtio/rng.h"
#include "runtimes/microvm/virtio/vsock.h"

#define MEMORY	 (64 << 10)
#define DISK	 (32 << 10)
#define SETTINGS 8
#define ROUNDS	 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct guest_memory memory;
static int disk, irq, events, tap[2], listener;
static struct loop *loop;
static char path[64];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_set_fd(-1);
	disk = memfd_create("disk", MFD_CLOEXEC);
	irq = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	events = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, tap) ||
	    loop_create(&loop, NULL))
		abort();
	snprintf(path, sizeof(path), "/tmp/vmm-fuzz-%d", getpid());
	listener = vsock_listen(path, NULL);
	unlink(path);
	if (ftruncate(disk, DISK) || guest_memory_create(&memory, MEMORY, GUEST_PAGES_PLAIN, NULL))
		abort();
	return 0;
}

static void set(struct virtio_device *d, uint64_t at, uint32_t v)
{
	virtio_mmio_ops.write(d, at, (uint8_t *)&v, sizeof(v));
}

static uint32_t get(struct virtio_device *d, uint64_t at)
{
	uint32_t v;

	virtio_mmio_ops.read(d, at, (uint8_t *)&v, sizeof(v));
	return v;
}

/* The way of a good driver, with the numbers of the input. */
static void set_up(struct virtio_device *d, const uint8_t *settings)
{
	set(d, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	set(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	set(d, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	set(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	set(d, VIRTIO_MMIO_DRIVER_FEATURES,
	    (settings[0] & 1 ? VIRTIO_FEATURE_EVENT_INDEX : 0) |
		    (settings[0] & 4 ? (uint32_t)d->features & 0xffffff : 0));
	set(d, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_FEATURES_OK | 3);
	for (unsigned int q = 0; q < d->ops->n_queues; q++) {
		set(d, VIRTIO_MMIO_QUEUE_SEL, q);
		set(d, VIRTIO_MMIO_QUEUE_NUM, 1U << (settings[1] % 10));
		set(d, VIRTIO_MMIO_QUEUE_DESC_LOW, settings[2] * 256U + q * 8192);
		set(d, VIRTIO_MMIO_QUEUE_AVAIL_LOW, settings[3] * 256U + q * 8192);
		set(d, VIRTIO_MMIO_QUEUE_USED_LOW, settings[4] * 256U + q * 8192);
		set(d, VIRTIO_MMIO_QUEUE_READY, 1);
	}
	set(d, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_DRIVER_OK | 11);
}

static void drive(struct virtio_device *d)
{
	for (unsigned int round = 0; round < ROUNDS; round++)
		for (unsigned int q = 0; q < d->ops->n_queues; q++)
			virtio_notify(d, q);
	if (get(d, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET) {
		uint16_t used = d->queues[0].next_used;

		virtio_notify(d, 0);
		if (d->queues[0].next_used != used)
			abort();
	}
	set(d, VIRTIO_MMIO_STATUS, 0);
	if (get(d, VIRTIO_MMIO_STATUS) || d->queues[0].ready)
		abort();
}

static struct virtio_device *create(const uint8_t *settings)
{
	struct block_backend block = {
		.fd = disk, .read_only = settings[0] & 2, .async = settings[0] & 8, .id = "fuzz"
	};
	struct net_backend net = { .tap = tap[0] };
	struct balloon_backend balloon = {
		.deflate_on_oom = true, .stats_interval_s = 1, .hinting = true, .reporting = true
	};
	struct vsock_backend vsock = { .cid = 3, .listener = listener, .path = path };
	struct limiter_config limiter = { .ops = { true, settings[7], 0, 1 } };
	struct virtio_device *d = NULL;

	switch (settings[5] % 5) {
	case 0:
		block_create(&d, &block, loop, &memory, irq, NULL);
		break;
	case 1:
		rng_create(&d, &limiter, loop, &memory, irq);
		break;
	case 3:
		vsock_create(&d, &vsock, loop, &memory, irq);
		break;
	case 4:
		balloon_create(&d, &balloon, loop, &memory, irq);
		break;
	default:
		net_create(&d, &net, loop, &memory, irq, NULL);
	}
	for (unsigned int q = 0; q < d->ops->n_queues; q++)
		d->notify_fds[q] = events;
	return d;
}

static void stop(void *data)
{
	loop_stop(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct virtio_device *d;
	char packet[512] = "";

	if (len < SETTINGS)
		return 0;
	memset(memory.regions[0].host, 0, MEMORY);
	memcpy(memory.regions[0].host, data + SETTINGS, MIN(len - SETTINGS, (size_t)MEMORY));
	d = create(data);
	if (d->ops->type == VIRTIO_ID_NET && write(tap[1], packet, 20U + data[6]) < 0)
		abort();
	set_up(d, data);
	if (d->ops->type == VIRTIO_ID_BALLOON)
		balloon_hint_start(d, true, NULL);
	drive(d);
	loop_post(loop, stop, loop);
	loop_run(loop);
	d->ops->destroy(d);
	while (read(tap[0], packet, sizeof(packet)) > 0 || read(tap[1], packet, sizeof(packet)) > 0)
		;
	return 0;
}
