/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First instructions of the stub, and what its compiler takes from libc elsewhere.
 */
	.section .text.entry, "ax", @progbits
	.globl _start
	.hidden _start
_start:
	xorl	%ebp, %ebp
	movq	%rsp, %rdi
	andq	$-16, %rsp
	call	stub_main
	ud2

	.globl stub_switch
	.hidden stub_switch
stub_switch:
	movq	%rdi, %rsp
	movq	%rdx, %rdi
	xorl	%ebp, %ebp
	call	*%rsi
	ud2

	.globl memcpy, memset
	.hidden memcpy, memset
memcpy:
	movq	%rdi, %rax
	movq	%rdx, %rcx
	rep movsb
	ret
memset:
	movq	%rdi, %r8
	movl	%esi, %eax
	movq	%rdx, %rcx
	rep stosb
	movq	%r8, %rax
	ret

	.section .note.GNU-stack, "", @progbits
