/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who answers a call: the stub, the host, or the sentry.
 *
 * Calls that the filter lets through wherever they stand come here only with arguments that it
 * does not; most are the guest's mistakes.
 */
#include "runtimes/sentry/stub/stub.h"

#define X32_CALLS 0x40000000u
#define MAX_CLOCK 11u

static void args_of(const struct ucontext *uc, uint64_t a[6])
{
	const struct sigcontext *m = &uc->uc_mcontext;

	a[0] = m->rdi;
	a[1] = m->rsi;
	a[2] = m->rdx;
	a[3] = m->r10;
	a[4] = m->r8;
	a[5] = m->r9;
}

void call_return(struct slot *s, struct ucontext *uc, uint32_t nr, int64_t result)
{
	switch (-result) {
	case ERESTARTSYS:
	case ERESTARTNOINTR:
	case ERESTARTNOHAND:
	case ERESTART_RESTARTBLOCK:
		s->restart = (uint32_t)-result;
		s->restart_nr = nr;
		s->pending = 1;
		break;
	default:
		uc->uc_mcontext.rax = result;
	}
}

static void describe(struct slot *s, const struct ucontext *uc, uint32_t nr, const uint64_t a[6])
{
	struct channel_control *c = s->control;

	c->nr = nr;
	memcpy(c->args, a, sizeof(c->args));
	c->n_windows = 0;
	/* filters may look at it */
	c->ip = c->asks ? patch_original(uc->uc_mcontext.rip) : uc->uc_mcontext.rip;
	c->sp = uc->uc_mcontext.rsp;
}

/* leave() - exit(2). Nobody waits for the sentry's account of it. */
static void leave(struct slot *s, struct ucontext *uc, const uint64_t a[6])
{
	describe(s, uc, __NR_exit, a);
	if (__atomic_sub_fetch(&s->process->threads, 1, __ATOMIC_SEQ_CST) != 0)
		channel_leave(s);
	channel_end(s);
}

/* leave_alone() - exit_group(2). Returns when there are other threads: the sentry ends them. */
static void leave_alone(struct slot *s, struct ucontext *uc, const uint64_t a[6])
{
	if (__atomic_load_n(&s->process->threads, __ATOMIC_SEQ_CST) != 1)
		return;
	describe(s, uc, __NR_exit_group, a);
	channel_end(s);
}

static int64_t ask_sentry(struct slot *s, struct ucontext *uc, uint32_t nr, const uint64_t a[6])
{
	int64_t result;

	describe(s, uc, nr, a);
	window_prepare(s, nr, a);
	switch (channel_exchange(s, CHANNEL_CALL)) {
	case CHANNEL_CLONE:
		window_finish(s, 0);
		return clone_make(s, uc, nr);
	case CHANNEL_RETURN:
		s->blocked.regs[0] = 0; /* a restart would be the sentry's */
		result = s->control->answer_result;
		verdict_begin(s); /* the call may have brought filters */
		return !window_finish(s, result) && result >= 0 ? -EFAULT : result;
	default:
		stub_fail();
	}
}

/* A number that the sentry has published. Return: whether it has. */
static bool known_id(struct slot *s, uint32_t nr, int64_t *ret)
{
	const struct channel_control *c = s->control;

	if (!__atomic_load_n(&c->ids_valid, __ATOMIC_ACQUIRE))
		return false;
	switch (nr) {
	case __NR_getpid:
		*ret = c->ids.pid;
		return true;
	case __NR_gettid:
		*ret = c->ids.tid;
		return true;
	case __NR_getppid:
		*ret = c->ids.ppid;
		return true;
	case __NR_getuid:
		*ret = c->ids.uid;
		return true;
	case __NR_geteuid:
		*ret = c->ids.euid;
		return true;
	case __NR_getgid:
		*ret = c->ids.gid;
		return true;
	case __NR_getegid:
		*ret = c->ids.egid;
		return true;
	default:
		return false;
	}
}

static int64_t clock_read(uint32_t clock, uint64_t to)
{
	struct timespec64 t;
	long rc = host_call(__NR_clock_gettime, clock, (uint64_t)&t, 0, 0, 0, 0);

	if (rc)
		return rc;
	return guest_copy((void *)to, &t, sizeof(t)) ? -EFAULT : 0;
}

#define ARCH_SET_GS 0x1001
#define ARCH_GET_GS 0x1004

static int64_t arch_prctl(struct slot *s, uint32_t what, uint64_t addr)
{
	uint64_t zero = 0;
	long rc;

	if (what < ARCH_SET_GS || what > ARCH_GET_GS)
		return -EINVAL;
	if (what == ARCH_GET_GS && stub_has_fsgsbase && !s->own_gs) /* what is in there is ours */
		return guest_copy((void *)addr, &zero, sizeof(zero)) ? -EFAULT : 0;
	rc = host_call(__NR_arch_prctl, what, addr, 0, 0, 0, 0);
	if (what == ARCH_SET_GS && !rc)
		gate_give_up(s);
	return rc;
}

static int64_t set_tid_address(struct slot *s, uint64_t word)
{
	host_call(__NR_set_tid_address, word, 0, 0, 0, 0, 0);
	return s->control->ids.tid;
}

static int64_t set_robust_list(struct slot *s, uint64_t head, uint64_t len)
{
	if (len != ROBUST_HEAD_BYTES)
		return -EINVAL;
	s->robust_list = head;
	return 0;
}

/* Memory calls. Return: whether @nr is one that is answered here. */
static bool serve_memory(struct slot *s, uint32_t nr, const uint64_t a[6], int64_t *ret)
{
	bool served = true;

	switch (nr) {
	case __NR_mmap:
		*ret = memory_mmap(a, &served);
		return served;
	case __NR_mprotect:
		*ret = memory_mprotect(a);
		return true;
	case __NR_madvise:
		*ret = memory_madvise(a);
		return true;
	case __NR_brk:
		*ret = memory_brk(s, a[0]);
		return true;
	case __NR_mremap:
		*ret = -EINVAL; /* flags that do not exist */
		return true;
	default:
		return false;
	}
}

static bool serve_signals(struct slot *s, struct ucontext *uc, uint32_t nr, const uint64_t a[6],
			  int64_t *ret)
{
	switch (nr) {
	case __NR_rt_sigaction:
		*ret = signal_action(s, a);
		return true;
	case __NR_rt_sigprocmask:
		*ret = signal_mask(s, a);
		return true;
	case __NR_sigaltstack:
		*ret = signal_altstack(s, uc->uc_mcontext.rsp, a);
		return true;
	case __NR_tgkill:
	case __NR_tkill:
	case __NR_kill:
		*ret = 0;
		return signal_to_self(s, nr, a);
	default:
		return false;
	}
}

/* serve_time() - Return: as serve_memory(). */
static bool serve_time(struct slot *s, uint32_t nr, const uint64_t a[6], int64_t *ret)
{
	if (stub_is_strict && nr != __NR_clock_gettime)
		return false; /* sleeps are the sentry's */
	switch (nr) {
	case __NR_nanosleep:
		*ret = block_nanosleep(s, CLOCK_MONOTONIC, 0, a[0], a[1]);
		return true;
	case __NR_clock_nanosleep:
		*ret = block_nanosleep(s, (uint32_t)a[0], (uint32_t)a[1], a[2], a[3]);
		return true;
	case __NR_clock_gettime:
		if ((uint32_t)a[0] > MAX_CLOCK)
			return false;
		*ret = clock_read((uint32_t)a[0], a[1]);
		return true;
	default:
		return false;
	}
}

/* serve() - what the stub answers, or asks of the host. Return: whether it did. */
static bool serve(struct slot *s, struct ucontext *uc, uint32_t nr, const uint64_t a[6],
		  int64_t *ret)
{
	if (verdict_serve_direct(s, nr, a, ret))
		return true;
	if (stub_is_strict && strict_serve(s, uc, nr, a, ret))
		return true;
	switch (nr) {
	case __NR_futex:
		return block_futex(s, a, ret) || pi_futex(s, a, ret);
	case __NR_read:
	case __NR_recvfrom:
		return ahead_read(s, nr, a, ret);
	case __NR_restart_syscall:
		return block_again(s, ret);
	case __NR_arch_prctl:
		*ret = arch_prctl(s, (uint32_t)a[0], a[1]);
		return true;
	case __NR_set_tid_address:
		*ret = set_tid_address(s, a[0]);
		return true;
	case __NR_set_robust_list:
		*ret = set_robust_list(s, a[0], a[1]);
		return true;
	case __NR_membarrier:
		*ret = -EINVAL;
		return !stub_is_strict;
	case __NR_exit:
		leave(s, uc, a);
		return true;
	case __NR_exit_group:
		leave_alone(s, uc, a);
		return false;
	default:
		return known_id(s, nr, ret) || serve_signals(s, uc, nr, a, ret) ||
		       serve_memory(s, nr, a, ret) || serve_time(s, nr, a, ret);
	}
}

bool call_ask(struct slot *s, struct ucontext *uc, uint32_t nr, const uint64_t a[6], int64_t *ret)
{
	describe(s, uc, nr, a);
	if (channel_exchange(s, CHANNEL_CHECK) == CHANNEL_ALLOW)
		return true;
	*ret = s->control->answer_result;
	return false;
}

bool call_check(struct slot *s, struct ucontext *uc, uint32_t nr)
{
	uint64_t a[6];
	int64_t result;

	if (!verdict_wanted(s, nr))
		return true;
	args_of(uc, a);
	if (call_ask(s, uc, nr, a, &result))
		return true;
	uc->uc_mcontext.rax = result;
	return false;
}

void stub_call(struct slot *s, struct ucontext *uc, uint32_t nr)
{
	uint64_t a[6];
	int64_t result;

	args_of(uc, a);
	if (!call_check(s, uc, nr))
		return;
	if (nr == __NR_rt_sigreturn) {
		signal_return(s, uc);
		return;
	}
	if (nr & X32_CALLS)
		result = -ENOSYS;
	else if (!serve(s, uc, nr, a, &result))
		result = ask_sentry(s, uc, nr, a);
	call_return(s, uc, nr, result);
}
