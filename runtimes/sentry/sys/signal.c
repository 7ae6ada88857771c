/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on signals. Actions, masks and alternate stacks are the stub's; here are the queues.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "runtimes/sentry/sys/calls.h"
#include "runtimes/sentry/task/pgroup.h"
#include "runtimes/sentry/task/signal.h"

#define SIGSET_BYTES 8
#define SIGINFO_USED 48 /* of a siginfo_t: the rest is room for later */

static bool is_signal(int signo)
{
	return signo >= 0 && signo <= N_SIGNALS;
}

static int send_one(struct task *t, struct process *p, const siginfo_t *info)
{
	int rc = signal_may_send(t, p, info->si_signo);

	return rc || !info->si_signo ? rc : signal_send_process(p, info);
}

/* kill(-1): all but init and the caller itself. */
static long send_all(struct task *t, const siginfo_t *info)
{
	struct process *p;
	long rc = -ESRCH;

	for (pid_t from = 2; (p = process_next(t->process->pids, from)); process_put(p)) {
		int one;

		from = p->pid + 1;
		if (p == t->process || p == p->pids->init)
			continue;
		one = send_one(t, p, info);
		if (one != -EPERM)
			rc = one;
	}
	return rc;
}

long sys_kill(struct task *t, const uint64_t a[6])
{
	pid_t pid = (pid_t)a[0];
	int signo = (int)a[1];
	siginfo_t info = signal_from_task(t, signo, SI_USER);
	struct process *p;
	long rc;

	if (!is_signal(signo))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	if (pid == -1)
		return send_all(t, &info);
	if (pid <= 0)
		return pgroup_kill(t->process->pids, pid ? -pid : (pid_t)pgroup_getpgid(t, 0),
				   &info, t);
	p = process_find(t->process->pids, pid);
	if (!p) {
		/* A thread's number stands for its process. */
		struct task *other = task_find(t->process->pids, pid);

		p = other ? process_get(other->process) : NULL;
		task_put(other);
	}
	rc = p ? send_one(t, p, &info) : -ESRCH;
	process_put(p);
	return rc;
}

/* send_thread() - @tgid 0: whatever process it is of. */
static long send_thread(struct task *t, pid_t tgid, pid_t tid, const siginfo_t *info)
{
	struct task *to = task_find(t->process->pids, tid);
	long rc = to && (!tgid || to->process->pid == tgid) ? 0 : -ESRCH;

	if (!rc)
		rc = signal_may_send(t, to->process, info->si_signo);
	if (!rc && info->si_signo)
		rc = signal_send_task(to, info);
	task_put(to);
	return rc;
}

long sys_tgkill(struct task *t, const uint64_t a[6])
{
	siginfo_t info = signal_from_task(t, (int)a[2], SI_TKILL);

	if ((pid_t)a[0] <= 0 || (pid_t)a[1] <= 0 || !is_signal((int)a[2]))
		return -EINVAL;
	return send_thread(t, (pid_t)a[0], (pid_t)a[1], &info);
}

long sys_tkill(struct task *t, const uint64_t a[6])
{
	siginfo_t info = signal_from_task(t, (int)a[1], SI_TKILL);

	if ((pid_t)a[0] <= 0 || !is_signal((int)a[1]))
		return -EINVAL;
	return send_thread(t, 0, (pid_t)a[0], &info);
}

int sys_copy_in_siginfo(struct task *t, siginfo_t *to, uint64_t from)
{
	memset(to, 0, sizeof(*to));
	return sys_copy_in(t, to, from, SIGINFO_USED);
}

/* copy_info() - a siginfo of the guest; only to itself may it look like the kernel's. */
static int copy_info(struct task *t, uint64_t from, int signo, bool to_self, siginfo_t *ret)
{
	int rc = sys_copy_in_siginfo(t, ret, from);

	if (rc)
		return rc;
	if (!is_signal(signo))
		return -EINVAL;
	ret->si_signo = signo;
	return (ret->si_code >= 0 || ret->si_code == SI_TKILL) && !to_self ? -EPERM : 0;
}

long sys_rt_sigqueueinfo(struct task *t, const uint64_t a[6])
{
	pid_t pid = (pid_t)a[0];
	siginfo_t info;
	long rc = copy_info(t, a[2], (int)a[1], pid == t->process->pid, &info);
	struct process *p;

	if (rc)
		return rc;
	p = process_find(t->process->pids, pid);
	rc = p ? send_one(t, p, &info) : -ESRCH;
	process_put(p);
	return rc;
}

long sys_rt_tgsigqueueinfo(struct task *t, const uint64_t a[6])
{
	siginfo_t info;
	int rc;

	if ((pid_t)a[0] <= 0 || (pid_t)a[1] <= 0)
		return -EINVAL;
	rc = copy_info(t, a[3], (int)a[2], (pid_t)a[0] == t->process->pid, &info);
	return rc ? rc : send_thread(t, (pid_t)a[0], (pid_t)a[1], &info);
}

long sys_rt_sigaction(struct task *t, const uint64_t a[6])
{
	struct process *p = t->process;
	int signo = (int)a[0], rc;
	struct stub_action new, old;

	if (a[3] != SIGSET_BYTES || signo < 1 || signo > N_SIGNALS)
		return -EINVAL;
	if (a[1] && (SIGNAL_BIT(signo) & SIGNALS_UNBLOCKABLE))
		return -EINVAL;
	if (a[1]) {
		rc = sys_copy_in(t, &new, a[1], sizeof(new));
		if (rc)
			return rc;
	}
	old = signal_action(p, signo);
	lock_acquire(&p->signal_lock);
	if (a[1] && p->stub)
		stub_action_set(p->stub, signo, &new);
	lock_release(&p->signal_lock);
	return a[2] ? sys_copy_out(t, a[2], &old, sizeof(old)) : 0;
}

long sys_rt_sigprocmask(struct task *t, const uint64_t a[6])
{
	uint64_t set, old = stub_signal_mask(t->stub), new = old;
	int rc;

	if (a[3] != SIGSET_BYTES)
		return -EINVAL;
	if (a[1]) {
		rc = sys_copy_in(t, &set, a[1], sizeof(set));
		if (rc)
			return rc;
		switch ((int)a[0]) {
		case SIG_BLOCK:
			new = old | set;
			break;
		case SIG_UNBLOCK:
			new = old & ~set;
			break;
		case SIG_SETMASK:
			new = set;
			break;
		default:
			return -EINVAL;
		}
		stub_set_signal_mask(t->stub, new & ~SIGNALS_UNBLOCKABLE);
		if (signal_pending(t))
			stub_kick(t->stub);
	}
	return a[2] ? sys_copy_out(t, a[2], &old, sizeof(old)) : 0;
}

long sys_rt_sigpending(struct task *t, const uint64_t a[6])
{
	uint64_t set = signal_pending_set(t) & stub_signal_mask(t->stub);

	if (a[1] > SIGSET_BYTES)
		return -EINVAL;
	return sys_copy_out(t, a[0], &set, a[1]);
}

long sys_pause(struct task *t, const uint64_t a[6])
{
	int rc = 0;

	(void)a;
	while (!rc && !signal_pending(t))
		rc = wait_sleep(WAIT_FOREVER);
	return rc == -EINTR ? rc : -ERESTARTNOHAND;
}

long sys_rt_sigsuspend(struct task *t, const uint64_t a[6])
{
	uint64_t mask;
	int rc;

	if (a[1] != SIGSET_BYTES)
		return -EINVAL;
	rc = sys_copy_in(t, &mask, a[0], sizeof(mask));
	if (rc)
		return rc;
	signal_mask_temporarily(t, mask);
	return sys_pause(t, a);
}

/* A signal of the set does not run its handler: it is what the call returns. */
long sys_rt_sigtimedwait(struct task *t, const uint64_t a[6])
{
	struct wait_entry e;
	int64_t deadline;
	siginfo_t info;
	uint64_t set;
	int signo, rc;

	if (a[3] != SIGSET_BYTES)
		return -EINVAL;
	rc = sys_copy_in(t, &set, a[0], sizeof(set));
	if (!rc)
		rc = sys_deadline(t, a[2], &deadline);
	if (rc)
		return rc;
	set &= ~SIGNALS_UNBLOCKABLE; /* they are acted upon, whoever waits for them */
	wait_begin(&t->process->signals, &e, 0);
	__atomic_store_n(&t->wait_set, set, __ATOMIC_SEQ_CST);
	while (!(signo = signal_take_set(t, set, &info))) {
		rc = wait_sleep(deadline);
		if (rc == -ERESTARTSYS && (signal_pending_set(t) & set)) {
			sleeper_clear_interrupt(&t->sleeper);
			continue;
		}
		if (rc)
			break;
	}
	__atomic_store_n(&t->wait_set, 0, __ATOMIC_SEQ_CST);
	wait_end(&e);
	/* A signal of the set that came together with the sleep's end is the answer. */
	if (!signo)
		signo = signal_take_set(t, set, &info);
	if (!signo)
		return rc == -ETIMEDOUT ? -EAGAIN : -EINTR;
	if (signal_pending(t))
		sleeper_interrupt(&t->sleeper);
	if (a[1])
		rc = sys_copy_out(t, a[1], &info, sizeof(info));
	else
		rc = 0;
	return rc ? rc : signo;
}

long sys_restart_syscall(struct task *t, const uint64_t a[6])
{
	(void)a;
	return t->restart.fn ? t->restart.fn(t) : -EINTR;
}
