/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A split virtqueue, seen from the device (virtio 1.2, section 2.7).
 *
 *   descriptors  16 bytes each: address, length, flags, next
 *   available    flags, index, ring of heads          (the driver writes)
 *   used         flags, index, ring of (head, length) (we write)
 *
 * All of it lies in guest memory, which changes under our eyes: every field is read once, and
 * a chain is checked as a whole before the device sees any of it.  What breaks the rules is
 * -EBADMSG, after which the device stops until it is reset.
 */
#ifndef MICROVM_VIRTIO_QUEUE_H
#define MICROVM_VIRTIO_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "runtimes/microvm/kvm/memory.h"

#define QUEUE_SIZE_MAX	  256
#define QUEUE_CHAIN_MAX	  QUEUE_SIZE_MAX
#define QUEUE_CHAIN_BYTES (64U << 20) /* longest sum of one chain */

struct virtqueue {
	const struct guest_memory *memory;
	uint16_t size; /* entries, a power of two */
	bool ready;
	struct gpa descriptors, available, used;
	uint16_t next_available, next_used;
	bool event_index;   /* VIRTIO_F_EVENT_IDX was negotiated */
	uint16_t signalled; /* next_used at the last decision about an interrupt */
};

/* A request: what the device may read, then what it may write, as pointers into memory. */
struct queue_chain {
	uint16_t head;
	unsigned int n_read, n_write;
	uint32_t read_bytes, write_bytes;
	struct iovec parts[QUEUE_CHAIN_MAX]; /* n_read of them, then n_write */
};

/* virtqueue_reset() - as after power-on. */
void virtqueue_reset(struct virtqueue *q);

/*
 * virtqueue_check() - size and the three areas, when the driver makes the queue ready.
 * Return: 0 or -EBADMSG.
 */
int virtqueue_check(const struct virtqueue *q);

/* virtqueue_pop() - Return: 1 with a chain, 0 when there is none, -EBADMSG. */
int virtqueue_pop(struct virtqueue *q, struct queue_chain *ret);

/* virtqueue_unpop() - the chain popped last was not needed: it comes again. */
void virtqueue_unpop(struct virtqueue *q);

/*
 * virtqueue_fill() - the @i-th of several chains that go back together, @written bytes in it.
 * Return: 0 or -EBADMSG.  virtqueue_publish() - now the driver sees @n of them.
 */
int virtqueue_fill(struct virtqueue *q, uint16_t i, uint16_t head, uint32_t written);
void virtqueue_publish(struct virtqueue *q, uint16_t n);

/* virtqueue_push() - give a chain back, @written bytes into it.  Return: 0 or -EBADMSG. */
int virtqueue_push(struct virtqueue *q, uint16_t head, uint32_t written);

/*
 * virtqueue_wants_interrupt() - whether the driver wants to hear of what has been pushed since
 * the last call.
 */
bool virtqueue_wants_interrupt(struct virtqueue *q);

/*
 * virtqueue_ask() - ask for a notification of the next chain.
 * Return: whether one is there already: then pop again.
 */
bool virtqueue_ask(struct virtqueue *q);

/*
 * virtqueue_arm() - ask for a notification of the next chain beyond all that are there, some of
 * which have been left (too few for a packet).  Look once more afterwards.
 */
void virtqueue_arm(struct virtqueue *q);

/* chain_read(), chain_write() - copy at @offset of what may be read or written.
 * Return: 0, or -EBADMSG when the chain is shorter. */
int chain_read(const struct queue_chain *c, uint32_t offset, void *to, uint32_t len);
int chain_write(const struct queue_chain *c, uint32_t offset, const void *from, uint32_t len);

/*
 * chain_parts() - the @len bytes at @offset of the readable (@write false) or writable part, as
 * an iovec list of at most QUEUE_CHAIN_MAX for preadv(2) and the like.
 * Return: entries, or -EBADMSG when the chain is shorter.
 */
int chain_parts(const struct queue_chain *c, bool write, uint32_t offset, uint32_t len,
		struct iovec ret[QUEUE_CHAIN_MAX]);

#endif
