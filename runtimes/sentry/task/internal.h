/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of task/ use of one another.
 */
#ifndef SENTRY_TASK_INTERNAL_H
#define SENTRY_TASK_INTERNAL_H

#include "runtimes/sentry/task/task.h"

static inline unsigned int pid_bucket(pid_t pid)
{
	return (unsigned int)pid % PID_BUCKETS;
}

/* pid_take() - a free number. Caller holds the tasks lock. Return: it, or -EAGAIN. */
pid_t pid_take(struct pid_namespace *ns);

/* task_create() - not in any list; @p's reference is taken. */
struct task *task_create(struct process *p, struct cred *c);
/* process_create() - of @c, not in any list, no task yet, one reference. */
struct process *process_create(struct container *c);
/*
 * task_publish() - number @t and put it into the lists of its process; the first task of a process
 * numbers and publishes the process too.  @pid: 0, or the number to use.  Caller holds the tasks
 * lock. Return: 0 or -EAGAIN.
 */
int task_publish(struct task *t);
/* task_unpublish() - out of all lists; Return: whether it was the last one of its process. Caller
 * holds the tasks lock. */
bool task_unpublish(struct task *t);
/* process_unpublish() - the number is free. Caller holds the tasks lock. */
void process_unpublish(struct process *p);
/* task_renumber() - @t of a process with no other task takes the process's number. Caller holds
 * the tasks lock. */
void task_renumber(struct task *t);

/*
 * A stub process has one: its death is told of with it, whatever execve has given the process
 * meanwhile.
 */
struct stub_life {
	struct process *process; /* a reference */
	struct stub_process *stub;
};
/* process_attach() - @sp is the stub of @p from now on. Caller holds signal_lock. */
void process_attach(struct process *p, struct stub_process *sp);
/* process_detach() - its stub never ran: nobody will report its death. Caller holds a reference. */
void process_detach(struct process *p);

/* task_died(), task_gone(), task_clone_failed() - platform_ops of these names. */
void task_died(void *owner, int host_signal);
void task_gone(void *owner);
void task_clone_failed(void *owner);

/* signal_post_process() - as signal_send_process(), but SIGCONT continues nobody: may be called
 * under the tasks lock. */
int signal_post_process(struct process *p, const siginfo_t *info);
/*
 * process_begin_leave() - as process_begin_exit(), but threads other than @me are asked, not
 * killed: a stub has words in shared memory to set straight (robust futexes) before it goes.
 */
void process_begin_leave(struct process *p, struct task *me, int wait_status);
/* process_count_cpu() - its stub is about to go: keep what it used. Caller holds signal_lock. */
void process_count_cpu(struct process *p);
/* process_report() - SIGCHLD with @code (CLD_*) and a wake-up for the parent of @p. No lock held.
 */
void process_report(struct process *p, int code, int status);

#endif
