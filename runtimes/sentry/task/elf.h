/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF files: reading what a hostile file says, and where its segments go.
 *
 * Pure functions of bytes: the caller reads the file.  First elf_header() of its first 64 bytes
 * tells where the program headers stand, then elf_segments() reads those.
 */
#ifndef SENTRY_TASK_ELF_H
#define SENTRY_TASK_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtimes/sentry/platform/platform.h"

#define ELF_HEADER_BYTES    64
#define ELF_PHDRS_BYTES_MAX 65536 /* as Linux bounds it */
#define ELF_SEGMENTS_MAX    64
#define ELF_ADDRESS_MAX	    0x7ffffffff000ull
#define ELF_MAPS_MAX	    (2 * ELF_SEGMENTS_MAX)

struct elf_segment {
	uint64_t vaddr, offset, filesz, memsz;
	int prot;
};

struct elf_file {
	bool is_dyn; /* may be put anywhere */
	bool exec_stack;
	uint64_t entry;
	uint64_t phoff;	     /* in the file */
	uint64_t phdr_vaddr; /* in memory, for AT_PHDR; 0: in no segment */
	unsigned int phnum;
	uint64_t interp_offset; /* of the interpreter's name in the file; interp_len 0: none */
	uint32_t interp_len;	/* with its NUL */
	uint64_t start, end;	/* the pages that its segments span */
	uint64_t align;		/* the largest of its segments, a power of two, at least a page */
	struct elf_segment segments[ELF_SEGMENTS_MAX];
	unsigned int n_segments;
};

/* What elf_place() makes of it; the pokes point to zeros. */
struct elf_placed {
	struct stub_map maps[ELF_MAPS_MAX];
	size_t n_maps;
	struct stub_poke pokes[ELF_SEGMENTS_MAX];
	size_t n_pokes;
};

/* elf_header() - @bytes: the first ELF_HEADER_BYTES. Return: 0 or -ENOEXEC. */
int elf_header(const void *bytes, size_t len, struct elf_file *ret);
/* elf_phdrs_bytes() - how many bytes at phoff elf_segments() wants. */
size_t elf_phdrs_bytes(const struct elf_file *f);
/* elf_segments() - Return: 0, -ENOEXEC, -EINVAL (segments that cannot be mapped). */
int elf_segments(struct elf_file *f, const void *bytes, size_t len);
/*
 * elf_place() - mappings of @f moved up by @base, from the descriptor @fd.
 * Return: 0 or -ENOMEM when it leaves the address space.
 */
int elf_place(const struct elf_file *f, uint64_t base, int fd, struct elf_placed *ret);

#endif
