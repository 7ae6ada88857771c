/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF files, x86-64 only.
 *
 * Every number comes from a file that may be hostile: sums are checked, and what does not fit the
 * address space is refused here, before anything is mapped.
 */
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "runtimes/sentry/task/elf.h"

#define PAGE 4096ull

static uint64_t page_down(uint64_t a)
{
	return a & ~(PAGE - 1);
}

static uint64_t page_up(uint64_t a)
{
	return page_down(a + PAGE - 1);
}

int elf_header(const void *bytes, size_t len, struct elf_file *ret)
{
	Elf64_Ehdr h;

	_Static_assert(sizeof(h) == ELF_HEADER_BYTES, "ELF header");
	*ret = (struct elf_file){ .align = PAGE };
	if (len < sizeof(h))
		return -ENOEXEC;
	memcpy(&h, bytes, sizeof(h));
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) || h.e_ident[EI_CLASS] != ELFCLASS64 ||
	    h.e_ident[EI_DATA] != ELFDATA2LSB || h.e_machine != EM_X86_64)
		return -ENOEXEC;
	if (h.e_type != ET_EXEC && h.e_type != ET_DYN)
		return -ENOEXEC;
	if (h.e_phentsize != sizeof(Elf64_Phdr) || !h.e_phnum ||
	    h.e_phnum * sizeof(Elf64_Phdr) > ELF_PHDRS_BYTES_MAX || h.e_phoff > INT64_MAX / 2)
		return -ENOEXEC;
	ret->is_dyn = h.e_type == ET_DYN;
	ret->entry = h.e_entry;
	ret->phoff = h.e_phoff;
	ret->phnum = h.e_phnum;
	return 0;
}

size_t elf_phdrs_bytes(const struct elf_file *f)
{
	return f->phnum * sizeof(Elf64_Phdr);
}

static int prot_of(uint32_t flags)
{
	return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) |
	       (flags & PF_X ? PROT_EXEC : 0);
}

static int check_segment(const Elf64_Phdr *h)
{
	uint64_t end;

	if (h->p_filesz > h->p_memsz || __builtin_add_overflow(h->p_vaddr, h->p_memsz, &end) ||
	    end > ELF_ADDRESS_MAX || h->p_offset > INT64_MAX / 2)
		return -EINVAL;
	return (h->p_vaddr ^ h->p_offset) & (PAGE - 1) ? -EINVAL : 0;
}

static int add_segment(struct elf_file *f, const Elf64_Phdr *h)
{
	int rc = check_segment(h);

	if (rc)
		return rc;
	if (!h->p_memsz)
		return 0;
	if (f->n_segments == ELF_SEGMENTS_MAX)
		return -ENOEXEC;
	f->segments[f->n_segments++] = (struct elf_segment){
		.vaddr = h->p_vaddr,
		.offset = h->p_offset,
		.filesz = h->p_filesz,
		.memsz = h->p_memsz,
		.prot = prot_of(h->p_flags),
	};
	if (f->n_segments == 1)
		f->start = page_down(h->p_vaddr);
	f->start = MIN(f->start, page_down(h->p_vaddr));
	f->end = MAX(f->end, page_up(h->p_vaddr + h->p_memsz));
	/* The program headers are where the segment that holds them puts them. */
	if (f->phoff >= h->p_offset && f->phoff - h->p_offset < h->p_filesz)
		f->phdr_vaddr = h->p_vaddr + (f->phoff - h->p_offset);
	if (!(h->p_align & (h->p_align - 1)) && h->p_align <= 1ull << 30)
		f->align = MAX(f->align, h->p_align);
	return 0;
}

static int add_interp(struct elf_file *f, const Elf64_Phdr *h)
{
	if (f->interp_len)
		return 0;
	if (h->p_filesz < 2 || h->p_filesz > PATH_MAX || h->p_offset > INT64_MAX / 2)
		return -ENOEXEC;
	f->interp_offset = h->p_offset;
	f->interp_len = (uint32_t)h->p_filesz;
	return 0;
}

int elf_segments(struct elf_file *f, const void *bytes, size_t len)
{
	int rc = 0;

	if (len < elf_phdrs_bytes(f))
		return -ENOEXEC;
	for (unsigned int i = 0; i < f->phnum && !rc; i++) {
		Elf64_Phdr h;

		memcpy(&h, (const char *)bytes + i * sizeof(h), sizeof(h));
		if (h.p_type == PT_LOAD)
			rc = add_segment(f, &h);
		else if (h.p_type == PT_INTERP)
			rc = add_interp(f, &h);
		else if (h.p_type == PT_GNU_STACK)
			f->exec_stack = h.p_flags & PF_X;
	}
	if (!rc && (!f->n_segments || f->entry >= ELF_ADDRESS_MAX))
		rc = -ENOEXEC;
	return rc;
}

static void add_map(struct elf_placed *p, uint64_t from, uint64_t to, int prot, int fd,
		    uint64_t offset)
{
	if (from >= to)
		return;
	p->maps[p->n_maps++] = (struct stub_map){
		.addr = from,
		.length = to - from,
		.offset = offset,
		.prot = prot,
		.flags = MAP_PRIVATE | MAP_FIXED | (fd < 0 ? MAP_ANONYMOUS : 0),
		.fd = fd,
	};
}

/*
 *	vaddr          vaddr+filesz          vaddr+memsz
 *	  |   from the file  |  0 (poked)  | 0 (anonymous) |
 *	^ page down                        ^ page up       ^ page up
 */
static void place_segment(const struct elf_segment *s, uint64_t base, int fd,
			  struct elf_placed *ret)
{
	static const char zeros[PAGE];
	uint64_t at = base + s->vaddr, file_end = at + s->filesz, end = page_up(at + s->memsz);
	uint64_t mapped_end = s->filesz ? page_up(file_end) : page_down(at);

	if (s->filesz)
		add_map(ret, page_down(at), mapped_end, s->prot, fd, page_down(s->offset));
	/* A tail that nobody may write keeps what the file has there, as on Linux. */
	if (s->filesz && s->memsz > s->filesz && (s->prot & PROT_WRITE) && mapped_end > file_end)
		ret->pokes[ret->n_pokes++] = (struct stub_poke){ .addr = file_end,
								 .from = zeros,
								 .len = mapped_end - file_end };
	add_map(ret, mapped_end, end, s->prot, -1, 0);
}

int elf_place(const struct elf_file *f, uint64_t base, int fd, struct elf_placed *ret)
{
	uint64_t end;

	ret->n_maps = ret->n_pokes = 0;
	if (__builtin_add_overflow(base, f->end, &end) || end > ELF_ADDRESS_MAX)
		return -ENOMEM;
	for (unsigned int i = 0; i < f->n_segments; i++)
		place_segment(&f->segments[i], base, fd, ret);
	return 0;
}
