/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clone, fork, vfork: bookkeeping on the sentry's side.
 *
 * The stub makes the host thread or process; here the child gets a number, a parent and a share of
 * what its parent has.  It is visible before it runs: signals sent to it wait until it does.  When
 * the host refuses, clone_failed() takes everything back.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "runtimes/sentry/ipc/sysv.h"
#include "runtimes/sentry/task/internal.h"
#include "runtimes/sentry/task/pgroup.h"
#include "runtimes/sentry/task/pidfd.h"
#include "runtimes/sentry/task/seccomp.h"
#include "runtimes/sentry/task/signal.h"

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ull
#endif

#define NEW_NAMESPACES                                                                  \
	(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWCGROUP | \
	 CLONE_NEWNS | CLONE_NEWUTS)

static int check(const struct clone_args_in *a)
{
	uint64_t f = a->flags;

	if ((f & CLONE_SIGHAND) && !(f & CLONE_VM))
		return -EINVAL;
	if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_FS) && (f & (CLONE_NEWNS | CLONE_NEWUSER)))
		return -EINVAL;
	if ((f & CLONE_PIDFD) && (f & (CLONE_THREAD | CLONE_DETACHED)))
		return -EINVAL;
	if ((f & CLONE_CLEAR_SIGHAND) && (f & CLONE_SIGHAND))
		return -EINVAL;
	/* Namespaces inside a container: not made (see the table's note). */
	return f & NEW_NAMESPACES ? -EPERM : 0;
}

static void share_task(struct task *t, struct task *child, uint64_t flags)
{
	child->fs = flags & CLONE_FS ? fs_context_get(t->fs) : fs_context_copy(t->fs);
	child->fds = flags & CLONE_FILES ? fdtable_get(t->fds) : fdtable_copy(t->fds);
	child->seccomp = seccomp_get(t->seccomp);
	child->seccomp_strict = t->seccomp_strict;
	child->timer_slack_ns = t->timer_slack_ns;
	child->nice = t->nice;
	child->policy = t->policy;
	child->ioprio = t->ioprio;
	memcpy(child->affinity, t->affinity, sizeof(child->affinity));
	memcpy(child->name, t->name, sizeof(child->name));
}

/* copy_process() - a process like that of @t, with no task yet. */
static struct process *copy_process(struct task *t, const struct clone_args_in *a)
{
	struct process *from = t->process, *p = process_create(from->container);

	LOCKED(&from->lock);
	memcpy(p->limits, from->limits, sizeof(p->limits));
	p->exe = from->exe ? file_get(from->exe) : NULL;
	p->command_line = xmemdup(from->command_line, from->command_line_len + 1);
	p->command_line_len = from->command_line_len;
	p->arg_start = from->arg_start;
	p->arg_end = from->arg_end;
	p->env_start = from->env_start;
	p->env_end = from->env_end;
	p->stack_start = from->stack_start;
	p->brk_start = from->brk_start;
	memcpy(p->auxv, from->auxv, sizeof(p->auxv));
	p->auxv_len = from->auxv_len;
	p->oom_score_adj = from->oom_score_adj;
	p->dumpable = from->dumpable;
	p->exit_signal = (int)a->exit_signal;
	p->sysv = sysv_process_fork(from->sysv);
	return p;
}

/* link_process() - into the tree. Caller holds the tasks lock. */
static void link_process(struct task *t, struct process *p, uint64_t flags)
{
	struct process *parent = flags & CLONE_PARENT ? t->process->parent : t->process;

	if (flags & CLONE_PARENT)
		p->exit_signal = t->process->exit_signal;
	p->parent = parent;
	if (parent)
		list_add(&parent->children, &p->in_siblings);
	pgroup_inherit(p, t->process);
}

static int number(struct task *t, struct task *child, uint64_t flags)
{
	int rc;

	LOCKED(&tasks_lock);
	/* A process that is ending, or that another thread takes through execve, grows no more. */
	if (t->process->exiting || (flags & CLONE_THREAD && t->process->exec_by))
		return -ERESTARTNOINTR;
	rc = task_publish(child);
	if (!rc && !(flags & CLONE_THREAD))
		link_process(t, child->process, flags);
	return rc;
}

static void take_back(struct task *child, bool is_thread)
{
	struct process *p = child->process;

	lock_acquire(&tasks_lock);
	task_unpublish(child);
	if (!is_thread) {
		p->state = PROCESS_DEAD;
		process_unpublish(p);
	}
	lock_release(&tasks_lock);
	fdtable_put(steal_ptr(child->fds));
	fs_context_put(steal_ptr(child->fs));
	if (!is_thread)
		sysv_process_end(steal_ptr(p->sysv));
}

static uint64_t count_of(uid_t uid, struct pid_namespace *ns)
{
	struct process *p;
	struct task *t;
	uint64_t n = 0;

	LOCKED(&tasks_lock);
	for (int i = 0; i < PID_BUCKETS; i++)
		list_for_each(p, &ns->processes[i], in_pids)
			list_for_each(t, &p->tasks, in_process)
				n += t->cred->uid == uid;
	return n;
}

static int check_nproc(struct task *t)
{
	uint64_t limit = task_limit(t, RLIMIT_NPROC);
	const struct cred *c = t->cred;

	if (limit == RLIM_INFINITY || c->uid == 0 || cred_has(c, 24 /* CAP_SYS_RESOURCE */) ||
	    cred_has(c, 21 /* CAP_SYS_ADMIN */))
		return 0;
	return count_of(c->uid, t->process->pids) >= limit ? -EAGAIN : 0;
}

static int set_pidfd(struct task *t, struct process *p, const struct clone_args_in *a)
{
	uint64_t limit = task_limit(t, RLIMIT_NOFILE);
	struct file *f = pidfd_create(p, 0, t->cred);
	int32_t fd = fdtable_install(t->fds, f, 0, limit, true);
	int rc;

	if (fd < 0) {
		file_put(f);
		return fd;
	}
	rc = stub_write(t->stub, a->pidfd, &fd, sizeof(fd));
	if (rc)
		fdtable_close(t->fds, fd);
	return rc;
}

/* prepare() - the host's part; the child may not run before this call is answered. */
static int prepare(struct task *t, struct task *child, const struct clone_args_in *a)
{
	struct process *p = child->process;
	bool is_thread = a->flags & CLONE_THREAD;
	struct stub_thread *st;
	int rc = 0;

	if (a->flags & CLONE_PIDFD)
		rc = set_pidfd(t, p, a);
	if (!rc)
		rc = stub_clone_prepare(t->stub, a->flags, child, &st);
	if (rc)
		return rc;
	task_get(child); /* the stub thread's */
	LOCKED(&p->signal_lock);
	child->stub = st;
	stub_set_pending(st, p->pending.set);
	if (is_thread) {
		/* Killed meanwhile: the stub is, or will be, gone. */
		if (p->exiting)
			sleeper_kill(&child->sleeper);
		return 0;
	}
	process_attach(p, stub_process_of(st));
	process_get(p); /* that of being alive */
	if (p->exiting)
		stub_kill(p->stub);
	return 0;
}

long task_clone(struct task *t, const struct clone_args_in *a)
{
	bool is_thread = a->flags & CLONE_THREAD;
	struct process *p;
	struct task *child;
	long rc = check(a);

	if (!rc)
		rc = check_nproc(t);
	if (rc)
		return rc;
	p = is_thread ? process_get(t->process) : copy_process(t, a);
	child = task_create(p, t->cred);
	share_task(t, child, a->flags);
	rc = number(t, child, a->flags);
	if (rc) {
		fdtable_put(child->fds);
		fs_context_put(child->fs);
		task_put(child);
		return rc;
	}
	rc = prepare(t, child, a);
	if (rc) {
		take_back(child, is_thread);
	} else {
		task_show_ids(child);
		rc = child->tid;
	}
	task_put(child);
	return rc;
}

void task_clone_failed(void *owner)
{
	struct task *child = owner;
	struct process *p = process_get(child->process);
	bool is_thread;

	lock_acquire(&tasks_lock);
	is_thread = p->n_tasks > 1;
	lock_release(&tasks_lock);
	take_back(child, is_thread);
	if (!is_thread) {
		process_detach(p);
		wait_wake(&p->exited, 0);
		process_put(p);
	}
	task_put(child);
	process_put(p);
}

int task_unshare(struct task *t, uint64_t flags)
{
	struct process *p = t->process;
	struct fdtable *old_fds = NULL;
	struct fs_context *old_fs = NULL;

	if (flags & ~(uint64_t)(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | NEW_NAMESPACES |
				CLONE_THREAD | CLONE_SIGHAND | CLONE_VM))
		return -EINVAL;
	if (flags & NEW_NAMESPACES)
		return -EPERM;
	if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) && p->n_tasks > 1)
		return -EINVAL;
	lock_acquire(&p->lock);
	if (flags & CLONE_FS)
		old_fs = t->fs, t->fs = fs_context_copy(t->fs);
	if (flags & CLONE_FILES)
		old_fds = t->fds, t->fds = fdtable_copy(t->fds);
	lock_release(&p->lock);
	fdtable_put(old_fds);
	if (old_fs)
		fs_context_put(old_fs);
	return 0;
}
