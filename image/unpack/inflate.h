/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The uncompressed bytes of a layer.
 */
#ifndef IMAGE_UNPACK_INFLATE_H
#define IMAGE_UNPACK_INFLATE_H

#include <sys/types.h>

#include "base/error.h"

struct inflate;

/*
 * inflate_open() - read @fd (which stays the caller's) as the compression that @media_type says.
 * Errors: -EINVAL unknown type.
 */
int inflate_open(int fd, const char *media_type, struct inflate **ret, struct error *err);
void inflate_close(struct inflate *in); /* may be NULL */

/*
 * inflate_read() - as read(2), uncompressed; seldom fills @to.
 * Return: a length, 0 at the real end of the input, or a negative errno (-EBADMSG: the stream is
 * cut off or corrupt).
 */
ssize_t inflate_read(struct inflate *in, void *to, size_t size, struct error *err);

#endif
