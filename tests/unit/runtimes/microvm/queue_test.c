/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the split virtqueue, with a driver made by hand.
 */
#include "runtimes/microvm/virtio/queue.h"

#include "base/mem.h"
#include "tests/unit/tap.h"

#define SIZE	    8
#define DESCRIPTORS 0x1000
#define AVAILABLE   0x2000
#define USED	    0x3000
#define DATA	    0x8000

enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

static struct guest_memory memory;
static struct virtqueue queue;
static struct queue_chain chain;
static uint16_t available;

static void put(uint64_t at, const void *bytes, size_t len)
{
	if (guest_memory_write(&memory, GPA(at), bytes, len))
		ok(false, "memory at %#llx", (unsigned long long)at);
}

static void describe(uint64_t table, unsigned int i, uint64_t at, uint32_t len, uint16_t flags,
		     uint16_t next)
{
	struct {
		uint64_t at;
		uint32_t len;
		uint16_t flags, next;
	} d = { at, len, flags, next };

	put(table + i * sizeof(d), &d, sizeof(d));
}

static void offer(uint16_t head)
{
	put(AVAILABLE + 4 + 2 * (available++ % SIZE), &head, 2);
	put(AVAILABLE + 2, &available, 2);
}

static void start(void)
{
	virtqueue_reset(&queue);
	queue.size = SIZE;
	queue.descriptors = GPA(DESCRIPTORS);
	queue.available = GPA(AVAILABLE);
	queue.used = GPA(USED);
	available = 0;
	memset(memory.regions[0].host, 0, 0x10000);
}

static int pop_one(uint16_t head)
{
	offer(head);
	return virtqueue_pop(&queue, &chain);
}

static void test_good(void)
{
	uint16_t used;
	char text[6] = "";

	start();
	is_int(virtqueue_check(&queue), 0, "a good queue");
	is_int(virtqueue_pop(&queue, &chain), 0, "nothing is there");
	put(DATA, "hello", 5);
	describe(DESCRIPTORS, 3, DATA, 3, NEXT, 1);
	describe(DESCRIPTORS, 1, DATA + 3, 2, NEXT, 2);
	describe(DESCRIPTORS, 2, DATA + 64, 4, WRITE, 0);
	is_int(pop_one(3), 1, "a chain of three");
	ok(chain.n_read == 2 && chain.n_write == 1 && chain.read_bytes == 5, "two to read");
	is_int(chain_read(&chain, 0, text, 5), 0, "read over two parts");
	is_str(text, "hello", "text");
	is_int(chain_read(&chain, 1, text, 5), -EBADMSG, "beyond the end");
	is_int(chain_write(&chain, 2, "xyz", 3), -EBADMSG, "write beyond the end");
	is_int(chain_write(&chain, 1, "xyz", 3), 0, "write");
	ok(!memcmp(memory.regions[0].host + DATA + 64, "\0xyz", 4), "is there");
	is_int(virtqueue_push(&queue, chain.head, 4), 0, "push");
	guest_memory_read(&memory, GPA(USED + 2), &used, 2);
	is_int(used, 1, "the used index moved");
	ok(virtqueue_wants_interrupt(&queue), "the driver is told");
	ok(!virtqueue_wants_interrupt(&queue), "once");
}

static void test_indirect(void)
{
	start();
	describe(DATA, 0, DATA + 0x100, 16, NEXT, 1);
	describe(DATA, 1, DATA + 0x200, 16, WRITE, 0);
	describe(DESCRIPTORS, 0, DATA, 32, INDIRECT, 0);
	is_int(pop_one(0), 1, "an indirect table");
	ok(chain.read_bytes == 16 && chain.write_bytes == 16, "with two parts");
	describe(DATA, 1, DATA, 32, INDIRECT, 0);
	is_int(pop_one(0), -EBADMSG, "one in another");
	describe(DESCRIPTORS, 0, DATA, 33, INDIRECT, 0);
	is_int(pop_one(0), -EBADMSG, "not whole descriptors");
	describe(DESCRIPTORS, 0, DATA, 0, INDIRECT, 0);
	is_int(pop_one(0), -EBADMSG, "an empty one");
	describe(DESCRIPTORS, 0, DATA, 32, INDIRECT | NEXT, 1);
	is_int(pop_one(0), -EBADMSG, "one that goes on");
}

static void test_bad(void)
{
	start();
	describe(DESCRIPTORS, 0, DATA, 4, NEXT, 1);
	describe(DESCRIPTORS, 1, DATA, 4, NEXT, 0);
	is_int(pop_one(0), -EBADMSG, "a circle");
	start();
	is_int(pop_one(SIZE), -EBADMSG, "a head outside of the table");
	start();
	describe(DESCRIPTORS, 0, DATA, 4, NEXT, SIZE);
	is_int(pop_one(0), -EBADMSG, "a next outside of the table");
	start();
	describe(DESCRIPTORS, 0, 0xfffffffffffffff0ULL, 0x20, 0, 0);
	is_int(pop_one(0), -EBADMSG, "an address that wraps");
	start();
	describe(DESCRIPTORS, 0, guest_memory_bytes(&memory) - 2, 4, 0, 0);
	is_int(pop_one(0), -EBADMSG, "beyond memory");
	start();
	describe(DESCRIPTORS, 0, DATA, 0, 0, 0);
	is_int(pop_one(0), -EBADMSG, "empty");
	start();
	describe(DESCRIPTORS, 0, DATA, 4, WRITE | NEXT, 1);
	describe(DESCRIPTORS, 1, DATA, 4, 0, 0);
	is_int(pop_one(0), -EBADMSG, "to read after to write");
	start();
	available = SIZE;
	is_int(pop_one(0), -EBADMSG, "more than the queue holds");
}

static void test_setup(void)
{
	start();
	queue.size = 3;
	is_int(virtqueue_check(&queue), -EBADMSG, "no power of two");
	queue.size = 0;
	is_int(virtqueue_check(&queue), -EBADMSG, "nothing");
	queue.size = SIZE;
	queue.used = GPA(USED + 1);
	is_int(virtqueue_check(&queue), -EBADMSG, "not aligned");
	queue.used = GPA(UINT64_MAX - 3);
	is_int(virtqueue_check(&queue), -EBADMSG, "outside of memory");
}

static void test_event_index(void)
{
	uint16_t event = 1;

	start();
	queue.event_index = true;
	put(AVAILABLE + 4 + 2 * SIZE, &event, 2);
	virtqueue_push(&queue, 0, 0);
	ok(!virtqueue_wants_interrupt(&queue), "the driver waits for the second");
	virtqueue_push(&queue, 0, 0);
	ok(virtqueue_wants_interrupt(&queue), "and is told of it");
	ok(!virtqueue_ask(&queue), "no chain while asking");
	offer(0);
	ok(virtqueue_ask(&queue), "a chain came while asking");
	offer(0);
	virtqueue_arm(&queue);
	guest_memory_read(&memory, GPA(USED + 4 + 8 * SIZE), &event, 2);
	is_int(event, 2, "armed beyond chains that were left");
}

int main(void)
{
	if (guest_memory_create(&memory, 1 << 20, GUEST_PAGES_PLAIN, NULL))
		return 1;
	queue.memory = &memory;
	test_good();
	test_indirect();
	test_bad();
	test_setup();
	test_event_index();
	guest_memory_finish(&memory);
	return tap_done();
}
