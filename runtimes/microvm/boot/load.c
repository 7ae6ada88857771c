/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts kernel, initrd, command line and tables into guest memory.
 */
#include "runtimes/microvm/boot/load.h"

#include <asm/bootparam.h>
#include <sys/stat.h>

#include "base/mem.h"

#define E820_RAM      1
#define E820_RESERVED 2
#define MAP_ENTRIES   4

#define PVH_MAGIC	 0x336ec578U
#define PVH_MODULES_AT	 0x6040ULL
#define BOOT_FLAG	 0xaa55
#define BOOT_HEADER	 0x53726448U
#define LOADER_UNDEFINED 0xff

struct map_entry_pvh {
	uint64_t addr, size;
	uint32_t type, reserved;
};

struct start_info {
	uint32_t magic, version, flags, n_modules;
	uint64_t modules, command_line, rsdp, map;
	uint32_t n_map, reserved;
};

struct module_entry {
	uint64_t addr, size, command_line, reserved;
};

struct initrd {
	uint64_t at, bytes;
};

static int load_segments(struct guest_memory *memory, int fd, const struct kernel_image *image,
			 struct error *err)
{
	for (unsigned int i = 0; i < image->n_segments; i++) {
		const struct image_segment *s = &image->segments[i];
		int r = guest_memory_load(memory, GPA(s->gpa), fd, (off_t)s->offset, s->file_bytes);

		if (r)
			return error_errno(err, -r, "load the kernel");
	}
	return 0;
}

/* load_initrd() - at the end of low memory, on a page; the kernel must end before it. */
static int load_initrd(struct guest_memory *memory, int fd, uint64_t kernel_end, struct initrd *ret,
		       struct error *err)
{
	uint64_t low = memory->regions[0].bytes, pages;
	struct stat st;
	int r;

	if (fd < 0)
		return 0;
	if (fstat(fd, &st))
		return error_errno(err, errno, "read the initrd");
	ret->bytes = (uint64_t)st.st_size;
	pages = (ret->bytes + GUEST_PAGE_BYTES - 1) & ~(GUEST_PAGE_BYTES - 1);
	if (!S_ISREG(st.st_mode) || !ret->bytes)
		return error_set(err, EINVAL, "the initrd is empty or no regular file");
	if (pages > low || low - pages < kernel_end)
		return error_set(err, E2BIG, "the initrd of %llu bytes does not fit into memory",
				 (unsigned long long)ret->bytes);
	ret->at = low - pages;
	r = guest_memory_load(memory, GPA(ret->at), fd, 0, ret->bytes);
	return r ? error_errno(err, -r, "load the initrd") : 0;
}

/* memory_map() - RAM below the tables, the tables, the rest.  Return: number of entries. */
static unsigned int memory_map(const struct guest_memory *m, struct map_entry_pvh map[MAP_ENTRIES])
{
	unsigned int n = 0;

	map[n++] = (struct map_entry_pvh){ 0, ACPI_TABLES_AT, E820_RAM, 0 };
	map[n++] = (struct map_entry_pvh){ ACPI_TABLES_AT, IMAGE_LOWEST - ACPI_TABLES_AT,
					   E820_RESERVED, 0 };
	map[n++] = (struct map_entry_pvh){ IMAGE_LOWEST, m->regions[0].bytes - IMAGE_LOWEST,
					   E820_RAM, 0 };
	if (m->n_regions > 1)
		map[n++] = (struct map_entry_pvh){ m->regions[1].start, m->regions[1].bytes,
						   E820_RAM, 0 };
	return n;
}

static int write_start_info(struct guest_memory *memory, const struct initrd *initrd)
{
	struct map_entry_pvh map[MAP_ENTRIES] = { 0 };
	struct module_entry module = { .addr = initrd->at, .size = initrd->bytes };
	struct start_info info = {
		.magic = PVH_MAGIC,
		.version = 1,
		.n_modules = initrd->bytes != 0,
		.modules = initrd->bytes ? PVH_MODULES_AT : 0,
		.command_line = LOAD_COMMAND_LINE,
		.rsdp = ACPI_RSDP_AT,
		.map = LOAD_ZERO_PAGE,
		.n_map = memory_map(memory, map),
	};
	int r = guest_memory_write(memory, GPA(LOAD_START_INFO), &info, sizeof(info));

	if (!r)
		r = guest_memory_write(memory, GPA(PVH_MODULES_AT), &module, sizeof(module));
	return r ? r : guest_memory_write(memory, GPA(LOAD_ZERO_PAGE), map, sizeof(map));
}

/* The setup header of a bzImage is passed on; a vmlinux has none, so its fields are made up. */
static int write_zero_page(struct guest_memory *memory, const struct kernel_image *image,
			   const struct initrd *initrd)
{
	struct map_entry_pvh map[MAP_ENTRIES] = { 0 };
	struct boot_params p = { 0 };

	memcpy(&p.hdr, image->setup, MIN(sizeof(p.hdr), sizeof(image->setup)));
	p.hdr.boot_flag = BOOT_FLAG;
	p.hdr.header = BOOT_HEADER;
	p.hdr.type_of_loader = LOADER_UNDEFINED;
	p.hdr.cmd_line_ptr = LOAD_COMMAND_LINE;
	p.hdr.cmdline_size = LOAD_COMMAND_BYTES - 1;
	p.hdr.ramdisk_image = (uint32_t)initrd->at;
	p.hdr.ramdisk_size = (uint32_t)initrd->bytes;
	if (!p.hdr.kernel_alignment)
		p.hdr.kernel_alignment = 0x1000000;
	p.acpi_rsdp_addr = ACPI_RSDP_AT;
	p.e820_entries = (uint8_t)memory_map(memory, map);
	for (unsigned int i = 0; i < p.e820_entries; i++) {
		p.e820_table[i].addr = map[i].addr;
		p.e820_table[i].size = map[i].size;
		p.e820_table[i].type = map[i].type;
	}
	return guest_memory_write(memory, GPA(LOAD_ZERO_PAGE), &p, sizeof(p));
}

static int write_command_line(struct guest_memory *memory, const char *text, struct error *err)
{
	size_t len = strlen(text) + 1;

	if (len > LOAD_COMMAND_BYTES)
		return error_set(err, E2BIG, "a command line of %zu bytes is longer than %d",
				 len - 1, LOAD_COMMAND_BYTES - 1);
	return guest_memory_write(memory, GPA(LOAD_COMMAND_LINE), text, len);
}

static int write_acpi(struct guest_memory *memory, const struct acpi_machine *acpi,
		      struct error *err)
{
	struct strbuf tables cleanup_strbuf = { 0 };
	uint8_t rsdp[36];
	int r = acpi_build(acpi, &tables, rsdp, err);

	if (!r)
		r = guest_memory_write(memory, GPA(ACPI_TABLES_AT), tables.data, tables.len);
	return r ? r : guest_memory_write(memory, GPA(ACPI_RSDP_AT), rsdp, sizeof(rsdp));
}

int load_linux(struct guest_memory *memory, const struct load_source *source,
	       struct load_entry *ret, struct error *err)
{
	struct kernel_image image;
	struct initrd initrd = { 0 };
	int r;

	if (memory->regions[0].bytes <= IMAGE_LOWEST)
		return error_set(err, E2BIG, "too little memory for a kernel");
	r = image_parse(source->kernel_fd, memory->regions[0].bytes, &image, err);
	if (!r)
		r = load_segments(memory, source->kernel_fd, &image, err);
	if (!r)
		r = load_initrd(memory, source->initrd_fd, image.end, &initrd, err);
	if (!r)
		r = write_command_line(memory, source->command_line, err);
	if (!r)
		r = write_acpi(memory, &source->acpi, err);
	if (r)
		return r;
	*ret = (struct load_entry){
		.pvh = image.pvh,
		.entry = image.entry,
		.argument = image.pvh ? LOAD_START_INFO : LOAD_ZERO_PAGE,
	};
	if (image.pvh)
		r = write_start_info(memory, &initrd);
	else
		r = write_zero_page(memory, &image, &initrd);
	return r ? error_set(err, -r, "no memory for boot parameters") : 0;
}
