/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio over memory-mapped registers.
 *
 * The driver goes through ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK.  A queue's registers
 * can be written only while it is not ready; a queue that fails its check, or a device whose
 * queue broke the rules, sets NEEDS_RESET and does nothing more until the driver resets it.
 */
#include "runtimes/microvm/virtio/mmio.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define MAGIC	   0x74726976 /* "virt" */
#define VERSION	   2
#define VENDOR	   0
#define INT_QUEUE  1
#define INT_CONFIG 2

#define TRANSPORT_FEATURES \
	(VIRTIO_FEATURE_VERSION_1 | VIRTIO_FEATURE_INDIRECT | VIRTIO_FEATURE_EVENT_INDEX)

void virtio_init(struct virtio_device *d, const struct virtio_ops *ops, uint64_t features,
		 const struct guest_memory *memory, int irq_fd)
{
	d->ops = ops;
	d->features = features | TRANSPORT_FEATURES;
	d->irq_fd = irq_fd;
	pthread_mutex_init(&d->lock, NULL);
	for (unsigned int i = 0; i < VIRTIO_QUEUES_MAX; i++) {
		d->queues[i].memory = memory;
		d->notify_fds[i] = -1;
	}
}

static void raise_interrupt(struct virtio_device *d, uint32_t why)
{
	uint64_t one = 1;

	__atomic_fetch_or(&d->interrupt_status, why, __ATOMIC_SEQ_CST);
	(void)!write(d->irq_fd, &one, sizeof(one));
}

void virtio_interrupt(struct virtio_device *d, unsigned int queue)
{
	if (virtqueue_wants_interrupt(&d->queues[queue]))
		raise_interrupt(d, INT_QUEUE);
}

void virtio_config_changed(struct virtio_device *d)
{
	d->config_generation++;
	if (virtio_running(d))
		raise_interrupt(d, INT_CONFIG);
}

void virtio_stop(struct virtio_device *d, const char *why)
{
	log_warn("virtio device of type %u: %s: stopped until its driver resets it", d->ops->type,
		 why);
	d->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	raise_interrupt(d, INT_CONFIG);
}

bool virtio_running(const struct virtio_device *d)
{
	return (d->status & VIRTIO_CONFIG_S_DRIVER_OK) &&
	       !(d->status & VIRTIO_CONFIG_S_NEEDS_RESET);
}

void virtio_notify(struct virtio_device *d, unsigned int queue)
{
	uint64_t one = 1;
	int r = 0;

	pthread_mutex_lock(&d->lock);
	if (virtio_running(d) && queue < d->ops->n_queues && d->queues[queue].ready)
		r = d->ops->notify(d, queue);
	if (r < 0)
		virtio_stop(d, "a malformed queue");
	pthread_mutex_unlock(&d->lock);
	if (r > 0)
		(void)!write(d->notify_fds[queue], &one, sizeof(one));
}

static void reset_device(struct virtio_device *d)
{
	if (d->ops->reset)
		d->ops->reset(d);
	for (unsigned int i = 0; i < d->ops->n_queues; i++)
		virtqueue_reset(&d->queues[i]);
	d->status = 0;
	d->driver_features = 0;
	d->device_features_select = d->driver_features_select = d->queue_select = 0;
	__atomic_store_n(&d->interrupt_status, 0, __ATOMIC_SEQ_CST);
}

/* --- writes ----------------------------------------------------------------------------------- */

static void write_status(struct virtio_device *d, uint32_t v)
{
	uint32_t set = v & ~d->status;

	if (!v) {
		reset_device(d);
		return;
	}
	/* features that were not offered, or a driver of before version 1 */
	if ((set & VIRTIO_CONFIG_S_FEATURES_OK) &&
	    ((d->driver_features & ~d->features) ||
	     !(d->driver_features & VIRTIO_FEATURE_VERSION_1)))
		v &= ~(uint32_t)VIRTIO_CONFIG_S_FEATURES_OK;
	d->status = (d->status & VIRTIO_CONFIG_S_NEEDS_RESET) | (v & 0xff);
	if ((set & VIRTIO_CONFIG_S_DRIVER_OK) && d->ops->activate)
		d->ops->activate(d);
}

static void write_ready(struct virtio_device *d, struct virtqueue *q, uint32_t v)
{
	if (v && virtqueue_check(q)) {
		virtio_stop(d, "a queue outside of memory or of a wrong size");
		return;
	}
	q->event_index = d->driver_features & VIRTIO_FEATURE_EVENT_INDEX;
	q->ready = v != 0;
}

static void set_half(uint64_t *to, bool high, uint32_t v)
{
	*to = high ? (*to & 0xffffffff) | (uint64_t)v << 32 : (*to & ~0xffffffffULL) | v;
}

static void write_queue(struct virtio_device *d, uint64_t offset, uint32_t v)
{
	struct virtqueue *q = &d->queues[d->queue_select];

	if (d->queue_select >= d->ops->n_queues)
		return;
	if (offset == VIRTIO_MMIO_QUEUE_READY) {
		write_ready(d, q, v);
		return;
	}
	if (q->ready)
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		q->size = v <= QUEUE_SIZE_MAX ? (uint16_t)v : 0;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_half(&q->descriptors.at, offset == VIRTIO_MMIO_QUEUE_DESC_HIGH, v);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_half(&q->available.at, offset == VIRTIO_MMIO_QUEUE_AVAIL_HIGH, v);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_half(&q->used.at, offset == VIRTIO_MMIO_QUEUE_USED_HIGH, v);
		break;
	default:
		break;
	}
}

static void write_register(struct virtio_device *d, uint64_t offset, uint32_t v)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		d->device_features_select = v;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		d->driver_features_select = v;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		if (!(d->status & VIRTIO_CONFIG_S_FEATURES_OK) && d->driver_features_select < 2)
			set_half(&d->driver_features, d->driver_features_select == 1, v);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		d->queue_select = MIN(v, VIRTIO_QUEUES_MAX - 1U);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		__atomic_fetch_and(&d->interrupt_status, ~v, __ATOMIC_SEQ_CST);
		break;
	case VIRTIO_MMIO_STATUS:
		write_status(d, v);
		break;
	default:
		write_queue(d, offset, v);
	}
}

static void mmio_write(void *device, uint64_t offset, const uint8_t *bytes, unsigned int len)
{
	struct virtio_device *d = device;
	uint32_t v;

	pthread_mutex_lock(&d->lock);
	if (offset >= VIRTIO_MMIO_CONFIG) {
		if (d->ops->config_write)
			d->ops->config_write(d, (uint32_t)(offset - VIRTIO_MMIO_CONFIG), bytes,
					     len);
	} else if (len == 4) {
		memcpy(&v, bytes, sizeof(v));
		write_register(d, offset, v);
	}
	pthread_mutex_unlock(&d->lock);
}

/* --- reads ------------------------------------------------------------------------------------ */

static uint32_t read_register(struct virtio_device *d, uint64_t offset)
{
	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return VERSION;
	case VIRTIO_MMIO_DEVICE_ID:
		return d->ops->type;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return d->device_features_select > 1
			       ? 0
			       : (uint32_t)(d->features >> 32 * d->device_features_select);
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return d->queue_select < d->ops->n_queues ? QUEUE_SIZE_MAX : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return d->queues[d->queue_select].ready;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return __atomic_load_n(&d->interrupt_status, __ATOMIC_SEQ_CST);
	case VIRTIO_MMIO_STATUS:
		return d->status;
	case VIRTIO_MMIO_CONFIG_GENERATION:
		return d->config_generation;
	default:
		return 0;
	}
}

static void mmio_read(void *device, uint64_t offset, uint8_t *bytes, unsigned int len)
{
	struct virtio_device *d = device;
	uint32_t v;

	memset(bytes, 0, len);
	pthread_mutex_lock(&d->lock);
	if (offset >= VIRTIO_MMIO_CONFIG) {
		d->ops->config_read(d, (uint32_t)(offset - VIRTIO_MMIO_CONFIG), bytes, len);
	} else if (len == 4) {
		v = read_register(d, offset);
		memcpy(bytes, &v, sizeof(v));
	}
	pthread_mutex_unlock(&d->lock);
}

const struct bus_ops virtio_mmio_ops = { .read = mmio_read, .write = mmio_write };
