/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks and processes as objects: numbers, lists, references.
 *
 * A number is in use while a task, a process (also a zombie), a group or a session has it.  Lists
 * hold no reference: who takes the last one has been taken out of them before.
 */
#include <errno.h>
#include <time.h>

#include "runtimes/sentry/task/exec.h"
#include "runtimes/sentry/task/internal.h"
#include "runtimes/sentry/task/itimer.h"
#include "runtimes/sentry/task/pgroup.h"
#include "runtimes/sentry/task/seccomp.h"
#include "runtimes/sentry/task/signal.h"

struct lock tasks_lock = LOCK_INIT(LOCK_TASKS);

static struct task *find_task(struct pid_namespace *ns, pid_t tid)
{
	struct task *t;

	list_for_each(t, &ns->tasks[pid_bucket(tid)], in_pids)
		if (t->tid == tid)
			return t;
	return NULL;
}

static struct process *find_process(struct pid_namespace *ns, pid_t pid)
{
	struct process *p;

	list_for_each(p, &ns->processes[pid_bucket(pid)], in_pids)
		if (p->pid == pid)
			return p;
	return NULL;
}

static bool is_used(struct pid_namespace *ns, pid_t pid)
{
	struct session *s;
	struct pgroup *g;

	if (find_task(ns, pid) || find_process(ns, pid))
		return true;
	list_for_each(g, &ns->groups[pid_bucket(pid)], in_pids)
		if (g->pgid == pid)
			return true;
	list_for_each(s, &ns->sessions, in_pids)
		if (s->sid == pid)
			return true;
	return false;
}

pid_t pid_take(struct pid_namespace *ns)
{
	if (ns->count >= (ns->limit ? ns->limit : PID_MAX - 1))
		return -EAGAIN;
	for (int tries = 0; tries < PID_MAX; tries++) {
		/* Linux too leaves the low numbers to the first round. */
		ns->last = ns->last + 1 < PID_MAX ? ns->last + 1 : 300;
		if (!is_used(ns, ns->last))
			return ns->last;
	}
	return -EAGAIN;
}

static int64_t boottime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

struct process *process_create(struct container *c)
{
	struct process *p = xnew(struct process);

	p->refs = 1;
	p->container = guest_container_get(c);
	p->pids = c->pids;
	list_init(&p->children);
	list_init(&p->tasks);
	list_init(&p->pending.queue);
	lock_init(&p->lock, LOCK_PROCESS);
	lock_init(&p->signal_lock, LOCK_SIGNAL);
	wait_queue_init(&p->child_events);
	wait_queue_init(&p->exited);
	wait_queue_init(&p->signals);
	wait_queue_init(&p->resumed);
	p->dumpable = true;
	p->start_ns = boottime_ns();
	return p;
}

struct task *task_create(struct process *p, struct cred *c)
{
	struct task *t = xnew(struct task);

	t->refs = 1;
	t->process = p;
	t->cred = cred_get(c);
	t->timer_slack_ns = 50000;
	list_init(&t->pending.queue);
	return t;
}

int task_publish(struct task *t)
{
	struct process *p = t->process;
	pid_t pid = pid_take(p->pids);

	if (pid < 0)
		return pid;
	t->tid = pid;
	p->pids->count++;
	list_add(&p->pids->tasks[pid_bucket(pid)], &t->in_pids);
	if (!p->pid) {
		p->pid = pid;
		list_add(&p->pids->processes[pid_bucket(pid)], &p->in_pids);
	}
	LOCKED(&p->signal_lock);
	list_add(&p->tasks, &t->in_process);
	p->n_tasks++;
	return 0;
}

bool task_unpublish(struct task *t)
{
	struct process *p = t->process;

	list_remove(&t->in_pids);
	p->pids->count--;
	LOCKED(&p->signal_lock);
	t->stub = NULL;
	signal_flush(p, &t->pending);
	list_remove(&t->in_process);
	return --p->n_tasks == 0;
}

void process_unpublish(struct process *p)
{
	list_remove(&p->in_pids);
	list_remove(&p->in_siblings);
	if (p->group)
		pgroup_leave(p);
}

void task_renumber(struct task *t)
{
	list_remove(&t->in_pids);
	t->tid = t->process->pid;
	list_add(&t->process->pids->tasks[pid_bucket(t->tid)], &t->in_pids);
}

struct task *task_current(void)
{
	struct stub_thread *st = stub_current();

	return st ? stub_owner(st) : NULL;
}

struct task *task_get(struct task *t)
{
	__atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
	return t;
}

void task_put(struct task *t)
{
	if (!t || __atomic_fetch_sub(&t->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	cred_put(t->cred);
	seccomp_put(t->seccomp);
	process_put(t->process);
	free(t);
}

struct process *process_get(struct process *p)
{
	__atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
	return p;
}

void process_put(struct process *p)
{
	if (!p || __atomic_fetch_sub(&p->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	file_put(p->exe);
	free(p->command_line);
	itimers_destroy(p->itimers);
	guest_container_put(p->container);
	free(p);
}

struct task *task_find(struct pid_namespace *ns, pid_t tid)
{
	struct task *t;

	LOCKED(&tasks_lock);
	t = tid > 0 ? find_task(ns, tid) : NULL;
	return t ? task_get(t) : NULL;
}

struct process *process_find(struct pid_namespace *ns, pid_t pid)
{
	struct process *p;

	LOCKED(&tasks_lock);
	p = pid > 0 ? find_process(ns, pid) : NULL;
	return p ? process_get(p) : NULL;
}

struct task *process_leader(struct process *p)
{
	struct task *t;

	LOCKED(&p->signal_lock);
	list_for_each(t, &p->tasks, in_process)
		if (t->tid == p->pid)
			return task_get(t);
	return list_empty(&p->tasks) ? NULL
				     : task_get(list_first(&p->tasks, struct task, in_process));
}

struct process *process_next(struct pid_namespace *ns, pid_t from)
{
	struct process *best = NULL, *p;

	LOCKED(&tasks_lock);
	for (int i = 0; i < PID_BUCKETS; i++)
		list_for_each(p, &ns->processes[i], in_pids)
			if (p->pid >= from && (!best || p->pid < best->pid))
				best = p;
	return best ? process_get(best) : NULL;
}

struct task *task_next(struct process *p, pid_t from)
{
	struct task *best = NULL, *t;

	LOCKED(&p->signal_lock);
	list_for_each(t, &p->tasks, in_process)
		if (t->tid >= from && (!best || t->tid < best->tid))
			best = t;
	return best ? task_get(best) : NULL;
}

pid_t process_ppid(struct process *p)
{
	LOCKED(&tasks_lock);
	return p->parent && p->parent->pids == p->pids ? p->parent->pid : 0;
}

struct cred *process_cred(struct process *p)
{
	struct task *t = process_leader(p);
	struct cred *c = NULL;

	if (t) {
		LOCKED(&p->lock);
		c = cred_get(t->cred);
	}
	task_put(t);
	/* A zombie has nobody left who could be judged: it is root's, with no capability. */
	return c ? c : cred_create();
}

void task_set_cred(struct task *t, struct cred *c)
{
	struct cred *old = t->cred;

	lock_acquire(&t->process->lock);
	t->cred = c;
	lock_release(&t->process->lock);
	cred_put(old);
	task_show_ids(t);
}

void task_show_ids(struct task *t)
{
	struct process *p = t->process;
	struct stub_ids ids = { .ppid = (uint32_t)process_ppid(p) };

	lock_acquire(&p->lock);
	ids.pid = (uint32_t)p->pid;
	ids.tid = (uint32_t)t->tid;
	ids.uid = t->cred->uid;
	ids.euid = t->cred->euid;
	ids.gid = t->cred->gid;
	ids.egid = t->cred->egid;
	lock_release(&p->lock);
	LOCKED(&p->signal_lock);
	if (!t->stub)
		return;
	stub_set_ids(t->stub, &ids);
	if (t->seccomp)
		stub_set_ask(t->stub, seccomp_ask(t->seccomp));
}

struct fdtable *task_fds(struct task *t)
{
	LOCKED(&t->process->lock);
	return t->fds ? fdtable_get(t->fds) : NULL;
}

struct fs_context *task_fs(struct task *t)
{
	LOCKED(&t->process->lock);
	return t->fs ? fs_context_get(t->fs) : NULL;
}

uint64_t task_limit(struct task *t, int resource)
{
	LOCKED(&t->process->lock);
	return t->process->limits[resource].rlim_cur;
}

/* The stub's thread may go at any time: only the lock keeps it. */
int task_read(struct task *t, void *to, uint64_t from, size_t len)
{
	LOCKED(&t->process->signal_lock);
	return t->stub ? stub_read(t->stub, to, from, len) : -ESRCH;
}

int task_write(struct task *t, uint64_t to, const void *from, size_t len)
{
	LOCKED(&t->process->signal_lock);
	return t->stub ? stub_write(t->stub, to, from, len) : -ESRCH;
}
