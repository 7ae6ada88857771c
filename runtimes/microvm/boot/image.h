/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel images: what a file says, checked, before anything is loaded.
 *
 * Two kinds: an ELF vmlinux (with a PVH entry in a note, or entered by the 64-bit protocol),
 * and a bzImage (64-bit protocol; the kernel unpacks itself).  The file is hostile.
 */
#ifndef MICROVM_BOOT_IMAGE_H
#define MICROVM_BOOT_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define IMAGE_SEGMENTS	   16
#define IMAGE_LOWEST	   0x100000ULL /* kernels lie above the first MiB */
#define IMAGE_SETUP_HEADER 0x1f1       /* offset of the setup header in a bzImage */
#define IMAGE_SETUP_BYTES  0x7b	       /* of it, up to the newest field we know */

/* A part of the file that goes into memory; what memory has more is zero. */
struct image_segment {
	uint64_t gpa, offset, file_bytes, memory_bytes;
};

struct kernel_image {
	bool pvh; /* enter at .entry by the PVH ABI; else by the 64-bit protocol */
	uint64_t entry;
	uint64_t end; /* first address beyond all that the kernel needs to start */
	unsigned int n_segments;
	struct image_segment segments[IMAGE_SEGMENTS];
	uint8_t setup[IMAGE_SETUP_BYTES]; /* from a bzImage; else zero */
};

/*
 * image_parse() - read the headers of @fd.  Every segment lies at or above IMAGE_LOWEST and ends
 * at or below @limit (memory below the device gap); offsets lie within the file.
 * Return: 0, -ENOEXEC when it is no kernel that we can start, or another -errno.
 */
int image_parse(int fd, uint64_t limit, struct kernel_image *ret, struct error *err);

#endif
