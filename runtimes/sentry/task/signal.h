/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals: sending, queues, waiting for them.
 *
 * Masks and actions live in the stub, queues here.  Sending queues the signal, tells the stub
 * which signals wait (stub_set_pending()), ends the sleep of a thread that does not block it, and
 * kicks that thread; it then comes back for it (platform_ops.take_signal), which decides default
 * actions, stops and death.  SIGKILL, and what ends the process for sure, acts at once.
 */
#ifndef SENTRY_TASK_SIGNAL_H
#define SENTRY_TASK_SIGNAL_H

#include "runtimes/sentry/task/task.h"

#define SIGNALS_STOP \
	(SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))
#define SIGNALS_UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))

/* One queued signal. */
struct pending_signal {
	struct list in_queue;
	siginfo_t info;
	void *source; /* a POSIX timer, to count overruns; NULL: none */
};

/*
 * signal_send_task(), signal_send_process() - to one thread or to the process.  info->si_signo
 * says which.  No lock but of a rank below LOCK_SIGNAL may be held.
 * Return: 0, -EAGAIN (RLIMIT_SIGPENDING, real-time signals only), -ESRCH (has ended).
 */
int signal_send_task(struct task *t, const siginfo_t *info);
int signal_send_process(struct process *p, const siginfo_t *info);
/* signal_send_timer() - as signal_send_process() (or to @t); queued at most once for @source.
 * Return: 1 when it waits already. */
int signal_send_timer(struct process *p, struct task *t, const siginfo_t *info, void *source);
/* signal_forget_source() - drop what @source has queued. */
void signal_forget_source(struct process *p, void *source);
/* signal_from_kernel() - a siginfo with SI_KERNEL. */
siginfo_t signal_from_kernel(int signo);
/* signal_from_task() - a siginfo with @code (SI_USER, SI_TKILL) and who sends it. */
siginfo_t signal_from_task(struct task *t, int signo, int code);
/* signal_may_send() - kill(2)'s rule. Return: 0 or -EPERM. */
int signal_may_send(struct task *from, struct process *to, int signo);
/* signal_pending() - one waits that @t does not block: its calls end with -ERESTART*. */
bool signal_pending(struct task *t);
/* signal_pending_set() - all that wait for @t, blocked or not. */
uint64_t signal_pending_set(struct task *t);
/* signal_take_set() - dequeue one of @set that waits for @t. Return: its number, or 0. */
int signal_take_set(struct task *t, uint64_t set, siginfo_t *ret);
/*
 * signal_mask_temporarily() - until the call ends: the mask of sigsuspend(2), ppoll(2).  The frame
 * of a signal that is taken then restores the old one.
 */
void signal_mask_temporarily(struct task *t, uint64_t mask);
/* signal_mask_restore() - the call ended without a signal. */
void signal_mask_restore(struct task *t);
/* signal_take() - platform_ops.take_signal. */
int signal_take(struct stub_thread *st, siginfo_t *ret_info, struct stub_action *ret_action,
		uint64_t *ret_mask);
/* signal_flush() - all pending of @q go; caller holds signal_lock of @p. */
void signal_flush(struct process *p, struct pending *q);
/* signal_action() - what @p does on @signo; the default once it has no stub. */
struct stub_action signal_action(struct process *p, int signo);
/* signal_exec() - what @p ignores is ignored in the fresh stub too; all else is the default. */
void signal_exec(struct process *p, struct stub_process *to);

#endif
