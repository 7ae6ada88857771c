/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the stub and the sentry agree on: addresses, the channel, reserved numbers.
 *
 * Address space of a stub (47 bits):
 *
 *   0x10000 .. 0x7ff000000000     the guest's
 *   0x7ff000000000 ..             stub area, 1 GiB at a random place of each container:
 *        .. STUB_IMAGE_OFFSET     private memory of thread slots, from slot 0 downwards
 *        STUB_IMAGE_OFFSET        program of the stub
 *        STUB_CHANNEL_OFFSET ..   channel of the process: one memfd, shared with the sentry
 *   .. 0x7fffffffffff             the host's vDSO, which guests use as theirs
 *
 * A channel has CHANNEL_SLOTS slots, sparse.  A guest thread is a slot: slot n of the channel and
 * slot n of the private memory.  A forked child keeps its slot number in a channel of its own; a
 * vfork child gets another slot of its parent's channel, as it lives in its parent's memory.
 *
 *   slot of a channel:   | control, at 2 KiB process: 4 KiB | data 80 KiB | ahead 32 KiB |
 *
 * One exchange: the stub fills in the request half of the control page and counts `request` up; the
 * sentry fills in the answer half and stores the same number in `answer`.  Both words are
 * futexes of the shared kind.  While the guest waits for its answer the sentry may answer with
 * commands: host calls to make, in the data area; their results come back as the next request.
 *
 * The sentry believes nothing in here: each field is read once and checked.  What the stub keeps
 * in here (mask, actions) can only harm the guest itself when it lies.
 */
#ifndef SENTRY_PLATFORM_ABI_H
#define SENTRY_PLATFORM_ABI_H

#include <stddef.h>
#include <stdint.h>

#define STUB_GUEST_LOW	0x10000ull
#define STUB_GUEST_TOP	0x7ff000000000ull /* 2^47 - 64 GiB */
#define STUB_AREA_BYTES (1ull << 30)
#define STUB_AREA_STEP	(2ull << 20)
#define STUB_AREA_STEPS \
	15000u /* places for it: it ends 34 GiB below the top, under the host's stack */

#define CHANNEL_SLOTS	      4096u
#define CHANNEL_CONTROL_BYTES 2048u
#define CHANNEL_DATA_OFFSET   4096u
#define CHANNEL_DATA_BYTES    (80u << 10) /* commands, and windows of 64 KiB and some */
#define CHANNEL_AHEAD_OFFSET  (CHANNEL_DATA_OFFSET + CHANNEL_DATA_BYTES)
#define CHANNEL_AHEAD_BYTES   (32u << 10)
#define CHANNEL_SLOT_BYTES    (CHANNEL_AHEAD_OFFSET + CHANNEL_AHEAD_BYTES)
#define CHANNEL_BYTES	      ((uint64_t)CHANNEL_SLOTS * CHANNEL_SLOT_BYTES)

/* What a process with few threads touches lies within 2 MiB: one page table less to copy. */
#define STUB_SLOT_BYTES	    65536u
#define STUB_IMAGE_OFFSET   ((512ull << 20) + (1ull << 20))
#define STUB_IMAGE_BYTES    (128u << 10) /* at most */
#define STUB_CHANNEL_OFFSET (STUB_IMAGE_OFFSET + STUB_IMAGE_BYTES)
#define STUB_SLOTS_OFFSET   (STUB_IMAGE_OFFSET - (uint64_t)CHANNEL_SLOTS * STUB_SLOT_BYTES)

/* The number that seccomp hands to the sentry's listener, and what its first argument asks for. */
#define STUB_RESERVED_CALL 4000
enum stub_reserved {
	STUB_RESERVED_ORDER = 1, /* the zygote: wait for an order. Answer: cookie of the new stub */
	/* a new process: args[1] the cookie, args[2] its CPU. Channel arrives as descriptor 0 */
	STUB_RESERVED_ADOPT,
	STUB_RESERVED_FETCH, /* args[1] a token. Descriptors 0 and 1 arrive */
};

/* Descriptors that a stub may have, for moments; its filter lets it close no others. */
#define STUB_FD_FIRST 0
#define STUB_FD_COUNT 2

/* The one host signal that the sentry sends to a stub's threads (SIGUSR1). */
#define STUB_KICK_SIGNAL 10

#define STUB_N_SIGNALS 64

/* Results of calls that a signal has ended, as in kern/wait.h. */
#define ERESTARTSYS	      512
#define ERESTARTNOINTR	      513
#define ERESTARTNOHAND	      514
#define ERESTART_RESTARTBLOCK 516

enum channel_kind {
	CHANNEL_READY = 1,     /* a fresh stub, before its image */
	CHANNEL_CALL,	       /* nr, args, ip, sp */
	CHANNEL_TAKE_SIGNAL,   /* may a signal be delivered? */
	CHANNEL_FAULT,	       /* siginfo: a fault without a handler */
	CHANNEL_COMMANDS_DONE, /* result: of the last command */
	CHANNEL_CLONE_FAILED,  /* result: -errno of the host */
	CHANNEL_CHECK,	       /* as CHANNEL_CALL: may the stub serve this call? */
	/*
	 * A CALL of exit or exit_group by the only thread, which does not wait for the answer.
	 * args[1]: CPU time of the process, as the host cannot be asked for it any more.
	 */
	CHANNEL_LAST_CALL,
};

enum channel_answer {
	CHANNEL_RETURN = 1, /* result is for the guest */
	CHANNEL_COMMANDS,   /* n_commands in the data area; token: descriptors to fetch first */
	CHANNEL_START,	    /* entry, stack, brk: begin the program */
	CHANNEL_CLONE,	    /* make the child: cookie, slot; result is for the parent */
	CHANNEL_SIGNAL,	    /* signo, siginfo, action; signo 0: none */
	CHANNEL_EXIT,	    /* end this thread */
	CHANNEL_ALLOW,	    /* of CHANNEL_CHECK: yes; else CHANNEL_RETURN with what it answers */
};

/* Beside an answer. */
#define CHANNEL_LOOK	    1u /* ask for signals before going back to the guest */
#define CHANNEL_WITH_SIGNAL 2u /* RETURN: they were looked at; signo and the like as for SIGNAL */

/* As rt_sigaction(2) has it on x86-64. */
struct stub_action {
	uint64_t handler, flags, restorer, mask;
};

/* Numbers that the stub answers by itself once they are valid. */
struct stub_ids {
	uint32_t pid, tid, ppid, uid, euid, gid, egid;
};

/*
 * Calls that filters of the guest (seccomp) may not let through, whatever their arguments: the stub
 * asks before it serves one.  They are told to it, so that the others cost nothing.
 */
#define STUB_ASK_WORDS 8
enum stub_asks {
	STUB_ASKS_NOTHING,
	STUB_ASKS,	  /* for those with a bit in `ask` */
	STUB_ASKS_DIRECT, /* and some of them would not come to the stub by themselves */
};

/* What became of a process' call sites; for traces. */
struct stub_patch_counts {
	uint32_t traps;		   /* calls that came by a signal */
	uint32_t patched, refused; /* sites that were used often */
};

/*
 * Guest memory that a call is known to touch, as a copy in the data area. dirty_from .. dirty_to:
 * what the sentry has written, for the stub to copy back when the call returns.
 */
struct channel_window {
	uint64_t addr;
	uint32_t len, offset, flags;
	uint32_t dirty_from, dirty_to;
};
#define CHANNEL_WINDOW_FILLED 1u /* it holds what the guest has there */
#define CHANNEL_WINDOW_RESULT 2u /* only as many bytes as the call returns are copied back */
#define CHANNEL_MAX_WINDOWS   8
#define CHANNEL_WINDOWS_START 8192u /* of the data area; commands stand before it */

struct channel_command {
	uint64_t nr, args[6];
};
#define CHANNEL_MAX_COMMANDS (CHANNEL_DATA_BYTES / sizeof(struct channel_command))

struct channel_control {
	/* request: written by the stub */
	uint32_t request;	/* counts up */
	uint32_t sentry_sleeps; /* written by the sentry: it waits on `request` */
	uint32_t kind, cpu;
	uint32_t nr, exited; /* exited: nothing uses the slot's private memory any more */
	int32_t host_tid;    /* in the container's host pid namespace */
	uint32_t reserved;
	uint64_t args[6], ip, sp;
	int64_t result;
	uint32_t n_windows;
	struct channel_window windows[CHANNEL_MAX_WINDOWS]; /* dirty_*: by the sentry */

	/* answer: written by the sentry */
	uint32_t answer __attribute__((aligned(64)));
	uint32_t stub_sleeps; /* written by the stub: it waits on `answer` */
	uint32_t answer_kind, answer_flags;
	int64_t answer_result;
	uint64_t cookie, token; /* of the child; of descriptors */
	uint32_t child_slot, n_commands;
	uint64_t entry, stack, brk_start;
	struct stub_action action;
	uint64_t signo, frame_mask; /* frame_mask: what rt_sigreturn brings back */
	uint8_t siginfo[128];	    /* both ways */

	/* state, written by the side that is said */
	uint64_t mask __attribute__((aligned(64))); /* both: blocked signals, bit n - 1: signal n */
	uint32_t kick;				    /* sentry: a signal may be due */
	uint64_t pending; /* sentry: signals that wait, blocked ones too */
	uint64_t vdso;	  /* stub: the host's vDSO */
	uint64_t area;	  /* stub: where the stub area is */
	uint32_t ids_valid;
	struct stub_ids ids;		/* sentry */
	uint32_t asks;			/* sentry: enum stub_asks */
	uint64_t ask[STUB_ASK_WORDS];	/* sentry: bit n % 64 of word n / 64: call n */
	struct stub_patch_counts patch; /* stub: in the slot of the process' first thread */
};

/* Bytes of streams that reads may take without a call: see lease.h. */
#define CHANNEL_LEASES	   64
#define CHANNEL_AHEAD_DATA 2048u /* where bytes begin */
enum channel_lease_state { CHANNEL_LEASE_NONE, CHANNEL_LEASED, CHANNEL_LEASE_TAKEN };

struct channel_lease {
	int32_t fd;
	uint32_t state; /* the sentry: NONE, LEASED; the stub: from LEASED to TAKEN */
	uint32_t len, offset;
};

struct channel_ahead {
	uint32_t n; /* of leases; written by the sentry */
	struct channel_lease leases[CHANNEL_LEASES];
};

struct channel_process {
	struct stub_action actions[STUB_N_SIGNALS]; /* stub and sentry; [signal - 1] */
};

_Static_assert(STUB_CHANNEL_OFFSET + CHANNEL_BYTES <= STUB_AREA_BYTES, "stub area");
_Static_assert(sizeof(struct channel_ahead) <= CHANNEL_AHEAD_DATA, "leases");
_Static_assert(sizeof(struct channel_control) <= CHANNEL_CONTROL_BYTES, "control page");
_Static_assert(sizeof(struct channel_process) <= CHANNEL_DATA_OFFSET - CHANNEL_CONTROL_BYTES,
	       "process page");

#endif
