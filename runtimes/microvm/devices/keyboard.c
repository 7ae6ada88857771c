/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An i8042 keyboard controller.
 *
 * What Linux asks of it: status, the control byte, the output port, the self test, and the
 * pulse on the reset line.  A keyboard answers every byte that it is sent with an
 * acknowledgement.
 */
#include "runtimes/microvm/devices/keyboard.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define OFFSET_DATA    0
#define OFFSET_COMMAND 4

#define STATUS_FULL	0x01
#define STATUS_SYSTEM	0x04
#define STATUS_UNLOCKED 0x10
#define CONTROL_IRQ	0x01
#define CONTROL_SYSTEM	0x04

enum {
	CMD_READ_CONTROL = 0x20,
	CMD_WRITE_CONTROL = 0x60,
	CMD_SELF_TEST = 0xaa,
	CMD_PORT_TEST = 0xab,
	CMD_READ_OUTPUT = 0xd0,
	CMD_WRITE_OUTPUT = 0xd1,
	CMD_RESET = 0xfe,
};

#define KEY_ACK 0xfa

void keyboard_init(struct keyboard *k, int irq_fd, void (*reset)(void *owner), void *owner)
{
	*k = (struct keyboard){ .irq_fd = irq_fd,
				.reset = reset,
				.owner = owner,
				.control = CONTROL_SYSTEM | CONTROL_IRQ,
				.output_port = 0x03 };
	pthread_mutex_init(&k->lock, NULL);
}

static void push(struct keyboard *k, uint8_t byte)
{
	uint64_t one = 1;

	if (k->len == KEYBOARD_ROOM)
		return;
	k->queue[(k->head + k->len++) % KEYBOARD_ROOM] = byte;
	if (k->control & CONTROL_IRQ)
		(void)!write(k->irq_fd, &one, sizeof(one));
}

static uint8_t pop(struct keyboard *k)
{
	uint64_t one = 1;
	uint8_t byte;

	if (!k->len)
		return 0;
	byte = k->queue[k->head];
	k->head = (k->head + 1) % KEYBOARD_ROOM;
	if (--k->len && (k->control & CONTROL_IRQ))
		(void)!write(k->irq_fd, &one, sizeof(one));
	return byte;
}

static void command(struct keyboard *k, uint8_t v)
{
	switch (v) {
	case CMD_READ_CONTROL:
		push(k, k->control);
		break;
	case CMD_WRITE_CONTROL:
	case CMD_WRITE_OUTPUT:
		k->command = v;
		break;
	case CMD_SELF_TEST:
		push(k, 0x55);
		break;
	case CMD_PORT_TEST:
		push(k, 0);
		break;
	case CMD_READ_OUTPUT:
		push(k, k->output_port);
		break;
	default:
		break;
	}
}

static void data(struct keyboard *k, uint8_t v)
{
	switch (k->command) {
	case CMD_WRITE_CONTROL:
		k->control = v;
		break;
	case CMD_WRITE_OUTPUT:
		k->output_port = v;
		break;
	default:
		push(k, KEY_ACK);
	}
	k->command = 0;
}

static void keyboard_read(void *device, uint64_t offset, uint8_t *bytes, unsigned int len)
{
	struct keyboard *k = device;

	memset(bytes, 0, len);
	counter_add(&k->reads, 1);
	pthread_mutex_lock(&k->lock);
	if (offset == OFFSET_DATA)
		bytes[0] = pop(k);
	else if (offset == OFFSET_COMMAND)
		bytes[0] = STATUS_SYSTEM | STATUS_UNLOCKED | (k->len ? STATUS_FULL : 0);
	pthread_mutex_unlock(&k->lock);
}

static void keyboard_write(void *device, uint64_t offset, const uint8_t *bytes, unsigned int len)
{
	struct keyboard *k = device;

	if (len != 1)
		return;
	counter_add(&k->writes, 1);
	if (offset == OFFSET_COMMAND && bytes[0] == CMD_RESET) {
		counter_add(&k->resets, 1);
		k->reset(k->owner);
		return;
	}
	pthread_mutex_lock(&k->lock);
	if (offset == OFFSET_DATA)
		data(k, bytes[0]);
	else if (offset == OFFSET_COMMAND)
		command(k, bytes[0]);
	pthread_mutex_unlock(&k->lock);
}

const struct bus_ops keyboard_ops = { .read = keyboard_read, .write = keyboard_write };

int keyboard_ctrl_alt_del(struct keyboard *k)
{
	/* scan codes of set 2, untranslated: left Ctrl, left Alt, Delete */
	static const uint8_t keys[] = { 0x14, 0x11, 0xe0, 0x71 };
	int r = 0;

	pthread_mutex_lock(&k->lock);
	if (k->len + sizeof(keys) > KEYBOARD_ROOM)
		r = -EBUSY;
	for (size_t i = 0; !r && i < sizeof(keys); i++)
		push(k, keys[i]);
	pthread_mutex_unlock(&k->lock);
	return r;
}

/* --- state ------------------------------------------------------------------------------------ */

struct keyboard_state {
	uint8_t control, output_port, command, len;
	uint8_t queue[KEYBOARD_ROOM]; /* from the first that waits */
};

void keyboard_save(const struct keyboard *k, struct strbuf *out)
{
	struct keyboard_state state = { .control = k->control,
					.output_port = k->output_port,
					.command = k->command,
					.len = (uint8_t)k->len };

	for (unsigned int i = 0; i < k->len; i++)
		state.queue[i] = k->queue[(k->head + i) % KEYBOARD_ROOM];
	state_put(out, STATE_KEYBOARD, &state, sizeof(state));
}

int keyboard_load(struct keyboard *k, struct state_reader *r, struct error *err)
{
	struct keyboard_state state;
	uint64_t one = 1;
	int rc = state_take(r, STATE_KEYBOARD, &state, sizeof(state), err);

	if (!rc && state.len > KEYBOARD_ROOM)
		rc = error_set(err, EBADMSG, "a keyboard that cannot be");
	if (rc)
		return rc;
	k->control = state.control;
	k->output_port = state.output_port;
	k->command = state.command;
	k->head = 0;
	k->len = state.len;
	memcpy(k->queue, state.queue, sizeof(k->queue));
	if (k->len && (k->control & CONTROL_IRQ))
		(void)!write(k->irq_fd, &one, sizeof(one));
	return 0;
}
