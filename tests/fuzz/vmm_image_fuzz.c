/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzer: kernel images as the VMM reads them.
 *
 * What the parser accepts must lie in memory and in the file, with its entry inside, and loads.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtimes/microvm/boot/load.h"

#define MEMORY (32ULL << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(const struct kernel_image *image, size_t len)
{
	for (unsigned int i = 0; i < image->n_segments; i++) {
		const struct image_segment *s = &image->segments[i];

		if (s->offset > len || s->file_bytes > len - s->offset)
			abort();
		if (s->gpa < IMAGE_LOWEST || s->gpa > MEMORY || s->memory_bytes > MEMORY - s->gpa)
			abort();
	}
	if (image->entry < IMAGE_LOWEST || image->entry >= MEMORY || image->end > MEMORY)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct load_source source = { .initrd_fd = -1, .command_line = "x", .acpi.n_vcpus = 1 };
	struct guest_memory memory;
	struct load_entry entry;
	struct kernel_image image;
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	source.kernel_fd = fd;
	if (!image_parse(fd, MEMORY, &image, NULL)) {
		check(&image, len);
		if (guest_memory_create(&memory, MEMORY, GUEST_PAGES_PLAIN, NULL))
			abort();
		if (load_linux(&memory, &source, &entry, NULL))
			abort();
		guest_memory_finish(&memory);
	}
	close(fd);
	return 0;
}
