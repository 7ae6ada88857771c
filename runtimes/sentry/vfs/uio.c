/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving bytes of reads and writes; the sentry's own memory as one end.
 */
#include "runtimes/sentry/vfs/uio.h"

#include <errno.h>

#include "base/mem.h"

#define PAGE 4096u

/* part_at() - the memory that stands for offset @at; Return: bytes from there in one piece. */
static size_t part_at(struct uio *u, size_t at, void **ret)
{
	for (size_t n = 0; n < u->n_iov; n++) {
		if (at < u->iov[n].iov_len) {
			*ret = (char *)u->iov[n].iov_base + at;
			return u->iov[n].iov_len - at;
		}
		at -= u->iov[n].iov_len;
	}
	return 0;
}

static int buffer_put(struct uio *u, size_t at, const void *from, size_t len)
{
	void *to;

	while (len) {
		size_t n = MIN(part_at(u, at, &to), len);

		if (!n)
			return -EFAULT;
		memcpy(to, from, n);
		from = (const char *)from + n, at += n, len -= n;
	}
	return 0;
}

static int buffer_get(struct uio *u, size_t at, void *to, size_t len)
{
	void *from;

	while (len) {
		size_t n = MIN(part_at(u, at, &from), len);

		if (!n)
			return -EFAULT;
		memcpy(to, from, n);
		to = (char *)to + n, at += n, len -= n;
	}
	return 0;
}

static size_t buffer_direct(struct uio *u, size_t at, bool to_write, void **ret)
{
	(void)to_write;
	return part_at(u, at, ret);
}

static const struct uio_ops buffer_ops = {
	.put = buffer_put,
	.get = buffer_get,
	.direct = buffer_direct,
};

struct uio uio_of_buffer(struct iovec *iov, void *buf, size_t len)
{
	*iov = (struct iovec){ .iov_base = buf, .iov_len = len };
	return (struct uio){ .ops = &buffer_ops, .owner = buf, .iov = iov, .n_iov = 1, .len = len };
}

/* put_some() - what goes before the bad address, a page at a time. */
static void put_some(struct uio *u, const char *from, size_t len)
{
	while (len) {
		void *to;
		size_t n = MIN(part_at(u, u->done, &to), PAGE - (uintptr_t)to % PAGE);

		n = MIN(n, len);
		if (!n || u->ops->put(u, u->done, from, n) < 0)
			break;
		u->done += n, from += n, len -= n;
	}
}

int uio_put(struct uio *u, const void *from, size_t len)
{
	int rc;

	if (len > uio_left(u))
		return -EFAULT;
	rc = u->ops->put(u, u->done, from, len);
	if (rc == 0)
		u->done += len;
	else
		put_some(u, from, len);
	return rc;
}

int uio_get(struct uio *u, void *to, size_t len)
{
	int rc;

	if (len > uio_left(u))
		return -EFAULT;
	rc = u->ops->get(u, u->done, to, len);
	if (rc == 0)
		u->done += len;
	return rc;
}
