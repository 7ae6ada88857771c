/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the bytes of a read or write come from or go to.
 *
 * A file moves bytes with uio_put() and uio_get() and never sees a guest's address.  A bad address
 * gives -EFAULT; what was moved before stays moved, and uio->done tells how much.
 */
#ifndef SENTRY_VFS_UIO_H
#define SENTRY_VFS_UIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct uio;

/* Implemented by sys/copy.c for guest memory and by vfs/uio.c for the sentry's own. */
struct uio_ops {
	/* -EFAULT, or 0 when all @len bytes were copied to or from offset @at of the whole */
	int (*put)(struct uio *u, size_t at, const void *from, size_t len);
	int (*get)(struct uio *u, size_t at, void *to, size_t len);
	/*
	 * direct: memory of ours that stands for the bytes from @at on: the channel's window or our
	 * own buffer.  What is read there the guest may change at any time: it is for the host, not
	 * to be looked at.  Return: how many bytes from there are contiguous, 0: none.
	 */
	size_t (*direct)(struct uio *u, size_t at, bool to_write, void **ret);
};

struct uio {
	const struct uio_ops *ops;
	void *owner;		 /* the thread whose memory it is, or the buffer */
	const struct iovec *iov; /* guest addresses, or ours */
	size_t n_iov;
	size_t len;  /* of the whole */
	size_t done; /* moved so far */
	bool append; /* RWF_APPEND: to the end of the file */
	bool nowait; /* RWF_NOWAIT: -EAGAIN rather than sleep */
};

/* uio_of_buffer() - the sentry's own memory; @iov is filled in and must live as long as the uio. */
struct uio uio_of_buffer(struct iovec *iov, void *buf, size_t len);
/* uio_left() - bytes not moved yet. */
static inline size_t uio_left(const struct uio *u)
{
	return u->len - u->done;
}
/* uio_put() - @len bytes to it; advances done, also over what was put before a bad address.
 * Return: 0 or -EFAULT. */
int uio_put(struct uio *u, const void *from, size_t len);
/* uio_get() - @len bytes from it; advances done. Return: 0 or -EFAULT. */
int uio_get(struct uio *u, void *to, size_t len);

#endif
