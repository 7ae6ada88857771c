/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel images: ELF vmlinux and bzImage.
 *
 * ELF: PT_LOAD segments go to their physical addresses; the note "Xen" of type 18 holds the PVH
 * entry.  bzImage: Linux Documentation/arch/x86/boot.rst; what follows the setup sectors is
 * loaded at 1 MiB and entered 0x200 bytes further.
 */
#include "runtimes/microvm/boot/image.h"

#include <elf.h>
#include <sys/stat.h>

#include "base/mem.h"

#define PVH_NOTE_TYPE 18
#define NOTES_MAX     65536
#define HEADERS_MAX   64

#define BOOT_MAGIC	0x53726448U /* "HdrS" */
#define BOOT_VERSION	0x20c	    /* the first with a 64-bit entry */
#define XLF_KERNEL_64	1
#define LOADED_HIGH	1
#define ENTRY_64_OFFSET 0x200

struct file {
	int fd;
	uint64_t bytes;
};

/* read_at() - Return: 0, -ENOEXEC beyond the end, or -errno. */
static int read_at(const struct file *f, uint64_t offset, void *to, size_t len)
{
	ssize_t n;

	if (offset > f->bytes || len > f->bytes - offset)
		return -ENOEXEC;
	do
		n = pread(f->fd, to, len, (off_t)offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -ENOEXEC;
}

/* add_segment() - check one against file and memory, and take it. */
static int add_segment(struct kernel_image *image, const struct file *f, uint64_t limit,
		       const struct image_segment *s, struct error *err)
{
	uint64_t end;

	if (image->n_segments == IMAGE_SEGMENTS)
		return error_set(err, ENOEXEC, "more than %d segments", IMAGE_SEGMENTS);
	if (s->offset > f->bytes || s->file_bytes > f->bytes - s->offset)
		return error_set(err, ENOEXEC, "a segment ends beyond the file");
	if (s->memory_bytes < s->file_bytes)
		return error_set(err, ENOEXEC, "a segment is smaller in memory than in the file");
	if (__builtin_add_overflow(s->gpa, s->memory_bytes, &end) || s->gpa < IMAGE_LOWEST ||
	    end > limit)
		return error_set(err, ENOEXEC,
				 "a segment at 0x%llx of %llu bytes does not fit into memory",
				 (unsigned long long)s->gpa, (unsigned long long)s->memory_bytes);
	image->segments[image->n_segments++] = *s;
	image->end = MAX(image->end, end);
	return 0;
}

/* --- ELF -------------------------------------------------------------------------------------- */

/* find_pvh() - look for the entry in @len bytes of notes.  Return: 0 when there is none. */
static uint64_t find_pvh(const uint8_t *notes, size_t len)
{
	Elf64_Nhdr n;
	size_t at = 0;

	while (len - at >= sizeof(n)) {
		uint64_t name, desc, next;

		memcpy(&n, notes + at, sizeof(n));
		name = at + sizeof(n);
		desc = name + ((n.n_namesz + 3ULL) & ~3ULL);
		next = desc + ((n.n_descsz + 3ULL) & ~3ULL);
		if (next > len)
			return 0;
		if (n.n_type == PVH_NOTE_TYPE && n.n_namesz == 4 &&
		    !memcmp(notes + name, "Xen", 4) && (n.n_descsz == 4 || n.n_descsz == 8)) {
			uint64_t entry = 0;

			memcpy(&entry, notes + desc, n.n_descsz);
			return entry;
		}
		at = (size_t)next;
	}
	return 0;
}

static int read_notes(struct kernel_image *image, const struct file *f, const Elf64_Phdr *p)
{
	uint8_t *notes cleanup_free = NULL;
	uint64_t entry;
	int r;

	if (p->p_filesz > NOTES_MAX)
		return 0; /* build identities and the like are small */
	notes = xmalloc(p->p_filesz);
	r = read_at(f, p->p_offset, notes, p->p_filesz);
	if (r)
		return r;
	entry = find_pvh(notes, p->p_filesz);
	if (entry) {
		image->pvh = true;
		image->entry = entry;
	}
	return 0;
}

static bool elf_header_good(const Elf64_Ehdr *e)
{
	return e->e_ident[EI_CLASS] == ELFCLASS64 && e->e_ident[EI_DATA] == ELFDATA2LSB &&
	       e->e_machine == EM_X86_64 && e->e_phentsize == sizeof(Elf64_Phdr) && e->e_phnum &&
	       e->e_phnum <= HEADERS_MAX;
}

/* entry_inside() - the entry lies in bytes that came from the file. */
static bool entry_inside(const struct kernel_image *image)
{
	for (unsigned int i = 0; i < image->n_segments; i++) {
		const struct image_segment *s = &image->segments[i];

		if (image->entry >= s->gpa && image->entry - s->gpa < s->file_bytes)
			return true;
	}
	return false;
}

static int parse_elf(struct kernel_image *image, const struct file *f, uint64_t limit,
		     struct error *err)
{
	Elf64_Phdr headers[HEADERS_MAX];
	Elf64_Ehdr e;
	int r = read_at(f, 0, &e, sizeof(e));

	if (r || !elf_header_good(&e))
		return error_set(err, ENOEXEC, "not a 64-bit x86 ELF file");
	if (read_at(f, e.e_phoff, headers, e.e_phnum * sizeof(headers[0])))
		return error_set(err, ENOEXEC, "the program headers lie beyond the file");
	image->entry = e.e_entry;
	for (unsigned int i = 0; i < e.e_phnum && !r; i++) {
		const Elf64_Phdr *p = &headers[i];

		if (p->p_type == PT_LOAD && p->p_memsz)
			r = add_segment(image, f, limit,
					&(struct image_segment){ p->p_paddr, p->p_offset,
								 p->p_filesz, p->p_memsz },
					err);
		else if (p->p_type == PT_NOTE && read_notes(image, f, p))
			r = error_set(err, ENOEXEC, "cannot read the notes");
	}
	if (!r && !entry_inside(image))
		r = error_set(err, ENOEXEC, "the entry 0x%llx lies outside of the kernel",
			      (unsigned long long)image->entry);
	return r;
}

/* --- bzImage ---------------------------------------------------------------------------------- */

static uint32_t field(const struct kernel_image *image, unsigned int offset, unsigned int bytes)
{
	uint32_t v = 0;

	memcpy(&v, &image->setup[offset - IMAGE_SETUP_HEADER], bytes);
	return v;
}

static int parse_bzimage(struct kernel_image *image, const struct file *f, uint64_t limit,
			 struct error *err)
{
	struct image_segment s = { .gpa = IMAGE_LOWEST };
	uint32_t sectors;

	if (read_at(f, IMAGE_SETUP_HEADER, image->setup, sizeof(image->setup)) ||
	    field(image, 0x202, 4) != BOOT_MAGIC)
		return error_set(err, ENOEXEC, "neither an ELF vmlinux nor a bzImage");
	if (field(image, 0x206, 2) < BOOT_VERSION || !(field(image, 0x236, 2) & XLF_KERNEL_64) ||
	    !(field(image, 0x211, 1) & LOADED_HIGH))
		return error_set(err, ENOEXEC, "a bzImage without a 64-bit entry");
	sectors = field(image, 0x1f1, 1);
	s.offset = (sectors ? sectors : 4) * 512ULL + 512;
	if (s.offset + ENTRY_64_OFFSET >= f->bytes)
		return error_set(err, ENOEXEC, "a bzImage that is cut off");
	s.file_bytes = f->bytes - s.offset;
	s.memory_bytes = MAX(s.file_bytes, (uint64_t)field(image, 0x260, 4)); /* init_size */
	image->entry = s.gpa + ENTRY_64_OFFSET;
	return add_segment(image, f, limit, &s, err);
}

int image_parse(int fd, uint64_t limit, struct kernel_image *ret, struct error *err)
{
	struct file f = { .fd = fd };
	unsigned char magic[SELFMAG];
	struct stat st;

	memset(ret, 0, sizeof(*ret));
	if (fstat(fd, &st))
		return error_errno(err, errno, "read the kernel");
	if (!S_ISREG(st.st_mode))
		return error_set(err, ENOEXEC, "not a regular file");
	f.bytes = (uint64_t)st.st_size;
	if (read_at(&f, 0, magic, sizeof(magic)))
		return error_set(err, ENOEXEC, "too short for a kernel");
	if (!memcmp(magic, ELFMAG, SELFMAG))
		return parse_elf(ret, &f, limit, err);
	return parse_bzimage(ret, &f, limit, err);
}
