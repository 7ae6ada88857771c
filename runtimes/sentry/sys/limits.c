/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resource limits and usage.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <time.h>

#include "runtimes/sentry/sys/calls.h"
#include "runtimes/sentry/task/exec.h"
#include "runtimes/sentry/task/signal.h"

#define NR_OPEN_MAX FDTABLE_MAX

static int set_limit(struct task *t, struct process *p, unsigned int resource,
		     const struct rlimit *to)
{
	struct rlimit *l = &p->limits[resource];

	if (to->rlim_cur > to->rlim_max)
		return -EINVAL;
	if (resource == RLIMIT_NOFILE && to->rlim_max > NR_OPEN_MAX)
		return -EPERM;
	LOCKED(&p->lock);
	if (to->rlim_max > l->rlim_max && !cred_has(t->cred, CAP_SYS_RESOURCE))
		return -EPERM;
	*l = *to;
	return 0;
}

static long change(struct task *t, struct process *p, unsigned int resource,
		   const struct rlimit *to /* may be NULL */, struct rlimit *ret_old)
{
	int rc = 0;

	if (resource >= RLIM_NLIMITS)
		return -EINVAL;
	lock_acquire(&p->lock);
	*ret_old = p->limits[resource];
	lock_release(&p->lock);
	if (to)
		rc = set_limit(t, p, resource, to);
	if (to && !rc)
		exec_limits(p, false);
	return rc;
}

long sys_getrlimit(struct task *t, const uint64_t a[6])
{
	struct rlimit old;
	long rc = change(t, t->process, (unsigned int)a[0], NULL, &old);

	return rc ? rc : sys_copy_out(t, a[1], &old, sizeof(old));
}

long sys_setrlimit(struct task *t, const uint64_t a[6])
{
	struct rlimit to, old;
	int rc = sys_copy_in(t, &to, a[1], sizeof(to));

	return rc ? rc : change(t, t->process, (unsigned int)a[0], &to, &old);
}

/* Linux's own rule: all ids alike, or CAP_SYS_RESOURCE. */
static int may_limit(struct task *t, struct process *p)
{
	const struct cred *a = t->cred;
	struct cred *b;
	bool may;

	if (p == t->process || cred_has(a, CAP_SYS_RESOURCE))
		return 0;
	b = process_cred(p);
	may = a->uid == b->euid && a->uid == b->suid && a->uid == b->uid && a->gid == b->egid &&
	      a->gid == b->sgid && a->gid == b->gid;
	cred_put(b);
	return may ? 0 : -EPERM;
}

long sys_prlimit64(struct task *t, const uint64_t a[6])
{
	struct rlimit to, old;
	struct process *p;
	long rc = a[2] ? sys_copy_in(t, &to, a[2], sizeof(to)) : 0;

	if (rc)
		return rc;
	p = (pid_t)a[0] ? process_find(t->process->pids, (pid_t)a[0]) : process_get(t->process);
	if (!p)
		return -ESRCH;
	rc = may_limit(t, p);
	if (!rc)
		rc = change(t, p, (unsigned int)a[1], a[2] ? &to : NULL, &old);
	process_put(p);
	if (!rc && a[3])
		rc = sys_copy_out(t, a[3], &old, sizeof(old));
	return rc;
}

long sys_getrusage(struct task *t, const uint64_t a[6])
{
	struct rusage u;

	switch ((int)a[0]) {
	case RUSAGE_SELF:
	case RUSAGE_THREAD:
		process_usage(t->process, &u);
		break;
	case RUSAGE_CHILDREN:
		lock_acquire(&tasks_lock);
		u = t->process->children_usage;
		lock_release(&tasks_lock);
		break;
	default:
		return -EINVAL;
	}
	return sys_copy_out(t, a[1], &u, sizeof(u));
}

static clock_t ticks(const struct timeval *tv)
{
	return tv->tv_sec * 100 + tv->tv_usec / 10000;
}

long sys_times(struct task *t, const uint64_t a[6])
{
	struct rusage self, children;
	struct timespec now;
	struct tms tms;
	int rc = 0;

	process_usage(t->process, &self);
	lock_acquire(&tasks_lock);
	children = t->process->children_usage;
	lock_release(&tasks_lock);
	tms = (struct tms){ ticks(&self.ru_utime), ticks(&self.ru_stime), ticks(&children.ru_utime),
			    ticks(&children.ru_stime) };
	if (a[0])
		rc = sys_copy_out(t, a[0], &tms, sizeof(tms));
	clock_gettime(CLOCK_BOOTTIME, &now);
	return rc ? rc : now.tv_sec * 100 + now.tv_nsec / 10000000;
}

long sys_sysinfo(struct task *t, const uint64_t a[6])
{
	struct sysinfo host, s = { .mem_unit = 1 };
	struct timespec now;

	if (sysinfo(&host))
		return -errno;
	clock_gettime(CLOCK_BOOTTIME, &now);
	s.uptime = now.tv_sec;
	for (int i = 0; i < 3; i++)
		s.loads[i] = host.loads[i];
	s.totalram = host.totalram * host.mem_unit;
	s.freeram = host.freeram * host.mem_unit;
	s.bufferram = host.bufferram * host.mem_unit;
	lock_acquire(&tasks_lock);
	s.procs = (uint16_t)MIN(t->process->pids->count, 65535u);
	lock_release(&tasks_lock);
	return sys_copy_out(t, a[0], &s, sizeof(s));
}
