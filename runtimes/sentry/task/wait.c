/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for children: wait4(2) and waitid(2).
 */
#include <errno.h>
#include <sys/wait.h>
#include <time.h>

#include "runtimes/sentry/task/internal.h"
#include "runtimes/sentry/task/pgroup.h"

static bool matches(const struct wait_for *w, struct process *self, struct process *child)
{
	bool is_clone = child->exit_signal != SIGCHLD;

	if (!(w->options & __WALL) && is_clone != !!(w->options & __WCLONE))
		return false;
	if (w->process)
		return child == w->process;
	switch (w->which) {
	case P_PID:
		return child->pid == w->id;
	case P_PGID:
		return child->group && child->group->pgid == (w->id ? w->id : self->group->pgid);
	default:
		return true;
	}
}

static void add_time(struct timeval *a, const struct timeval *b)
{
	a->tv_sec += b->tv_sec;
	a->tv_usec += b->tv_usec;
	if (a->tv_usec >= 1000000) {
		a->tv_usec -= 1000000;
		a->tv_sec++;
	}
}

static void add_usage(struct rusage *to, const struct rusage *from)
{
	add_time(&to->ru_utime, &from->ru_utime);
	add_time(&to->ru_stime, &from->ru_stime);
	to->ru_maxrss = MAX(to->ru_maxrss, from->ru_maxrss);
	to->ru_minflt += from->ru_minflt;
	to->ru_majflt += from->ru_majflt;
}

static uid_t uid_of(struct process *p)
{
	uid_t uid = 0;
	struct task *t;

	LOCKED(&p->signal_lock);
	list_for_each(t, &p->tasks, in_process)
		uid = t->cred->uid;
	return uid;
}

/*
 * take() - what @child has to tell, if it was asked for. Caller holds the tasks lock.
 * @ret_reaped: the child, when it is dead now: the reference that it lived by.
 */
static bool take(const struct wait_for *w, struct process *self, struct process *child,
		 struct wait_result *ret, struct process **ret_reaped)
{
	bool keep = w->options & WNOWAIT;
	int status = child->wait_status;

	if (child->state == PROCESS_ZOMBIE && (w->options & WEXITED)) {
		ret->code = status & 0x7f ? CLD_KILLED : CLD_EXITED;
		ret->status = status & 0x7f ? status & 0x7f : status >> 8 & 0xff;
		ret->usage = child->usage;
		add_usage(&ret->usage, &child->children_usage);
		if (!keep) {
			add_usage(&self->children_usage, &ret->usage);
			child->state = PROCESS_DEAD;
			process_unpublish(child);
			*ret_reaped = child;
		}
	} else if (child->state == PROCESS_STOPPED && child->stopped_unseen &&
		   (w->options & WSTOPPED)) {
		ret->code = CLD_STOPPED;
		ret->status = status >> 8 & 0xff;
		child->stopped_unseen = keep;
	} else if (child->state == PROCESS_RUNNING && child->continued_unseen &&
		   (w->options & WCONTINUED)) {
		ret->code = CLD_CONTINUED;
		ret->status = SIGCONT;
		status = 0xffff;
		child->continued_unseen = keep;
	} else {
		return false;
	}
	ret->pid = child->pid;
	ret->uid = uid_of(child);
	ret->wait_status = status;
	return true;
}

/* look() - Return: 0 found, -EAGAIN not yet, -ECHILD never. */
static int look(struct process *self, const struct wait_for *w, struct wait_result *ret)
{
	struct process *child, *next, *reaped = NULL;
	int rc = -ECHILD;

	lock_acquire(&tasks_lock);
	list_for_each_safe(child, next, &self->children, in_siblings) {
		if (!matches(w, self, child))
			continue;
		rc = take(w, self, child, ret, &reaped) ? 0 : -EAGAIN;
		if (!rc)
			break;
	}
	lock_release(&tasks_lock);
	process_put(reaped);
	return rc;
}

int task_wait(struct task *t, const struct wait_for *w, struct wait_result *ret)
{
	struct process *self = t->process;
	struct wait_entry e;
	int rc;

	*ret = (struct wait_result){ 0 };
	wait_begin(&self->child_events, &e, 0);
	while ((rc = look(self, w, ret)) == -EAGAIN) {
		if (w->options & WNOHANG) {
			rc = 0;
			break;
		}
		rc = wait_sleep(WAIT_FOREVER);
		if (rc < 0)
			break;
	}
	wait_end(&e);
	return rc;
}

void process_usage(struct process *p, struct rusage *ret)
{
	int64_t ns = process_cpu_ns(p);

	*ret = (struct rusage){ 0 };
	ret->ru_utime.tv_sec = ns / 1000000000;
	ret->ru_utime.tv_usec = ns / 1000 % 1000000;
}
