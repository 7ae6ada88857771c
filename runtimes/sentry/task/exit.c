/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of threads and processes.
 *
 * A thread ends by exit, a process by exit_group, a signal, or because the host ended its stub.
 * All ways meet in task_gone(), the last upcall of a serving thread: the task gives up what it
 * holds.  A process is finished, and a zombie, when its last task is gone and its host process
 * can run no guest code any more: died() said so, or its only thread is in here.
 */
#include <errno.h>
#include <sys/wait.h>

#include "runtimes/sentry/ipc/sysv.h"
#include "runtimes/sentry/task/internal.h"
#include "runtimes/sentry/task/itimer.h"
#include "runtimes/sentry/task/pgroup.h"
#include "runtimes/sentry/task/signal.h"

/* cpu_ns() - of its host process now. Caller holds signal_lock. */
static int64_t cpu_ns(struct process *p)
{
	return p->stub ? stub_cpu_ns(p->stub) : 0;
}

void process_count_cpu(struct process *p)
{
	p->past_cpu_ns += cpu_ns(p);
}

int64_t process_cpu_ns(struct process *p)
{
	LOCKED(&p->signal_lock);
	return p->past_cpu_ns + (p->exiting ? 0 : cpu_ns(p));
}

/* --- telling the parent --------------------------------------------------------------------- */

static uid_t uid_of(struct process *p)
{
	struct cred *c = process_cred(p);
	uid_t uid = c->uid;

	cred_put(c);
	return uid;
}

void process_report(struct process *p, int code, int status)
{
	struct process *parent = p->parent;
	bool job_control = code == CLD_STOPPED || code == CLD_CONTINUED;
	siginfo_t info = { .si_signo = job_control ? SIGCHLD : p->exit_signal, .si_code = code };

	if (!parent)
		return;
	info.si_pid = p->pid;
	info.si_uid = uid_of(p);
	info.si_status = status;
	/* Before the wake-up: who has waited for a child has its signal too. */
	if (info.si_signo &&
	    !(job_control && (signal_action(parent, SIGCHLD).flags & SA_NOCLDSTOP)))
		signal_post_process(parent, &info);
	wait_wake(&parent->child_events, 0);
}

/* POSIX: such a parent's children leave no zombies. */
static bool reaps_by_itself(struct process *parent, int exit_signal)
{
	struct stub_action a;

	if (exit_signal != SIGCHLD)
		return false;
	a = signal_action(parent, SIGCHLD);
	return a.handler == (uint64_t)(uintptr_t)SIG_IGN || (a.flags & SA_NOCLDWAIT);
}

/* --- children of one who has ended ---------------------------------------------------------- */

/* Caller holds the tasks lock. */
static struct process *reaper_of(struct process *p)
{
	for (struct process *a = p->parent; a; a = a->parent)
		if (a->is_subreaper && a->pids == p->pids && a->state < PROCESS_ZOMBIE)
			return a;
	return p->pids->init != p ? p->pids->init : NULL;
}

/* hand_over_one() - Return: the child, with a reference. Caller holds the tasks lock. */
static struct process *hand_over_one(struct process *p, struct process *reaper)
{
	struct process *child = list_first(&p->children, struct process, in_siblings);

	list_remove(&child->in_siblings);
	child->parent = reaper;
	child->exit_signal = SIGCHLD;
	if (reaper)
		list_add(&reaper->children, &child->in_siblings);
	return process_get(child);
}

/* reap() - a zombie that nobody will wait for. */
static void reap(struct process *p)
{
	bool was_zombie;

	lock_acquire(&tasks_lock);
	was_zombie = p->state == PROCESS_ZOMBIE;
	if (was_zombie) {
		p->state = PROCESS_DEAD;
		process_unpublish(p);
	}
	lock_release(&tasks_lock);
	if (was_zombie)
		process_put(p);
}

static void show_new_parent(struct process *p)
{
	struct task *t;

	for (pid_t from = 1; (t = task_next(p, from)); task_put(t)) {
		from = t->tid + 1;
		task_show_ids(t);
	}
}

static void report_end(struct process *p)
{
	int status = p->wait_status, signo = status & 0x7f;

	process_report(p, signo ? CLD_KILLED : CLD_EXITED, signo ? signo : status >> 8 & 0xff);
}

/* Caller holds the tasks lock. */
static int death_signal_of(struct process *p)
{
	return list_empty(&p->tasks) ? 0
				     : list_first(&p->tasks, struct task, in_process)->death_signal;
}

/* orphan_one() - Return: the child, with a reference; NULL: there is none left. */
static struct process *orphan_one(struct process *p, bool *ret_unwanted, int *ret_death_signal)
{
	struct process *child, *reaper;

	LOCKED(&tasks_lock);
	if (list_empty(&p->children))
		return NULL;
	reaper = reaper_of(p);
	child = hand_over_one(p, reaper);
	*ret_death_signal = death_signal_of(child);
	*ret_unwanted = child->state == PROCESS_ZOMBIE && !reaper;
	if (child->state == PROCESS_ZOMBIE)
		report_end(child);
	return child;
}

static void orphan_children(struct process *p)
{
	struct process *child;
	int death_signal;
	bool unwanted;

	while ((child = orphan_one(p, &unwanted, &death_signal))) {
		show_new_parent(child);
		if (death_signal) {
			siginfo_t info = signal_from_kernel(death_signal);

			signal_send_process(child, &info);
		}
		if (unwanted)
			reap(child);
		process_put(child);
	}
}

/* Without its init a namespace has no future. */
static void end_namespace(struct process *init)
{
	struct process *p;

	for (pid_t from = 1; (p = process_next(init->pids, from)); process_put(p)) {
		from = p->pid + 1;
		if (p != init)
			process_begin_exit(p, SIGKILL);
	}
}

/* --- the end of a process ------------------------------------------------------------------- */

static void release_fields(struct process *p)
{
	struct file *exe;

	lock_acquire(&p->lock);
	exe = steal_ptr(p->exe);
	lock_release(&p->lock);
	file_put(exe);
	itimers_stop(p);
	sysv_process_end(steal_ptr(p->sysv));
	LOCKED(&p->signal_lock);
	signal_flush(p, &p->pending);
}

/* become_zombie() - and tell the parent. Return: whether there is nobody to wait for it. */
static bool become_zombie(struct process *p)
{
	struct rusage usage;
	bool nobody;

	process_usage(p, &usage);
	LOCKED(&tasks_lock);
	p->usage = usage;
	nobody = !p->parent || reaps_by_itself(p->parent, p->exit_signal);
	p->wait_status = p->exit_status;
	p->state = nobody ? PROCESS_DEAD : PROCESS_ZOMBIE;
	report_end(p);
	if (nobody)
		process_unpublish(p);
	return nobody;
}

static void finish(struct process *p)
{
	bool was_init, is_dead;
	int status = p->exit_status;

	release_fields(p);
	pgroup_exit(p);
	orphan_children(p);
	lock_acquire(&tasks_lock);
	was_init = p->pids->init == p;
	if (was_init)
		p->pids->init = NULL;
	lock_release(&tasks_lock);
	if (was_init)
		end_namespace(p);
	is_dead = become_zombie(p);
	wait_wake(&p->exited, 0);
	if (p->on_exit)
		p->on_exit(p, status, p->on_exit_data);
	/* The reference it lived by is for who waits for it, or for nobody. */
	if (is_dead)
		process_put(p);
}

void task_gone(void *owner)
{
	struct task *t = owner;
	struct process *p = process_get(t->process);
	struct fs_context *fs;
	struct fdtable *fds;
	bool last;

	sleeper_set_current(&t->sleeper); /* it may never have made a call */
	lock_acquire(&p->lock);
	fs = steal_ptr(t->fs);
	fds = steal_ptr(t->fds);
	lock_release(&p->lock);
	fdtable_put(fds);
	fs_context_put(fs);
	lock_acquire(&tasks_lock);
	/* Without exit_group the last thread's status counts. */
	if (!p->exiting)
		p->exit_status = t->exit_code;
	last = task_unpublish(t) && p->host_gone;
	lock_release(&tasks_lock);
	wait_wake(&p->child_events, 0); /* execve waits for it */
	sleeper_set_current(NULL);
	task_put(t);
	if (last)
		finish(p);
	process_put(p);
}

void process_attach(struct process *p, struct stub_process *sp)
{
	struct stub_life *l = xnew(struct stub_life);

	l->process = process_get(p);
	l->stub = sp;
	p->stub = sp;
	p->life = l;
	stub_process_set_owner(sp, l);
}

void process_detach(struct process *p)
{
	struct stub_life *l;

	lock_acquire(&p->signal_lock);
	stub_process_set_owner(p->stub, NULL);
	p->stub = NULL;
	l = steal_ptr(p->life);
	lock_release(&p->signal_lock);
	process_put(l->process);
	free(l);
}

/* lose_stub() - Return: whether the process ends by it. Caller holds the tasks lock. */
static bool lose_stub(struct process *p, const struct stub_process *which, int host_signal)
{
	struct task *t;

	LOCKED(&p->signal_lock);
	if (p->stub != which)
		return false; /* the one that execve has left */
	p->stub = NULL;
	p->life = NULL;
	if (p->exec_by && !p->exiting)
		return false; /* execve has killed it, other threads and all */
	/* Nobody asked for it: the host's out-of-memory killer, or a stub gone astray. */
	if (!p->exiting && p->n_tasks) {
		p->exiting = true;
		p->exit_status = host_signal ? host_signal : SIGKILL;
	}
	list_for_each(t, &p->tasks, in_process)
		sleeper_kill(&t->sleeper);
	return true;
}

void task_died(void *owner, int host_signal)
{
	struct stub_life *l = owner;
	struct process *p = l->process;
	bool ends, last = false;

	lock_acquire(&tasks_lock);
	ends = lose_stub(p, l->stub, host_signal);
	if (ends) {
		list_remove(&p->in_leaving);
		last = !p->host_gone && p->n_tasks == 0;
		p->host_gone = true;
	}
	lock_release(&tasks_lock);
	/* Nobody sets it without a stub to kill. */
	if (ends)
		alarm_clear(&p->overdue);
	if (last)
		finish(p);
	process_put(p);
	free(l);
}

void task_exit(struct task *t, int status)
{
	struct process *p = t->process;
	bool alone;

	lock_acquire(&tasks_lock);
	alone = p->n_tasks == 1;
	lock_release(&tasks_lock);
	t->exit_code = (status & 0xff) << 8;
	if (alone)
		task_exit_group(t, t->exit_code);
	stub_exit_thread(t->stub);
}

/* --- leaving -----------------------------------------------------------------------------------
 *
 * A stub is asked to end, and killed when it takes too long.  The last thread of a process needs no
 * alarm for that: nobody waits for its host process any more, so it is enough that a later exit
 * looks after it.
 */

#define LEAVING_NS 200000000

static struct list leaving = { &leaving, &leaving };

static void kill_stub(struct process *p)
{
	LOCKED(&p->signal_lock);
	if (p->stub)
		stub_kill(p->stub);
}

static void is_overdue(struct alarm *a)
{
	kill_stub(CONTAINER_OF(a, struct process, overdue));
}

static void set_overdue(struct process *p)
{
	LOCKED(&p->signal_lock);
	p->overdue.fn = is_overdue;
	if (p->stub)
		alarm_set(&p->overdue, alarm_now_ns() + LEAVING_NS);
}

/* note_leaving() - Caller holds the tasks lock. */
static void note_leaving(struct process *p)
{
	int64_t now = alarm_now_ns();
	struct process *other;

	list_for_each(other, &leaving, in_leaving) {
		if (other->leaving_ns + LEAVING_NS > now)
			break;
		kill_stub(other);
	}
	p->leaving_ns = now;
	list_add(&leaving, &p->in_leaving);
}

void task_exit_group(struct task *t, int wait_status)
{
	struct process *p = t->process;
	bool alone;

	lock_acquire(&tasks_lock);
	alone = p->n_tasks == 1;
	/* Its only thread is here: no guest code runs any more. */
	if (alone && !p->host_gone) {
		p->host_gone = true;
		note_leaving(p);
	}
	lock_release(&tasks_lock);
	process_begin_leave(p, t, wait_status);
	if (!alone)
		set_overdue(p);
	stub_exit_thread(t->stub);
}

static void fatal_fault(struct stub_thread *st, const siginfo_t *info)
{
	struct task *t = stub_owner(st);

	task_exit_group(t, info->si_signo & 0x7f);
}

void task_upcalls(struct platform_ops *ops)
{
	ops->take_signal = signal_take;
	ops->fatal_fault = fatal_fault;
	ops->clone_failed = task_clone_failed;
	ops->died = task_died;
	ops->thread_gone = task_gone;
}
