/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio entropy device (virtio 1.2, section 5.4).
 */
#include "runtimes/microvm/virtio/rng.h"

#include <linux/virtio_ids.h>
#include <sys/random.h>

#include "base/mem.h"
#include "runtimes/microvm/virtio/gate.h"

#define REQUEST_MAX 65536 /* bytes of one request; the rest of it stays as it was */
#define SERVE_BATCH 16	  /* requests in one go */

struct rng {
	struct virtio_device device;
	struct gate gate;
	struct queue_chain chain;
};

static struct rng *rng_of(struct virtio_device *d)
{
	return CONTAINER_OF(d, struct rng, device);
}

/* fill() - Return: bytes that are in the chain now. */
static uint32_t fill(const struct queue_chain *c)
{
	uint32_t done = 0, want = MIN(c->write_bytes, REQUEST_MAX);
	uint8_t bytes[256];

	while (done < want) {
		uint32_t n = MIN(want - done, sizeof(bytes));

		if (getrandom(bytes, n, 0) != (ssize_t)n || chain_write(c, done, bytes, n))
			break;
		done += n;
	}
	return done;
}

static int rng_notify(struct virtio_device *d, unsigned int queue)
{
	struct rng *g = rng_of(d);
	struct virtqueue *q = &d->queues[queue];
	unsigned int served = 0;
	int r = 0;

	while (!r && served < SERVE_BATCH && (r = virtqueue_pop(q, &g->chain)) > 0) {
		if (!g->chain.write_bytes)
			return -EBADMSG;
		if (!gate_pass(&g->gate, MIN(g->chain.write_bytes, REQUEST_MAX))) {
			virtqueue_unpop(q);
			virtio_interrupt(d, queue);
			return 0; /* the gate notifies again */
		}
		r = virtqueue_push(q, g->chain.head, fill(&g->chain));
		served++;
	}
	virtio_interrupt(d, queue);
	if (r)
		return r;
	return served == SERVE_BATCH || virtqueue_ask(q);
}

/* There is no configuration. */
static void rng_config_read(struct virtio_device *d, uint32_t offset, uint8_t *to, uint32_t len)
{
	(void)d;
	(void)offset;
	memset(to, 0, len);
}

static void rng_destroy(struct virtio_device *d)
{
	gate_finish(&rng_of(d)->gate);
	free(rng_of(d));
}

static const struct virtio_ops rng_ops = {
	.type = VIRTIO_ID_RNG,
	.n_queues = 1,
	.notify = rng_notify,
	.config_read = rng_config_read,
	.destroy = rng_destroy,
};

void rng_create(struct virtio_device **ret, const struct limiter_config *limiter, struct loop *loop,
		const struct guest_memory *memory, int irq_fd)
{
	struct rng *g = xnew(struct rng);

	virtio_init(&g->device, &rng_ops, 0, memory, irq_fd);
	gate_init(&g->gate, limiter, loop, &g->device, 0);
	*ret = &g->device;
}
