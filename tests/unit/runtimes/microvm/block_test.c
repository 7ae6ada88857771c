/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the block device, with a driver made by hand; once with requests served at
 * once, once with io_uring where the kernel has it.
 */
#include "runtimes/microvm/virtio/block.h"

#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tests/unit/runtimes/microvm/driver.h"

#define SECTOR	512
#define SECTORS 64
#define HEADER	DRIVER_DATA
#define BODY	(DRIVER_DATA + 0x1000)
#define STATUS	(DRIVER_DATA + 0x800)

static struct loop *loop;
static struct block_backend backend = { .id = "unit", .writeback = true };

static void stop(void *data)
{
	loop_stop(data);
}

static void turn(void)
{
	for (int i = 0; i < 3; i++) {
		loop_post(loop, stop, loop);
		loop_run(loop);
	}
}

static void create(void)
{
	if (device)
		device->ops->destroy(device);
	is_int(block_create(&device, &backend, loop, &memory, irq_fd, NULL), 0, "a device");
	driver_start(0);
}

static void offer(uint32_t type, uint64_t sector, uint32_t len, bool to_guest)
{
	struct virtio_blk_outhdr h = { .type = type, .sector = sector };

	memcpy(driver_at(HEADER), &h, sizeof(h));
	*(uint8_t *)driver_at(STATUS) = 0xff;
	driver_describe(0, 0, HEADER, sizeof(h), DRIVER_NEXT, len ? 1 : 2);
	driver_describe(0, 1, BODY, len, DRIVER_NEXT | (to_guest ? DRIVER_WRITE : 0), 2);
	driver_describe(0, 2, STATUS, 1, DRIVER_WRITE, 0);
	driver_offer(0, 0);
	virtio_notify(device, 0);
}

/* request() - Return: its status; *ret_used what came back as written. */
static int request(uint32_t type, uint64_t sector, uint32_t len, bool to_guest, int64_t *ret_used)
{
	offer(type, sector, len, to_guest);
	for (int i = 0; i < 1000 && (*ret_used = driver_used(0)) < 0; i++) {
		usleep(1000); /* io_uring is done when it is done */
		turn();
	}
	return *(uint8_t *)driver_at(STATUS);
}

static void test_transfer(void)
{
	uint8_t *body = driver_at(BODY), sector[SECTOR];
	int64_t used;

	memset(body, 'w', 4 * SECTOR);
	is_int(request(VIRTIO_BLK_T_OUT, 2, 4 * SECTOR, false, &used), 0, "write");
	is_int(used, 1, "only the status was written to");
	ok(pread(backend.fd, sector, SECTOR, 5 * SECTOR) == SECTOR && sector[0] == 'w', "is there");
	memset(body, 0, 4 * SECTOR);
	is_int(request(VIRTIO_BLK_T_IN, 3, 4 * SECTOR, true, &used), 0, "read");
	ok(used == 4 * SECTOR + 1 && body[0] == 'w' && body[3 * SECTOR - 1] == 'w' &&
		   body[3 * SECTOR] == 0,
	   "what was written");
	is_int(request(VIRTIO_BLK_T_FLUSH, 0, 0, false, &used), 0, "flush");
	is_int(request(VIRTIO_BLK_T_IN, SECTORS - 1, 2 * SECTOR, true, &used), 1, "beyond the end");
	is_int(request(VIRTIO_BLK_T_IN, UINT64_MAX, SECTOR, true, &used), 1, "far beyond");
	is_int(request(VIRTIO_BLK_T_OUT, 0, 100, false, &used), 1, "less than a sector");
	is_int(request(VIRTIO_BLK_T_GET_ID, 0, 20, true, &used), 0, "name");
	is_str((char *)body, "unit", "it is");
	is_int(request(VIRTIO_BLK_T_GET_ID, 0, 19, true, &used), 1, "no room for it");
	is_int(request(77, 0, SECTOR, true, &used), 2, "what we do not know");
}

static void test_discard(void)
{
	struct virtio_blk_discard_write_zeroes range = { .num_sectors = SECTORS };
	uint8_t sector[SECTOR];
	struct stat st;
	int64_t used;
	int r;

	memcpy(driver_at(BODY), &range, sizeof(range));
	is_int(request(VIRTIO_BLK_T_DISCARD, 0, sizeof(range), false, &used), 0, "discard all");
	ok(!fstat(backend.fd, &st) && st.st_blocks == 0 && st.st_size == SECTORS * SECTOR,
	   "nothing is stored");
	ok(pwrite(backend.fd, "x", 1, 0) == 1, "write");
	r = request(VIRTIO_BLK_T_WRITE_ZEROES, 0, sizeof(range), false, &used);
	ok(pread(backend.fd, sector, SECTOR, 0) == SECTOR &&
		   (r == VIRTIO_BLK_S_OK ? !sector[0]
					 : r == VIRTIO_BLK_S_UNSUPP && sector[0] == 'x'),
	   "zeros are there, or this file system has none");
	range.sector = 1;
	memcpy(driver_at(BODY), &range, sizeof(range));
	is_int(request(VIRTIO_BLK_T_DISCARD, 0, sizeof(range), false, &used), 1, "beyond the end");
	range = (struct virtio_blk_discard_write_zeroes){ .num_sectors = 1, .flags = 1 };
	memcpy(driver_at(BODY), &range, sizeof(range));
	is_int(request(VIRTIO_BLK_T_DISCARD, 0, sizeof(range), false, &used), 2, "unknown flags");
	is_int(request(VIRTIO_BLK_T_DISCARD, 0, 3, false, &used), 1, "half a range");
	is_int(request(VIRTIO_BLK_T_DISCARD, 0, 0, false, &used), 1, "none");
}

static void test_read_only(void)
{
	int64_t used;

	memset(driver_at(BODY), 0, SECTOR);
	backend.read_only = true;
	create();
	is_int(request(VIRTIO_BLK_T_OUT, 0, SECTOR, false, &used), 1, "a write to it");
	is_int(request(VIRTIO_BLK_T_DISCARD, 0, 16, false, &used), 1, "a discard");
	backend.read_only = false;
}

/* A file that ends before the disk does: somebody has cut it. */
static void test_short_file(void)
{
	int64_t used;

	create();
	if (ftruncate(backend.fd, 3 * SECTOR))
		return;
	is_int(request(VIRTIO_BLK_T_IN, 0, 8 * SECTOR, true, &used), 1, "the rest is an error");
	is_int(used, 1, "nothing is said to be there");
	is_int(ftruncate(backend.fd, SECTORS * SECTOR), 0, "whole again");
}

static void test_set_file(void)
{
	int other = memfd_create("other", MFD_CLOEXEC);
	int64_t used;

	if (ftruncate(other, 7 * SECTOR) || pwrite(other, "other", 5, 0) != 5)
		return;
	create();
	is_int(block_set_file(device, other, NULL), 0, "another file");
	is_int(driver_get(VIRTIO_MMIO_CONFIG), 7, "its size");
	ok(driver_get(VIRTIO_MMIO_INTERRUPT_STATUS) & 2, "the driver is told");
	is_int(request(VIRTIO_BLK_T_IN, 0, SECTOR, true, &used), 0, "read");
	ok(!memcmp(driver_at(BODY), "other", 5), "from it");
	is_int(block_set_file(device, backend.fd, NULL), 0, "and back");
	close(other);
}

static void test_limit(void)
{
	struct limiter_config one = { .ops = { true, 1, 0, 1000000 } };
	struct limiter_config none = { .ops = { true, 0, 0, 0 } };
	int64_t used;

	backend.limiter = one;
	create();
	is_int(request(VIRTIO_BLK_T_IN, 0, SECTOR, true, &used), 0, "the first");
	offer(VIRTIO_BLK_T_IN, 0, SECTOR, true);
	turn();
	is_int(driver_used(0), -1, "the second waits");
	driver_start(0);
	offer(VIRTIO_BLK_T_IN, 0, SECTOR, true);
	is_int(driver_used(0), -1, "a reset brings no tokens");
	block_set_limiter(device, &none);
	virtio_notify(device, 0); /* as its event does */
	for (int i = 0; i < 1000 && (used = driver_used(0)) < 0; i++) {
		usleep(1000);
		turn();
	}
	is_int(used, SECTOR + 1, "without a limit it is served");
	backend.limiter = (struct limiter_config){ 0 };
}

static void test_bad(void)
{
	create();
	driver_describe(0, 0, HEADER, 15, DRIVER_NEXT, 1);
	driver_describe(0, 1, STATUS, 1, DRIVER_WRITE, 0);
	driver_offer(0, 0);
	virtio_notify(device, 0);
	ok(driver_stopped(), "less than a header");
	driver_start(0);
	driver_describe(0, 0, HEADER, 16, 0, 0);
	driver_offer(0, 0);
	virtio_notify(device, 0);
	ok(driver_stopped(), "no place for a status");
	driver_start(0);
	offer(VIRTIO_BLK_T_IN, 0, 32 * SECTOR, true);
	driver_set(VIRTIO_MMIO_STATUS, 0);
	ok(true, "a reset in the middle");
}

static void all(void)
{
	create();
	test_transfer();
	test_discard();
	test_read_only();
	test_short_file();
	test_set_file();
	test_limit();
	test_bad();
}

int main(void)
{
	driver_memory();
	backend.fd = memfd_create("disk", MFD_CLOEXEC);
	if (loop_create(&loop, NULL) || ftruncate(backend.fd, SECTORS * SECTOR))
		return 1;
	all();
	backend.async = !block_check_async(NULL);
	if (backend.async)
		all();
	device->ops->destroy(device);
	loop_destroy(loop);
	guest_memory_finish(&memory);
	return tap_done();
}
