/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a virtio device, saved and loaded.
 *
 * A state file is no more to be trusted than a driver: queues pass the same check.
 */
#include "runtimes/microvm/virtio/persist.h"

#include <linux/virtio_config.h>

#include "base/mem.h"

struct queue_state {
	uint64_t descriptors, available, used;
	uint16_t size, next_available, next_used, signalled;
	uint8_t ready, event_index, zero[6];
};

struct device_state {
	uint32_t type, status, interrupt_status, config_generation;
	uint64_t driver_features;
	uint32_t device_features_select, driver_features_select, queue_select, n_queues;
	struct queue_state queues[VIRTIO_QUEUES_MAX];
};

static void save_queue(const struct virtqueue *q, struct queue_state *ret)
{
	*ret = (struct queue_state){ .descriptors = q->descriptors.at,
				     .available = q->available.at,
				     .used = q->used.at,
				     .size = q->size,
				     .next_available = q->next_available,
				     .next_used = q->next_used,
				     .signalled = q->signalled,
				     .ready = q->ready,
				     .event_index = q->event_index };
}

void virtio_save(struct virtio_device *d, struct strbuf *out)
{
	struct device_state s = { .type = d->ops->type,
				  .status = d->status,
				  .interrupt_status = d->interrupt_status,
				  .config_generation = d->config_generation,
				  .driver_features = d->driver_features,
				  .device_features_select = d->device_features_select,
				  .driver_features_select = d->driver_features_select,
				  .queue_select = d->queue_select,
				  .n_queues = d->ops->n_queues };
	struct strbuf own cleanup_strbuf = { 0 };

	for (unsigned int i = 0; i < d->ops->n_queues; i++)
		save_queue(&d->queues[i], &s.queues[i]);
	if (d->ops->save)
		d->ops->save(d, &own);
	state_put(out, STATE_VIRTIO, &s, sizeof(s));
	state_put(out, STATE_DEVICE, own.data, own.len);
}

static int load_queue(struct virtqueue *q, const struct queue_state *s)
{
	q->descriptors = GPA(s->descriptors);
	q->available = GPA(s->available);
	q->used = GPA(s->used);
	q->size = s->size <= QUEUE_SIZE_MAX ? s->size : 0;
	q->next_available = s->next_available;
	q->next_used = s->next_used;
	q->signalled = s->signalled;
	q->event_index = s->event_index;
	q->ready = s->ready;
	return q->ready ? virtqueue_check(q) : 0;
}

static int load_transport(struct virtio_device *d, const struct device_state *s, struct error *err)
{
	if (s->type != d->ops->type || s->n_queues != d->ops->n_queues)
		return error_set(err, EBADMSG, "a virtio device of type %u where %u should stand",
				 s->type, d->ops->type);
	if (s->driver_features & ~d->features)
		return error_set(err, EBADMSG, "virtio device of type %u: foreign features 0x%llx",
				 s->type, (unsigned long long)(s->driver_features & ~d->features));
	if (s->queue_select >= VIRTIO_QUEUES_MAX || s->status > 0xff)
		return error_set(err, EBADMSG, "virtio device of type %u: a state that cannot be",
				 s->type);
	d->status = s->status;
	d->interrupt_status = s->interrupt_status;
	d->config_generation = s->config_generation;
	d->driver_features = s->driver_features;
	d->device_features_select = s->device_features_select;
	d->driver_features_select = s->driver_features_select;
	d->queue_select = s->queue_select;
	for (unsigned int i = 0; i < s->n_queues; i++)
		if (load_queue(&d->queues[i], &s->queues[i]))
			return error_set(err, EBADMSG, "virtio device of type %u: queue %u",
					 s->type, i);
	return 0;
}

/* wake() - interrupts and notifications that were on their way. */
static void wake(struct virtio_device *d)
{
	uint64_t one = 1;

	if (d->interrupt_status)
		(void)!write(d->irq_fd, &one, sizeof(one));
	for (unsigned int i = 0; i < d->ops->n_queues; i++)
		if (d->queues[i].ready && d->notify_fds[i] >= 0)
			(void)!write(d->notify_fds[i], &one, sizeof(one));
}

int virtio_load(struct virtio_device *d, struct state_reader *r, struct error *err)
{
	struct device_state s;
	const void *own;
	size_t len;
	int rc = state_take(r, STATE_VIRTIO, &s, sizeof(s), err);

	if (!rc)
		rc = state_next(r, STATE_DEVICE, &own, &len, err);
	if (!rc)
		rc = load_transport(d, &s, err);
	if (!rc && d->ops->load)
		rc = d->ops->load(d, own, len, err);
	else if (!rc && len)
		rc = error_set(err, EBADMSG, "virtio device of type %u: more state than it has",
			       s.type);
	if (rc)
		return rc;
	if (virtio_running(d) && d->ops->activate)
		d->ops->activate(d);
	wake(d);
	return 0;
}
