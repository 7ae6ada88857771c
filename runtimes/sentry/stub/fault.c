/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers of host signals: calls that trap, kicks, faults.
 *
 * Each first asks where it came from: guest code, or the stub itself.
 */
#include "runtimes/sentry/stub/stub.h"

void fault_on_sigsys(int signo, siginfo_t *info, struct ucontext *uc)
{
	struct slot *s = slot_current();

	(void)signo;
	if (stub_is_ours(uc->uc_mcontext.rip))
		stub_fail(); /* the filter refuses one of our own: a guest has bent something */
	gate_check_slot(s);
	patch_consider(s, uc, (uint32_t)info->si_syscall);
	stub_call(s, uc, (uint32_t)info->si_syscall);
	stub_leave(uc, &s->pending);
}

void fault_on_kick(int signo, siginfo_t *info, struct ucontext *uc)
{
	struct slot *s = slot_current();
	uint64_t ip = uc->uc_mcontext.rip;

	(void)signo, (void)info;
	if (ip == (uint64_t)gate_leave_jump) /* all is the guest's already */
		ip = uc->uc_mcontext.rip = uc->uc_mcontext.rcx;
	if (!stub_is_ours(ip))
		stub_take_signals(uc);
	__atomic_store_n(&s->pending, 1, __ATOMIC_SEQ_CST);
	uc->uc_mcontext.rip = fixup_is_in(ip, gate_leave_begin, gate_leave_switch)
				      ? (uint64_t)gate_leave_out
				      : fixup_ip(ip);
	stub_resume(uc);
}

void fault_raise(struct slot *s, struct ucontext *uc, const siginfo_t *info)
{
	int signo = info->si_signo;
	uint64_t mask = s->control->mask;
	struct stub_action action = s->shared->actions[signo - 1];
	bool handled = action.handler != (uint64_t)SIG_DFL && action.handler != (uint64_t)SIG_IGN &&
		       !(mask & 1ull << (signo - 1));

	if (handled && !signal_deliver(s, uc, signo, info, &action, mask))
		stub_leave(uc, &s->pending);
	memcpy(s->control->siginfo, info, sizeof(s->control->siginfo));
	channel_exchange(s, CHANNEL_FAULT);
	stub_leave(uc, &s->pending);
}

void fault_on_fault(int signo, siginfo_t *info, struct ucontext *uc)
{
	uint64_t ip = uc->uc_mcontext.rip;

	(void)signo;
	if (!stub_is_ours(ip)) {
		/* in the place of an instruction that was moved, bytes stand that trap */
		if (info->si_signo == SIGILL || info->si_code == SI_KERNEL)
			uc->uc_mcontext.rip = patch_resume(ip);
		if (uc->uc_mcontext.rip != ip)
			stub_resume(uc);
		fault_raise(slot_current(), uc, info);
	}
	if (ip == (uint64_t)guest_copy_move)
		uc->uc_mcontext.rip = (uint64_t)guest_copy_fault;
	else if (ip == (uint64_t)guest_exchange_move)
		uc->uc_mcontext.rip = (uint64_t)guest_exchange_fault;
	else
		stub_fail();
	stub_resume(uc);
}
