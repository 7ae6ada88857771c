/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory: where it lies, and checked access to it.
 *
 *   0            3 GiB      4 GiB
 *   |  low RAM   |  devices |  high RAM ...
 *
 * The guest runs while we look: whatever is decided on is copied out once, then checked.
 * Addresses are struct gpa; a host pointer is handed out only for a whole checked range.
 */
#ifndef MICROVM_KVM_MEMORY_H
#define MICROVM_KVM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

#define GUEST_PAGE_BYTES 4096ULL
#define GUEST_GAP_START	 (3ULL << 30) /* 32-bit device space, as Firecracker lays it */
#define GUEST_GAP_END	 (4ULL << 30)

/* A guest-physical address. */
struct gpa {
	uint64_t at;
};

#define GPA(x) ((struct gpa){ (x) })

struct guest_region {
	uint64_t start, bytes;
	uint8_t *host;
	uint64_t *dirty; /* pages that we wrote, a bit each, atomic; NULL: not tracked */
};

#define GUEST_FILES_MAX 20 /* a kernel's segments, an initrd, regions */

/* Where a file is mapped: what is not resident there is not zero. */
struct guest_file_span {
	const uint8_t *start, *end;
};

struct guest_memory {
	struct guest_region regions[2];
	unsigned int n_regions, n_files;
	struct guest_file_span files[GUEST_FILES_MAX];
	dev_t file_dev; /* of the file that all of it was mapped from; file_ino 0: none */
	ino_t file_ino;
};

enum guest_pages { GUEST_PAGES_PLAIN, GUEST_PAGES_TRANSPARENT, GUEST_PAGES_2M };

/*
 * guest_memory_create() - anonymous memory of @bytes (a multiple of the page), nothing touched.
 * Return: 0 or -errno; -ENOMEM when the host has no such pages.
 */
int guest_memory_create(struct guest_memory *m, uint64_t bytes, enum guest_pages pages,
			struct error *err);
void guest_memory_finish(struct guest_memory *m);

/* guest_memory_note_file() - @bytes at @host are mapped from a file now. */
void guest_memory_note_file(struct guest_memory *m, const uint8_t *host, uint64_t bytes);

/* guest_memory_track() - remember which pages we write. */
void guest_memory_track(struct guest_memory *m);

/*
 * guest_memory_mark() - we are about to write @len bytes at @at, past guest_memory_write().  For
 * all who take a pointer from guest_memory_at() to write there.
 */
void guest_memory_mark(const struct guest_memory *m, struct gpa at, uint64_t len);

/* guest_memory_bytes() - all of it. */
uint64_t guest_memory_bytes(const struct guest_memory *m);

/*
 * guest_memory_at() - host address of @len bytes at @at, for data that is only moved, never
 * decided on.  Return: NULL unless all of it lies in one region.
 */
void *guest_memory_at(const struct guest_memory *m, struct gpa at, uint64_t len);

/* guest_memory_read/write() - copy.  Return: 0 or -EFAULT, then nothing was copied. */
int guest_memory_read(const struct guest_memory *m, struct gpa at, void *to, size_t len);
int guest_memory_write(const struct guest_memory *m, struct gpa at, const void *from, size_t len);

/*
 * guest_memory_discard() - the host may have back the whole pages of @len bytes at @host (from
 * guest_memory_at(); NULL: none): they read as when the machine was made.
 */
void guest_memory_discard(void *host, uint64_t len);

/*
 * guest_memory_load() - put @len bytes of @fd from @offset at @at.  Whole pages are mapped
 * privately where both sides lie on page boundaries (nothing is read until the guest touches
 * it), the rest is copied.  Return: 0, -EFAULT outside of memory, -ENODATA when the file ends
 * before, or -errno.
 */
int guest_memory_load(struct guest_memory *m, struct gpa at, int fd, off_t offset, uint64_t len);

#endif
