/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The platform: guest processes as host processes ("stubs").
 *
 * A guest process is a host process made from its container's zygote; a guest thread is a thread
 * of it, with a channel (platform/abi.h) and one host thread of the sentry that serves it.  The
 * serving thread waits on the channel, pinned to the CPU its stub runs on, and calls up into
 * platform_ops; what it returns goes back to the guest.  Nothing a stub says is believed: numbers
 * are checked, bytes are read once, addresses are only used for copies.
 *
 * Calls that never come here as class C, because the stub or the host answers them: mmap of private
 * anonymous memory, munmap, mprotect, mremap, madvise, brk, futex (but for PI operations),
 * sched_yield, nanosleep, clock_nanosleep, rt_sigaction, rt_sigprocmask, sigaltstack,
 * rt_sigreturn, arch_prctl, set_tid_address, set_robust_list, clock_gettime and gettimeofday
 * (through the vDSO), getpid and friends after stub_set_ids().
 *
 * A stub_thread is valid until its thread_gone() has returned, or clone_failed() for one that never
 * ran; a stub_process until died() has returned and all its threads have gone.
 */
#ifndef SENTRY_PLATFORM_PLATFORM_H
#define SENTRY_PLATFORM_PLATFORM_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtimes/sentry/platform/abi.h"

struct zygote;
struct stub_process;
struct stub_thread;

/* One system call of the guest as its registers say. */
struct stub_call {
	uint32_t nr;
	uint64_t args[6];
	uint64_t ip, sp;
};

/* A mapping that a new image wants. @fd is -1 for anonymous memory. */
struct stub_map {
	uint64_t addr, length, offset;
	int prot, flags, fd;
};

/* Bytes that a new image wants written (stack, vectors). */
struct stub_poke {
	uint64_t addr;
	const void *from;
	size_t len;
};

/* What a fresh stub becomes: the result of execve. */
struct stub_image {
	const struct stub_map *maps;
	size_t n_maps;
	const struct stub_poke *pokes;
	size_t n_pokes;
	uint64_t entry, stack; /* rip, rsp of the first instruction */
	uint64_t brk_start;    /* where the heap begins */
};

/* Upcalls; set once. They run in serving threads and may sleep. */
struct platform_ops {
	/*
	 * A call of class C. Return: value for rax, or -errno, or -ERESTART* (kern/wait.h) with a
	 * signal pending: take_signal() follows, then the stub restarts the call or not, as Linux
	 * would.
	 */
	long (*call)(struct stub_thread *t, const struct stub_call *c);
	/*
	 * May the stub serve this call?  Asked only for what stub_set_ask() has named. Return: no
	 * when *ret_result is the call's answer.
	 */
	bool (*check)(struct stub_thread *t, const struct stub_call *c, long *ret_result);
	/*
	 * A signal may be due: pick one. Return: its number with *ret_info, *ret_action and
	 * *ret_mask (what the frame restores: not always the mask in force, see sigsuspend(2))
	 * filled in, 0: none.  Does not return when the signal ends the process; sleeps while the
	 * process is stopped.
	 */
	int (*take_signal)(struct stub_thread *t, siginfo_t *ret_info,
			   struct stub_action *ret_action, uint64_t *ret_mask);
	/* A fault that the guest gave no handler for (or blocks): ends the process. */
	void (*fatal_fault)(struct stub_thread *t, const siginfo_t *info);
	/* The stub could not make the host thread or process that was prepared: undo it. */
	void (*clone_failed)(void *child_owner);
	/*
	 * The host process is gone (exit, kill, host OOM): no guest code of it runs any more, but
	 * its serving threads may be in handlers: wake them.  @owner: stub_process_set_owner().
	 */
	void (*died)(void *owner, int host_signal);
	/*
	 * The serving thread of a guest thread is done with it, for whatever reason: the last
	 * upcall for it, made by that serving thread.  @owner: of the thread.
	 */
	void (*thread_gone)(void *owner);
};

/* platform_init() - before anything else; starts the listener and death watchers. */
int platform_init(const struct platform_ops *ops);

/*
 * zygote_attach() - a container's zygote that the launcher made (launch.h).
 * @pidfd: of it. @listener: seccomp notifications of all stubs of it.
 * @proc: directory descriptor of a /proc of the sentry's pid namespace. All are taken over.
 */
int zygote_attach(int pidfd, int listener, int proc, struct zygote **ret);
/* zygote_kill() - end of the container: all its stubs die with it. */
void zygote_kill(struct zygote *z);

/*
 * stub_create() - a fresh stub of the container, from the spare if there is one; @owner: the task.
 * Its masks and actions are all empty: see stub_set_signal_mask(), stub_action_set().
 */
int stub_create(struct zygote *z, void *owner, struct stub_process **ret,
		struct stub_thread **ret_thread);
/* stub_start() - load @img into a fresh stub and let it run. After -errno it can only be killed. */
int stub_start(struct stub_thread *t, const struct stub_image *img);
/*
 * stub_clone_prepare() - the calling guest thread is about to clone: make room for the child.
 * @flags: CLONE_THREAD, CLONE_VM and CLONE_VFORK decide; the child inherits mask and actions.
 * The stub makes the host thread or process itself when the running call returns the child's tid,
 * sets TLS, stack and the *_SETTID words; the child is served from its first call on. When the host
 * refuses, ops.clone_failed() follows. No call but clone, clone3, fork and vfork may do this.
 */
int stub_clone_prepare(struct stub_thread *parent, uint64_t flags, void *child_owner,
		       struct stub_thread **ret_child);
/* stub_clone_cancel() - within the same call, before it returns. @child is freed. */
void stub_clone_cancel(struct stub_thread *child);

/* stub_kick() - make the thread look for signals, wherever it is. */
void stub_kick(struct stub_thread *t);
/*
 * stub_exit_thread() - the serving thread of an exiting guest thread: the host thread ends, @t is
 * freed. Does not return. Also right after a kill, or when execve has moved the task to a new stub.
 */
void stub_exit_thread(struct stub_thread *t) __attribute__((noreturn));
/* stub_kill() - SIGKILL by pidfd; died() follows. */
void stub_kill(struct stub_process *p);
/* stub_stop(), stub_continue() - job control. */
void stub_stop(struct stub_process *p);
void stub_continue(struct stub_process *p);

void *stub_owner(struct stub_thread *t);
/* stub_set_owner() - with NULL no upcall is made for the thread any more (execve's old one). */
void stub_set_owner(struct stub_thread *t, void *owner);
struct stub_process *stub_process_of(struct stub_thread *t);
/* stub_process_set_owner() - whom died() is told of; NULL (as made): nobody. */
void stub_process_set_owner(struct stub_process *p, void *owner);
/* stub_current() - the guest thread that the calling host thread serves; NULL: none. */
struct stub_thread *stub_current(void);
/* stub_signal_mask(), stub_set_signal_mask() - the guest's own mask; only for the stub's own good.
 */
uint64_t stub_signal_mask(struct stub_thread *t);
void stub_set_signal_mask(struct stub_thread *t, uint64_t mask);
/*
 * stub_set_pending() - the signals that wait for the thread, for the stub to see: it takes one
 * when it unblocks one of them.  Full barrier after the store, as stub and sentry each write
 * their word (mask, pending) and then read the other's.
 */
void stub_set_pending(struct stub_thread *t, uint64_t set);
/* stub_set_ids() - what getpid() and friends answer without a call; again after each change. */
void stub_set_ids(struct stub_thread *t, const struct stub_ids *ids);
/*
 * stub_set_ask() - calls that check() wants to see before the stub serves them, those included that
 * the host serves where they stand; in force when the running call returns. May only add.
 */
void stub_set_ask(struct stub_thread *t, const uint64_t ask[STUB_ASK_WORDS]);
/* stub_vdso() - address of the host's vDSO in the guest, for AT_SYSINFO_EHDR. */
uint64_t stub_vdso(struct stub_thread *t);
/* stub_action_get() - what the guest does on @signo; shared by the threads of the process. */
struct stub_action stub_action_get(struct stub_process *p, int signo);
void stub_action_set(struct stub_process *p, int signo, const struct stub_action *a);

/*
 * Guest memory. Return: 0 or -EFAULT; a part may have been copied.  What the running call of the
 * calling thread is known to touch lies in the channel: written bytes reach the guest's memory when
 * the call returns, and a bad address makes it fail then.
 */
int stub_read(struct stub_thread *t, void *to, uint64_t from, size_t len);
int stub_write(struct stub_thread *t, uint64_t to, const void *from, size_t len);
/* stub_read_string() - at most @size bytes with the 0. Return: length, -EFAULT, -ENAMETOOLONG. */
ssize_t stub_read_string(struct stub_thread *t, char *to, size_t size, uint64_t from);
/*
 * stub_window() - such bytes themselves: for writing by calls that return how many there are, or
 * for reading (the guest may change them at any time). NULL: there is no window for all of them.
 */
void *stub_window(struct stub_thread *t, uint64_t addr, size_t len, bool for_writing);
/* stub_mmap() - the calling thread's guest maps @fd (kept by the caller) as mmap(2) says, within
 * its call. Return: address or -errno. */
int64_t stub_mmap(struct stub_thread *t, const struct stub_map *m);
/* stub_munmap() - the same, for munmap(2). */
int stub_munmap(struct stub_thread *t, uint64_t addr, uint64_t len);
/* stub_patched() - what the process says of its call sites. */
struct stub_patch_counts stub_patched(struct stub_process *p);
/* stub_area() - the stub's own part of the address space, to be hidden from maps. */
void stub_area(struct stub_process *p, uint64_t *ret_start, uint64_t *ret_end);
/* stub_cpu_ns() - CPU time of its host process, in part as that says itself; 0: not known. */
int64_t stub_cpu_ns(struct stub_process *p);
/* stub_host_pid() - for /proc/<pid>/maps and friends below the zygote's proc directory. */
pid_t stub_host_pid(struct stub_process *p);
int stub_proc_dir(struct stub_process *p);

#endif
