/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending signals.
 *
 * What a send does, under signal_lock of the process:
 *   1. SIGCONT drops stop signals that wait and the reverse; SIGCONT wakes a stopped process.
 *   2. A signal that is ignored and not blocked is dropped.
 *   3. SIGKILL ends the process at once.
 *   4. The signal is queued; a standard signal that waits already is dropped.
 *   5. Each stub thread concerned is shown the new set, then its mask is read: a thread that
 *      unblocks the signal meanwhile sees it by itself (each side writes, then reads).
 *   6. One thread that does not block it is kicked and its sleep ended.
 */
#include <errno.h>

#include "runtimes/sentry/task/internal.h"
#include "runtimes/sentry/task/pgroup.h"
#include "runtimes/sentry/task/signal.h"

#define SIGNALS_IGNORED_BY_DEFAULT \
	(SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH))

enum send_flags {
	SEND_FORCE = 1 << 0, /* also to a protected init */
};

static void dequeue(struct process *p, struct pending *q, struct pending_signal *s)
{
	int signo = s->info.si_signo;
	struct pending_signal *other;

	list_remove(&s->in_queue);
	p->n_pending--;
	free(s);
	list_for_each(other, &q->queue, in_queue)
		if (other->info.si_signo == signo)
			return;
	q->set &= ~SIGNAL_BIT(signo);
}

static void drop_set(struct process *p, struct pending *q, uint64_t set)
{
	struct pending_signal *s, *next;

	if (!(q->set & set))
		return;
	list_for_each_safe(s, next, &q->queue, in_queue)
		if (SIGNAL_BIT(s->info.si_signo) & set)
			dequeue(p, q, s);
}

void signal_flush(struct process *p, struct pending *q)
{
	drop_set(p, q, ~0ull);
}

static void drop_everywhere(struct process *p, uint64_t set)
{
	struct task *t;

	drop_set(p, &p->pending, set);
	list_for_each(t, &p->tasks, in_process)
		drop_set(p, &t->pending, set);
}

static void show(struct process *p, struct task *t)
{
	if (t->stub)
		stub_set_pending(t->stub, p->pending.set | t->pending.set);
}

static void show_all(struct process *p)
{
	struct task *t;

	list_for_each(t, &p->tasks, in_process)
		show(p, t);
}

static uint64_t mask_of(const struct task *t)
{
	return t->stub ? stub_signal_mask(t->stub) & ~SIGNALS_UNBLOCKABLE : ~0ull;
}

static bool is_blocked(const struct task *t, int signo)
{
	return (mask_of(t) | t->wait_set) & SIGNAL_BIT(signo);
}

/* Nobody would ever see it: ignored, and no thread that might get it blocks it. */
static bool is_ignored(struct process *p, struct task *to, int signo, unsigned int flags)
{
	struct stub_action a;
	struct task *t;

	if (!p->stub)
		return true;
	if (to ? is_blocked(to, signo) : false)
		return false;
	if (!to)
		list_for_each(t, &p->tasks, in_process)
			if (is_blocked(t, signo))
				return false;
	a = stub_action_get(p->stub, signo);
	if (a.handler == (uint64_t)(uintptr_t)SIG_IGN)
		return !(SIGNAL_BIT(signo) & SIGNALS_UNBLOCKABLE);
	if (a.handler != (uint64_t)(uintptr_t)SIG_DFL)
		return false;
	if (SIGNAL_BIT(signo) & SIGNALS_IGNORED_BY_DEFAULT)
		return true;
	return p->init_protected && !(flags & SEND_FORCE);
}

static bool ends_by_default(struct process *p, int signo)
{
	return stub_action_get(p->stub, signo).handler == (uint64_t)(uintptr_t)SIG_DFL &&
	       !(SIGNAL_BIT(signo) & (SIGNALS_STOP | SIGNALS_IGNORED_BY_DEFAULT));
}

static void begin_exit(struct process *p, int wait_status)
{
	struct task *t;

	if (!p->exiting) {
		process_count_cpu(p);
		p->exiting = true;
		p->exit_status = wait_status;
	}
	list_for_each(t, &p->tasks, in_process)
		sleeper_kill(&t->sleeper);
}

static void kill_now(struct process *p, int wait_status)
{
	begin_exit(p, wait_status);
	if (p->stub)
		stub_kill(p->stub);
}

void process_begin_exit(struct process *p, int wait_status)
{
	LOCKED(&p->signal_lock);
	kill_now(p, wait_status);
}

void process_begin_leave(struct process *p, struct task *me, int wait_status)
{
	struct task *t;

	LOCKED(&p->signal_lock);
	begin_exit(p, wait_status);
	list_for_each(t, &p->tasks, in_process)
		if (t != me && t->stub)
			stub_kick(t->stub);
}

static struct pending_signal *find_queued(struct pending *q, int signo, const void *source)
{
	struct pending_signal *s;

	list_for_each(s, &q->queue, in_queue)
		if (s->info.si_signo == signo && s->source == source)
			return s;
	return NULL;
}

static uint64_t queue_limit(struct process *p)
{
	return __atomic_load_n(&p->limits[RLIMIT_SIGPENDING].rlim_cur, __ATOMIC_RELAXED);
}

static int enqueue(struct process *p, struct pending *q, const siginfo_t *info, void *source)
{
	struct pending_signal *s;

	if (source && find_queued(q, info->si_signo, source))
		return 1;
	if (info->si_signo < 32 && (q->set & SIGNAL_BIT(info->si_signo)))
		return source ? 1 : 0;
	if (info->si_signo >= 32 && p->n_pending >= queue_limit(p))
		return -EAGAIN;
	s = xnew(struct pending_signal);
	s->info = *info;
	s->source = source;
	list_add(&q->queue, &s->in_queue);
	q->set |= SIGNAL_BIT(info->si_signo);
	p->n_pending++;
	return 0;
}

static bool wants(struct task *t, int signo)
{
	return t->stub && (!(mask_of(t) & SIGNAL_BIT(signo)) || (t->wait_set & SIGNAL_BIT(signo)));
}

/* Whoever can act on it now: the first thread as on Linux, else any. */
static void prod(struct process *p, struct task *to, int signo)
{
	struct task *t, *best = NULL;

	if (to) {
		best = wants(to, signo) ? to : NULL;
	} else {
		list_for_each(t, &p->tasks, in_process)
			if (wants(t, signo) && (!best || t->tid == p->pid))
				best = t;
	}
	if (!best)
		return;
	sleeper_interrupt(&best->sleeper);
	stub_kick(best->stub);
}

/* unstop() - Return: whether it was stopped. Caller holds the tasks lock. */
static bool unstop(struct process *p)
{
	LOCKED(&p->signal_lock);
	drop_everywhere(p, SIGNALS_STOP);
	show_all(p);
	if (!p->stopped)
		return false;
	p->stopped = false;
	if (p->state == PROCESS_STOPPED)
		p->state = PROCESS_RUNNING;
	p->continued_unseen = true;
	p->stopped_unseen = false;
	wait_wake(&p->resumed, 0);
	return true;
}

static void resume(struct process *p)
{
	LOCKED(&tasks_lock);
	if (unstop(p))
		process_report(p, CLD_CONTINUED, SIGCONT);
}

static int post(struct process *p, struct task *t, const siginfo_t *info, void *source,
		unsigned int flags)
{
	int signo = info->si_signo, rc;

	LOCKED(&p->signal_lock);
	if (t && !t->stub)
		return -ESRCH;
	if (p->exiting)
		return 0;
	if (SIGNAL_BIT(signo) & SIGNALS_STOP) {
		drop_everywhere(p, SIGNAL_BIT(SIGCONT));
		show_all(p);
	}
	if (is_ignored(p, t, signo, flags))
		return 0;
	if (signo == SIGKILL || (flags & SEND_FORCE && ends_by_default(p, signo))) {
		kill_now(p, signo);
		return 0;
	}
	rc = enqueue(p, t ? &t->pending : &p->pending, info, source);
	if (rc)
		return rc;
	if (t)
		show(p, t);
	else
		show_all(p);
	prod(p, t, signo);
	wait_wake(&p->signals, 0);
	return 0;
}

static int send(struct process *p, struct task *t, const siginfo_t *info, void *source,
		unsigned int flags)
{
	if (info->si_signo == SIGCONT)
		resume(p);
	return post(p, t, info, source, flags);
}

int signal_post_process(struct process *p, const siginfo_t *info)
{
	return post(p, NULL, info, NULL, 0);
}

struct stub_action signal_action(struct process *p, int signo)
{
	struct stub_action none = { 0 };

	LOCKED(&p->signal_lock);
	return p->stub ? stub_action_get(p->stub, signo) : none;
}

int signal_send_task(struct task *t, const siginfo_t *info)
{
	return send(t->process, t, info, NULL, 0);
}

int signal_send_process(struct process *p, const siginfo_t *info)
{
	return send(p, NULL, info, NULL, 0);
}

int signal_send_timer(struct process *p, struct task *t, const siginfo_t *info, void *source)
{
	return send(p, t, info, source, 0);
}

int process_signal(struct process *p, int signo)
{
	siginfo_t info = signal_from_kernel(signo);

	info.si_code = SI_USER;
	if (p->state >= PROCESS_ZOMBIE)
		return -ESRCH;
	return signo ? send(p, NULL, &info, NULL, SEND_FORCE) : 0;
}

void container_kill_all(struct container *c)
{
	struct process *p = NULL;

	for (pid_t from = 1; (p = process_next(c->pids, from)); process_put(p)) {
		from = p->pid + 1;
		if (p->container == c)
			process_begin_exit(p, SIGKILL);
	}
}

void signal_forget_source(struct process *p, void *source)
{
	struct pending_signal *s, *next;
	struct task *t;

	LOCKED(&p->signal_lock);
	list_for_each_safe(s, next, &p->pending.queue, in_queue)
		if (s->source == source)
			dequeue(p, &p->pending, s);
	list_for_each(t, &p->tasks, in_process)
		list_for_each_safe(s, next, &t->pending.queue, in_queue)
			if (s->source == source)
				dequeue(p, &t->pending, s);
	show_all(p);
}

siginfo_t signal_from_kernel(int signo)
{
	siginfo_t info = { .si_signo = signo, .si_code = SI_KERNEL };

	return info;
}

siginfo_t signal_from_task(struct task *t, int signo, int code)
{
	siginfo_t info = { .si_signo = signo, .si_code = code };

	info.si_pid = t->process->pid;
	info.si_uid = t->cred->uid;
	return info;
}

int signal_may_send(struct task *from, struct process *to, int signo)
{
	const struct cred *a = from->cred;
	struct cred *b;
	bool may, same_session;

	if (from->process == to || cred_has(a, 5 /* CAP_KILL */))
		return 0;
	b = process_cred(to);
	may = a->euid == b->suid || a->euid == b->uid || a->uid == b->suid || a->uid == b->uid;
	cred_put(b);
	if (may)
		return 0;
	if (signo != SIGCONT)
		return -EPERM;
	LOCKED(&tasks_lock);
	same_session = from->process->group && to->group &&
		       from->process->group->session == to->group->session;
	return same_session ? 0 : -EPERM;
}

uint64_t signal_pending_set(struct task *t)
{
	LOCKED(&t->process->signal_lock);
	return t->process->pending.set | t->pending.set;
}

bool signal_pending(struct task *t)
{
	LOCKED(&t->process->signal_lock);
	return t->process->exiting || t->process->stopped ||
	       ((t->process->pending.set | t->pending.set) & ~mask_of(t));
}

/* The kernel's own faults first, then the lowest number. */
static int choose(uint64_t set)
{
	const uint64_t synchronous = SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) |
				     SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSYS);

	if (set & synchronous)
		set &= synchronous;
	return set ? __builtin_ctzll(set) + 1 : 0;
}

static int take_from(struct process *p, struct pending *q, uint64_t set, siginfo_t *ret)
{
	int signo = choose(q->set & set);
	struct pending_signal *s;

	if (!signo)
		return 0;
	list_for_each(s, &q->queue, in_queue)
		if (s->info.si_signo == signo)
			break;
	*ret = s->info;
	dequeue(p, q, s);
	return signo;
}

/* Caller holds signal_lock. */
static int take_locked(struct task *t, uint64_t set, siginfo_t *ret)
{
	struct process *p = t->process;
	int signo = take_from(p, &t->pending, set, ret);

	if (signo) {
		show(p, t);
		return signo;
	}
	signo = take_from(p, &p->pending, set, ret);
	if (signo)
		show_all(p);
	return signo;
}

int signal_take_set(struct task *t, uint64_t set, siginfo_t *ret)
{
	LOCKED(&t->process->signal_lock);
	return take_locked(t, set & ~SIGNALS_UNBLOCKABLE, ret);
}

void signal_mask_temporarily(struct task *t, uint64_t mask)
{
	struct process *p = t->process;

	if (!t->restore_mask)
		t->saved_mask = stub_signal_mask(t->stub);
	t->restore_mask = true;
	stub_set_signal_mask(t->stub, mask & ~SIGNALS_UNBLOCKABLE);
	LOCKED(&p->signal_lock);
	/* What the old mask held back did not end a sleep when it came. */
	if ((p->pending.set | t->pending.set) & ~mask_of(t))
		sleeper_interrupt(&t->sleeper);
}

void signal_mask_restore(struct task *t)
{
	if (!t->restore_mask)
		return;
	t->restore_mask = false;
	stub_set_signal_mask(t->stub, t->saved_mask);
}

void signal_exec(struct process *p, struct stub_process *to)
{
	LOCKED(&p->signal_lock);
	for (int signo = 1; p->stub && signo <= N_SIGNALS; signo++) {
		struct stub_action ignore = { .handler = (uint64_t)(uintptr_t)SIG_IGN };

		if (stub_action_get(p->stub, signo).handler == ignore.handler)
			stub_action_set(to, signo, &ignore);
	}
}

/* --- what a thread that looks for signals gets -------------------------------------------- */

/* mark_stopped() - Return: whether it is now. Caller holds the tasks lock. */
static bool mark_stopped(struct task *me, int signo)
{
	struct process *p = me->process;
	struct task *t;

	LOCKED(&p->signal_lock);
	/* SIGCONT or death came between the taking of the signal and here. */
	if (p->exiting || p->stopped || (p->pending.set & SIGNAL_BIT(SIGCONT)))
		return false;
	p->stopped = true;
	p->state = PROCESS_STOPPED;
	p->wait_status = signo << 8 | 0x7f;
	p->stopped_unseen = true;
	p->continued_unseen = false;
	list_for_each(t, &p->tasks, in_process) {
		if (t == me || !t->stub)
			continue;
		sleeper_interrupt(&t->sleeper);
		stub_kick(t->stub);
	}
	return true;
}

/* The group as a whole stops: its threads find out in signal_take(). */
static void stop(struct task *me, int signo)
{
	LOCKED(&tasks_lock);
	if (mark_stopped(me, signo))
		process_report(me->process, CLD_STOPPED, signo);
}

static void sleep_while_stopped(struct task *t)
{
	struct process *p = t->process;
	struct wait_entry e;

	wait_begin(&p->resumed, &e, 0);
	while (__atomic_load_n(&p->stopped, __ATOMIC_SEQ_CST))
		if (wait_sleep_killable(WAIT_FOREVER) < 0)
			break;
	wait_end(&e);
}

static void act_by_default(struct task *t, int signo)
{
	uint64_t bit = SIGNAL_BIT(signo);
	struct process *p = t->process;

	if (bit & SIGNALS_IGNORED_BY_DEFAULT || p->init_protected)
		return;
	if (bit & SIGNALS_STOP) {
		if (signo != SIGSTOP && pgroup_is_orphaned(p))
			return;
		stop(t, signo);
		return;
	}
	task_exit_group(t, signo);
}

int signal_take(struct stub_thread *st, siginfo_t *ret_info, struct stub_action *ret_action,
		uint64_t *ret_mask)
{
	struct task *t = stub_owner(st);
	struct process *p = t->process;
	uint64_t mask;
	int signo;

	if (sleeper_current() != &t->sleeper)
		sleeper_set_current(&t->sleeper);
	for (;;) {
		if (__atomic_load_n(&p->exiting, __ATOMIC_SEQ_CST) || t->sleeper.dying)
			task_exit_group(t, p->exit_status);
		if (__atomic_load_n(&p->stopped, __ATOMIC_SEQ_CST)) {
			sleep_while_stopped(t);
			continue;
		}
		lock_acquire(&p->signal_lock);
		sleeper_clear_interrupt(&t->sleeper);
		mask = mask_of(t);
		signo = p->stub ? take_locked(t, ~mask, ret_info) : 0;
		if (signo)
			*ret_action = stub_action_get(p->stub, signo);
		lock_release(&p->signal_lock);
		if (!signo && !t->restore_mask)
			return 0;
		if (!signo) {
			/* The old mask may let through what the temporary one held back. */
			signal_mask_restore(t);
			continue;
		}
		if (ret_action->handler == (uint64_t)(uintptr_t)SIG_IGN)
			continue;
		if (ret_action->handler != (uint64_t)(uintptr_t)SIG_DFL)
			break;
		act_by_default(t, signo);
	}
	*ret_mask = t->restore_mask ? t->saved_mask : mask;
	t->restore_mask = false;
	return signo;
}
