/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dispatch of system calls.
 *
 * One call: seccomp filters of the guest, the table, the handler.  A handler that was ended by a
 * signal answers -ERESTART*; the stub then takes the signal and restarts the call or not.  A thread
 * that has been killed meanwhile does not go back to the guest.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>

#include "base/log.h"
#include "runtimes/sentry/sys/sys.h"
#include "runtimes/sentry/sys/trace.h"
#include "runtimes/sentry/task/seccomp.h"
#include "runtimes/sentry/task/signal.h"

/* told_of() - whether the first use of @nr was logged before. */
static bool told_of(uint32_t nr)
{
	static uint64_t told[(SYS_CALLS + 64) / 64];
	uint64_t bit;

	if (nr >= SYS_CALLS)
		nr = SYS_CALLS;
	bit = 1ull << (nr % 64);
	return __atomic_fetch_or(&told[nr / 64], bit, __ATOMIC_RELAXED) & bit;
}

static long refuse(struct task *t, const struct stub_call *c)
{
	const struct sys_entry *e = c->nr < SYS_CALLS ? &sys_table[c->nr] : NULL;
	int errnum = e && e->errnum ? e->errnum : ENOSYS;

	if (!told_of(c->nr))
		log_warn("system call refused: call=%s nr=%u errno=%s program=%s pid=%d "
			 "args=0x%lx,0x%lx,0x%lx why=\"%s\"",
			 e && e->name ? e->name : "unknown", c->nr, strerrorname_np(errnum),
			 t->name, t->process->pid, c->args[0], c->args[1], c->args[2],
			 e && e->note ? e->note : "no such call");
	return -errnum;
}

/* A guest filter ends the thread, or the process. */
static void __attribute__((noreturn)) killed_by_filter(struct task *t, uint32_t action)
{
	int signo = t->seccomp_strict ? SIGKILL : SIGSYS;

	if (action == SECCOMP_RET_KILL_THREAD && t->process->n_tasks > 1)
		task_exit(t, signo);
	task_exit_group(t, signo);
}

static void send_sigsys(struct task *t, const struct stub_call *c, uint16_t data)
{
	siginfo_t info = { .si_signo = SIGSYS, .si_code = 1 /* SYS_SECCOMP */, .si_errno = data };
	struct stub_action a = signal_action(t->process, SIGSYS);

	info.si_call_addr = (void *)(uintptr_t)c->ip;
	info.si_syscall = (int)c->nr;
	info.si_arch = AUDIT_ARCH_X86_64;
	/* As a fault: it cannot be held back. */
	if (a.handler <= 1 || (stub_signal_mask(t->stub) & SIGNAL_BIT(SIGSYS)))
		task_exit_group(t, SIGSYS);
	signal_send_task(t, &info);
}

/* filtered() - Return: whether the call ends here, with *ret. */
static bool filtered(struct task *t, const struct stub_call *c, long *ret)
{
	uint32_t verdict = seccomp_run(t->seccomp, c);

	switch (verdict & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
		return false;
	case SECCOMP_RET_LOG:
		log_info("seccomp: call=%u program=%s pid=%d action=log", c->nr, t->name,
			 t->process->pid);
		return false;
	case SECCOMP_RET_ERRNO:
		*ret = -(long)MIN(verdict & SECCOMP_RET_DATA, 4095u);
		return true;
	case SECCOMP_RET_TRAP:
		send_sigsys(t, c, verdict & SECCOMP_RET_DATA);
		*ret = (long)c->nr; /* the handler sees the registers as they were */
		return true;
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_USER_NOTIF:
		/* Nobody listens. */
		*ret = -ENOSYS;
		return true;
	default:
		killed_by_filter(t, verdict & SECCOMP_RET_ACTION_FULL);
	}
}

static long run(struct task *t, const struct stub_call *c)
{
	long ret;

	if (t->seccomp && filtered(t, c, &ret))
		return ret;
	if (c->nr < SYS_CALLS && sys_table[c->nr].fn)
		return sys_table[c->nr].fn(t, c->args);
	return refuse(t, c);
}

static bool was_interrupted(long ret)
{
	return ret == -EINTR || ret == -ERESTARTSYS || ret == -ERESTARTNOINTR ||
	       ret == -ERESTARTNOHAND || ret == -ERESTART_RESTARTBLOCK;
}

/* settle_mask() - a temporary mask goes with the call, or with the signal that ended it. */
static void settle_mask(struct task *t, long ret)
{
	if (was_interrupted(ret) && ret != -EINTR)
		return;
	if (ret == -EINTR && signal_pending(t)) {
		stub_kick(t->stub);
		return;
	}
	signal_mask_restore(t);
}

bool sys_check(struct stub_thread *st, const struct stub_call *c, long *ret)
{
	struct task *t = stub_owner(st);

	if (sleeper_current() != &t->sleeper)
		sleeper_set_current(&t->sleeper);
	if (t->seccomp && filtered(t, c, ret)) {
		if (sys_trace_on())
			sys_trace_end(t, c, *ret);
		return false;
	}
	if (sys_trace_on())
		sys_trace_passed(t, c);
	return true;
}

long sys_call(struct stub_thread *st, const struct stub_call *c)
{
	struct task *t = stub_owner(st);
	bool traced = sys_trace_on();
	long ret;

	if (sleeper_current() != &t->sleeper)
		sleeper_set_current(&t->sleeper);
	t->call = c;
	if (traced)
		sys_trace_begin(t, c);
	ret = run(t, c);
	if (traced)
		sys_trace_end(t, c, ret);
	t->call = NULL;
	if (t->restore_mask)
		settle_mask(t, ret);
	if (__atomic_load_n(&t->sleeper.dying, __ATOMIC_SEQ_CST))
		stub_exit_thread(t->stub);
	return ret;
}
