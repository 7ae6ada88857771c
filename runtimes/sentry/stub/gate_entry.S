/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate: how patched call sites enter and leave the stub.
 *
 * A trampoline comes here with the number in eax and the address behind its `syscall` instruction
 * in rcx; r11 is free, as the call would overwrite both.  %gs holds the slot.  When it does not, the
 * guest uses %gs itself: its `syscall` instruction still stands there, and traps.
 *
 * The registers are laid out as a struct ucontext at the top of the slot's stack, so that calls are
 * served as from a signal frame; vector registers stay where they are.  Flags are not kept, DF
 * excepted: nothing that compilers make depends on them after a call.
 */

/* offsets in struct ucontext and struct slot; checked in gate.c */
#define UC_BYTES  320
#define UC_R8	  40
#define UC_R9	  48
#define UC_R10	  56
#define UC_R11	  64
#define UC_R12	  72
#define UC_R13	  80
#define UC_R14	  88
#define UC_R15	  96
#define UC_RDI	  104
#define UC_RSI	  112
#define UC_RBP	  120
#define UC_RBX	  128
#define UC_RDX	  136
#define UC_RAX	  144
#define UC_RCX	  152
#define UC_RSP	  160
#define UC_RIP	  168
#define UC_FPSTATE 224
#define SLOT_PENDING 0
#define SLOT_GUEST_SP 8
#define SLOTS_BYTES 0x10000000

	.section .text.gate, "ax", @progbits
	.globl gate_enter, gate_leave_begin, gate_leave_switch, gate_leave_jump, gate_leave_out
	.hidden gate_enter, gate_leave_begin, gate_leave_switch, gate_leave_jump, gate_leave_out
gate_enter:
	rdgsbase %r11
	subq	gate_slots(%rip), %r11
	cmpq	$SLOTS_BYTES, %r11
	jae	gate_refuse
	movq	%rsp, %gs:SLOT_GUEST_SP
	rdgsbase %rsp
	subq	$UC_BYTES, %rsp
	movq	%r8, UC_R8(%rsp)
	movq	%r9, UC_R9(%rsp)
	movq	%r10, UC_R10(%rsp)
	movq	%r12, UC_R12(%rsp)
	movq	%r13, UC_R13(%rsp)
	movq	%r14, UC_R14(%rsp)
	movq	%r15, UC_R15(%rsp)
	movq	%rdi, UC_RDI(%rsp)
	movq	%rsi, UC_RSI(%rsp)
	movq	%rbp, UC_RBP(%rsp)
	movq	%rbx, UC_RBX(%rsp)
	movq	%rdx, UC_RDX(%rsp)
	movq	%rax, UC_RAX(%rsp)
	movq	%rcx, UC_RIP(%rsp)
	movq	%gs:SLOT_GUEST_SP, %r11
	movq	%r11, UC_RSP(%rsp)
	movq	$0, UC_FPSTATE(%rsp)
	cld
	movq	%rsp, %rdi
	call	gate_call
	movq	UC_R8(%rsp), %r8
	movq	UC_R9(%rsp), %r9
	movq	UC_R10(%rsp), %r10
	movq	UC_RDI(%rsp), %rdi
	movq	UC_RSI(%rsp), %rsi
	movq	UC_RDX(%rsp), %rdx
	movq	UC_RAX(%rsp), %rax
	/* callee-saved ones have come back from C as they were, unless a signal took another way */
gate_leave_begin:
	cmpl	$0, %gs:SLOT_PENDING
	jne	gate_leave_out
	movq	UC_RIP(%rsp), %rcx
gate_leave_switch:
	movq	UC_RSP(%rsp), %rsp
gate_leave_jump:
	jmp	*%rcx
gate_leave_out:
	movq	%rsp, %rdi
	call	gate_signals
	ud2
gate_refuse:
	leaq	-2(%rcx), %rcx
	jmp	*%rcx

	.section .note.GNU-stack, "", @progbits
