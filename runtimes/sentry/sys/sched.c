/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scheduling: there is one class for guests, and the host schedules.
 *
 * Policies other than SCHED_OTHER, BATCH and IDLE would need rights on the host; nice values are
 * kept and shown.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "runtimes/sentry/sys/calls.h"
#include "runtimes/sentry/task/pgroup.h"
#include "runtimes/sentry/task/signal.h"

static struct task *target(struct task *t, pid_t pid)
{
	if (pid < 0)
		return NULL;
	return pid ? task_find(t->process->pids, pid) : task_get(t);
}

/* owns() - Linux's rule for changing the scheduling of another. */
static bool owns(struct task *t, struct task *to)
{
	struct cred *c;
	bool is;

	if (cred_has(t->cred, CAP_SYS_NICE))
		return true;
	lock_acquire(&to->process->lock);
	c = cred_get(to->cred);
	lock_release(&to->process->lock);
	is = t->cred->euid == c->euid || t->cred->euid == c->uid;
	cred_put(c);
	return is;
}

long sys_sched_yield(struct task *t, const uint64_t a[6])
{
	(void)t;
	(void)a;
	sched_yield();
	return 0;
}

/* CPUs that a pod may use are those that the sentry may use. */
long sys_sched_getaffinity(struct task *t, const uint64_t a[6])
{
	size_t size = (uint32_t)a[1], len;
	struct task *to = target(t, (pid_t)a[0]);
	uint64_t mask[16] = { 0 };
	cpu_set_t set;

	if (!to)
		return -ESRCH;
	memcpy(mask, to->affinity, sizeof(mask));
	task_put(to);
	len = ((size_t)sysconf(_SC_NPROCESSORS_CONF) + 63) / 64 * 8;
	if (size & 7 || size < len)
		return -EINVAL;
	if (!mask[0] && !mask[1]) {
		/* The serving thread is pinned: ask the first thread. */
		if (sched_getaffinity(getpid(), sizeof(set), &set))
			return -errno;
		memcpy(mask, &set, MIN(sizeof(mask), sizeof(set)));
	}
	len = MIN(len, sizeof(mask));
	return sys_copy_out(t, a[2], mask, len) ?: (long)len;
}

long sys_sched_setaffinity(struct task *t, const uint64_t a[6])
{
	struct task *to = target(t, (pid_t)a[0]);
	uint64_t mask[16] = { 0 };
	cpu_set_t set;
	bool any = false;
	int rc;

	if (!to)
		return -ESRCH;
	rc = owns(t, to) ? sys_copy_in(t, mask, a[2], MIN((uint32_t)a[1], sizeof(mask))) : -EPERM;
	if (!rc && sched_getaffinity(getpid(), sizeof(set), &set))
		rc = -errno;
	for (size_t i = 0; !rc && i < ARRAY_LEN(mask); i++) {
		mask[i] &= ((uint64_t *)&set)[i];
		any |= mask[i] != 0;
	}
	if (!rc && !any)
		rc = -EINVAL;
	if (!rc)
		memcpy(to->affinity, mask, sizeof(mask));
	task_put(to);
	return rc;
}

static bool is_fair(int policy)
{
	return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

long sys_sched_getscheduler(struct task *t, const uint64_t a[6])
{
	struct task *to = target(t, (pid_t)a[0]);
	long policy = to ? to->policy : 0;

	if (!to)
		return (pid_t)a[0] < 0 ? -EINVAL : -ESRCH;
	task_put(to);
	return policy;
}

static long set_policy(struct task *t, pid_t pid, int policy, int priority)
{
	struct task *to;
	long rc;

	if (pid < 0 || priority < 0)
		return -EINVAL;
	policy &= ~SCHED_RESET_ON_FORK;
	if (policy == SCHED_FIFO || policy == SCHED_RR)
		return priority < 1 || priority > 99 ? -EINVAL : -EPERM;
	if (!is_fair(policy) || priority)
		return -EINVAL;
	to = target(t, pid);
	if (!to)
		return -ESRCH;
	rc = owns(t, to) ? 0 : -EPERM;
	if (!rc)
		to->policy = policy;
	task_put(to);
	return rc;
}

long sys_sched_setscheduler(struct task *t, const uint64_t a[6])
{
	int priority, rc;

	if ((int)a[1] < 0 || !a[2])
		return -EINVAL;
	rc = sys_copy_in(t, &priority, a[2], sizeof(priority));
	return rc ? rc : set_policy(t, (pid_t)a[0], (int)a[1], priority);
}

long sys_sched_getparam(struct task *t, const uint64_t a[6])
{
	struct task *to = target(t, (pid_t)a[0]);
	int priority = 0;

	if (!a[1] || (pid_t)a[0] < 0) {
		task_put(to);
		return -EINVAL;
	}
	if (!to)
		return -ESRCH;
	task_put(to);
	return sys_copy_out(t, a[1], &priority, sizeof(priority));
}

long sys_sched_setparam(struct task *t, const uint64_t a[6])
{
	struct task *to = target(t, (pid_t)a[0]);
	int priority, rc;

	if (!a[1] || (pid_t)a[0] < 0) {
		task_put(to);
		return -EINVAL;
	}
	if (!to)
		return -ESRCH;
	rc = sys_copy_in(t, &priority, a[1], sizeof(priority));
	task_put(to);
	return rc ? rc : priority ? -EINVAL : 0;
}

long sys_sched_get_priority_max(struct task *t, const uint64_t a[6])
{
	int policy = (int)a[0];

	(void)t;
	if (policy == SCHED_FIFO || policy == SCHED_RR)
		return 99;
	return is_fair(policy) || policy == 6 /* SCHED_DEADLINE */ ? 0 : -EINVAL;
}

long sys_sched_get_priority_min(struct task *t, const uint64_t a[6])
{
	int policy = (int)a[0];

	(void)t;
	if (policy == SCHED_FIFO || policy == SCHED_RR)
		return 1;
	return is_fair(policy) || policy == 6 ? 0 : -EINVAL;
}

long sys_sched_rr_get_interval(struct task *t, const uint64_t a[6])
{
	struct task *to = target(t, (pid_t)a[0]);
	struct timespec slice = { 0, 4000000 };

	if (!to)
		return (pid_t)a[0] < 0 ? -EINVAL : -ESRCH;
	task_put(to);
	return sys_copy_out(t, a[1], &slice, sizeof(slice));
}

/* struct sched_attr, its first version. */
struct attr_v0 {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

long sys_sched_getattr(struct task *t, const uint64_t a[6])
{
	struct attr_v0 attr = { .size = sizeof(attr) };
	struct task *to;

	if (!a[1] || (pid_t)a[0] < 0 || (uint32_t)a[2] < sizeof(attr) || (uint32_t)a[2] > 4096 ||
	    a[3])
		return -EINVAL;
	to = target(t, (pid_t)a[0]);
	if (!to)
		return -ESRCH;
	attr.policy = (uint32_t)to->policy;
	attr.nice = to->nice;
	task_put(to);
	return sys_copy_out(t, a[1], &attr, sizeof(attr));
}

long sys_sched_setattr(struct task *t, const uint64_t a[6])
{
	struct {
		struct attr_v0 v0;
		uint32_t util_min, util_max; /* of version 1: for flags that are not there */
	} attr = { 0 };
	uint32_t size;
	int rc;

	if (!a[1] || (pid_t)a[0] < 0 || a[2])
		return -EINVAL;
	rc = sys_copy_in(t, &size, a[1], sizeof(size));
	if (rc)
		return rc;
	if (!size)
		size = sizeof(attr.v0);
	if (size < sizeof(attr.v0) || size > 4096)
		return -E2BIG;
	rc = sys_copy_sized(t, &attr, sizeof(attr), a[1], size);
	if (rc)
		return rc;
	return set_policy(t, (pid_t)a[0], (int)attr.v0.policy, (int)attr.v0.priority);
}

/* --- nice values --------------------------------------------------------------------------------
 */

/* for_each_target() - tasks that getpriority(2)'s @which and @who mean. */
static long for_each_target(struct task *t, int which, int who,
			    long (*fn)(struct task *t, struct task *to, int arg), int arg)
{
	long best = -ESRCH, one;
	struct process *p;
	struct task *to;

	if (which == PRIO_PROCESS) {
		to = target(t, who);
		if (!to)
			return -ESRCH;
		best = fn(t, to, arg);
		task_put(to);
		return best;
	}
	if (which != PRIO_PGRP && which != PRIO_USER)
		return -EINVAL;
	for (pid_t from = 1; (p = process_next(t->process->pids, from)); process_put(p)) {
		from = p->pid + 1;
		to = process_leader(p);
		if (!to)
			continue;
		if (which == PRIO_USER ? to->cred->uid == (who ? (uid_t)who : t->cred->uid)
				       : pgroup_has(p, who ? who : (pid_t)pgroup_getpgid(t, 0))) {
			one = fn(t, to, arg);
			best = MAX(best, one);
		}
		task_put(to);
	}
	return best;
}

static long get_nice(struct task *t, struct task *to, int arg)
{
	(void)t;
	(void)arg;
	return 20 - to->nice;
}

static long set_nice(struct task *t, struct task *to, int nice)
{
	uint64_t floor = task_limit(to, RLIMIT_NICE);

	if (!owns(t, to))
		return -EPERM;
	if (nice < to->nice && !cred_has(t->cred, CAP_SYS_NICE) && (uint64_t)(20 - nice) > floor)
		return -EACCES;
	to->nice = nice;
	return 0;
}

long sys_getpriority(struct task *t, const uint64_t a[6])
{
	return for_each_target(t, (int)a[0], (int)a[1], get_nice, 0);
}

long sys_setpriority(struct task *t, const uint64_t a[6])
{
	int nice = MAX(-20, MIN(19, (int)a[2]));

	return for_each_target(t, (int)a[0], (int)a[1], set_nice, nice);
}

long sys_ioprio_get(struct task *t, const uint64_t a[6])
{
	struct task *to = (int)a[0] == 1 ? target(t, (pid_t)a[1]) : task_get(t);
	long rc = to ? to->ioprio : -ESRCH;

	task_put(to);
	return (int)a[0] < 1 || (int)a[0] > 3 ? -EINVAL : rc;
}

long sys_ioprio_set(struct task *t, const uint64_t a[6])
{
	unsigned int value = (unsigned int)a[2], class = value >> 13;
	struct task *to;
	int rc;

	if ((int)a[0] != 1 || class > 3 || (class == 0 && (value & 0x1fff)))
		return -EINVAL;
	if (class == 1 && !cred_has(t->cred, CAP_SYS_ADMIN))
		return -EPERM;
	to = target(t, (pid_t)a[1]);
	if (!to)
		return -ESRCH;
	rc = owns(t, to) ? 0 : -EPERM;
	if (!rc)
		to->ioprio = (int)value;
	task_put(to);
	return rc;
}

long sys_getcpu(struct task *t, const uint64_t a[6])
{
	unsigned int cpu = 0, node = 0;
	int rc = 0;

	/* The serving thread runs where its stub does. */
	getcpu(&cpu, &node);
	if (a[0])
		rc = sys_copy_out(t, a[0], &cpu, sizeof(cpu));
	if (!rc && a[1])
		rc = sys_copy_out(t, a[1], &node, sizeof(node));
	return rc;
}
