/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A test guest's driver that means ill: it writes the registers of virtio devices through /dev/mem
 * and offers them rings that break the rules, from pages of its own whose physical addresses
 * /proc/self/pagemap tells.
 *
 * What it names in descriptors is its own data page or no memory at all: a device that obeys a
 * malformed ring would harm us otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>

#include "tests/vm/guest/init.h"

#define FIRST	0xc0001000
#define PAGE	4096
#define SIZE	16
#define QUEUES	5
#define NOWHERE (1ULL << 40)
#define ROUNDS	60 /* of random rings for each device */

struct descriptor {
	uint64_t at;
	uint32_t len;
	uint16_t flags, next;
};

enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

static volatile uint8_t *device;
static struct descriptor *table; /* a page each */
static uint16_t *available, *used;
static uint8_t *data;
static uint64_t table_at, available_at, used_at, data_at;
static unsigned int stops;

static void *page(uint64_t *ret_at)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
	uint64_t entry = 0;

	if (pread(fd, &entry, 8, (off_t)((uintptr_t)p / PAGE * 8)) != 8)
		puts("GUEST hostile: no page map");
	close(fd);
	*ret_at = (entry & ((1ULL << 55) - 1)) * PAGE;
	return p;
}

static void set(unsigned int at, uint32_t v)
{
	*(volatile uint32_t *)(device + at) = v;
}

static uint32_t get(unsigned int at)
{
	return *(volatile uint32_t *)(device + at);
}

static void reset(void)
{
	if (get(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET)
		stops++;
	set(VIRTIO_MMIO_STATUS, 0);
	if (get(VIRTIO_MMIO_STATUS))
		puts("GUEST hostile: a reset does not help");
}

static void set_address(unsigned int at, uint64_t v)
{
	set(at, (uint32_t)v);
	set(at + 4, (uint32_t)(v >> 32));
}

/* start() - all queues by the rules, all of the same pages. */
static void start(uint32_t size)
{
	reset();
	memset(table, 0, PAGE);
	memset(available, 0, PAGE);
	memset(used, 0, PAGE);
	set(VIRTIO_MMIO_STATUS, 3);
	for (uint32_t i = 0; i < 2; i++) {
		set(VIRTIO_MMIO_DEVICE_FEATURES_SEL, i);
		set(VIRTIO_MMIO_DRIVER_FEATURES_SEL, i);
		set(VIRTIO_MMIO_DRIVER_FEATURES, get(VIRTIO_MMIO_DEVICE_FEATURES));
	}
	set(VIRTIO_MMIO_STATUS, 3 | VIRTIO_CONFIG_S_FEATURES_OK);
	for (uint32_t q = 0; q < QUEUES; q++) {
		set(VIRTIO_MMIO_QUEUE_SEL, q);
		set(VIRTIO_MMIO_QUEUE_NUM, size);
		set_address(VIRTIO_MMIO_QUEUE_DESC_LOW, table_at);
		set_address(VIRTIO_MMIO_QUEUE_AVAIL_LOW, available_at);
		set_address(VIRTIO_MMIO_QUEUE_USED_LOW, used_at);
		set(VIRTIO_MMIO_QUEUE_READY, 1);
	}
	set(VIRTIO_MMIO_STATUS, 11 | VIRTIO_CONFIG_S_DRIVER_OK);
}

/* offer() - the chain of @head, @index told; the device gets a moment. */
static void offer(uint16_t head, uint16_t index)
{
	available[2] = head;
	available[1] = index;
	for (uint32_t q = 0; q < QUEUES; q++)
		set(VIRTIO_MMIO_QUEUE_NOTIFY, q);
	usleep(500);
}

static void try_one(struct descriptor first, struct descriptor second, uint16_t head,
		    uint16_t index)
{
	start(SIZE);
	table[0] = first;
	table[1] = second;
	offer(head, index);
}

static void rules(void)
{
	const struct descriptor good = { data_at, 64, 0, 0 };
	const struct descriptor first = { data_at, 64, NEXT, 1 };

	try_one(good, good, 0, 1000);					  /* more than there are */
	try_one(good, good, SIZE, 1);					  /* no such head */
	try_one(first, (struct descriptor){ data_at, 8, NEXT, 0 }, 0, 1); /* a circle */
	try_one(first, (struct descriptor){ data_at, 8, NEXT, 99 }, 0, 1);
	try_one((struct descriptor){ NOWHERE, 64, 0, 0 }, good, 0, 1);
	try_one((struct descriptor){ UINT64_MAX - 8, 64, WRITE, 0 }, good, 0, 1);
	try_one((struct descriptor){ data_at, UINT32_MAX, WRITE, 0 }, good, 0, 1);
	try_one((struct descriptor){ data_at, 0, 0, 0 }, good, 0, 1);
	try_one((struct descriptor){ data_at, 64, WRITE | NEXT, 1 }, good, 0, 1);
	try_one((struct descriptor){ data_at, 33, INDIRECT, 0 }, good, 0, 1);
	try_one((struct descriptor){ table_at, 32, INDIRECT, 0 }, good, 0, 1); /* of itself */
	try_one((struct descriptor){ NOWHERE, 32, INDIRECT, 0 }, good, 0, 1);
	try_one((struct descriptor){ data_at, 1, 0, 0 }, good, 0, 1);
	try_one((struct descriptor){ data_at, 1, WRITE, 0 }, good, 0, 1);
}

static void areas(void)
{
	static const uint32_t sizes[] = { 0, 3, 512, UINT32_MAX };

	for (unsigned int i = 0; i < 4; i++) {
		start(sizes[i]);
		offer(0, 1);
	}
	reset();
	set(VIRTIO_MMIO_QUEUE_SEL, UINT32_MAX);
	set(VIRTIO_MMIO_QUEUE_NUM, SIZE);
	set(VIRTIO_MMIO_QUEUE_READY, 1);
	set(VIRTIO_MMIO_QUEUE_NOTIFY, UINT32_MAX);
	set(VIRTIO_MMIO_QUEUE_SEL, 0);
	set_address(VIRTIO_MMIO_QUEUE_DESC_LOW, NOWHERE);
	set(VIRTIO_MMIO_QUEUE_NUM, SIZE);
	set(VIRTIO_MMIO_QUEUE_READY, 1);
	set_address(VIRTIO_MMIO_QUEUE_USED_LOW, used_at + 1);
	set(VIRTIO_MMIO_QUEUE_READY, 1);
	offer(0, 1);
}

/* fill() - the data page; no number of a page that we have, for the balloon. */
static void fill(void)
{
	for (unsigned int i = 0; i < PAGE / 4; i++)
		((uint32_t *)data)[i] = (uint32_t)random() | 0xf0000000;
	if (random() % 2) /* looks like a request for a drive, or a packet */
		memset(data, 0, 4 + (size_t)random() % 60);
	if (random() % 2) {
		((uint64_t *)data)[0] = 3;
		((uint64_t *)data)[1] = 2;
		data[29] = (uint8_t)(random() % 9);
	}
}

static void random_rings(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		start(SIZE);
		fill();
		for (unsigned int i = 0; i < SIZE; i++)
			table[i] = (struct descriptor){
				random() % 16 ? data_at + (uint64_t)random() % 256 : NOWHERE,
				(uint32_t)(random() % 8 ? random() % 2048 : random()),
				(uint16_t)(random() % 8), (uint16_t)(random() % (SIZE + 1))
			};
		for (unsigned int i = 0; i < SIZE; i++)
			available[2 + i] = (uint16_t)(random() % (SIZE + 1));
		offer((uint16_t)(random() % SIZE), (uint16_t)(random() % (SIZE + 2)));
		if (round % 2) /* and once more into what is under way */
			offer((uint16_t)(random() % SIZE), (uint16_t)(random() % (SIZE + 2)));
	}
}

static void registers(void)
{
	start(SIZE);
	for (int i = 0; i < 200; i++) {
		unsigned int at = (unsigned int)random() % (PAGE - 8);

		switch (random() % 4) {
		case 0:
			*(volatile uint8_t *)(device + at) = (uint8_t)random();
			break;
		case 1:
			*(volatile uint16_t *)(device + (at & ~1U)) = (uint16_t)random();
			break;
		case 2:
			*(volatile uint64_t *)(device + (at & ~7U)) = (uint64_t)random();
			break;
		default:
			set((unsigned int)random() % 0x110 & ~3U, (uint32_t)random());
		}
	}
	reset();
}

void guest_hostile(int devices)
{
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);

	table = page(&table_at);
	available = page(&available_at);
	used = page(&used_at);
	data = page(&data_at);
	srandom(4711);
	for (int i = 0; i < devices; i++) {
		unsigned int before = stops;

		device = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, FIRST + i * PAGE);
		if (device == MAP_FAILED || get(VIRTIO_MMIO_MAGIC_VALUE) != 0x74726976) {
			printf("GUEST hostile: no device %d: %s\n", i, strerror(errno));
			continue;
		}
		rules();
		areas();
		random_rings();
		registers();
		printf("GUEST hostile: device of type %u stopped %u times\n",
		       get(VIRTIO_MMIO_DEVICE_ID), stops - before);
	}
	close(fd);
}
