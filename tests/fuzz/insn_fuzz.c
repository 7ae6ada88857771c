/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzer: instructions as the patching of call sites reads and moves them.
 *
 * A length must not depend on what follows, and needs all its bytes.  One that was moved must be an
 * instruction of the length that was written, with the same target and the same data.
 */
#include <stdlib.h>
#include <string.h>

#include "runtimes/sentry/stub/insn.c"

#define FROM 0x7f0012345678ull

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint64_t data_address(const struct insn *i, const uint8_t *code, uint64_t at)
{
	return at + i->len + (uint64_t)(int64_t)(int32_t)read32(code + i->rip_disp);
}

static void check_moved(const struct insn *i, const uint8_t *code, uint64_t to)
{
	uint8_t out[INSN_MAX + 8];
	uint64_t before, after;
	struct insn now;
	uint32_t n;

	memset(out, 0x90, sizeof(out));
	n = insn_move(i, code, FROM, to, out);
	if (!n)
		return;
	if (n > i->len + 4u || insn_decode(out, sizeof(out), &now) != n)
		abort();
	if (insn_target(i, code, FROM, &before) != insn_target(&now, out, to, &after))
		abort();
	if (i->target && before != after)
		abort();
	if (i->rip_disp && (now.rip_disp != i->rip_disp ||
			    data_address(i, code, FROM) != data_address(&now, out, to)))
		abort();
	if (insn_ends(i) != insn_ends(&now))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint64_t places[] = { FROM, FROM - 0x5000000, FROM + 0x7ffffff0, 0x10000 };
	uint8_t code[INSN_MAX];
	struct insn i, same;
	uint32_t n;

	n = insn_decode(data, len, &i);
	if (!n)
		return 0;
	if (n > INSN_MAX || n > len)
		abort();
	memset(code, 0xcc, sizeof(code));
	memcpy(code, data, n);
	if (insn_decode(code, sizeof(code), &same) != n || insn_decode(code, n, &same) != n ||
	    insn_decode(code, n - 1, &same) != 0)
		abort();
	for (size_t k = 0; k < sizeof(places) / sizeof(places[0]); k++)
		check_moved(&i, code, places[k]);
	return 0;
}
