/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One layer archive into one directory.
 */
#ifndef IMAGE_UNPACK_UNPACK_H
#define IMAGE_UNPACK_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"

#define UNPACK_MAX_BYTES   (64ULL << 30)
#define UNPACK_MAX_ENTRIES 2000000

struct unpack {
	int in_fd;   /* compressed layer, read to its end */
	int root_fd; /* the layer's directory, empty */
	const char *media_type;
	const char *diff_id; /* "sha256:..." the uncompressed archive must have */
	uint64_t max_bytes;  /* of the archive, and of all files together */
	bool sync;	     /* wait for the disk */
};

struct unpack_result {
	char diff_id[DIGEST_MAX];
	uint64_t bytes;	 /* of regular files, in blocks of 512 */
	uint64_t inodes; /* entries */
};

/*
 * unpack_layer() - the whole layer; what a failed one left is the caller's to remove.
 * The umask must be 0.  Errors are one line and name the entry.
 */
int unpack_layer(const struct unpack *u, struct unpack_result *ret, struct error *err);

#endif
