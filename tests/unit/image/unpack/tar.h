/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tar writer for tests: also what no honest program writes.
 */
#ifndef TESTS_UNIT_IMAGE_UNPACK_TAR_H
#define TESTS_UNIT_IMAGE_UNPACK_TAR_H

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/str.h"
#include "image/unpack/unpack.h"

struct tar_entry {
	const char *name;
	char type; /* '0' file '1' hard link '2' symlink '3' char '4' block '5' dir '6' fifo */
	const char *link, *data;
	unsigned int mode, uid, gid, major, minor;
	const char *pax_key, *pax_value; /* one pax record before the entry */
	size_t pax_value_len;		 /* 0: strlen() */
};

#define TAR_MTIME 1000000000

static void tar_header(struct strbuf *out, const struct tar_entry *e, size_t size)
{
	char h[512] = { 0 };
	unsigned int sum = 8 * ' ';

	snprintf(h, 100, "%s", e->name);
	snprintf(h + 100, 8, "%07o", (e->mode ? e->mode : 0644) & 07777777);
	snprintf(h + 108, 8, "%07o", e->uid & 07777777);
	snprintf(h + 116, 8, "%07o", e->gid & 07777777);
	snprintf(h + 124, 12, "%011zo", size & 077777777777);
	snprintf(h + 136, 12, "%011o", TAR_MTIME);
	h[156] = e->type;
	snprintf(h + 157, 100, "%s", e->link ? e->link : "");
	memcpy(h + 257, "ustar\00000", 8);
	snprintf(h + 329, 8, "%07o", e->major & 07777777);
	snprintf(h + 337, 8, "%07o", e->minor & 07777777);
	for (size_t i = 0; i < sizeof(h); i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum & 0777777);
	strbuf_append(out, h, sizeof(h));
}

static void tar_data(struct strbuf *out, const void *data, size_t len)
{
	static const char zeros[512];

	strbuf_append(out, data, len);
	strbuf_append(out, zeros, (512 - len % 512) % 512);
}

static void tar_pax(struct strbuf *out, const struct tar_entry *e)
{
	const struct tar_entry x = { .name = "pax", .type = 'x' };
	size_t value = e->pax_value_len ? e->pax_value_len : strlen(e->pax_value);
	size_t len = 4 + 1 + strlen(e->pax_key) + 1 + value + 1;
	struct strbuf record cleanup_strbuf = { 0 };

	strbuf_printf(&record, "%04zu %s=", len, e->pax_key);
	strbuf_append(&record, e->pax_value, value);
	strbuf_putc(&record, '\n');
	tar_header(out, &x, record.len);
	tar_data(out, record.data, record.len);
}

static void tar_add(struct strbuf *out, const struct tar_entry *e)
{
	size_t size = e->data ? strlen(e->data) : 0;

	if (e->pax_key)
		tar_pax(out, e);
	tar_header(out, e, size);
	if (size)
		tar_data(out, e->data, size);
}

__attribute__((unused)) static void tar_make(struct strbuf *out, const struct tar_entry *entries,
					     size_t count)
{
	static const char end[1024];

	for (size_t i = 0; i < count; i++)
		tar_add(out, &entries[i]);
	strbuf_append(out, end, sizeof(end));
}

/* tar_fd() - the bytes as a descriptor to read. */
__attribute__((unused)) static int tar_fd(const void *data, size_t len)
{
	int fd = memfd_create("tar", MFD_CLOEXEC);

	if (fd < 0 || fd_write_all(fd, data, len) < 0)
		abort();
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* tar_unpack() - plain @tar into directory @root. */
__attribute__((unused)) static int tar_unpack(const struct strbuf *tar, int root,
					      struct unpack_result *ret, struct error *err)
{
	char diff_id[DIGEST_MAX];
	struct unpack u = { .root_fd = root,
			    .in_fd = tar_fd(tar->data, tar->len),
			    .media_type = "application/vnd.oci.image.layer.v1.tar",
			    .diff_id = diff_id,
			    .max_bytes = 1 << 20 };
	int rc;

	digest_of(tar->data, tar->len, diff_id);
	rc = unpack_layer(&u, ret, err);
	close(u.in_fd);
	return rc;
}

#endif
