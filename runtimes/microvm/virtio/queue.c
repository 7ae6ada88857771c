/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A split virtqueue, seen from the device.
 */
#include "runtimes/microvm/virtio/queue.h"

#include "base/mem.h"

#define DESC_NEXT     1
#define DESC_WRITE    2
#define DESC_INDIRECT 4

#define NO_INTERRUPT 1 /* flag of the available ring */

struct descriptor {
	uint64_t at;
	uint32_t len;
	uint16_t flags, next;
};

struct used_element {
	uint32_t head, len;
};

/* A table of descriptors that a chain walks through: the queue's, or an indirect one. */
struct table {
	struct gpa at;
	uint32_t count;
};

void virtqueue_reset(struct virtqueue *q)
{
	*q = (struct virtqueue){ .memory = q->memory };
}

int virtqueue_check(const struct virtqueue *q)
{
	uint64_t n = q->size;

	if (!n || n > QUEUE_SIZE_MAX || (n & (n - 1)))
		return -EBADMSG;
	if (q->descriptors.at % 16 || q->available.at % 2 || q->used.at % 4)
		return -EBADMSG;
	if (!guest_memory_at(q->memory, q->descriptors, n * sizeof(struct descriptor)) ||
	    !guest_memory_at(q->memory, q->available, 6 + 2 * n) ||
	    !guest_memory_at(q->memory, q->used, 6 + n * sizeof(struct used_element)))
		return -EBADMSG;
	return 0;
}

/* Indices are shared with the driver's processors: one load, one store, in order. */
static uint16_t load_u16(const struct virtqueue *q, uint64_t at)
{
	const uint16_t *p = guest_memory_at(q->memory, GPA(at), 2);

	return p ? __atomic_load_n(p, __ATOMIC_ACQUIRE) : 0;
}

static void store_u16(const struct virtqueue *q, uint64_t at, uint16_t v)
{
	uint16_t *p = guest_memory_at(q->memory, GPA(at), 2);

	guest_memory_mark(q->memory, GPA(at), 2);
	if (p)
		__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/* --- chains ----------------------------------------------------------------------------------- */

static int read_descriptor(const struct virtqueue *q, const struct table *t, uint32_t i,
			   struct descriptor *ret)
{
	if (i >= t->count)
		return -EBADMSG;
	return guest_memory_read(q->memory, GPA(t->at.at + i * sizeof(*ret)), ret, sizeof(*ret))
		       ? -EBADMSG
		       : 0;
}

/* add_part() - readable parts come first; nothing is empty or outside of memory. */
static int add_part(const struct virtqueue *q, struct queue_chain *c, const struct descriptor *d)
{
	unsigned int n = c->n_read + c->n_write;
	bool write = d->flags & DESC_WRITE;
	void *p = guest_memory_at(q->memory, GPA(d->at), d->len);

	if (!p || !d->len || n == QUEUE_CHAIN_MAX || (!write && c->n_write))
		return -EBADMSG;
	if (d->len > QUEUE_CHAIN_BYTES - c->read_bytes - c->write_bytes)
		return -EBADMSG;
	c->parts[n] = (struct iovec){ .iov_base = p, .iov_len = d->len };
	if (write) {
		guest_memory_mark(q->memory, GPA(d->at), d->len);
		c->n_write++;
		c->write_bytes += d->len;
	} else {
		c->n_read++;
		c->read_bytes += d->len;
	}
	return 0;
}

/* An indirect table holds whole descriptors, is not nested, and ends the chain. */
static int enter_indirect(const struct descriptor *d, struct table *t)
{
	uint32_t count = d->len / sizeof(struct descriptor);

	if ((d->flags & DESC_NEXT) || d->len % sizeof(struct descriptor) || !count ||
	    count > QUEUE_CHAIN_MAX)
		return -EBADMSG;
	*t = (struct table){ .at = GPA(d->at), .count = count };
	return 0;
}

/* A chain that is longer than its table goes round in a circle: the count ends it. */
static int walk(const struct virtqueue *q, struct queue_chain *c)
{
	struct table t = { .at = q->descriptors, .count = q->size };
	struct descriptor d;
	bool indirect = false;
	uint32_t i = c->head;

	for (uint32_t steps = 0; steps < t.count; steps++) {
		if (read_descriptor(q, &t, i, &d))
			return -EBADMSG;
		if (d.flags & DESC_INDIRECT) {
			if (indirect || enter_indirect(&d, &t))
				return -EBADMSG;
			indirect = true;
			steps = UINT32_MAX; /* counted anew in the new table */
			i = 0;
			continue;
		}
		if (add_part(q, c, &d))
			return -EBADMSG;
		if (!(d.flags & DESC_NEXT))
			return 0;
		i = d.next;
	}
	return -EBADMSG;
}

int virtqueue_pop(struct virtqueue *q, struct queue_chain *ret)
{
	uint16_t index = load_u16(q, q->available.at + 2);
	uint16_t waiting = (uint16_t)(index - q->next_available);

	if (!waiting)
		return 0;
	if (waiting > q->size)
		return -EBADMSG;
	ret->n_read = ret->n_write = 0;
	ret->read_bytes = ret->write_bytes = 0;
	ret->head = load_u16(q, q->available.at + 4 + 2ULL * (q->next_available % q->size));
	if (ret->head >= q->size || walk(q, ret))
		return -EBADMSG;
	q->next_available++;
	return 1;
}

void virtqueue_unpop(struct virtqueue *q)
{
	q->next_available--;
}

int virtqueue_fill(struct virtqueue *q, uint16_t i, uint16_t head, uint32_t written)
{
	struct used_element e = { .head = head, .len = written };
	uint16_t slot = (uint16_t)(q->next_used + i) % q->size;

	return guest_memory_write(q->memory, GPA(q->used.at + 4 + sizeof(e) * slot), &e, sizeof(e))
		       ? -EBADMSG
		       : 0;
}

void virtqueue_publish(struct virtqueue *q, uint16_t n)
{
	q->next_used = (uint16_t)(q->next_used + n);
	store_u16(q, q->used.at + 2, q->next_used);
}

int virtqueue_push(struct virtqueue *q, uint16_t head, uint32_t written)
{
	if (virtqueue_fill(q, 0, head, written))
		return -EBADMSG;
	virtqueue_publish(q, 1);
	return 0;
}

/* --- notifications ---------------------------------------------------------------------------- */

bool virtqueue_wants_interrupt(struct virtqueue *q)
{
	uint16_t before = q->signalled, event;

	if (before == q->next_used)
		return false;
	q->signalled = q->next_used;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the index is seen before we look */
	if (!q->event_index)
		return !(load_u16(q, q->available.at) & NO_INTERRUPT);
	event = load_u16(q, q->available.at + 4 + 2ULL * q->size);
	return (uint16_t)(q->next_used - event - 1) < (uint16_t)(q->next_used - before);
}

void virtqueue_arm(struct virtqueue *q)
{
	if (q->event_index)
		store_u16(q, q->used.at + 4 + sizeof(struct used_element) * q->size,
			  load_u16(q, q->available.at + 2));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

bool virtqueue_ask(struct virtqueue *q)
{
	virtqueue_arm(q);
	return load_u16(q, q->available.at + 2) != q->next_available;
}

/* --- data ------------------------------------------------------------------------------------- */

int chain_parts(const struct queue_chain *c, bool write, uint32_t offset, uint32_t len,
		struct iovec ret[QUEUE_CHAIN_MAX])
{
	const struct iovec *part = c->parts + (write ? c->n_read : 0);
	uint32_t have = write ? c->write_bytes : c->read_bytes;
	int n = 0;

	if (offset > have || len > have - offset)
		return -EBADMSG;
	for (; len; part++) {
		uint32_t bytes = (uint32_t)part->iov_len;

		if (offset >= bytes) {
			offset -= bytes;
			continue;
		}
		bytes = MIN(bytes - offset, len);
		ret[n++] = (struct iovec){ (uint8_t *)part->iov_base + offset, bytes };
		len -= bytes;
		offset = 0;
	}
	return n;
}

int chain_read(const struct queue_chain *c, uint32_t offset, void *to, uint32_t len)
{
	struct iovec parts[QUEUE_CHAIN_MAX];
	int n = chain_parts(c, false, offset, len, parts);
	uint8_t *out = to;

	for (int i = 0; i < n; i++) {
		memcpy(out, parts[i].iov_base, parts[i].iov_len);
		out += parts[i].iov_len;
	}
	return n < 0 ? n : 0;
}

int chain_write(const struct queue_chain *c, uint32_t offset, const void *from, uint32_t len)
{
	struct iovec parts[QUEUE_CHAIN_MAX];
	int n = chain_parts(c, true, offset, len, parts);
	const uint8_t *in = from;

	for (int i = 0; i < n; i++) {
		memcpy(parts[i].iov_base, in, parts[i].iov_len);
		in += parts[i].iov_len;
	}
	return n < 0 ? n : 0;
}
