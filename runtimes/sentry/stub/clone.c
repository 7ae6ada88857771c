/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads, forks, vforks: the host's clone in three exact forms.
 *
 * The sentry has made room already: a slot, and for a process a cookie that its child shows once.
 * A child with a stack of its own (thread, vfork) starts from a copy of its parent's signal frame
 * on its slot's stack, so that rt_sigreturn gives it the parent's registers, vector ones too; a
 * fork has the whole stack copied by the host.
 *
 * Numbers of threads are the guest's, so the stub writes the *_SETTID words; CLEARTID is the
 * host's, whose wake-up at the end of a thread is what pthread_join waits for.
 */
#include <linux/sched.h>

#include "runtimes/sentry/stub/stub.h"

#define THREAD_FLAGS                                                                        \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | \
	 CLONE_SETTLS)
#define VFORK_FLAGS (CLONE_VM | CLONE_VFORK | SIGCHLD)
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003

static int parse(const struct ucontext *uc, uint32_t nr, struct clone *ret)
{
	const struct sigcontext *m = &uc->uc_mcontext;
	struct clone_args args = { 0 };

	*ret = (struct clone){ 0 };
	switch (nr) {
	case __NR_fork:
		return 0;
	case __NR_vfork:
		ret->flags = CLONE_VM | CLONE_VFORK;
		return 0;
	case __NR_clone:
		ret->flags = m->rdi & 0xffffff00;
		ret->stack = m->rsi;
		ret->parent_tid = m->rdx;
		ret->child_tid = m->r10;
		ret->tls = m->r8;
		return 0;
	default:
		if (guest_copy(&args, (void *)m->rdi,
			       m->rsi < sizeof(args) ? m->rsi : sizeof(args)))
			return -EFAULT;
		ret->flags = args.flags;
		ret->stack = args.stack ? args.stack + args.stack_size : 0;
		ret->parent_tid = args.parent_tid;
		ret->child_tid = args.child_tid;
		ret->tls = args.tls;
		return 0;
	}
}

static void write_tid(uint64_t to, uint32_t tid)
{
	guest_copy((void *)to, &tid, sizeof(tid)); /* a bad address is ignored, as by Linux */
}

/* frame_copy() - @uc with the vector state of now onto the free stack of @child. */
static struct ucontext *frame_copy(struct slot *child, const struct ucontext *uc)
{
	uint64_t top = (uint64_t)child & ~63ull;
	bool through_gate = !uc->uc_mcontext.fpstate;
	size_t fp_bytes = through_gate ? gate_fp_bytes() : frame_fp_bytes(uc);
	struct ucontext *copy;

	top = (top - fp_bytes) & ~63ull;
	copy = (void *)((top - sizeof(*copy)) & ~15ull);
	if (through_gate) {
		gate_frame(child, copy, (void *)top, uc);
	} else {
		*copy = *uc;
		copy->uc_mcontext.fpstate = memcpy((void *)top, uc->uc_mcontext.fpstate, fp_bytes);
	}
	copy->uc_stack = slot_stack(child);
	return copy;
}

static struct slot *child_slot(struct slot *s, const struct clone *c)
{
	uint32_t index = s->control->child_slot % CHANNEL_SLOTS;
	struct slot *child = slot_at(index);
	bool is_thread = c->flags & CLONE_THREAD;

	*child = (struct slot){ .index = index, .clone = *c };
	child->own = *s->process;
	child->own.threads = 1;
	child->process = is_thread ? s->process : &child->own;
	child->shared = s->shared;
	child->traps_all = stub_is_strict;
	child->own_gs = s->own_gs; /* the host gives it its parent's */
	channel_attach(child);
	if (!is_thread) { /* vfork(2) keeps the alternate stack */
		child->altstack = s->altstack;
		child->altstack_bytes = s->altstack_bytes;
		child->altstack_flags = s->altstack_flags;
	}
	return child;
}

/* What parent and child do alike once the child runs with memory of its own choice. */
static void begin(struct slot *s, struct ucontext *uc, const struct clone *c)
{
	if (c->stack)
		uc->uc_mcontext.rsp = c->stack;
	if (c->flags & CLONE_CHILD_SETTID)
		write_tid(c->child_tid, c->tid);
	uc->uc_mcontext.rax = 0;
	if (__atomic_load_n(&s->control->kick, __ATOMIC_SEQ_CST))
		s->pending = 1;
}

void stub_child(struct ucontext *uc)
{
	struct slot *s = slot_current();
	const struct clone *c = &s->clone;
	uint64_t clear = c->flags & CLONE_CHILD_CLEARTID ? c->child_tid : 0;
	long tid;

	gate_set_slot(s);
	if (c->flags & CLONE_THREAD) {
		tid = host_call(__NR_set_tid_address, clear, 0, 0, 0, 0, 0);
		__atomic_store_n(&s->control->host_tid, (int32_t)tid, __ATOMIC_SEQ_CST);
	} else {
		channel_adopt(s, c->cookie, true);
		if (clear)
			host_call(__NR_set_tid_address, clear, 0, 0, 0, 0, 0);
		if (c->flags & CLONE_SETTLS)
			host_call(__NR_arch_prctl, ARCH_SET_FS, c->tls, 0, 0, 0, 0);
	}
	verdict_begin(s);
	begin(s, uc, c);
	stub_leave(uc, &s->pending);
}

static long clone_onto(struct slot *s, struct ucontext *uc, struct clone *c)
{
	struct slot *child = child_slot(s, c);
	struct ucontext *copy = frame_copy(child, uc);
	bool is_thread = c->flags & CLONE_THREAD;
	long rc;

	if (is_thread)
		__atomic_add_fetch(&s->process->threads, 1, __ATOMIC_SEQ_CST);
	if (is_thread && !(c->flags & CLONE_SETTLS))
		host_call(__NR_arch_prctl, ARCH_GET_FS, (uint64_t)&c->tls, 0, 0, 0, 0);
	rc = host_clone(is_thread ? THREAD_FLAGS : VFORK_FLAGS, copy, c->tls, copy);
	if (rc < 0 && is_thread)
		__atomic_sub_fetch(&s->process->threads, 1, __ATOMIC_SEQ_CST);
	return rc;
}

/* A forked child: alone in a copy of its parent's memory. */
static void forked(struct slot *s, struct ucontext *uc, const struct clone *c)
{
	s->pending = 0; /* before the sentry knows us: what comes later is ours */
	s->robust_list = 0;
	patch_after_fork();
	if (s->process != &stub_main_process) {
		stub_main_process = *s->process;
		s->process = &stub_main_process;
	}
	if (s->process->threads != 1) /* not to copy the page for nothing */
		s->process->threads = 1;
	channel_adopt(s, c->cookie, false);
	if (c->flags & CLONE_CHILD_CLEARTID)
		host_call(__NR_set_tid_address, c->child_tid, 0, 0, 0, 0, 0);
	if (c->flags & CLONE_SETTLS)
		host_call(__NR_arch_prctl, ARCH_SET_FS, c->tls, 0, 0, 0, 0);
	s->traps_all = stub_is_strict; /* the rest is not for children of the host's */
	verdict_begin(s);
	begin(s, uc, c);
}

int64_t clone_make(struct slot *s, struct ucontext *uc, uint32_t nr)
{
	int64_t tid = s->control->answer_result;
	struct clone c;
	long rc = parse(uc, nr, &c);

	c.cookie = s->control->cookie;
	c.tid = (uint32_t)tid;
	if (!rc && c.flags & CLONE_PARENT_SETTID)
		write_tid(c.parent_tid, c.tid);
	if (!rc && c.flags & CLONE_VM) {
		rc = clone_onto(s, uc, &c);
	} else if (!rc) {
		rc = host_call(__NR_clone, SIGCHLD, 0, 0, 0, 0, 0);
		if (!rc) {
			forked(s, uc, &c);
			return 0;
		}
	}
	if (rc > 0)
		return tid;
	s->control->result = rc;
	channel_exchange(s, CHANNEL_CLONE_FAILED);
	return rc;
}
