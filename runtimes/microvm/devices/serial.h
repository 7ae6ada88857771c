/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A 16550A serial port: the guest's console.
 */
#ifndef MICROVM_DEVICES_SERIAL_H
#define MICROVM_DEVICES_SERIAL_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "runtimes/microvm/devices/bus.h"
#include "runtimes/microvm/devices/limiter.h"
#include "runtimes/microvm/kvm/counter.h"
#include "runtimes/microvm/kvm/state.h"

#define SERIAL_PORT    0x3f8
#define SERIAL_PORTS   8
#define SERIAL_GSI     4
#define SERIAL_RX_ROOM 64 /* bytes that wait for the guest: the FIFO of the 16550A and more */

struct serial {
	pthread_mutex_t lock;
	int out_fd;			    /* -1: output is dropped; not owned */
	int irq_fd;			    /* eventfd bound to SERIAL_GSI; owned by the machine */
	struct counter written, lost, read; /* bytes; lost: out_fd did not take them at once */
	struct limiter limiter;		    /* of output; what is beyond it is dropped */
	struct counter dropped;
	uint8_t ier, lcr, mcr, scratch, divisor[2];
	bool tx_pending; /* the transmitter's interrupt has not been read from IIR */
	uint8_t rx[SERIAL_RX_ROOM];
	unsigned int rx_head, rx_len;
};

extern const struct bus_ops serial_ops;

/*
 * serial_init() - a port that writes to @out_fd (-1: nowhere) no faster than @limit lets it, and
 * interrupts by @irq_fd.
 */
void serial_init(struct serial *s, int out_fd, const struct bucket_config *limit, int irq_fd);

/* serial_room() - how many bytes serial_input() takes now. */
size_t serial_room(struct serial *s);

/* serial_input() - @len bytes (at most serial_room()) for the guest to read. */
void serial_input(struct serial *s, const uint8_t *bytes, size_t len);

/* serial_save(), serial_load() - registers and bytes that wait.  No vCPU runs. */
void serial_save(const struct serial *s, struct strbuf *out);
int serial_load(struct serial *s, struct state_reader *r, struct error *err);

#endif
