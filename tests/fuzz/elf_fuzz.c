/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzer: ELF headers as execve reads them.
 *
 * What the loader accepts must lie below the end of the address space, in page-aligned mappings
 * of more than nothing.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "runtimes/sentry/task/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_map(const struct stub_map *m, uint64_t base)
{
	if (m->addr % 4096 || m->length % 4096 || !m->length || m->offset % 4096)
		abort();
	if (m->addr < base || m->addr + m->length < m->addr ||
	    m->addr + m->length > ELF_ADDRESS_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint64_t bases[] = { 0, 0x555555554000, ELF_ADDRESS_MAX - 0x10000 };
	static struct elf_placed p;
	struct elf_file f;

	if (elf_header(data, len, &f))
		return 0;
	/* The headers follow the first bytes, wherever the file says they are. */
	if (elf_segments(&f, data + ELF_HEADER_BYTES, len - ELF_HEADER_BYTES))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
		if (elf_place(&f, bases[i], 3, &p))
			continue;
		for (size_t j = 0; j < p.n_maps; j++)
			check_map(&p.maps[j], bases[i]);
		for (size_t j = 0; j < p.n_pokes; j++)
			if (p.pokes[j].len >= 4096)
				abort();
	}
	return 0;
}
