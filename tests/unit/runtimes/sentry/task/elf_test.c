/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ELF loader: where segments go, and which files are refused.
 */
#include <elf.h>
#include <errno.h>
#include <sys/mman.h>

#include "runtimes/sentry/task/elf.h"
#include "tests/unit/tap.h"

#define PAGE 4096ull

static Elf64_Ehdr header(uint16_t type, unsigned int phnum)
{
	Elf64_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = type,
		.e_machine = EM_X86_64,
		.e_entry = 0x401000,
		.e_phoff = 64,
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (uint16_t)phnum,
	};

	return h;
}

static Elf64_Phdr load(uint64_t vaddr, uint64_t offset, uint64_t filesz, uint64_t memsz,
		       uint32_t flags)
{
	Elf64_Phdr p = {
		.p_type = PT_LOAD,
		.p_vaddr = vaddr,
		.p_offset = offset,
		.p_filesz = filesz,
		.p_memsz = memsz,
		.p_flags = flags,
		.p_align = PAGE,
	};

	return p;
}

/* parse() - a file of @n segments, as the loader reads it. */
static int parse(uint16_t type, const Elf64_Phdr *ph, unsigned int n, struct elf_file *ret)
{
	Elf64_Ehdr h = header(type, n);
	int rc = elf_header(&h, sizeof(h), ret);

	return rc ? rc : elf_segments(ret, ph, n * sizeof(*ph));
}

static void test_placement(void)
{
	Elf64_Phdr ph[] = {
		load(0x400000, 0, 0x800, 0x800, PF_R),
		load(0x401000, 0x1000, 0x234, 0x234, PF_R | PF_X),
		load(0x402e10, 0x1e10, 0x300, 0x3000, PF_R | PF_W),
	};
	struct elf_placed p;
	struct elf_file f;

	is_int(parse(ET_EXEC, ph, 3, &f), 0, "a file with text, data and bss is accepted");
	is_int(f.start, 0x400000, "its first page");
	is_int(f.end, 0x406000, "and the end of its last");
	is_int(f.phdr_vaddr, 0x400040, "the program headers lie in the first segment");
	ok(!f.is_dyn, "it is linked to a place");
	is_int(elf_place(&f, 0, 7, &p), 0, "it can be placed");
	is_int(p.n_maps, 4, "three mappings of the file and one of zeros");
	is_int(p.maps[1].prot, PROT_READ | PROT_EXEC, "text is executable and not writable");
	is_int(p.maps[2].addr, 0x402000, "data begins at its page");
	is_int(p.maps[2].offset, 0x1000, "at the page of the file that holds it");
	is_int(p.maps[2].length, 0x2000, "up to the page in which the file's bytes end");
	is_int(p.maps[2].fd, 7, "from the file");
	is_int(p.maps[3].addr, 0x404000, "bss follows");
	is_int(p.maps[3].length, 0x2000, "up to the end of memory");
	ok(p.maps[3].fd == -1 && (p.maps[3].flags & MAP_ANONYMOUS), "of zeros");
	is_int(p.n_pokes, 1, "the tail of the last file page is cleared");
	is_int(p.pokes[0].addr, 0x403110, "from the last byte of the file on");
	is_int(p.pokes[0].len, 0x404000 - 0x403110, "to the page's end");
}

static void test_moved(void)
{
	Elf64_Phdr ph[] = { load(0, 0, 0x100, 0x100, PF_R | PF_X),
			    load(0x200000, 0x1000, 0, 0x10, PF_R | PF_W) };
	struct elf_placed p;
	struct elf_file f;

	ph[0].p_align = 0x200000;
	is_int(parse(ET_DYN, ph, 2, &f), 0, "a position-independent file is accepted");
	ok(f.is_dyn, "and may be moved");
	is_int(f.align, 0x200000, "by what its segments ask");
	is_int(elf_place(&f, 0x555555600000, 3, &p), 0, "it can be placed");
	is_int(p.maps[0].addr, 0x555555600000, "moved up by the base");
	is_int(p.n_maps, 2, "a segment without bytes in the file is zeros only");
	is_int(p.maps[1].fd, -1, "not of the file");
	is_int(p.n_pokes, 0, "nothing to clear");
	is_int(elf_place(&f, ELF_ADDRESS_MAX - 0x1000, 3, &p), -ENOMEM,
	       "a base that pushes it out of the address space is refused");
}

static void test_read_only_tail(void)
{
	Elf64_Phdr ph = load(0x400000, 0, 0x10, 0x20, PF_R);
	struct elf_placed p;
	struct elf_file f;

	is_int(parse(ET_EXEC, &ph, 1, &f), 0, "a read-only segment with a tail is accepted");
	elf_place(&f, 0, 3, &p);
	is_int(p.n_pokes, 0, "what cannot be written is not cleared");
}

static void test_interp(void)
{
	Elf64_Phdr ph[] = { load(0, 0, 0x1000, 0x1000, PF_R),
			    { .p_type = PT_INTERP, .p_offset = 0x200, .p_filesz = 28 },
			    { .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W | PF_X } };
	struct elf_file f;

	is_int(parse(ET_DYN, ph, 3, &f), 0, "a file with an interpreter");
	is_int(f.interp_offset, 0x200, "where its name stands");
	is_int(f.interp_len, 28, "and how long it is");
	ok(f.exec_stack, "an executable stack is asked for");
	ph[1].p_filesz = 1;
	is_int(parse(ET_DYN, ph, 3, &f), -ENOEXEC, "an empty interpreter name is refused");
	ph[1].p_filesz = 5000;
	is_int(parse(ET_DYN, ph, 3, &f), -ENOEXEC, "one that is too long is refused");
}

static void test_bad_headers(void)
{
	Elf64_Ehdr good = header(ET_EXEC, 1), h;
	struct elf_file f;

	is_int(elf_header(&good, sizeof(good), &f), 0, "a good header is accepted");
	is_int(elf_header(&good, 63, &f), -ENOEXEC, "one that is cut is not");
	h = good;
	h.e_ident[3] = 'f';
	is_int(elf_header(&h, sizeof(h), &f), -ENOEXEC, "wrong magic");
	h = good;
	h.e_machine = EM_AARCH64;
	is_int(elf_header(&h, sizeof(h), &f), -ENOEXEC, "another machine");
	h = good;
	h.e_ident[EI_CLASS] = ELFCLASS32;
	is_int(elf_header(&h, sizeof(h), &f), -ENOEXEC, "32 bits");
	h = good;
	h.e_type = ET_REL;
	is_int(elf_header(&h, sizeof(h), &f), -ENOEXEC, "an object file");
	h = good;
	h.e_phnum = 0;
	is_int(elf_header(&h, sizeof(h), &f), -ENOEXEC, "no program headers");
	h = good;
	h.e_phnum = 2000;
	is_int(elf_header(&h, sizeof(h), &f), -ENOEXEC, "more program headers than Linux reads");
	h = good;
	h.e_phentsize = 32;
	is_int(elf_header(&h, sizeof(h), &f), -ENOEXEC, "program headers of another size");
	h = good;
	h.e_phoff = UINT64_MAX - 10;
	is_int(elf_header(&h, sizeof(h), &f), -ENOEXEC, "program headers beyond any file");
}

static void test_bad_segments(void)
{
	static Elf64_Phdr many[ELF_SEGMENTS_MAX + 1];
	struct elf_file f;
	Elf64_Phdr p;

	p = load(0x400000, 0, 0x20, 0x10, PF_R);
	is_int(parse(ET_EXEC, &p, 1, &f), -EINVAL, "more bytes in the file than in memory");
	p = load(UINT64_MAX & ~(PAGE - 1), 0, 0x2000, 0x2000, PF_R);
	is_int(parse(ET_EXEC, &p, 1, &f), -EINVAL, "an end that wraps around");
	p = load(ELF_ADDRESS_MAX, 0, 0x1000, 0x1000, PF_R);
	is_int(parse(ET_EXEC, &p, 1, &f), -EINVAL, "an end beyond the address space");
	p = load(0x400000, 0x123, 0x10, 0x10, PF_R);
	is_int(parse(ET_EXEC, &p, 1, &f), -EINVAL, "an offset that does not fit its page");
	p = load(0x400000, 0, 0, 0, PF_R);
	is_int(parse(ET_EXEC, &p, 1, &f), -ENOEXEC, "nothing to load");
	for (unsigned int i = 0; i <= ELF_SEGMENTS_MAX; i++)
		many[i] = load(0x400000 + i * PAGE, 0, 0x10, 0x10, PF_R);
	is_int(parse(ET_EXEC, many, ELF_SEGMENTS_MAX, &f), 0, "as many segments as fit");
	is_int(parse(ET_EXEC, many, ELF_SEGMENTS_MAX + 1, &f), -ENOEXEC, "one more");
}

int main(void)
{
	test_placement();
	test_moved();
	test_read_only_tail();
	test_interp();
	test_bad_headers();
	test_bad_segments();
	return tap_done();
}
