/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes and FIFOs.
 */
#ifndef SENTRY_VFS_PIPE_H
#define SENTRY_VFS_PIPE_H

#include "runtimes/sentry/vfs/file.h"

#define PIPE_CAPACITY	  (64u << 10) /* of a new pipe, as Linux */
#define PIPE_MAX_CAPACITY (1u << 20)  /* fs.pipe-max-size */

struct pipe;

/* pipe_create() - both ends; @flags: O_NONBLOCK, O_CLOEXEC is the caller's. */
int pipe_create(unsigned int flags, struct cred *c, struct file **ret_read,
		struct file **ret_write);
/* pipe_open_fifo() - open of a FIFO: waits for the other end. @f has inode and flags. */
int pipe_open_fifo(struct inode *i, struct file *f);
/* pipe_get_capacity(), pipe_set_capacity() - F_GETPIPE_SZ, F_SETPIPE_SZ. -EBADF: @f is no pipe. */
int pipe_get_capacity(struct file *f);
int pipe_set_capacity(struct file *f, uint64_t bytes, bool privileged);
/* pipe_peek() - copy up to @len bytes and leave them in (tee). Return: bytes, 0 at the end, -errno.
 */
ssize_t pipe_peek(struct file *f, char *buf, size_t len, bool nonblock);
bool pipe_is(const struct file *f);
void pipe_put(struct pipe *p); /* may be NULL */

#endif
