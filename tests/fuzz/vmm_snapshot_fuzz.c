/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzer: state files of snapshots, as far as they are read without KVM.
 *
 * The input is a file as it is, and the sections of one that is sealed well: a serial port, a
 * keyboard, an entropy device and a balloon, which then serve their queues, and a vCPU.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtimes/microvm/devices/keyboard.h"
#include "runtimes/microvm/devices/serial.h"
#include "runtimes/microvm/kvm/vcpu.h"
#include "runtimes/microvm/virtio/balloon.h"
#include "runtimes/microvm/virtio/persist.h"
#include "runtimes/microvm/virtio/rng.h"

#define MEMORY (1ULL << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct loop *loop;
static int irq_fd = -1;

static void load_device(struct virtio_device *d, struct state_reader *r)
{
	if (!virtio_load(d, r, NULL)) {
		struct strbuf again = { 0 };

		for (unsigned int i = 0; i < d->ops->n_queues; i++)
			virtio_notify(d, i);
		virtio_save(d, &again);
		strbuf_finish(&again);
	}
	d->ops->destroy(d);
}

static void load_all(struct state_reader *r)
{
	struct balloon_backend balloon = { .stats_interval_s = 1,
					   .hinting = true,
					   .reporting = true };
	struct vcpu vcpu = VCPU_INIT;
	struct vm vm = VM_INIT;
	struct guest_memory memory;
	struct virtio_device *d;
	struct keyboard k;
	struct serial s;

	serial_init(&s, -1, &(struct bucket_config){ 0 }, irq_fd);
	keyboard_init(&k, irq_fd, NULL, NULL);
	if (serial_load(&s, r, NULL) || keyboard_load(&k, r, NULL))
		return;
	if (s.rx_len > SERIAL_RX_ROOM || k.len > KEYBOARD_ROOM)
		abort();
	if (guest_memory_create(&memory, MEMORY, GUEST_PAGES_PLAIN, NULL))
		abort();
	rng_create(&d, &(struct limiter_config){ 0 }, loop, &memory, irq_fd);
	load_device(d, r);
	balloon_create(&d, &balloon, loop, &memory, irq_fd);
	load_device(d, r);
	vcpu_load(&vcpu, &vm, r, NULL);
	guest_memory_finish(&memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct strbuf sections = { 0 }, file = { 0 };
	struct state_reader r;

	if (!loop && loop_create(&loop, NULL))
		abort();
	if (irq_fd < 0)
		irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!state_open(data, len, &r, NULL, NULL))
		load_all(&r);
	strbuf_append(&sections, data, len);
	state_seal(&sections, &file);
	if (state_open(file.data, file.len, &r, NULL, NULL))
		abort();
	load_all(&r);
	strbuf_finish(&sections);
	strbuf_finish(&file);
	return 0;
}
