/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors of processes: pidfd_open(2), CLONE_PIDFD.
 */
#ifndef SENTRY_TASK_PIDFD_H
#define SENTRY_TASK_PIDFD_H

#include "runtimes/sentry/task/task.h"

/* pidfd_create() - readable once @p has ended. @flags: O_NONBLOCK. */
struct file *pidfd_create(struct process *p, unsigned int flags, struct cred *c);
/* pidfd_process() - of which process @f is one; NULL: it is another kind of file. No reference. */
struct process *pidfd_process(const struct file *f);

#endif
