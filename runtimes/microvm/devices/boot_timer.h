/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boot timer: the guest's init says that it runs.
 *
 * A byte 123 written to the first device page, as Firecracker has it; the time since the start
 * is logged.
 */
#ifndef MICROVM_DEVICES_BOOT_TIMER_H
#define MICROVM_DEVICES_BOOT_TIMER_H

#include <stdint.h>

#include "runtimes/microvm/devices/bus.h"

#define BOOT_TIMER_AT	 0xc0000000ULL
#define BOOT_TIMER_BYTES 4096

struct boot_timer {
	int64_t start_wall_ns, start_cpu_ns; /* when the machine was started */
};

extern const struct bus_ops boot_timer_ops;

/* boot_timer_start() - now, on the wall and in CPU time of this process. */
void boot_timer_start(struct boot_timer *t);

#endif
