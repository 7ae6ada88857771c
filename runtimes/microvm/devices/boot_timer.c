/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boot timer.
 */
#include "runtimes/microvm/devices/boot_timer.h"

#include <string.h>
#include <time.h>

#include "base/log.h"

#define INIT_RUNS 123

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

void boot_timer_start(struct boot_timer *t)
{
	t->start_wall_ns = now_ns(CLOCK_MONOTONIC);
	t->start_cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static void boot_timer_read(void *device, uint64_t offset, uint8_t *bytes, unsigned int len)
{
	(void)device;
	(void)offset;
	memset(bytes, 0, len);
}

static void boot_timer_write(void *device, uint64_t offset, const uint8_t *bytes, unsigned int len)
{
	const struct boot_timer *t = device;
	long long wall, cpu;

	if (offset || len != 1 || bytes[0] != INIT_RUNS)
		return;
	wall = (now_ns(CLOCK_MONOTONIC) - t->start_wall_ns) / 1000;
	cpu = (now_ns(CLOCK_PROCESS_CPUTIME_ID) - t->start_cpu_ns) / 1000;
	log_info("Guest-boot-time = %6lld us %lld ms, %6lld CPU us %lld CPU ms", wall, wall / 1000,
		 cpu, cpu / 1000);
}

const struct bus_ops boot_timer_ops = { .read = boot_timer_read, .write = boot_timer_write };
