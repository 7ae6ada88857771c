/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives of images: a layout or a docker archive, resolved and every layer of it read.
 *
 * Checksums of headers are made right first, or hardly any change would get beyond them.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "image/fetch/archive.h"
#include "image/manifest.h"

#define BLOCK	   512
#define MAX_IMAGES 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fix_checksums(unsigned char *data, size_t size)
{
	for (size_t at = 0; at + BLOCK <= size; at += BLOCK) {
		unsigned char *h = data + at;
		unsigned int sum = 0;

		if (memcmp(h + 257, "ustar", 5) != 0)
			continue;
		memset(h + 148, ' ', 8);
		for (size_t i = 0; i < BLOCK; i++)
			sum += h[i];
		snprintf((char *)h + 148, 8, "%06o", sum);
	}
}

static void read_layers(const struct archive *a, const struct registry_image *image, int out)
{
	struct manifest m;
	struct error err = ERROR_INIT;

	if (manifest_parse(image->manifest.data, image->manifest.len, &m, &err) < 0)
		return;
	for (size_t i = 0; i < m.n_layers; i++) {
		struct registry_blob b = {
			.digest = m.layers[i].digest,
			.size_bytes = m.layers[i].size_bytes,
			.out = out,
		};

		if (archive_blob(a, &b, &err) < 0 && err.text[0] == '\0')
			abort();
	}
	manifest_finish(&m);
}

static void read_images(struct archive *a, int out)
{
	bool more = true;

	for (size_t i = 0; more && i < MAX_IMAGES; i++) {
		struct strlist names cleanup_strlist = { 0 };
		struct registry_image image = { 0 };
		struct error err = ERROR_INIT;

		more = false;
		if (archive_resolve(a, i, "linux", "amd64", &image, &names, &more, &err) == 0)
			read_layers(a, &image, out);
		else if (err.text[0] == '\0')
			abort();
		registry_image_finish(&image);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd cleanup_close = memfd_create("archive", MFD_CLOEXEC);
	int out cleanup_close = open("/dev/null", O_WRONLY | O_CLOEXEC);
	unsigned char *copy cleanup_free = xmemdup(data, size);
	struct error err = ERROR_INIT;
	struct archive *a = NULL;

	fix_checksums(copy, size);
	if (fd < 0 || out < 0 || fd_write_all(fd, copy, size) < 0)
		abort();
	if (archive_open(fd, &a, &err) < 0) {
		if (err.text[0] == '\0')
			abort();
		return 0;
	}
	read_images(a, out);
	archive_close(a);
	return 0;
}
