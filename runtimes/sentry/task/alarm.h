/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions to be called at a time: one thread of the sentry waits for all of them.
 *
 * Nothing runs while no alarm is set.
 */
#ifndef SENTRY_TASK_ALARM_H
#define SENTRY_TASK_ALARM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

/* Embedded in what it wakes; zeroed, then fn set by its owner. */
struct alarm {
	struct list in_alarms;
	int64_t when_ns; /* CLOCK_MONOTONIC; under the alarms' own lock */
	bool set, running;
	void (*fn)(struct alarm *a); /* in the alarm thread, no lock held; may set it again */
};

/* alarm_set() - to @when_ns, in place of what was set before. */
void alarm_set(struct alarm *a, int64_t when_ns);
/* alarm_clear() - not set and not running after it; not to be called from fn. */
void alarm_clear(struct alarm *a);
/* alarm_left_ns() - 0: not set. */
int64_t alarm_left_ns(struct alarm *a);
int64_t alarm_now_ns(void);

#endif
