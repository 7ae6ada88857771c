/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a drive does with its file.
 */
#include "runtimes/microvm/virtio/block_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>

int iovec_skip(struct iovec **parts, int n, size_t bytes)
{
	while (n && bytes >= (*parts)->iov_len) {
		bytes -= (*parts)->iov_len;
		(*parts)++;
		n--;
	}
	if (n) {
		(*parts)->iov_base = (uint8_t *)(*parts)->iov_base + bytes;
		(*parts)->iov_len -= bytes;
	}
	return n;
}

int block_file_transfer(int fd, bool write, struct iovec *parts, int n, off_t at)
{
	while (n) {
		ssize_t done = write ? pwritev(fd, parts, n, at) : preadv(fd, parts, n, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? -errno : -EIO;
		at += done;
		n = iovec_skip(&parts, n, (size_t)done);
	}
	return 0;
}

int block_file_punch(int fd, off_t at, off_t len)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len) ? -errno : 0;
}

int block_file_zero(int fd, off_t at, off_t len)
{
	return fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, at, len) ? -errno : 0;
}
