/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of snapshots without KVM: state files, memory files, devices saved and loaded.
 */
#include "runtimes/microvm/kvm/memory_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtimes/microvm/devices/serial.h"
#include "runtimes/microvm/virtio/persist.h"
#include "runtimes/microvm/virtio/rng.h"
#include "tests/unit/tap.h"

#define MEMORY (8ULL << 20)
#define PAGE   GUEST_PAGE_BYTES

static int temporary(void)
{
	char path[] = "/tmp/vmm-snapshot-XXXXXX";
	int fd = mkstemp(path);

	unlink(path);
	return fd;
}

/* opened() - whether @file opens, and the text when not. */
static bool opened(const struct strbuf *file, size_t len, struct error *err)
{
	struct state_reader r;

	*err = (struct error)ERROR_INIT;
	return state_open(file->data, len, &r, NULL, err) == 0;
}

static void test_state(void)
{
	struct strbuf sections cleanup_strbuf = { 0 }, file cleanup_strbuf = { 0 };
	struct state_reader r;
	struct error err;
	uint32_t v = 7;

	state_put(&sections, STATE_MEMORY, &v, sizeof(v));
	state_put(&sections, STATE_DEVICE, NULL, 0);
	state_seal(&sections, &file);
	ok(opened(&file, file.len, &err), "a sealed file opens");
	ok(!opened(&file, file.len - 1, &err) && strstr(err.text, "cut off"), "%s", err.text);
	ok(!opened(&file, 3, &err) && strstr(err.text, "not a snapshot"), "%s", err.text);
	file.data[file.len - 1] ^= 1;
	ok(!opened(&file, file.len, &err) && strstr(err.text, "checksum"), "%s", err.text);
	file.data[file.len - 1] ^= 1;
	file.data[8]++;
	ok(!opened(&file, file.len, &err) && err.code == -ENOTSUP, "%s", err.text);
	file.data[8]--;
	is_int(state_open(file.data, file.len, &r, NULL, &err), 0, "whole again");
	v = 0;
	is_int(state_take(&r, STATE_MEMORY, &v, sizeof(v), &err), 0, "the first section");
	is_int(v, 7, "what is in it");
	is_int(state_take(&r, STATE_MEMORY, &v, sizeof(v), &err), -EBADMSG, "another tag");
	is_int(state_take(&r, STATE_DEVICE, &v, sizeof(v), &err), -EBADMSG, "another length");
	is_int(state_take(&r, STATE_DEVICE, &v, 0, &err), -EBADMSG, "nothing is left");
}

static bool is_page(const struct guest_memory *m, uint64_t page, char byte)
{
	const char *p = guest_memory_at(m, GPA(page * PAGE), PAGE);

	return p[0] == byte && p[PAGE - 1] == byte;
}

static void fill(struct guest_memory *m, uint64_t page, char byte)
{
	char bytes[PAGE];

	memset(bytes, byte, sizeof(bytes));
	guest_memory_write(m, GPA(page * PAGE), bytes, sizeof(bytes));
}

static void test_memory(void)
{
	struct guest_memory m = { 0 }, other = { 0 };
	struct error err = ERROR_INIT;
	int fd = temporary();
	struct stat st;

	guest_memory_create(&m, MEMORY, GUEST_PAGES_PLAIN, &err);
	fill(&m, 0, 'a');
	fill(&m, 5, 0);
	fill(&m, 2047, 'z');
	is_int(guest_memory_dump(&m, fd, &err), 0, "memory is written");
	fstat(fd, &st);
	is_int(st.st_size, MEMORY, "as large as it is");
	ok(st.st_blocks * 512 <= (long)(4 * PAGE), "with holes: %ld blocks", (long)st.st_blocks);
	is_int(guest_memory_map(&other, MEMORY, fd, &err), 0, "it is mapped");
	ok(is_page(&other, 0, 'a') && is_page(&other, 2047, 'z') && is_page(&other, 5, 0) &&
		   is_page(&other, 100, 0),
	   "and is the same");
	ok(guest_memory_is_file(&other, fd) && !guest_memory_is_file(&m, fd), "which file it is");
	fill(&other, 0, 'b');
	guest_memory_finish(&other);
	is_int(guest_memory_map(&other, MEMORY, fd, &err), 0, "mapped again");
	ok(is_page(&other, 0, 'a'), "it is not changed by who maps it");
	guest_memory_finish(&other);
	is_int(guest_memory_map(&other, 2 * MEMORY, fd, &err), -EINVAL, "not for another size");
	guest_memory_finish(&m);
	close(fd);
}

/* Without KVM's log what was touched counts as changed, zeros too. */
static void test_changed(void)
{
	struct guest_memory m = { 0 };
	struct error err = ERROR_INIT;
	struct vm vm = VM_INIT;
	int fd = temporary();
	char byte = 'x';

	guest_memory_create(&m, MEMORY, GUEST_PAGES_PLAIN, &err);
	guest_memory_track(&m);
	fill(&m, 3, 'c');
	fill(&m, 9, 0);
	ok(m.regions[0].dirty[0] == (1 << 3 | 1 << 9), "what we write is marked");
	guest_memory_mark(&m, GPA(63 * PAGE + 1), PAGE);
	ok(m.regions[0].dirty[0] >> 63 == 1 && m.regions[0].dirty[1] == 1, "over a page's end");
	guest_memory_mark(&m, GPA(MEMORY), 1);
	guest_memory_mark(&m, GPA(MEMORY - 1), 1ULL << 40);
	ok(m.regions[0].dirty[31] >> 63 == 1, "only inside of memory");
	is_int(pwrite(fd, &byte, 1, 9 * PAGE), 1, "a file with an old page");
	is_int(pwrite(fd, &byte, 1, 20 * PAGE), 1, "and one that has not changed");
	is_int(guest_memory_dump_changed(&m, &vm, fd, &err), 0, "changes are written over it");
	ok(pread(fd, &byte, 1, 3 * PAGE) == 1 && byte == 'c', "a new page");
	ok(pread(fd, &byte, 1, 9 * PAGE) == 1 && byte == 0, "one that is zero now");
	ok(pread(fd, &byte, 1, 20 * PAGE) == 1 && byte == 'x', "the others stay");
	guest_memory_finish(&m);
	close(fd);
}

static void test_devices(void)
{
	struct strbuf out cleanup_strbuf = { 0 };
	struct guest_memory m = { 0 };
	struct error err = ERROR_INIT;
	struct virtio_device *a, *b;
	struct serial s, t;
	struct state_reader r;
	int irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct loop *loop;
	uint64_t count;
	uint8_t byte;

	loop_create(&loop, &err);
	guest_memory_create(&m, MEMORY, GUEST_PAGES_PLAIN, &err);
	serial_init(&s, -1, &(struct bucket_config){ 0 }, irq);
	serial_input(&s, (const uint8_t *)"hello", 5);
	serial_ops.read(&s, 0, &byte, 1);
	serial_ops.write(&s, 1, (const uint8_t *)"\1", 1);
	rng_create(&a, &(struct limiter_config){ 0 }, loop, &m, irq);
	a->status = 15;
	a->interrupt_status = 1;
	a->driver_features = VIRTIO_FEATURE_VERSION_1;
	a->queues[0] = (struct virtqueue){ .memory = &m,
					   .size = 8,
					   .ready = true,
					   .descriptors = GPA(0x1000),
					   .available = GPA(0x2000),
					   .used = GPA(0x3000),
					   .next_available = 65535,
					   .next_used = 3 };
	serial_save(&s, &out);
	virtio_save(a, &out);

	r = (struct state_reader){ (const uint8_t *)out.data, out.len };
	serial_init(&t, -1, &(struct bucket_config){ 0 }, irq);
	rng_create(&b, &(struct limiter_config){ 0 }, loop, &m, irq);
	(void)!read(irq, &count, sizeof(count));
	is_int(serial_load(&t, &r, &err), 0, "a serial port");
	serial_ops.read(&t, 0, &byte, 1);
	ok(byte == 'e' && t.rx_len == 3, "reads on where the other was");
	is_int(virtio_load(b, &r, &err), 0, "an entropy device");
	ok(b->queues[0].ready && b->queues[0].next_available == 65535 &&
		   b->queues[0].used.at == 0x3000 && virtio_running(b),
	   "has the other's queue");
	ok(read(irq, &count, sizeof(count)) == sizeof(count) && count == 2,
	   "both raise interrupts");
	b->ops->destroy(b);

	a->queues[0].used = GPA(MEMORY - 8);
	strbuf_reset(&out);
	virtio_save(a, &out);
	r = (struct state_reader){ (const uint8_t *)out.data, out.len };
	rng_create(&b, &(struct limiter_config){ 0 }, loop, &m, irq);
	is_int(virtio_load(b, &r, &err), -EBADMSG, "not with a queue outside of memory");
	b->ops->destroy(b);
	a->driver_features |= 1;
	strbuf_reset(&out);
	virtio_save(a, &out);
	r = (struct state_reader){ (const uint8_t *)out.data, out.len };
	rng_create(&b, &(struct limiter_config){ 0 }, loop, &m, irq);
	is_int(virtio_load(b, &r, &err), -EBADMSG, "nor with features that it has not");
	b->ops->destroy(b);
	a->ops->destroy(a);
	guest_memory_finish(&m);
	loop_destroy(loop);
	close(irq);
}

int main(void)
{
	test_state();
	test_memory();
	test_changed();
	test_devices();
	return tap_done();
}
