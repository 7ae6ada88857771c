/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a drive does with its file, at once.
 */
#ifndef MICROVM_VIRTIO_BLOCK_FILE_H
#define MICROVM_VIRTIO_BLOCK_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* block_file_transfer() - all of @parts (which it changes), over short reads and writes.
 * Return: 0 or -errno; -EIO when the file ends before. */
int block_file_transfer(int fd, bool write, struct iovec *parts, int n, off_t at);

/* iovec_skip() - drop the first @bytes of @parts.  Return: how many parts are left, *parts on. */
int iovec_skip(struct iovec **parts, int n, size_t bytes);

/* block_file_punch/zero() - a hole; zeros that keep their place.  Return: 0 or -errno. */
int block_file_punch(int fd, off_t at, off_t len);
int block_file_zero(int fd, off_t at, off_t len);

#endif
