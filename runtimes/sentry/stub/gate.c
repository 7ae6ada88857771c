/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that come through the gate, and those that must not.
 *
 * What leaves by rt_sigreturn needs a whole frame of the host.  Its form (size and kind of the
 * vector state) is learned from the first signal that the process took.
 */
#include "runtimes/sentry/stub/stub.h"

#define FP_ROOM	     8192
#define FX_BYTES     512
#define XSAVE_HEADER 64

_Static_assert(sizeof(struct ucontext) <= 320, "UC_BYTES");
_Static_assert(offsetof(struct ucontext, uc_mcontext) + offsetof(struct sigcontext, r8) == 40 &&
		       offsetof(struct ucontext, uc_mcontext) + offsetof(struct sigcontext, rip) ==
			       168 &&
		       offsetof(struct ucontext, uc_mcontext) +
				       offsetof(struct sigcontext, fpstate) ==
			       224,
	       "offsets of gate.S");
_Static_assert(offsetof(struct slot, pending) == 0 && offsetof(struct slot, guest_sp) == 8,
	       "offsets of gate.S");

/* A frame as the host would have made it: the vector state lies above, where stub_leave() keeps it.
 */
struct gate_frame {
	struct ucontext uc;
	uint8_t fp[FP_ROOM] __attribute__((aligned(64)));
};

uint64_t gate_slots;
static struct {
	struct _fpx_sw_bytes sw;
	uint64_t uc_flags;
	size_t fp_bytes; /* 0: not known */
} form;

void gate_learn(const struct ucontext *uc)
{
	size_t bytes = frame_fp_bytes(uc);

	if (form.fp_bytes || bytes <= FX_BYTES + XSAVE_HEADER || bytes > FP_ROOM)
		return;
	form.sw = uc->uc_mcontext.fpstate->sw_reserved;
	form.uc_flags = uc->uc_flags;
	form.fp_bytes = bytes;
}

bool gate_is_open(void)
{
	return form.fp_bytes != 0;
}

void gate_set_slot(struct slot *s)
{
	if (stub_has_fsgsbase && !s->own_gs)
		__asm__ volatile("wrgsbase %0" : : "r"(s));
}

void gate_check_slot(struct slot *s)
{
	uint64_t base = (uint64_t)s;

	if (!stub_has_fsgsbase || s->own_gs)
		return;
	__asm__ volatile("rdgsbase %0" : "=r"(base));
	if (base != (uint64_t)s)
		gate_give_up(s);
}

void gate_give_up(struct slot *s)
{
	s->own_gs = true;
	patch_turn_off();
}

size_t gate_fp_bytes(void)
{
	return form.fp_bytes;
}

/* An empty vector state that the host will take. */
static void begin_fp(uint8_t *fp)
{
	memset(fp + FX_BYTES, 0, XSAVE_HEADER);
	((struct _xstate *)fp)->fpstate.sw_reserved = form.sw;
	*(uint32_t *)(fp + form.fp_bytes - FP_XSTATE_MAGIC2_SIZE) = FP_XSTATE_MAGIC2;
}

static void save_fp(uint8_t *fp)
{
	uint32_t low = (uint32_t)form.sw.xfeatures, high = (uint32_t)(form.sw.xfeatures >> 32);

	begin_fp(fp);
	__asm__ volatile("xsave64 (%0)" : : "r"(fp), "a"(low), "d"(high) : "memory");
	((struct _xstate *)fp)->fpstate.sw_reserved = form.sw;
}

static void begin_frame(struct slot *s, struct ucontext *to, void *fp, const struct ucontext *uc)
{
	*to = *uc;
	to->uc_flags = form.uc_flags;
	to->uc_link = NULL;
	to->uc_stack = slot_stack(s);
	to->uc_sigmask = 0;
	to->uc_mcontext.eflags = 0x202;
	to->uc_mcontext.cs = 0x33;
	to->uc_mcontext.ss = 0x2b;
	to->uc_mcontext.fpstate = fp;
}

void gate_frame(struct slot *s, struct ucontext *to, uint8_t *fp, const struct ucontext *uc)
{
	begin_frame(s, to, (void *)fp, uc);
	save_fp(fp);
}

void gate_signals(struct ucontext *uc)
{
	struct slot *s = slot_current();
	struct gate_frame f;

	gate_frame(s, &f.uc, f.fp, uc);
	stub_take_signals(&f.uc);
}

static void return_from_handler(struct slot *s, struct ucontext *uc)
{
	struct gate_frame f;

	begin_frame(s, &f.uc, f.fp, uc);
	begin_fp(f.fp);
	if (call_check(s, &f.uc, __NR_rt_sigreturn))
		signal_return(s, &f.uc);
	stub_leave(&f.uc, &s->pending);
}

void gate_call(struct ucontext *uc)
{
	struct slot *s = slot_current();
	uint32_t nr = (uint32_t)uc->uc_mcontext.rax;

	if (nr == __NR_rt_sigreturn)
		return_from_handler(s, uc);
	else if (patch_leaves(s, uc,
			      nr)) /* a site for all numbers: its own instruction makes the call */
		uc->uc_mcontext.rip -= SYSCALL_BYTES;
	else
		stub_call(s, uc, nr);
}
