/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rate limiter in front of a device's queue.
 */
#include "runtimes/microvm/virtio/gate.h"

#include <unistd.h>

static void notify_again(void *data)
{
	const struct gate *g = data;
	uint64_t one = 1;

	(void)!write(g->device->notify_fds[g->queue], &one, sizeof(one));
}

void gate_init(struct gate *g, const struct limiter_config *c, struct loop *loop,
	       struct virtio_device *d, unsigned int queue)
{
	*g = (struct gate){ .device = d, .queue = queue };
	g->timer = loop_add_timer(loop, notify_again, g);
	limiter_update(&g->limiter, c, clock_monotonic_ns());
}

void gate_finish(struct gate *g)
{
	loop_timer_remove(g->timer);
}

void gate_update(struct gate *g, const struct limiter_config *c)
{
	pthread_mutex_lock(&g->device->lock);
	limiter_update(&g->limiter, c, clock_monotonic_ns());
	pthread_mutex_unlock(&g->device->lock);
	notify_again(g);
}

bool gate_pass(struct gate *g, uint64_t bytes)
{
	const struct limiter *l = &g->limiter;
	int64_t ms;

	if (!l->bandwidth.config.size && !l->ops.config.size)
		return true; /* the clock is not even read */
	ms = limiter_take(&g->limiter, bytes, clock_monotonic_ns());
	if (!ms)
		return true;
	g->held++;
	loop_timer_arm(g->timer, ms);
	return false;
}
