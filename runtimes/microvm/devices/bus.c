/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bus: which device answers at an address.
 */
#include "runtimes/microvm/devices/bus.h"

#include <errno.h>
#include <string.h>

int bus_add(struct bus *bus, uint64_t start, uint64_t bytes, const struct bus_ops *ops,
	    void *device)
{
	if (bus->n == BUS_DEVICES)
		return -ENOSPC;
	bus->entries[bus->n++] =
		(struct bus_entry){ .start = start, .bytes = bytes, .ops = ops, .device = device };
	return 0;
}

static const struct bus_entry *bus_find(const struct bus *bus, uint64_t at)
{
	for (unsigned int i = 0; i < bus->n; i++) {
		const struct bus_entry *e = &bus->entries[i];

		if (at >= e->start && at - e->start < e->bytes)
			return e;
	}
	return NULL;
}

bool bus_read(const struct bus *bus, uint64_t at, uint8_t *bytes, unsigned int len)
{
	const struct bus_entry *e = bus_find(bus, at);

	if (e)
		e->ops->read(e->device, at - e->start, bytes, len);
	else
		memset(bytes, 0xff, len);
	return e != NULL;
}

bool bus_write(const struct bus *bus, uint64_t at, const uint8_t *bytes, unsigned int len)
{
	const struct bus_entry *e = bus_find(bus, at);

	if (e)
		e->ops->write(e->device, at - e->start, bytes, len);
	return e != NULL;
}
