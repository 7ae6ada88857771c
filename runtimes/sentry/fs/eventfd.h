/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters as files (eventfd), timers as files (timerfd), signals as files (signalfd).
 */
#ifndef SENTRY_FS_EVENTFD_H
#define SENTRY_FS_EVENTFD_H

#include <time.h>

#include "runtimes/sentry/vfs/file.h"

/* eventfd_create() - @flags: O_NONBLOCK. */
struct file *eventfd_create(uint64_t value, bool semaphore, unsigned int flags, struct cred *c);

/* timerfd_create_file() - of @clock, which the caller has checked. */
struct file *timerfd_create_file(clockid_t clock, unsigned int flags, struct cred *c);
/* timerfd_set(), timerfd_get() - -EINVAL: @f is no timer. @flags: TFD_TIMER_ABSTIME. */
int timerfd_set(struct file *f, int flags, const struct itimerspec *to, struct itimerspec *ret_old);
int timerfd_get(struct file *f, struct itimerspec *ret);

struct file *signalfd_create(uint64_t set, unsigned int flags, struct cred *c);
/* signalfd_change() - another set for an open one. -EINVAL: @f is none. */
int signalfd_change(struct file *f, uint64_t set);

#endif
