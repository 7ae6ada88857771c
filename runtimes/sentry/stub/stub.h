/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stub's own state and functions.
 *
 * The stub is the one program of ours inside a guest process.  It has no libc, uses no vector
 * registers and keeps no lock: a fork may copy it at any instruction.  All its state is reached
 * through the slot of the calling thread, found from the stack pointer:
 *
 *   STUB_SLOT_BYTES, aligned:  | unused page | stack, grows down ... | struct slot |
 *
 * Handlers of host signals run on that stack and never return: they end in stub_leave() or
 * stub_resume(), which are rt_sigreturn.
 */
#ifndef SENTRY_STUB_STUB_H
#define SENTRY_STUB_STUB_H

#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/ucontext.h>
#include <asm/unistd.h>
#include <linux/time.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtimes/sentry/platform/abi.h"
#include "runtimes/sentry/stub/fixup.h"

#define EPERM	   1
#define EDEADLK	   35
#define EOPNOTSUPP 95
#define EINTR	   4
#define EAGAIN	   11
#define ENOMEM	   12
#define EFAULT	   14
#define EINVAL	   22
#define ENOSYS	   38
#define EEXIST	   17
#define ESRCH	   3

#define PAGE_BYTES 4096ull
#define PAGE_UP(x) (((x) + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1))

struct timespec64 {
	int64_t tv_sec, tv_nsec;
};

/* What threads of a process share; a vfork child has its own in its parent's memory. */
struct process {
	uint64_t brk_start, brk;
	uint32_t threads; /* that have not begun to exit */
};

/* A blocking host call that may have to go on after a signal without a handler. */
struct blocked {
	uint64_t regs[7]; /* number, arguments; number 0: none */
	struct timespec64 until;
	uint64_t remain; /* guest's struct timespec for what is left; 0: none */
	int restart;	 /* ERESTART* */
};

/* What a clone is made from. */
struct clone {
	uint64_t flags, stack, parent_tid, child_tid, tls;
	uint64_t cookie; /* of a new process */
	uint32_t tid;	 /* the guest's */
};

struct slot {
	uint32_t pending; /* look for signals before going back to the guest */
	uint32_t index;
	uint64_t guest_sp; /* of a call through the gate, while it is let in */
	uint32_t sequence; /* of the last request */
	uint32_t restart;  /* ERESTART* of the call that is ending; 0: none */
	uint32_t restart_nr;
	int32_t own_signal,
		own_code; /* one that the thread sends itself, to be delivered; 0: none */
	bool answered;	  /* the last answer to a call says which signal is to be taken */
	struct channel_control *control;
	struct channel_process *shared; /* actions */
	uint8_t *data;
	struct channel_ahead *ahead;
	struct process *process, own;
	uint64_t altstack, altstack_bytes; /* the guest's; 0 bytes: none */
	uint32_t altstack_flags;
	uint64_t robust_list;
	bool traps_all; /* no call of the guest's code is served by the host where it stands */
	bool own_gs;	/* %gs is the guest's: the thread does not pass the gate */
	struct blocked blocked;
	struct clone clone; /* what this thread began as */
} __attribute__((aligned(64)));

/* --- calls.S -------------------------------------------------------------------------------- */

/* host_call() - a system call of the host. Return: value or -errno. */
long host_call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f);
/*
 * host_block() - one that may sleep. No signal is lost between the look at *@pending and the
 * sleep: the handler moves whoever is in between to the exit. Return: value, -EINTR at once when
 * *@pending is set.
 */
long host_block(const uint64_t regs[7], const uint32_t *pending);
/* host_clone() - the child runs stub_child(@uc) on @stack. Return: in the parent. */
long host_clone(uint64_t flags, void *stack, uint64_t tls, struct ucontext *uc);
/* host_exit() - tell *@exited and end the thread, without touching its stack in between. */
void host_exit(uint32_t *exited) __attribute__((noreturn));
/* stub_leave() - back to the guest, or to stub_take_signals() when *@pending is set. */
void stub_leave(struct ucontext *uc, const uint32_t *pending) __attribute__((noreturn));
/* stub_resume() - back to where a signal came, whatever is pending. */
void stub_resume(struct ucontext *uc) __attribute__((noreturn));
/* guest_copy() - between guest memory and ours. Return: bytes that could not be copied. */
uint64_t guest_copy(void *to, const void *from, uint64_t n);
/* guest_exchange() - @new for @old. Return: 0, 1: there was something else, 2: a fault. */
int guest_exchange(uint32_t *word, uint32_t old, uint32_t new);
/* stub_switch() - go on in @fn(@arg) on @stack. */
void stub_switch(void *stack, void (*fn)(void *), void *arg) __attribute__((noreturn));

/* What handlers compare the interrupted address with. */
extern const char host_calls_begin[], host_calls_end[];
extern const char guest_copy_move[], guest_copy_fault[];
extern const char guest_exchange_move[], guest_exchange_fault[];

/* --- main.c --------------------------------------------------------------------------------- */

extern uint64_t stub_area_start, stub_vdso_address;
extern bool stub_has_fsgsbase, stub_is_strict;
extern struct process stub_main_process; /* but for vfork children */
/* slot_at(), slot_current() - of a number, of the calling thread. */
struct slot *slot_at(uint32_t index);
static inline struct slot *slot_current(void)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0);

	return (struct slot *)((here | (STUB_SLOT_BYTES - 1)) + 1 - sizeof(struct slot));
}
/* slot_stack() - as rt_sigreturn takes it: the stack that handlers of the slot run on. */
stack_t slot_stack(struct slot *s);
/* stub_is_ours() - whether an instruction is the stub's. */
bool stub_is_ours(uint64_t ip);
/* stub_fail() - something that cannot happen did: end the host process. */
void stub_fail(void) __attribute__((noreturn));

/* --- channel.c ------------------------------------------------------------------------------ */

/* channel_adopt() - show the cookie, map the channel that comes for it. */
void channel_adopt(struct slot *s, uint64_t cookie, bool shares_memory);
/* channel_attach() - point @s at its part of the mapped channel. */
void channel_attach(struct slot *s);
/*
 * channel_exchange() - one request of @kind (its fields are filled in) and its answer; makes the
 * host calls that the sentry asks for on the way. Does not return when the thread must end.
 */
enum channel_answer channel_exchange(struct slot *s, enum channel_kind kind);
/* channel_end() - the described call is the last one: make it, end the process. */
void channel_end(struct slot *s) __attribute__((noreturn));
/* channel_leave() - make the last request and end the thread without waiting for an answer. */
void channel_leave(struct slot *s) __attribute__((noreturn));

/* --- ahead.c -------------------------------------------------------------------------------- */

/* ahead_read() - read or recvfrom of what came along before. Return: false: ask the sentry. */
bool ahead_read(struct slot *s, uint32_t nr, const uint64_t a[6], int64_t *ret);

/* --- window.c ------------------------------------------------------------------------------- */

/* window_prepare() - put what call @nr will touch into the channel. */
void window_prepare(struct slot *s, uint32_t nr, const uint64_t a[6]);
/* window_finish() - copy back what the sentry has written. Return: success. */
bool window_finish(struct slot *s, int64_t result);

/* --- dispatch.c ----------------------------------------------------------------------------- */

/* stub_call() - serve the call that @uc stands behind. */
void stub_call(struct slot *s, struct ucontext *uc, uint32_t nr);
/*
 * call_check() - may the guest make call @nr?  Return: false: it is answered, and @uc is as after
 * it.
 */
bool call_check(struct slot *s, struct ucontext *uc, uint32_t nr);
/* call_ask() - the same, of the sentry and without need. Return: false: *ret is the answer. */
bool call_ask(struct slot *s, struct ucontext *uc, uint32_t nr, const uint64_t a[6], int64_t *ret);
/* call_return() - the result of a call: a value, or a restart once signals have been looked at. */
void call_return(struct slot *s, struct ucontext *uc, uint32_t nr, int64_t result);

/* --- verdict.c ------------------------------------------------------------------------------ */

/* verdict_wanted() - whether call @nr, which the stub would serve, is to be asked for first. */
bool verdict_wanted(const struct slot *s, uint32_t nr);
/* verdict_begin() - what filters need of the host, for the calling thread; once they are known. */
void verdict_begin(struct slot *s);
/*
 * verdict_serve_direct() - a call that the host would have served where it stood. Return: whether
 * it is one, and done.
 */
bool verdict_serve_direct(struct slot *s, uint32_t nr, const uint64_t a[6], int64_t *ret);

/* --- strict.c ------------------------------------------------------------------------------- */

/*
 * strict_serve() - what the host does not do for guests of the strict mode. Return: whether the
 * call is answered, with *ret.
 */
bool strict_serve(struct slot *s, struct ucontext *uc, uint32_t nr, const uint64_t a[6],
		  int64_t *ret);

/* --- clone.c -------------------------------------------------------------------------------- */

/*
 * clone_make() - call @nr asks for a child and the sentry agreed (CHANNEL_CLONE): make it.
 * Return: for the guest; in a forked child too.
 */
int64_t clone_make(struct slot *s, struct ucontext *uc, uint32_t nr);
/* stub_child() - first code of a child on a stack of its own. */
void stub_child(struct ucontext *uc) __attribute__((noreturn));

/* --- block.c -------------------------------------------------------------------------------- */

/* block_futex() - futex(2). Return: whether it is answered here, with *ret. */
bool block_futex(struct slot *s, const uint64_t a[6], int64_t *ret);
int64_t block_nanosleep(struct slot *s, uint32_t clock, uint32_t flags, uint64_t request,
			uint64_t remain);
/* block_again() - restart_syscall(2). Return: as block_futex(). */
bool block_again(struct slot *s, int64_t *ret);

/* --- pi.c ----------------------------------------------------------------------------------- */

/* pi_futex() - futex(2) with priority inheritance. Return: as block_futex(). */
bool pi_futex(struct slot *s, const uint64_t a[6], int64_t *ret);

/* --- robust.c ------------------------------------------------------------------------------- */

#define ROBUST_HEAD_BYTES 24
void robust_walk(struct slot *s);

/* --- memory.c ------------------------------------------------------------------------------- */

int64_t memory_mmap(const uint64_t a[6], bool *ret_served);
int64_t memory_mprotect(const uint64_t a[6]);
int64_t memory_madvise(const uint64_t a[6]);
int64_t memory_brk(struct slot *s, uint64_t end);
/* memory_is_ours() - whether a range meets the stub's area. */
bool memory_is_ours(uint64_t start, uint64_t len);

/* --- gate.S, gate.c: calls of patched sites ------------------------------------------------- */

#define SYSCALL_BYTES 2

extern const char gate_enter[], gate_leave_begin[], gate_leave_switch[], gate_leave_jump[];
extern const char gate_leave_out[];
extern uint64_t gate_slots; /* where the slots begin */
/* gate_learn() - what frames of this host look like; gate_is_open() - that is known. */
void gate_learn(const struct ucontext *uc);
bool gate_is_open(void);
/* gate_set_slot() - the calling thread's, for the gate, unless the guest has use for %gs. */
void gate_set_slot(struct slot *s);
/* gate_check_slot() - whether it still is: with wrgsbase the guest needs no call to change it. */
void gate_check_slot(struct slot *s);
/* gate_give_up() - %gs of the calling thread is the guest's from now on. */
void gate_give_up(struct slot *s);
void gate_call(struct ucontext *uc);
/* gate_frame() - @to: as if the host had interrupted @uc, with the vector state of now in @fp. */
void gate_frame(struct slot *s, struct ucontext *to, uint8_t *fp, const struct ucontext *uc);
size_t gate_fp_bytes(void);
/* gate_signals() - leave the gate by way of the signals that wait. */
void gate_signals(struct ucontext *uc) __attribute__((noreturn));

/* --- pool.c: trampolines, changes of text ---------------------------------------------------- */

#define JUMP_BYTES	 5
#define POOL_ENTRY_BYTES 64u
#define POOL_GATE	 48u /* in an entry: address of the gate */
#define POOL_SITE	 56u /* in an entry: address of the site */

/* patch_byte_traps() - whether a byte alone is an instruction that traps in every program. */
bool patch_byte_traps(uint8_t byte);
/*
 * pool_take() - an entry that a jump at @site reaches; @must: bit n: byte n of that jump traps.
 * Return: its address, 0: there is none.
 */
uint64_t pool_take(uint64_t site, uint32_t must);
/* pool_site() - of the entry that @ip is in, at *ret_offset. Return: 0: it is in none. */
uint64_t pool_site(uint64_t ip, uint32_t *ret_offset);
/* text_change() - @n bytes at @at, of one or two pages, become @bytes in one step. Return: success.
 */
bool text_change(uint64_t at, const uint8_t *bytes, size_t n);

/* --- patch.c -------------------------------------------------------------------------------- */

/* patch_consider() - a site has trapped; patch it when it does so often. May move @uc. */
void patch_consider(struct slot *s, struct ucontext *uc, uint32_t nr);
/*
 * patch_leaves() - whether the call is best made by an instruction of the guest: the filter lets it
 * through where it stands, and only odd forms of it trap.
 */
bool patch_leaves(const struct slot *s, const struct ucontext *uc, uint32_t nr);
void patch_after_fork(void);
/* patch_turn_off() - the guest uses what the gate needs: no more sites of this process. */
void patch_turn_off(void);
/* patch_original() - where the guest would be when it is in a trampoline. */
uint64_t patch_original(uint64_t ip);
/*
 * patch_resume() - where whoever is at @ip goes on: elsewhere when it is the place of an
 * instruction that was moved.
 */
uint64_t patch_resume(uint64_t ip);

/* --- signal.c ------------------------------------------------------------------------------- */

/* frame_fp_bytes() - of the vector state in a frame of the host. */
size_t frame_fp_bytes(const struct ucontext *uc);
/* signal_deliver() - make @uc enter a handler. Return: 0, -EFAULT: no room for the frame. */
int signal_deliver(struct slot *s, struct ucontext *uc, int signo, const siginfo_t *info,
		   const struct stub_action *action, uint64_t frame_mask);
/* signal_return() - rt_sigreturn(2) of the guest; does not return when its frame is bad. */
void signal_return(struct slot *s, struct ucontext *uc);
int64_t signal_action(struct slot *s, const uint64_t a[6]);
int64_t signal_mask(struct slot *s, const uint64_t a[6]);
int64_t signal_altstack(struct slot *s, uint64_t sp, const uint64_t a[6]);
/* signal_set_mask() - and look for signals that this lets through. */
void signal_set_mask(struct slot *s, uint64_t mask);
/*
 * signal_to_self() - tgkill(2) and the like of a thread to itself, when its handler can run now.
 * Return: whether it is so: it is delivered before the call returns, and the sentry need not know.
 */
bool signal_to_self(struct slot *s, uint32_t nr, const uint64_t a[6]);
/* stub_take_signals() - deliver what waits, then back to the guest. */
void stub_take_signals(struct ucontext *uc) __attribute__((noreturn));

/* --- fault.c -------------------------------------------------------------------------------- */

/* Handlers of host signals. */
void fault_on_sigsys(int signo, siginfo_t *info, struct ucontext *uc);
void fault_on_kick(int signo, siginfo_t *info, struct ucontext *uc);
void fault_on_fault(int signo, siginfo_t *info, struct ucontext *uc);
/* fault_raise() - the guest's own fault: its handler, or the end. */
void fault_raise(struct slot *s, struct ucontext *uc, const siginfo_t *info)
	__attribute__((noreturn));

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memset(void *to, int c, size_t n);

#endif
