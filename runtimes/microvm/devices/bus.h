/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bus: which device answers at an address.
 *
 * There are two, for I/O ports and for memory-mapped devices.  All is added before the vCPUs
 * run; after that a bus is only read, so it needs no lock.  Devices lock themselves: each vCPU
 * calls from its own thread.
 */
#ifndef MICROVM_DEVICES_BUS_H
#define MICROVM_DEVICES_BUS_H

#include <stdbool.h>
#include <stdint.h>

#define BUS_DEVICES 64

/*
 * What a device does at @offset from its start; @len is 1, 2, 4 or 8 and may reach beyond the
 * device's last register.  A read fills all of @bytes.
 */
struct bus_ops {
	void (*read)(void *device, uint64_t offset, uint8_t *bytes, unsigned int len);
	void (*write)(void *device, uint64_t offset, const uint8_t *bytes, unsigned int len);
};

struct bus_entry {
	uint64_t start, bytes;
	const struct bus_ops *ops;
	void *device;
};

struct bus {
	unsigned int n;
	struct bus_entry entries[BUS_DEVICES];
};

/* bus_add() - @device answers from @start.  Return: 0, or -ENOSPC. */
int bus_add(struct bus *bus, uint64_t start, uint64_t bytes, const struct bus_ops *ops,
	    void *device);

/* bus_read() - where nothing answers, all bits are ones.  Return: whether a device answered. */
bool bus_read(const struct bus *bus, uint64_t at, uint8_t *bytes, unsigned int len);

/* bus_write() - where nothing answers, nothing happens.  Return: whether a device answered. */
bool bus_write(const struct bus *bus, uint64_t at, const uint8_t *bytes, unsigned int len);

#endif
