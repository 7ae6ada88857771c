/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters of the guest (seccomp) for calls that the sentry would not see.
 *
 * The sentry names the calls that may be forbidden; the stub asks it before it serves one of them.
 * Where one is among those that the host serves where they stand, the host is told to hand over all
 * calls of the thread (syscall user dispatch): there is no way back, as there is none for a filter.
 * This keeps the guest's promises to itself; it is not what protects the host.
 */
#include <linux/prctl.h>

#include "runtimes/sentry/platform/filter.h"
#include "runtimes/sentry/stub/stub.h"

/* Calls of the stub's own; what it does not know the sentry judges when it gets the call. */
static bool is_served_here(uint32_t nr)
{
	switch (nr) {
	case __NR_rt_sigaction:
	case __NR_rt_sigprocmask:
	case __NR_rt_sigreturn:
	case __NR_sigaltstack:
	case __NR_kill:
	case __NR_tkill:
	case __NR_tgkill:
	case __NR_getpid:
	case __NR_gettid:
	case __NR_getppid:
	case __NR_getuid:
	case __NR_geteuid:
	case __NR_getgid:
	case __NR_getegid:
	case __NR_brk:
	case __NR_nanosleep:
	case __NR_restart_syscall:
	case __NR_set_robust_list:
	case __NR_exit:
	case __NR_exit_group:
		return true;
	case __NR_clone: /* the filter has them too, but for the stub's own use */
	case __NR_close:
	case __NR_prctl:
		return false;
	default:
		return filter_has(FILTER_BOTH, FILTER_STUB, nr);
	}
}

bool verdict_wanted(const struct slot *s, uint32_t nr)
{
	const struct channel_control *c = s->control;

	return c->asks != STUB_ASKS_NOTHING && nr < STUB_ASK_WORDS * 64 &&
	       c->ask[nr / 64] & 1ull << nr % 64 && is_served_here(nr);
}

void verdict_begin(struct slot *s)
{
	if (s->traps_all || s->control->asks != STUB_ASKS_DIRECT)
		return;
	if (host_call(__NR_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON,
		      (uint64_t)host_calls_begin, (uint64_t)(host_calls_end - host_calls_begin), 0,
		      0))
		stub_fail(); /* rather than calls that nobody judges */
	s->traps_all = true;
}

bool verdict_serve_direct(struct slot *s, uint32_t nr, const uint64_t a[6], int64_t *ret)
{
	if (!s->traps_all || stub_is_strict || !filter_lets(FILTER_DEFAULT, FILTER_GUEST, nr, a))
		return false;
	*ret = host_call(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	return true;
}
