/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers that send signals: setitimer(2), alarm(2), timer_create(2).
 */
#ifndef SENTRY_TASK_ITIMER_H
#define SENTRY_TASK_ITIMER_H

#include <sys/time.h>
#include <time.h>

#include "runtimes/sentry/task/task.h"

struct itimers;

/* itimer_set(), itimer_get() - @which: ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF. */
int itimer_set(struct process *p, int which, const struct itimerval *to,
	       struct itimerval *ret_old /* may be NULL */);
int itimer_get(struct process *p, int which, struct itimerval *ret);

/* The calls of these names; @e may be NULL: SIGALRM.  Return: the timer's number, or -errno. */
int itimer_create(struct task *t, clockid_t clock, const struct sigevent *e);
int itimer_settime(struct process *p, int id, int flags, const struct itimerspec *to,
		   struct itimerspec *ret_old /* may be NULL */);
int itimer_gettime(struct process *p, int id, struct itimerspec *ret);
int itimer_getoverrun(struct process *p, int id);
int itimer_delete(struct process *p, int id);

/* itimers_exec() - timers of timer_create() do not survive execve. */
void itimers_exec(struct process *p);
/* itimers_stop() - the process has ended. */
void itimers_stop(struct process *p);
/* itimers_destroy() - with the last reference. @i may be NULL. */
void itimers_destroy(struct itimers *i);

#endif
