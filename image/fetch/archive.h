/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images in a tar archive: an OCI layout, or what `docker save` writes.
 */
#ifndef IMAGE_FETCH_ARCHIVE_H
#define IMAGE_FETCH_ARCHIVE_H

#include <stdbool.h>

#include "image/fetch/registry.h"

struct archive;

/* archive_open() - find what is in @fd, a regular file that stays the caller's. */
int archive_open(int fd, struct archive **ret, struct error *err);
void archive_close(struct archive *a); /* may be NULL */

/*
 * archive_resolve() - manifest and config of the image at @index (from 0), for @os and @arch.
 * Names that the archive has for it are added to @ret_names; *ret_more: another one follows.
 */
int archive_resolve(struct archive *a, size_t index, const char *os, const char *arch,
		    struct registry_image *ret, struct strlist *ret_names, bool *ret_more,
		    struct error *err);

/* archive_blob() - write a blob into its pipe and verify it; as registry_blob(). */
int archive_blob(const struct archive *a, const struct registry_blob *blob, struct error *err);

#endif
