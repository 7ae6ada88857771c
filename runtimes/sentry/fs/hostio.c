/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving bytes between a host descriptor and a uio.
 */
#include "runtimes/sentry/fs/hostio.h"

#include <errno.h>
#include <unistd.h>

#include "base/mem.h"

#define BOUNCE_BYTES (16u << 10) /* serving threads have small stacks */

/* piece() - memory for up to @len bytes: the uio's own, or @bounce. */
static size_t piece(struct uio *u, size_t len, bool to_write, char *bounce, void **ret)
{
	size_t n = u->ops->direct ? u->ops->direct(u, u->done, to_write, ret) : 0;

	if (n)
		return MIN(n, len);
	*ret = bounce;
	return MIN(len, BOUNCE_BYTES);
}

ssize_t host_pread(int fd, struct uio *to, size_t len, int64_t pos)
{
	char bounce[BOUNCE_BYTES] __attribute__((uninitialized));
	size_t done = 0;

	len = MIN(len, uio_left(to));
	while (done < len) {
		void *at;
		size_t n = piece(to, len - done, true, bounce, &at);
		ssize_t got = pread(fd, at, n, pos + (int64_t)done);
		int rc = 0;

		if (got <= 0)
			return done || got == 0 ? (ssize_t)done : -errno;
		if (at != bounce)
			to->done += (size_t)got;
		else
			rc = uio_put(to, bounce, (size_t)got);
		if (rc < 0)
			return done ? (ssize_t)done : rc;
		done += (size_t)got;
		if ((size_t)got < n)
			break;
	}
	return (ssize_t)done;
}

ssize_t host_pwrite(int fd, struct uio *from, size_t len, int64_t pos)
{
	char bounce[BOUNCE_BYTES] __attribute__((uninitialized));
	size_t done = 0;

	len = MIN(len, uio_left(from));
	while (done < len) {
		void *at;
		size_t n = piece(from, len - done, false, bounce, &at), before = from->done;
		int rc = at == bounce ? uio_get(from, bounce, n) : 0;
		ssize_t put;

		if (rc < 0)
			return done ? (ssize_t)done : rc;
		put = pwrite(fd, at, n, pos + (int64_t)done);
		from->done = before + (put > 0 ? (size_t)put : 0);
		if (put <= 0)
			return done || put == 0 ? (ssize_t)done : -errno;
		done += (size_t)put;
		if ((size_t)put < n)
			break;
	}
	return (ssize_t)done;
}
