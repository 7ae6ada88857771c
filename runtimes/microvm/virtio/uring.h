/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring, the little of it that a drive needs, straight over the system calls.
 */
#ifndef MICROVM_VIRTIO_URING_H
#define MICROVM_VIRTIO_URING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct io_uring_sqe;
struct io_uring_cqe;

struct uring {
	int fd;
	unsigned int in_flight, limit;
	/* shared with the kernel */
	void *rings;
	size_t rings_bytes;
	struct io_uring_sqe *sqes;
	unsigned int *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_cqe *cqes;
};

#define URING_INIT       \
	{                \
		.fd = -1 \
	}

/* uring_open() - for @entries (a power of two) requests at a time; completions are signalled to
 * @event_fd (-1: to none).  Return: 0 or -errno: -ENOSYS or -EPERM where there is no io_uring. */
int uring_open(struct uring *u, unsigned int entries, int event_fd);

/* uring_close() - Preconditions: nothing is in flight. */
void uring_close(struct uring *u);

/*
 * uring_transfer() - read or write @n @parts (kept by the caller until it is done) at @offset;
 * uring_sync() - fdatasync.  Return: 0 with a completion for @tag to come, or -errno.
 */
int uring_transfer(struct uring *u, bool write, int fd, const struct iovec *parts, int n,
		   uint64_t offset, void *tag);
int uring_sync(struct uring *u, int fd, void *tag);

/* uring_done() - the next completion.  Return: its tag, or NULL; *ret_result: bytes or -errno. */
void *uring_done(struct uring *u, int *ret_result);

/* uring_wait() - until there is a completion. */
void uring_wait(struct uring *u);

#endif
