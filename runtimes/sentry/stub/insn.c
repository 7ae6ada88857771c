/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instructions of x86-64: how long they are, and the same one at another place.
 *
 *   | prefixes | REX, VEX or EVEX | opcode 1-3 | ModRM | SIB | displacement 0-4 | immediate 0-8 |
 *
 * A table for each opcode map says by a letter what follows the opcode.  Instructions that 64-bit
 * mode does not have are none; AMD's XOP, which no present processor has, neither.
 */
#include "runtimes/sentry/stub/insn.h"

/*
 *  -  nothing             M  ModRM                 .  no instruction
 *  b  1 byte              B  ModRM, 1 byte         p  a prefix
 *  w  2 bytes             n  3 bytes (enter)       r  REX
 *  z  2 or 4              Z  ModRM, 2 or 4         E  another map follows
 *  v  2, 4 or 8           R  ModRM of registers    V  VEX     e  EVEX
 *  o  an address          G  ModRM, test has 1     x  pop with ModRM, or XOP
 *  j  short distance      H  ModRM, test has z
 *  J  long distance
 */
/* clang-format off */
static const char one_byte[] =
	/*     0123456789abcdef */
	/* 0 */ "MMMMbz..MMMMbz.E"
	/* 1 */ "MMMMbz..MMMMbz.."
	/* 2 */ "MMMMbzp.MMMMbzp."
	/* 3 */ "MMMMbzp.MMMMbzp."
	/* 4 */ "rrrrrrrrrrrrrrrr"
	/* 5 */ "----------------"
	/* 6 */ "..eMppppzZbB----"
	/* 7 */ "jjjjjjjjjjjjjjjj"
	/* 8 */ "BZ.BMMMMMMMMMMMx"
	/* 9 */ "----------.-----"
	/* a */ "oooo----bz------"
	/* b */ "bbbbbbbbvvvvvvvv"
	/* c */ "BBw-VVBZn-w--b.-"
	/* d */ "MMMM...-MMMMMMMM"
	/* e */ "jjjjbbbbJJ.j----"
	/* f */ "p-pp--GH------MM";

static const char two_byte[] =
	/* 0 */ "MMMM.-----.-.M-B"
	/* 1 */ "MMMMMMMMMMMMMMMM"
	/* 2 */ "RRRR....MMMMMMMM"
	/* 3 */ "------.-E.E....."
	/* 4 */ "MMMMMMMMMMMMMMMM"
	/* 5 */ "MMMMMMMMMMMMMMMM"
	/* 6 */ "MMMMMMMMMMMMMMMM"
	/* 7 */ "BBBBMMM-MM..MMMM"
	/* 8 */ "JJJJJJJJJJJJJJJJ"
	/* 9 */ "MMMMMMMMMMMMMMMM"
	/* a */ "---MBM..---MBMMM"
	/* b */ "MMMMMMMMMMBMMMMM"
	/* c */ "MMBMBBBM--------"
	/* d */ "MMMMMMMMMMMMMMMM"
	/* e */ "MMMMMMMMMMMMMMMM"
	/* f */ "MMMMMMMMMMMMMMMM";
/* clang-format on */

#define REX_W	   8u
#define VZEROUPPER 0x77
#define ENDLESS	   64 /* more than any instruction has bytes */

/* What is read; @at: offset of the next byte. */
struct reader {
	const uint8_t *code;
	size_t n;
	uint32_t at;
	uint8_t rex;
	bool wide_prefix, short_addresses, repeats, any;
	struct insn *ret;
};

/* Past the end everything is 0, and the length too much. */
static uint8_t next(struct reader *r)
{
	if (r->at >= r->n) {
		r->at = ENDLESS;
		return 0;
	}
	return r->code[r->at++];
}

static void take_prefix(struct reader *r, uint8_t byte)
{
	r->any = true;
	r->rex = 0; /* one that no opcode follows counts for nothing */
	if (byte == 0x66)
		r->wide_prefix = true;
	else if (byte == 0x67)
		r->short_addresses = true;
	else if (byte == 0xf2 || byte == 0xf3)
		r->repeats = true;
}

/* Return: the first byte that is no prefix. */
static uint8_t skip_prefixes(struct reader *r)
{
	for (;;) {
		uint8_t byte = next(r);

		if (one_byte[byte] == 'p')
			take_prefix(r, byte);
		else if (one_byte[byte] == 'r')
			r->rex = byte;
		else
			return byte;
	}
}

/* vector_kind() - VEX and EVEX have the same maps without the short opcodes. */
static char vector_kind(uint8_t map, uint8_t opcode, bool is_evex)
{
	switch (map) {
	case 1:
		if (opcode == VZEROUPPER && !is_evex)
			return '-';
		return two_byte[opcode] == 'B' ? 'B' : 'M';
	case 3:
		return 'B';
	case 2:
		return 'M';
	default: /* half precision */
		return is_evex && (map == 5 || map == 6) ? 'M' : '.';
	}
}

static char read_vector(struct reader *r, uint8_t first)
{
	uint8_t map = 1;
	bool is_evex = first == 0x62;

	if (r->rex || r->wide_prefix || r->repeats)
		return '.';
	if (first != 0xc5)
		map = next(r) & (is_evex ? 7 : 31);
	next(r);
	if (is_evex)
		next(r);
	r->ret->map = INSN_VECTOR;
	r->ret->opcode = next(r);
	return vector_kind(map, r->ret->opcode, is_evex);
}

static char read_0f(struct reader *r)
{
	uint8_t opcode = next(r);
	char kind = two_byte[opcode];

	r->ret->map = INSN_0F;
	r->ret->opcode = opcode;
	if (kind == 'E') {
		r->ret->map = opcode == 0x38 ? INSN_0F38 : INSN_0F3A;
		r->ret->opcode = next(r);
		return opcode == 0x38 ? 'M' : 'B';
	}
	if (kind == 'J' && r->wide_prefix)
		return '.'; /* makers of processors do not agree what this is */
	if (opcode == 0x78 && (r->wide_prefix || r->repeats))
		return '.'; /* only AMD's SSE4a */
	return kind;
}

/* read_opcode() - Return: the letter of what follows. */
static char read_opcode(struct reader *r)
{
	uint8_t first = skip_prefixes(r);

	switch (one_byte[first]) {
	case 'V':
	case 'e':
		return read_vector(r, first);
	case 'E':
		return read_0f(r);
	default:
		r->ret->opcode = first;
		return one_byte[first];
	}
}

static void read_modrm(struct reader *r)
{
	uint8_t modrm = next(r), mod = modrm >> 6, rm = modrm & 7, base = rm;

	r->ret->has_modrm = true;
	r->ret->modrm = modrm;
	if (mod == 3)
		return;
	if (rm == 4)
		base = next(r) & 7;
	if (mod == 0 && rm == 5)
		r->ret->rip_disp = (uint8_t)r->at;
	if (mod == 1)
		r->at++;
	else if (mod == 2 || base == 5)
		r->at += 4;
}

static uint32_t bytes_z(const struct reader *r)
{
	return r->wide_prefix && !(r->rex & REX_W) ? 2 : 4;
}

static void read_target(struct reader *r, uint8_t len)
{
	r->ret->target = (uint8_t)r->at;
	r->ret->target_len = len;
	r->at += len;
}

/* read_rest() - what the letter says. Return: false: no instruction. */
static bool read_rest(struct reader *r, char kind)
{
	uint8_t reg;

	switch (kind) {
	case '-':
		return true;
	case 'b':
		r->at += 1;
		return true;
	case 'w':
		r->at += 2;
		return true;
	case 'n':
		r->at += 3;
		return true;
	case 'z':
		r->at += bytes_z(r);
		return true;
	case 'v':
		r->at += r->rex & REX_W ? 8 : bytes_z(r);
		return true;
	case 'o':
		r->at += r->short_addresses ? 4 : 8;
		return true;
	case 'j':
		read_target(r, 1);
		return true;
	case 'J':
		read_target(r, 4);
		return bytes_z(r) == 4;
	case 'M':
		read_modrm(r);
		return true;
	case 'R':
		next(r);
		return true;
	case 'B':
		read_modrm(r);
		r->at += 1;
		return true;
	case 'Z':
		read_modrm(r);
		r->at += bytes_z(r);
		return true;
	case 'G':
	case 'H':
		read_modrm(r);
		reg = r->ret->modrm >> 3 & 7;
		if (reg < 2)
			r->at += kind == 'G' ? 1 : bytes_z(r);
		return true;
	case 'x':
		read_modrm(r);
		return (r->ret->modrm >> 3 & 7) == 0;
	default:
		return false;
	}
}

uint32_t insn_decode(const uint8_t *code, size_t n, struct insn *ret)
{
	struct reader r = { .code = code, .n = n < INSN_MAX ? n : INSN_MAX, .ret = ret };

	*ret = (struct insn){ 0 };
	if (!read_rest(&r, read_opcode(&r)) || r.at > r.n)
		return 0;
	ret->has_prefix = r.any;
	ret->short_addresses = r.short_addresses;
	ret->len = (uint8_t)r.at;
	return ret->len;
}

static uint32_t read32(const uint8_t *from)
{
	uint32_t v = 0;

	for (int i = 3; i >= 0; i--)
		v = v << 8 | from[i];
	return v;
}

static void write32(uint8_t *to, uint64_t v)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(v >> 8 * i);
}

static bool fits32(uint64_t distance)
{
	return distance == (uint64_t)(int64_t)(int32_t)distance;
}

bool insn_target(const struct insn *i, const uint8_t *code, uint64_t from, uint64_t *ret)
{
	uint64_t distance;

	if (!i->target)
		return false;
	distance = i->target_len == 1 ? (uint64_t)(int64_t)(int8_t)code[i->target]
				      : (uint64_t)(int64_t)(int32_t)read32(code + i->target);
	*ret = from + i->len + distance;
	return true;
}

static bool is_group5(const struct insn *i, uint8_t low, uint8_t high)
{
	uint8_t reg = i->modrm >> 3 & 7;

	return i->map == INSN_ONE_BYTE && i->opcode == 0xff && reg >= low && reg <= high;
}

bool insn_ends(const struct insn *i)
{
	if (i->map != INSN_ONE_BYTE)
		return false;
	return i->opcode == 0xe9 || i->opcode == 0xeb || i->opcode == 0xc3 || i->opcode == 0xc2 ||
	       is_group5(i, 4, 5);
}

bool insn_fills(const struct insn *i)
{
	if (i->map == INSN_0F)
		return i->opcode == 0x1f;
	return i->map == INSN_ONE_BYTE && (i->opcode == 0x90 || i->opcode == 0xcc);
}

/* What tells where it stands, or is about more than registers and memory. */
static bool must_stay(const struct insn *i)
{
	if (i->map == INSN_0F) {
		switch (i->opcode) {
		case 0x05: /* syscall, sysret, ud2, sysenter, sysexit, getsec */
		case 0x07:
		case 0x0b:
		case 0x34:
		case 0x35:
		case 0x37:
			return true;
		default:
			return false;
		}
	}
	if (i->map != INSN_ONE_BYTE)
		return false;
	switch (i->opcode) {
	case 0xc7: /* xbegin */
		return (i->modrm >> 3 & 7) == 7;
	case 0xca: /* far returns, traps, hlt */
	case 0xcb:
	case 0xcc:
	case 0xcd:
	case 0xcf:
	case 0xf1:
	case 0xf4:
	case 0xe8: /* call */
		return true;
	default:
		return is_group5(i, 2, 3) || (i->opcode >= 0xe0 && i->opcode <= 0xe3);
	}
}

/* A jump is written in its long form. */
static uint32_t move_jump(const struct insn *i, uint64_t target, uint64_t to, uint8_t *out)
{
	bool always = i->map == INSN_ONE_BYTE && (i->opcode == 0xe9 || i->opcode == 0xeb);
	uint32_t n = 0, len = always ? 5 : 6;

	if (i->has_prefix || !fits32(target - (to + len)))
		return 0;
	if (!always)
		out[n++] = 0x0f;
	out[n++] = always ? 0xe9 : 0x80 | (i->opcode & 15);
	write32(out + n, target - (to + len));
	return len;
}

uint32_t insn_move(const struct insn *i, const uint8_t *code, uint64_t from, uint64_t to,
		   uint8_t *out)
{
	uint64_t target, distance;

	if (must_stay(i))
		return 0;
	if (insn_target(i, code, from, &target))
		return move_jump(i, target, to, out);
	for (uint32_t n = 0; n < i->len; n++)
		out[n] = code[n];
	if (!i->rip_disp)
		return i->len;
	distance = (uint64_t)(int64_t)(int32_t)read32(code + i->rip_disp) + from - to;
	if (i->short_addresses || !fits32(distance))
		return 0;
	write32(out + i->rip_disp, distance);
	return i->len;
}
