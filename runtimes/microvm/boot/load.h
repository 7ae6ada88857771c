/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts kernel, initrd, command line and tables into guest memory.
 *
 *   0x6000   PVH start information, then its module list
 *   0x7000   zero page (64-bit protocol), or the PVH memory map
 *   0x20000  command line, 2048 bytes at most
 *   0x9fc00  ACPI tables; 0xe0000 the pointer to them
 *   1 MiB    kernel (bzImage), or where the ELF file says
 *   end of low memory: initrd, below it nothing
 * Addresses are Firecracker's where it has them, so that tools that look find them.
 */
#ifndef MICROVM_BOOT_LOAD_H
#define MICROVM_BOOT_LOAD_H

#include "base/str.h"
#include "runtimes/microvm/boot/acpi.h"
#include "runtimes/microvm/boot/image.h"
#include "runtimes/microvm/kvm/memory.h"

#define LOAD_START_INFO	   0x6000ULL
#define LOAD_ZERO_PAGE	   0x7000ULL
#define LOAD_COMMAND_LINE  0x20000ULL
#define LOAD_COMMAND_BYTES 2048 /* with its final zero */

struct load_source {
	int kernel_fd;
	int initrd_fd; /* -1: none */
	const char *command_line;
	struct acpi_machine acpi;
};

/* How the first vCPU starts. */
struct load_entry {
	bool pvh;
	uint64_t entry;
	uint64_t argument; /* start information or zero page */
};

/*
 * load_linux() - all of it into @memory, which must be fresh.
 * Return: 0; -ENOEXEC for no kernel; -E2BIG when something does not fit; or another -errno.
 */
int load_linux(struct guest_memory *memory, const struct load_source *source,
	       struct load_entry *ret, struct error *err);

#endif
