/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the balloon, with a driver made by hand.
 */
#include "runtimes/microvm/virtio/balloon.h"

#include <linux/virtio_balloon.h>
#include <sys/mman.h>

#include "tests/unit/runtimes/microvm/driver.h"

#define PAGE 4096

static struct loop *loop;

static void create(struct balloon_backend b, uint64_t features)
{
	if (device)
		device->ops->destroy(device);
	balloon_create(&device, &b, loop, &memory, irq_fd);
	driver_start(features);
}

/* send() - @len bytes at @at, for queue @q to read or to write. */
static void send(unsigned int q, uint64_t at, uint32_t len, uint16_t flags)
{
	driver_describe(q, 0, at, len, flags, 0);
	driver_offer(q, 0);
	virtio_notify(device, q);
}

/* touched() - whether the page at @at is there. */
static bool touched(uint64_t at)
{
	unsigned char there = 0;

	mincore(driver_at(at), PAGE, &there);
	return there & 1;
}

static void touch(uint64_t from, uint64_t to)
{
	for (; from < to; from += PAGE)
		*(volatile char *)driver_at(from) = 'x';
}

static void test_inflate(void)
{
	uint32_t pfns[] = { 0x42, 0x41, 0x44, 0x40, 0xffffffff, 0x7fffffff };

	create((struct balloon_backend){ .amount_mib = 1 }, 0);
	is_int(driver_get(VIRTIO_MMIO_CONFIG), 256, "pages that we want");
	touch(0x40000, 0x48000);
	memcpy(driver_at(DRIVER_DATA), pfns, sizeof(pfns));
	send(0, DRIVER_DATA, sizeof(pfns), 0);
	is_int(driver_used(0), 0, "the chain comes back");
	ok(!touched(0x40000) && !touched(0x41000) && !touched(0x42000) && !touched(0x44000),
	   "four pages are the host's");
	ok(touched(0x43000) && touched(0x45000), "their neighbours are not");
	ok(!driver_stopped(), "pages that do not exist are nothing");
	send(1, DRIVER_DATA, sizeof(pfns), 0);
	is_int(driver_used(1), 0, "they are taken back");
	driver_set(VIRTIO_MMIO_CONFIG + 4, 77);
	is_int(driver_get(VIRTIO_MMIO_CONFIG + 4), 77, "the driver tells how many it gave");
	driver_set(VIRTIO_MMIO_CONFIG, 99);
	is_int(driver_get(VIRTIO_MMIO_CONFIG), 256, "and cannot tell what we want");
	is_int(balloon_resize(device, 0, NULL), 0, "a new size");
	is_int(driver_get(VIRTIO_MMIO_CONFIG), 0, "is shown");
	is_int(balloon_resize(device, 2, NULL), -ERANGE, "more than there is");
	driver_set(VIRTIO_MMIO_STATUS, 0);
	is_int(balloon_resize(device, 0, NULL), -ENODEV, "without a driver");
}

static void test_stats(void)
{
	struct balloon_stats s;
	struct virtio_balloon_stat told[] = { { VIRTIO_BALLOON_S_MEMFREE, 4711 },
					      { 0x7fff, 1 },
					      { VIRTIO_BALLOON_S_HTLB_PGFAIL, 3 } };

	create((struct balloon_backend){ 0 }, ~0ULL);
	is_int(balloon_get_stats(device, &s, NULL), -EOPNOTSUPP, "made without");
	is_int(balloon_set_interval(device, 1, NULL), -EOPNOTSUPP, "for ever");
	create((struct balloon_backend){ .stats_interval_s = 1 }, ~0ULL);
	memcpy(driver_at(DRIVER_DATA), told, sizeof(told));
	send(2, DRIVER_DATA, sizeof(told), 0);
	is_int(driver_used(2), -1, "the buffer is kept");
	is_int(balloon_get_stats(device, &s, NULL), 0, "statistics");
	ok(s.known == (1U << VIRTIO_BALLOON_S_MEMFREE | 1U << VIRTIO_BALLOON_S_HTLB_PGFAIL) &&
		   s.values[VIRTIO_BALLOON_S_MEMFREE] == 4711,
	   "as they were told; what nobody knows is left out");
	is_int(balloon_set_interval(device, 5, NULL), 0, "another interval");
	is_int(driver_used(2), 0, "asks at once");
	is_int(driver_used(2), -1, "once");
	send(2, DRIVER_DATA, 7, 0);
	send(2, DRIVER_DATA, 7, 0);
	is_int(driver_used(2), 0, "of two buffers the first comes back");
	is_int(balloon_set_interval(device, 0, NULL), -EOPNOTSUPP, "it cannot be switched off");
}

static void say_command(uint32_t command)
{
	memcpy(driver_at(DRIVER_DATA), &command, sizeof(command));
	send(2, DRIVER_DATA, sizeof(command), 0);
}

static void test_hints(void)
{
	struct balloon_hinting h;

	create((struct balloon_backend){ .hinting = true }, ~0ULL);
	touch(0x40000, 0x48000);
	send(2, 0x40000, PAGE, DRIVER_WRITE);
	ok(touched(0x40000), "a hint that nobody asked for");
	is_int(balloon_hint_start(device, true, NULL), 0, "a run");
	is_int(driver_get(VIRTIO_MMIO_CONFIG + 8), 2, "its number is shown");
	send(2, 0x40000, PAGE, DRIVER_WRITE);
	ok(touched(0x40000), "a hint of no run");
	say_command(2);
	send(2, 0x40800, 2 * PAGE, DRIVER_WRITE);
	ok(touched(0x40000) && !touched(0x41000) && touched(0x42000), "whole pages of a range");
	is_int(balloon_hint_status(device, &h, NULL), 0, "status");
	ok(h.host_command == 2 && h.heard && h.guest_command == 2, "both in it");
	say_command(0);
	is_int(driver_get(VIRTIO_MMIO_CONFIG + 8), 1, "its end is answered");
	send(2, 0x40000, PAGE, DRIVER_WRITE);
	ok(touched(0x40000), "after it nothing is taken");
	is_int(balloon_hint_start(device, false, NULL), 0, "another");
	say_command(2);
	send(2, 0x40000, PAGE, DRIVER_WRITE);
	ok(touched(0x40000), "hints of the one before");
	say_command(3);
	balloon_hint_stop(device, NULL);
	send(2, 0x40000, PAGE, DRIVER_WRITE);
	ok(touched(0x40000), "we stop");
	create((struct balloon_backend){ .reporting = true }, ~0ULL);
	is_int(balloon_hint_start(device, true, NULL), -EOPNOTSUPP, "made without");
	send(2, 0x40000, 4 * PAGE, DRIVER_WRITE);
	ok(!touched(0x40000) && !touched(0x43000) && touched(0x44000), "reported pages");
	is_int(driver_used(2), 0, "the report comes back");
}

static void test_queues(void)
{
	create((struct balloon_backend){ .stats_interval_s = 1,
					 .hinting = true,
					 .reporting = true },
	       1ULL << VIRTIO_BALLOON_F_REPORTING);
	touch(0x40000, 0x41000);
	send(2, 0x40000, PAGE, DRIVER_WRITE);
	ok(!touched(0x40000), "queues that were not negotiated leave no gap");
	send(3, 0x40000, PAGE, DRIVER_WRITE);
	is_int(driver_used(3), -1, "and are not served");
	send(2, 0x200000, PAGE, DRIVER_WRITE);
	ok(driver_stopped(), "outside of memory");
}

int main(void)
{
	driver_memory();
	if (loop_create(&loop, NULL))
		return 1;
	test_inflate();
	test_stats();
	test_hints();
	test_queues();
	device->ops->destroy(device);
	loop_destroy(loop);
	guest_memory_finish(&memory);
	return tap_done();
}
