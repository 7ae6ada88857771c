/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's signals: frames, masks, actions, alternate stacks.
 *
 * The host's signal mask is always empty; the guest's is a word of the channel.  A handler of the
 * guest is entered by writing a frame as Linux does onto the guest's stack and then changing the
 * host's frame, from which rt_sigreturn will load registers and vector state.
 */
#include "runtimes/sentry/stub/stub.h"

#define UNBLOCKABLE   (1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1))
#define SET_BYTES     8
#define RED_ZONE      128
#define MIN_ALTSTACK  2048
#define SS_ONSTACK    1u
#define SS_DISABLE    2u
#define SS_AUTODISARM (1u << 31)
#define MXCSR_DEFAULT 0x1f80
#define FCW_DEFAULT   0x37f
#define FX_BYTES      512
#define FX_SW_OFFSET  464 /* of sw_reserved: the kernel's, says what follows */
#define X86_EFLAGS_TF 0x100ull
#define X86_EFLAGS_DF 0x400ull
#define X86_EFLAGS_RF 0x10000ull
#define N_GREGS	      18 /* r8 .. eflags of struct sigcontext */

struct guest_frame {
	uint64_t restorer;
	struct ucontext uc;
	uint8_t info[128];
};

size_t frame_fp_bytes(const struct ucontext *uc)
{
	const struct _fpstate *fp = uc->uc_mcontext.fpstate;

	if (!fp)
		return 0;
	if (fp->sw_reserved.magic1 != FP_XSTATE_MAGIC1)
		return FX_BYTES;
	return fp->sw_reserved.extended_size;
}

/* As after execve: what a handler finds. */
static void init_fp(struct ucontext *uc)
{
	struct _xstate *x = (void *)uc->uc_mcontext.fpstate;

	if (!x)
		return;
	x->fpstate.cwd = FCW_DEFAULT;
	x->fpstate.mxcsr = MXCSR_DEFAULT;
	if (frame_fp_bytes(uc) > FX_BYTES)
		x->xstate_hdr.xfeatures = 0;
}

static bool on_altstack(const struct slot *s, uint64_t sp)
{
	if (s->altstack_flags & SS_AUTODISARM)
		return false;
	return s->altstack_bytes && sp > s->altstack && sp - s->altstack <= s->altstack_bytes;
}

static stack_t altstack_now(const struct slot *s, uint64_t sp)
{
	stack_t st = { .ss_sp = (void *)s->altstack, .ss_size = s->altstack_bytes };

	st.ss_flags = (int)(s->altstack_flags & SS_AUTODISARM);
	if (!s->altstack_bytes)
		st.ss_flags |= (int)SS_DISABLE;
	else if (on_altstack(s, sp))
		st.ss_flags |= (int)SS_ONSTACK;
	return st;
}

static int set_altstack(struct slot *s, uint64_t sp, const stack_t *st)
{
	uint32_t flags = (uint32_t)st->ss_flags & ~SS_AUTODISARM;

	if (on_altstack(s, sp))
		return -EPERM;
	if (flags != 0 && flags != SS_DISABLE && flags != SS_ONSTACK)
		return -EINVAL;
	if (flags != SS_DISABLE && st->ss_size < MIN_ALTSTACK)
		return -ENOMEM;
	s->altstack = flags == SS_DISABLE ? 0 : (uint64_t)st->ss_sp;
	s->altstack_bytes = flags == SS_DISABLE ? 0 : st->ss_size;
	s->altstack_flags = (uint32_t)st->ss_flags & SS_AUTODISARM;
	return 0;
}

int64_t signal_altstack(struct slot *s, uint64_t sp, const uint64_t a[6])
{
	stack_t old = altstack_now(s, sp), new;
	int rc;

	if (a[0]) {
		if (guest_copy(&new, (void *)a[0], sizeof(new)))
			return -EFAULT;
		rc = set_altstack(s, sp, &new);
		if (rc)
			return rc;
	}
	if (a[1] && guest_copy((void *)a[1], &old, sizeof(old)))
		return -EFAULT;
	return 0;
}

void signal_set_mask(struct slot *s, uint64_t mask)
{
	mask &= ~UNBLOCKABLE;
	__atomic_store_n(&s->control->mask, mask, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&s->control->pending, __ATOMIC_SEQ_CST) & ~mask)
		s->pending = 1;
}

int64_t signal_mask(struct slot *s, const uint64_t a[6])
{
	uint64_t old = s->control->mask, set;

	if (a[3] != SET_BYTES)
		return -EINVAL;
	if (a[1]) {
		if (guest_copy(&set, (void *)a[1], sizeof(set)))
			return -EFAULT;
		switch ((uint32_t)a[0]) {
		case SIG_BLOCK:
			signal_set_mask(s, old | set);
			break;
		case SIG_UNBLOCK:
			signal_set_mask(s, old & ~set);
			break;
		case SIG_SETMASK:
			signal_set_mask(s, set);
			break;
		default:
			return -EINVAL;
		}
	}
	if (a[2] && guest_copy((void *)a[2], &old, sizeof(old)))
		return -EFAULT;
	return 0;
}

int64_t signal_action(struct slot *s, const uint64_t a[6])
{
	uint32_t signo = (uint32_t)a[0];
	struct stub_action old, new;

	if (a[3] != SET_BYTES || signo < 1 || signo > STUB_N_SIGNALS)
		return -EINVAL;
	if (a[1] && (signo == SIGKILL || signo == SIGSTOP))
		return -EINVAL;
	if (a[1] && guest_copy(&new, (void *)a[1], sizeof(new)))
		return -EFAULT;
	old = s->shared->actions[signo - 1];
	if (a[1]) {
		new.mask &= ~UNBLOCKABLE;
		s->shared->actions[signo - 1] = new;
		/* the sentry throws away what is ignored now */
		if (s->control->pending & 1ull << (signo - 1))
			s->pending = 1;
	}
	if (a[2] && guest_copy((void *)a[2], &old, sizeof(old)))
		return -EFAULT;
	return 0;
}

static uint64_t handler_stack(const struct slot *s, const struct stub_action *action, uint64_t sp)
{
	if (action->flags & SA_ONSTACK && s->altstack_bytes && !on_altstack(s, sp))
		return s->altstack + s->altstack_bytes;
	return sp - RED_ZONE;
}

int signal_deliver(struct slot *s, struct ucontext *uc, int signo, const siginfo_t *info,
		   const struct stub_action *action, uint64_t frame_mask)
{
	struct sigcontext *m = &uc->uc_mcontext;
	size_t fp_bytes = frame_fp_bytes(uc);
	uint64_t fp = (handler_stack(s, action, m->rsp) - fp_bytes) & ~63ull;
	uint64_t at = ((fp - sizeof(struct guest_frame)) & ~15ull) - 8;
	struct guest_frame frame;

	frame.restorer = action->restorer;
	frame.uc = *uc;
	frame.uc.uc_mcontext.rip = patch_original(m->rip);
	frame.uc.uc_link = NULL;
	frame.uc.uc_stack = altstack_now(s, m->rsp);
	frame.uc.uc_sigmask = frame_mask;
	frame.uc.uc_mcontext.fpstate = fp_bytes ? (void *)fp : NULL;
	memcpy(frame.info, info, sizeof(frame.info));
	if (fp_bytes && guest_copy((void *)fp, m->fpstate, fp_bytes))
		return -EFAULT;
	if (guest_copy((void *)at, &frame, sizeof(frame)))
		return -EFAULT;
	if (s->altstack_flags & SS_AUTODISARM)
		s->altstack_bytes = s->altstack_flags = 0;
	if (action->flags & SA_RESETHAND)
		s->shared->actions[signo - 1].handler = 0;
	m->rip = action->handler;
	m->rsp = at;
	m->rdi = signo;
	m->rsi = at + offsetof(struct guest_frame, info);
	m->rdx = at + offsetof(struct guest_frame, uc);
	m->rax = 0;
	m->eflags &= ~(X86_EFLAGS_TF | X86_EFLAGS_DF | X86_EFLAGS_RF);
	init_fp(uc);
	signal_set_mask(s, s->control->mask | action->mask |
				   (action->flags & SA_NODEFER ? 0 : 1ull << (signo - 1)));
	return 0;
}

/* Vector state of a guest's frame; what the kernel has written about its size stays. */
static int return_fp(struct ucontext *uc, uint64_t from)
{
	size_t bytes = frame_fp_bytes(uc);
	struct _xstate *x = (void *)uc->uc_mcontext.fpstate;
	struct _fpx_sw_bytes theirs, ours;

	if (!from || !x) {
		init_fp(uc);
		return 0;
	}
	ours = x->fpstate.sw_reserved;
	if (guest_copy(&theirs, (void *)(from + FX_SW_OFFSET), sizeof(theirs)))
		return -EFAULT;
	if (bytes > FX_BYTES &&
	    (theirs.magic1 != FP_XSTATE_MAGIC1 || theirs.extended_size != ours.extended_size)) {
		bytes = FX_BYTES;
		x->xstate_hdr.xfeatures = 3; /* x87 and SSE */
	}
	if (bytes > FX_BYTES)
		bytes -= FP_XSTATE_MAGIC2_SIZE;
	if (guest_copy(x, (void *)from, bytes))
		return -EFAULT;
	x->fpstate.sw_reserved = ours;
	return 0;
}

void signal_return(struct slot *s, struct ucontext *uc)
{
	uint64_t from = uc->uc_mcontext.rsp;
	siginfo_t info = { .si_signo = SIGSEGV, .si_code = SI_KERNEL };
	struct ucontext g;

	if (guest_copy(&g, (void *)from, sizeof(g)) ||
	    return_fp(uc, (uint64_t)g.uc_mcontext.fpstate))
		fault_raise(s, uc, &info);
	/* general registers, rip and flags; the kernel takes only harmless flags */
	memcpy(&uc->uc_mcontext, &g.uc_mcontext, N_GREGS * sizeof(uint64_t));
	uc->uc_mcontext.rip = patch_resume(uc->uc_mcontext.rip);
	set_altstack(s, uc->uc_mcontext.rsp, &g.uc_stack);
	signal_set_mask(s, g.uc_sigmask);
}

/* Linux's rules for a call that a signal has ended, when a handler runs first. */
static void restart_with_handler(struct slot *s, struct ucontext *uc, uint64_t action_flags)
{
	if (s->restart == ERESTARTNOINTR ||
	    (s->restart == ERESTARTSYS && action_flags & SA_RESTART)) {
		uc->uc_mcontext.rax = s->restart_nr;
		uc->uc_mcontext.rip -= SYSCALL_BYTES;
	} else {
		uc->uc_mcontext.rax = -EINTR;
	}
	s->restart = 0;
}

static void restart_without_handler(struct slot *s, struct ucontext *uc)
{
	bool block = s->restart == ERESTART_RESTARTBLOCK;

	uc->uc_mcontext.rax = block ? __NR_restart_syscall : s->restart_nr;
	uc->uc_mcontext.rip -= SYSCALL_BYTES;
	s->restart = 0;
}

static void deliver(struct slot *s, struct ucontext *uc, const siginfo_t *info,
		    const struct stub_action *action, uint64_t frame_mask)
{
	siginfo_t segv = { .si_signo = SIGSEGV, .si_code = SI_KERNEL };

	if (signal_deliver(s, uc, info->si_signo, info, action, frame_mask))
		fault_raise(s, uc, &segv);
}

bool signal_to_self(struct slot *s, uint32_t nr, const uint64_t a[6])
{
	const struct channel_control *c = s->control;
	uint32_t signo = (uint32_t)(nr == __NR_tgkill ? a[2] : a[1]);
	const struct stub_action *action = &s->shared->actions[(signo - 1) % STUB_N_SIGNALS];

	if (!__atomic_load_n(&c->ids_valid, __ATOMIC_ACQUIRE) || signo - 1 >= STUB_N_SIGNALS)
		return false;
	if ((uint32_t)a[0] != (nr == __NR_tkill ? c->ids.tid : c->ids.pid) ||
	    (nr == __NR_tgkill && (uint32_t)a[1] != c->ids.tid))
		return false;
	/* One of its number that waits already comes first, and ones that do nothing are the
	 * sentry's. */
	if ((c->mask | c->pending) & 1ull << (signo - 1) || action->handler <= (uint64_t)SIG_IGN)
		return false;
	s->own_signal = (int32_t)signo;
	s->own_code = nr == __NR_kill ? SI_USER : SI_TKILL;
	s->pending = 1;
	return true;
}

static void take_own(struct slot *s, struct ucontext *uc)
{
	siginfo_t info = { .si_signo = s->own_signal, .si_code = s->own_code };
	struct stub_action action = s->shared->actions[s->own_signal - 1];

	info._sifields._kill._pid = (int)s->control->ids.pid;
	info._sifields._kill._uid = s->control->ids.uid;
	s->own_signal = 0;
	deliver(s, uc, &info, &action, s->control->mask);
}

/* take_one() - Return: whether there was one. */
static bool take_one(struct slot *s, struct ucontext *uc)
{
	struct channel_control *c = s->control;
	siginfo_t info;

	if (!s->answered && channel_exchange(s, CHANNEL_TAKE_SIGNAL) != CHANNEL_SIGNAL)
		stub_fail();
	s->answered = false;
	if (!c->signo)
		return false;
	if (s->restart)
		restart_with_handler(s, uc, c->action.flags);
	memcpy(&info, c->siginfo, sizeof(info));
	info.si_signo = (int)c->signo;
	deliver(s, uc, &info, &c->action, c->frame_mask);
	return true;
}

/* Whether the sentry has something for us: kicked, or let through by a change of the mask. */
static bool must_ask(struct slot *s)
{
	const struct channel_control *c = s->control;

	return __atomic_load_n(&c->kick, __ATOMIC_SEQ_CST) ||
	       __atomic_load_n(&c->pending, __ATOMIC_SEQ_CST) & ~c->mask;
}

void stub_take_signals(struct ucontext *uc)
{
	struct slot *s = slot_current();
	bool more = true;

	while (more) {
		__atomic_store_n(&s->pending, 0, __ATOMIC_SEQ_CST);
		if (s->own_signal) {
			take_own(s, uc);
			more = must_ask(s);
		} else {
			more = take_one(s, uc) && __atomic_load_n(&s->pending, __ATOMIC_SEQ_CST);
		}
	}
	if (s->restart)
		restart_without_handler(s, uc);
	stub_leave(uc, &s->pending);
}
