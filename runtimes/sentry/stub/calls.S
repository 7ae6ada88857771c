/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every instruction of the stub whose address matters.
 *
 * host_calls_begin .. host_calls_end holds all its system call instructions: the seccomp filter
 * lets some calls through only there.  The *_begin, *_syscall, *_out labels bound the windows
 * between "nothing is pending" and the call that would sleep or leave: a handler that interrupts in
 * [begin, syscall] moves the thread to out.
 */
	.section .text.calls, "ax", @progbits
	/* rdi to, rsi from, rdx n; what rep movsb left in rcx is what a fault kept it from */
	.globl guest_copy, guest_copy_move, guest_copy_fault
	.hidden guest_copy, guest_copy_move, guest_copy_fault
guest_copy:
	movq	%rdx, %rcx
guest_copy_move:
	rep movsb
guest_copy_fault:
	movq	%rcx, %rax
	ret

	.globl guest_exchange, guest_exchange_move, guest_exchange_fault
	.hidden guest_exchange, guest_exchange_move, guest_exchange_fault
guest_exchange:
	movl	%esi, %eax
guest_exchange_move:
	lock cmpxchgl %edx, (%rdi)
	setne	%al
	movzbl	%al, %eax
	ret
guest_exchange_fault:
	movl	$2, %eax
	ret

	/* within one page, so that the filter compares the upper half of addresses once */
	.balign	1024
	.globl host_calls_begin, host_calls_end
	.hidden host_calls_begin, host_calls_end
host_calls_begin:

	.globl host_call
	.hidden host_call
host_call:
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	movq	%r8, %r10
	movq	%r9, %r8
	movq	8(%rsp), %r9
	syscall
	ret

	.globl host_block, host_block_begin, host_block_syscall, host_block_out
	.hidden host_block, host_block_begin, host_block_syscall, host_block_out
host_block:
	movq	%rdi, %r11
	movq	%rsi, %rcx
	movq	(%r11), %rax
	movq	8(%r11), %rdi
	movq	16(%r11), %rsi
	movq	24(%r11), %rdx
	movq	32(%r11), %r10
	movq	40(%r11), %r8
	movq	48(%r11), %r9
host_block_begin:
	cmpl	$0, (%rcx)
	jne	host_block_out
host_block_syscall:
	syscall
	ret
host_block_out:
	movq	$-4, %rax
	ret

	/* rdi flags, rsi stack, rdx tls, rcx ucontext */
	.globl host_clone
	.hidden host_clone
host_clone:
	subq	$16, %rsi
	movq	%rcx, (%rsi)
	movq	%rdx, %r8
	xorl	%edx, %edx
	xorl	%r10d, %r10d
	movl	$56, %eax
	syscall
	testq	%rax, %rax
	jz	1f
	ret
1:	popq	%rdi
	addq	$8, %rsp
	xorl	%ebp, %ebp
	call	stub_child
	ud2

	/* once *rdi is set the stack may belong to another thread */
	.globl host_exit
	.hidden host_exit
host_exit:
	movl	$1, (%rdi)
	xorl	%edi, %edi
	movl	$60, %eax
	syscall
	ud2

	/* rdi ucontext, rsi pending. The frame begins one word below the ucontext. */
	.globl stub_leave, stub_leave_begin, stub_leave_syscall, stub_leave_out
	.hidden stub_leave, stub_leave_begin, stub_leave_syscall, stub_leave_out
stub_leave:
	movq	%rdi, %rsp
stub_leave_begin:
	cmpl	$0, (%rsi)
	jne	stub_leave_out
	movl	$15, %eax
stub_leave_syscall:
	syscall
	ud2
stub_leave_out:
	movq	%rsp, %rdi
	xorl	%ebp, %ebp
	call	stub_take_signals
	ud2

	.globl stub_resume
	.hidden stub_resume
stub_resume:
	movq	%rdi, %rsp
	movl	$15, %eax
	syscall
	ud2
host_calls_end:
	.org	host_calls_begin + 1024 /* an error when they are more */

	.section .note.GNU-stack, "", @progbits
