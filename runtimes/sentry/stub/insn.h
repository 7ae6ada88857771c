/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instructions of x86-64: how long they are, and the same one at another place.
 *
 * For the patching of call sites, which must know where instructions end and what in them depends
 * on where they stand.  No libc in here, and nothing to relocate: the stub links this file.
 */
#ifndef SENTRY_STUB_INSN_H
#define SENTRY_STUB_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSN_MAX       15u /* bytes, by the architecture */
#define INSN_MOVED_MAX 21u /* what insn_move() writes at most: a short jump grows by four, once */

enum insn_map { INSN_ONE_BYTE, INSN_0F, INSN_0F38, INSN_0F3A, INSN_VECTOR /* VEX, EVEX */ };

/* Offsets are from the first byte; 0: there is no such part. */
struct insn {
	uint8_t len;
	uint8_t map, opcode; /* enum insn_map; the last byte of the opcode */
	uint8_t modrm;	     /* the byte itself, when has_modrm */
	uint8_t rip_disp;    /* offset of a 32-bit displacement from the end of the instruction */
	uint8_t target;	     /* offset of a relative jump's distance, its last part */
	uint8_t target_len;  /* 1 or 4 */
	bool has_modrm;
	bool has_prefix; /* legacy ones; REX is none */
	bool short_addresses;
};

/*
 * insn_decode() - the instruction at the head of @n bytes.
 * Return: its length, 0: there is none, or it needs more bytes.
 */
uint32_t insn_decode(const uint8_t *code, size_t n, struct insn *ret);

/* insn_target() - where a relative jump, call or loop at @from goes. Return: whether it is one. */
bool insn_target(const struct insn *i, const uint8_t *code, uint64_t from, uint64_t *ret);

/* insn_ends() - whether nothing comes after it by itself: jmp, ret. */
bool insn_ends(const struct insn *i);

/* insn_fills() - whether it stands between functions and is never meant to run: nop, int3. */
bool insn_fills(const struct insn *i);

/*
 * insn_move() - write what does at @to the same as the instruction at @from does there.
 * Left alone is what would show the new place (calls), or trap there.
 * Return: bytes written to @out (at most INSN_MOVED_MAX), 0: it cannot be moved.
 */
uint32_t insn_move(const struct insn *i, const uint8_t *code, uint64_t from, uint64_t to,
		   uint8_t *out);

#endif
