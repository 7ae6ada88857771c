/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's virtio devices.
 *
 * Each has a page of registers behind the boot timer's, an interrupt from 5 up, and for each
 * queue an eventfd that KVM signals when the driver notifies it, without a vCPU's exit.
 */
#include "runtimes/microvm/machine/devices.h"

#include <sys/eventfd.h>

#include "base/mem.h"
#include "runtimes/microvm/virtio/block.h"
#include "runtimes/microvm/virtio/net.h"
#include "runtimes/microvm/virtio/rng.h"
#include "runtimes/microvm/virtio/vsock.h"

#define FIRST_BASE (BOOT_TIMER_AT + BOOT_TIMER_BYTES)
#define FIRST_GSI  5

int machine_irq_line(struct machine *m, unsigned int gsi, int *ret_fd, struct error *err)
{
	*ret_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (*ret_fd < 0)
		return error_errno(err, errno, "make an interrupt line");
	return vm_irqfd(&m->vm, *ret_fd, gsi, err);
}

static void queue_notified(void *data, uint32_t events)
{
	struct virtio_watch *w = data;
	uint64_t count;

	(void)events;
	(void)!read(w->device->notify_fds[w->queue], &count, sizeof(count));
	virtio_notify(w->device, w->queue);
}

/* next_slot() - a place and an interrupt line for one more device. */
static int next_slot(struct machine *m, struct virtio_slot **ret, struct error *err)
{
	struct virtio_slot *s = &m->virtio[m->n_virtio];

	if (m->n_virtio == MACHINE_VIRTIO_MAX)
		return error_set(err, ENOSPC, "more than %d devices", MACHINE_VIRTIO_MAX);
	*s = (struct virtio_slot){
		.base = FIRST_BASE + m->n_virtio * (uint64_t)VIRTIO_MMIO_BYTES,
		.gsi = FIRST_GSI + m->n_virtio,
		.irq_fd = -1,
	};
	m->n_virtio++;
	*ret = s;
	return machine_irq_line(m, s->gsi, &s->irq_fd, err);
}

static int watch_queue(struct machine *m, struct virtio_slot *s, unsigned int queue,
		       struct error *err)
{
	struct virtio_watch *w = &s->watches[queue];
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return error_errno(err, errno, "make a queue's event");
	s->device->notify_fds[queue] = fd;
	*w = (struct virtio_watch){ .device = s->device, .queue = queue };
	w->fd = loop_add_fd(m->loop, fd, EPOLLIN, queue_notified, w);
	return vm_ioeventfd(&m->vm, fd, GPA(s->base + VIRTIO_MMIO_NOTIFY), queue, err);
}

/* plug() - the slot has its device: on the bus and on the loop with it. */
static int plug(struct machine *m, struct virtio_slot *s, struct error *err)
{
	int r = bus_add(&m->mmio, s->base, VIRTIO_MMIO_BYTES, &virtio_mmio_ops, s->device);

	if (r)
		return error_set(err, -r, "too many devices");
	for (unsigned int i = 0; i < s->device->ops->n_queues && !r; i++)
		r = watch_queue(m, s, i, err);
	return r;
}

static int add_drive(struct machine *m, struct drive_config *d, struct error *err)
{
	struct block_backend backend = {
		.fd = d->fd,
		.read_only = d->read_only,
		.writeback = d->writeback,
		.async = d->async,
		.id = d->id,
		.limiter = d->limiter,
	};
	struct virtio_slot *s;
	int r = next_slot(m, &s, err);

	if (!r)
		r = block_create(&s->device, &backend, m->loop, &m->memory, s->irq_fd, err);
	d->running = r ? NULL : s->device;
	return r ? r : plug(m, s, err);
}

static bool mmds_take(void *owner, const uint8_t *frame, size_t len)
{
	return mmds_net_input(owner, frame, len, clock_monotonic_ns());
}

static size_t mmds_next(void *owner, uint8_t *frame, size_t room)
{
	return mmds_net_output(owner, frame, room, clock_monotonic_ns());
}

static bool mmds_waits(void *owner)
{
	return mmds_net_waits(owner);
}

/* The interface's end of the metadata service lives as long as its configuration. */
static struct net_detour make_detour(struct machine *m, struct net_config *c)
{
	if (!c->mmds)
		return (struct net_detour){ 0 };
	if (!c->service)
		c->service = xnew(struct mmds_net);
	mmds_net_init(c->service, &m->config.mmds, m->config.mmds_ip);
	return (struct net_detour){ c->service, mmds_take, mmds_next, mmds_waits };
}

static int add_net(struct machine *m, struct net_config *c, struct error *err)
{
	struct net_backend backend = {
		.tap = c->tap,
		.has_mac = c->has_mac,
		.mtu = c->mtu,
		.rx_limiter = c->rx_limiter,
		.tx_limiter = c->tx_limiter,
		.detour = make_detour(m, c),
	};
	struct virtio_slot *s;
	int r = next_slot(m, &s, err);

	memcpy(backend.mac, c->mac, sizeof(backend.mac));
	if (!r)
		r = net_create(&s->device, &backend, m->loop, &m->memory, s->irq_fd, err);
	c->running = r ? NULL : s->device;
	return r ? r : plug(m, s, err);
}

static int add_entropy(struct machine *m, struct error *err)
{
	struct virtio_slot *s;
	int r = next_slot(m, &s, err);

	if (r)
		return r;
	rng_create(&s->device, &m->config.entropy_limiter, m->loop, &m->memory, s->irq_fd);
	return plug(m, s, err);
}

static int add_vsock(struct machine *m, struct error *err)
{
	const struct vsock_config *c = &m->config.vsock;
	struct vsock_backend backend = { .cid = c->cid, .listener = c->listener, .path = c->path };
	struct virtio_slot *s;
	int r = next_slot(m, &s, err);

	if (r)
		return r;
	vsock_create(&s->device, &backend, m->loop, &m->memory, s->irq_fd);
	return plug(m, s, err);
}

static int add_balloon(struct machine *m, struct error *err)
{
	struct virtio_slot *s;
	int r = next_slot(m, &s, err);

	if (r)
		return r;
	balloon_create(&s->device, &m->config.balloon, m->loop, &m->memory, s->irq_fd);
	m->balloon = s->device;
	return plug(m, s, err);
}

int machine_add_devices(struct machine *m, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < m->config.n_drives && !r; i++)
		r = add_drive(m, &m->config.drives[i], err);
	for (unsigned int i = 0; i < m->config.n_nets && !r; i++)
		r = add_net(m, &m->config.nets[i], err);
	if (!r && m->config.entropy)
		r = add_entropy(m, err);
	if (!r && m->config.vsock.path)
		r = add_vsock(m, err);
	if (!r && m->config.has_balloon)
		r = add_balloon(m, err);
	return r;
}

void machine_drain_devices(struct machine *m)
{
	for (unsigned int i = 0; i < m->n_virtio; i++) {
		struct virtio_device *d = m->virtio[i].device;

		if (!d->ops->drain)
			continue;
		pthread_mutex_lock(&d->lock);
		d->ops->drain(d);
		pthread_mutex_unlock(&d->lock);
	}
}

static void unplug(struct virtio_slot *s)
{
	struct virtio_device *d = s->device;

	close_fd(&s->irq_fd);
	if (!d)
		return;
	for (unsigned int i = 0; i < d->ops->n_queues; i++) {
		loop_fd_remove(s->watches[i].fd);
		close_fd(&d->notify_fds[i]);
	}
	d->ops->destroy(d);
	s->device = NULL;
}

void machine_remove_devices(struct machine *m)
{
	while (m->n_virtio)
		unplug(&m->virtio[--m->n_virtio]);
}

int machine_update_drive(struct drive_config *d, const char *path,
			 const struct limiter_config *limiter, struct error *err)
{
	int fd cleanup_close = -1;
	int r;

	if (path) {
		fd = drive_config_open(path, d->read_only, err);
		r = fd < 0 ? fd : block_set_file(d->running, fd, err);
		if (r)
			return r;
		close_fd(&d->fd);
		d->fd = steal_fd(&fd);
		free(d->path);
		d->path = xstrdup(path);
	}
	block_set_limiter(d->running, limiter);
	limiter_config_merge(&d->limiter, limiter);
	return 0;
}

void machine_update_net(struct net_config *n, const struct limiter_config *rx,
			const struct limiter_config *tx)
{
	net_set_limiters(n->running, rx, tx);
	limiter_config_merge(&n->rx_limiter, rx);
	limiter_config_merge(&n->tx_limiter, tx);
}

int machine_check_async(struct error *err)
{
	return block_check_async(err);
}

int machine_open_tap(const char *name, struct error *err)
{
	return net_open_tap(name, err);
}
