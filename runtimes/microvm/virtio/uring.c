/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring over the system calls.
 *
 *   we: fill sqes[tail], publish the tail, io_uring_enter()   kernel: takes from the head
 *   kernel: fills cqes[tail]                                  we: take from the head, publish it
 *
 * One request is submitted at a time: the submission ring is empty between two of them.
 */
#include "runtimes/microvm/virtio/uring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/mem.h"

static int enter(const struct uring *u, unsigned int submit, unsigned int wait)
{
	long r;

	do
		r = syscall(SYS_io_uring_enter, u->fd, submit, wait,
			    wait ? IORING_ENTER_GETEVENTS : 0, NULL, 0);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : (int)r;
}

static int map_rings(struct uring *u, const struct io_uring_params *p)
{
	size_t sq = p->sq_off.array + p->sq_entries * sizeof(unsigned int);
	size_t cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	uint8_t *rings;

	u->rings_bytes = MAX(sq, cq);
	u->rings = mmap(NULL, u->rings_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, u->fd,
			IORING_OFF_SQ_RING);
	u->limit = p->sq_entries;
	u->sqes = mmap(NULL, p->sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE,
		       MAP_SHARED, u->fd, IORING_OFF_SQES);
	if (u->rings == MAP_FAILED || u->sqes == MAP_FAILED)
		return -errno;
	rings = u->rings;
	u->sq_tail = (unsigned int *)(rings + p->sq_off.tail);
	u->sq_mask = (unsigned int *)(rings + p->sq_off.ring_mask);
	u->sq_array = (unsigned int *)(rings + p->sq_off.array);
	u->cq_head = (unsigned int *)(rings + p->cq_off.head);
	u->cq_tail = (unsigned int *)(rings + p->cq_off.tail);
	u->cq_mask = (unsigned int *)(rings + p->cq_off.ring_mask);
	u->cqes = (struct io_uring_cqe *)(rings + p->cq_off.cqes);
	return 0;
}

int uring_open(struct uring *u, unsigned int entries, int event_fd)
{
	struct io_uring_params p = { 0 };
	int r;

	*u = (struct uring){ .fd = (int)syscall(SYS_io_uring_setup, entries, &p),
			     .rings = MAP_FAILED,
			     .sqes = MAP_FAILED };
	if (u->fd < 0)
		return -errno;
	/* one mapping for both rings: since Linux 5.4 */
	r = p.features & IORING_FEAT_SINGLE_MMAP ? map_rings(u, &p) : -ENOSYS;
	if (!r && event_fd >= 0 &&
	    syscall(SYS_io_uring_register, u->fd, IORING_REGISTER_EVENTFD, &event_fd, 1))
		r = -errno;
	if (r)
		uring_close(u);
	return r;
}

void uring_close(struct uring *u)
{
	if (u->fd < 0)
		return;
	if (u->rings != MAP_FAILED)
		munmap(u->rings, u->rings_bytes);
	if (u->sqes != MAP_FAILED)
		munmap(u->sqes, u->limit * sizeof(struct io_uring_sqe));
	close_fd(&u->fd);
}

static int submit(struct uring *u, const struct io_uring_sqe *request)
{
	unsigned int tail = *u->sq_tail, at = tail & *u->sq_mask;
	int r;

	if (u->in_flight == u->limit)
		return -EBUSY;
	u->sqes[at] = *request;
	u->sq_array[at] = at;
	__atomic_store_n(u->sq_tail, tail + 1, __ATOMIC_RELEASE);
	r = enter(u, 1, 0);
	if (r != 1) {
		__atomic_store_n(u->sq_tail, tail, __ATOMIC_RELEASE); /* it was not taken */
		return r < 0 ? r : -EBUSY;
	}
	u->in_flight++;
	return 0;
}

int uring_transfer(struct uring *u, bool write, int fd, const struct iovec *parts, int n,
		   uint64_t offset, void *tag)
{
	const struct io_uring_sqe request = {
		.opcode = write ? IORING_OP_WRITEV : IORING_OP_READV,
		.fd = fd,
		.addr = (uintptr_t)parts,
		.len = (uint32_t)n,
		.off = offset,
		.user_data = (uintptr_t)tag,
	};

	return submit(u, &request);
}

int uring_sync(struct uring *u, int fd, void *tag)
{
	const struct io_uring_sqe request = {
		.opcode = IORING_OP_FSYNC,
		.fd = fd,
		.fsync_flags = IORING_FSYNC_DATASYNC,
		.user_data = (uintptr_t)tag,
	};

	return submit(u, &request);
}

void *uring_done(struct uring *u, int *ret_result)
{
	unsigned int head = *u->cq_head;
	const struct io_uring_cqe *c;
	void *tag;

	if (head == __atomic_load_n(u->cq_tail, __ATOMIC_ACQUIRE))
		return NULL;
	c = &u->cqes[head & *u->cq_mask];
	tag = (void *)(uintptr_t)c->user_data;
	*ret_result = c->res;
	__atomic_store_n(u->cq_head, head + 1, __ATOMIC_RELEASE);
	u->in_flight--;
	return tag;
}

void uring_wait(struct uring *u)
{
	(void)enter(u, 0, 1);
}
