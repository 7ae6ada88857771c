/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An i8042 keyboard controller: reset, and Ctrl-Alt-Del.
 */
#ifndef MICROVM_DEVICES_KEYBOARD_H
#define MICROVM_DEVICES_KEYBOARD_H

#include <pthread.h>
#include <stdint.h>

#include "runtimes/microvm/devices/bus.h"
#include "runtimes/microvm/kvm/counter.h"
#include "runtimes/microvm/kvm/state.h"

#define KEYBOARD_PORT  0x60 /* data; 0x64 is status and command */
#define KEYBOARD_PORTS 5
#define KEYBOARD_GSI   1
#define KEYBOARD_ROOM  16

struct keyboard {
	pthread_mutex_t lock;
	int irq_fd;		    /* owned by the machine */
	void (*reset)(void *owner); /* on a vCPU's thread, without the lock */
	void *owner;
	uint8_t control, output_port, command; /* command: waits for its data byte; 0 none */
	uint8_t queue[KEYBOARD_ROOM];
	unsigned int head, len;
	struct counter reads, writes, resets;
};

extern const struct bus_ops keyboard_ops;

/* keyboard_init() - @reset(@owner) is called when the guest asks for a reset. */
void keyboard_init(struct keyboard *k, int irq_fd, void (*reset)(void *owner), void *owner);

/* keyboard_ctrl_alt_del() - press it.  Return: 0, or -EBUSY when the guest does not read. */
int keyboard_ctrl_alt_del(struct keyboard *k);

/* keyboard_save(), keyboard_load() - registers and bytes that wait.  No vCPU runs. */
void keyboard_save(const struct keyboard *k, struct strbuf *out);
int keyboard_load(struct keyboard *k, struct state_reader *r, struct error *err);

#endif
