/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer's uncompressed bytes, made ahead by a thread.
 */
#ifndef IMAGE_UNPACK_FEED_H
#define IMAGE_UNPACK_FEED_H

#include <stdint.h>
#include <sys/types.h>

#include "base/digest.h"
#include "base/error.h"

struct feed;

/*
 * feed_open() - read @fd (which stays the caller's) as what @media_type says, at most @max_bytes
 * uncompressed.  Errors: those of inflate_open().
 */
int feed_open(int fd, const char *media_type, uint64_t max_bytes, struct feed **ret,
	      struct error *err);
/* feed_next() - the next piece, valid until the next call.  Return: length, 0 at the end, -errno.
 */
ssize_t feed_next(struct feed *f, const void **ret_data, struct error *err);
/* feed_digest() - of all that was given, once feed_next() has said 0. */
void feed_digest(struct feed *f, char out[DIGEST_MAX]);
/* feed_close() - waits for the thread, which may be reading @fd.  May be NULL. */
void feed_close(struct feed *f);

#endif
