/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio network device over a tap (virtio 1.2, section 5.1).
 *
 * Queue 0 takes packets for the guest, queue 1 has its own.  The tap speaks with the same
 * header as the guest, so checksums and segmentation pass through; the host's kernel checks
 * what the guest claims there.
 *
 * A packet for the guest is read into a buffer first: how many of the guest's buffers it needs
 * is known only then.  Without room it waits there and the tap is not read, until the driver
 * notifies queue 0.  The tap's watch is touched on the loop alone: a reset, on a vCPU's thread,
 * leaves it, and the next packet finds the device not running.
 */
#include "runtimes/microvm/virtio/net.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtimes/microvm/virtio/gate.h"

#define HEADER	    sizeof(struct virtio_net_hdr_v1)
#define PACKET_MAX  (65536 + 64)
#define SERVE_BATCH 64 /* packets in one go */
#define DETOUR_MAX  (4096 + 128)
#define DETOUR_MS   500

#define OFFLOADS                                                             \
	(1ULL << VIRTIO_NET_F_GUEST_CSUM | 1ULL << VIRTIO_NET_F_GUEST_TSO4 | \
	 1ULL << VIRTIO_NET_F_GUEST_TSO6 | 1ULL << VIRTIO_NET_F_CSUM |       \
	 1ULL << VIRTIO_NET_F_HOST_TSO4 | 1ULL << VIRTIO_NET_F_HOST_TSO6)

enum { QUEUE_RX, QUEUE_TX };

struct net {
	struct virtio_device device;
	struct net_backend backend;
	struct loop_fd *watch;
	struct gate rx, tx;
	struct loop_timer *detour_timer;
	bool detour_ticks;
	struct queue_chain first, chain; /* too large for a stack */
	size_t waiting;			 /* bytes of a packet in buffer that had no room */
	bool passed;			 /* the waiting packet has passed the rate limiter */
	uint8_t frame[DETOUR_MAX];	 /* of the guest, for the detour to look at */
	uint8_t buffer[PACKET_MAX];
};

static struct net *net_of(struct virtio_device *d)
{
	return CONTAINER_OF(d, struct net, device);
}

int net_open_tap(const char *name, struct error *err)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int header = HEADER, fd cleanup_close = -1;

	if (str_empty(name) || strlen(name) >= IFNAMSIZ)
		return error_set(err, EINVAL, "Open tap device failed: Invalid interface name");
	memcpy(ifr.ifr_name, name, strlen(name));
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && !ioctl(fd, TUNSETIFF, &ifr) && !ioctl(fd, TUNSETVNETHDRSZ, &header))
		return steal_fd(&fd);
	return error_set(err, errno,
			 "Open tap device failed: %s (os error %d). Invalid TUN/TAP Backend "
			 "provided by %s. Check our documentation on setting up the network "
			 "devices.",
			 strerror(errno), errno, name);
}

/* --- to the guest ----------------------------------------------------------------------------- */

/*
 * deliver() - the @len bytes in the buffer, into one chain or, where the driver merges, into
 * several.  Return: 1 when it is gone, 0 when there is no room, -EBADMSG.
 */
static int deliver(struct net *n, size_t len)
{
	bool merges = n->device.driver_features & (1ULL << VIRTIO_NET_F_MRG_RXBUF);
	struct virtqueue *q = &n->device.queues[QUEUE_RX];
	uint16_t start = q->next_available, count = 0;
	size_t done = 0;

	while (done < len) {
		struct queue_chain *c = count ? &n->chain : &n->first;
		int r = virtqueue_pop(q, c);
		uint32_t bytes;

		if (r <= 0) {
			q->next_available = start;
			return r;
		}
		bytes = (uint32_t)MIN(c->write_bytes, len - done);
		if (!bytes || (!merges && bytes < len) ||
		    chain_write(c, 0, n->buffer + done, bytes) ||
		    virtqueue_fill(q, count, c->head, bytes))
			return -EBADMSG;
		done += bytes;
		count++;
	}
	if (chain_write(&n->first, offsetof(struct virtio_net_hdr_v1, num_buffers), &count,
			sizeof(count)))
		return -EBADMSG;
	virtqueue_publish(q, count);
	return 1;
}

/*
 * next_waiting() - a packet in the buffer that may go to the guest now.
 * Return: false when there is none, or none that the rate limiter lets pass.
 */
static bool next_waiting(struct net *n)
{
	const struct net_detour *d = &n->backend.detour;

	if (!n->waiting && d->owner) {
		size_t len = d->next(d->owner, n->buffer + HEADER, sizeof(n->buffer) - HEADER);

		memset(n->buffer, 0, HEADER);
		n->waiting = len ? HEADER + len : 0;
		n->passed = len;
	}
	if (!n->waiting) {
		ssize_t got = read(n->backend.tap, n->buffer, sizeof(n->buffer));

		if (got < (ssize_t)HEADER)
			return false;
		n->waiting = (size_t)got;
		n->passed = false;
	}
	n->passed = n->passed || gate_pass(&n->rx, n->waiting);
	return n->passed;
}

/* receive() - what waits, then what the tap has.  Return: as virtio_ops.notify. */
static int receive(struct net *n)
{
	int r = 1;

	for (unsigned int i = 0; r > 0 && i < SERVE_BATCH; i++) {
		if (!next_waiting(n))
			break;
		r = deliver(n, n->waiting);
		if (r > 0)
			n->waiting = 0;
	}
	virtio_interrupt(&n->device, QUEUE_RX);
	return r < 0 ? r : 0;
}

/* On the loop, with the lock. */
static int receive_and_watch(struct net *n)
{
	int r = receive(n);

	if (!r && n->waiting && n->passed) {
		virtqueue_arm(&n->device.queues[QUEUE_RX]);
		r = receive(n);
	}
	loop_fd_set_events(n->watch, r || n->waiting ? 0 : EPOLLIN);
	return r;
}

static void tap_readable(void *data, uint32_t events)
{
	struct net *n = data;

	(void)events;
	pthread_mutex_lock(&n->device.lock);
	if (!virtio_running(&n->device) || !n->device.queues[QUEUE_RX].ready)
		loop_fd_set_events(n->watch, 0);
	else if (receive_and_watch(n))
		virtio_stop(&n->device, "a malformed queue");
	pthread_mutex_unlock(&n->device.lock);
}

/* --- from the guest --------------------------------------------------------------------------- */

/* detoured() - Return: whether the frame in the chain was for somebody else than the tap. */
static bool detoured(struct net *n)
{
	const struct net_detour *d = &n->backend.detour;
	uint32_t len = n->chain.read_bytes - (uint32_t)HEADER;

	if (!d->owner || len > sizeof(n->frame) || chain_read(&n->chain, HEADER, n->frame, len))
		return false;
	return d->take(d->owner, n->frame, len);
}

/* serve_detour() - give the guest what the detour has for it, now and in a while. */
static int serve_detour(struct net *n)
{
	const struct net_detour *d = &n->backend.detour;

	if (!d->owner || !n->device.queues[QUEUE_RX].ready)
		return 0;
	if (!n->detour_ticks && d->waits(d->owner))
		loop_timer_arm(n->detour_timer, DETOUR_MS);
	n->detour_ticks = d->waits(d->owner);
	return receive_and_watch(n);
}

static void detour_tick(void *data)
{
	struct net *n = data;

	pthread_mutex_lock(&n->device.lock);
	n->detour_ticks = false;
	if (virtio_running(&n->device) && serve_detour(n))
		virtio_stop(&n->device, "a malformed queue");
	pthread_mutex_unlock(&n->device.lock);
}

/* A packet that the tap does not take is lost, as on any wire. */
static int transmit(struct net *n)
{
	struct virtqueue *q = &n->device.queues[QUEUE_TX];
	unsigned int served = 0;
	int r = 0;

	while (!r && served < SERVE_BATCH && (r = virtqueue_pop(q, &n->chain)) > 0) {
		if (n->chain.read_bytes < HEADER)
			return -EBADMSG;
		if (!detoured(n)) {
			if (!gate_pass(&n->tx, n->chain.read_bytes)) {
				virtqueue_unpop(q);
				virtio_interrupt(&n->device, QUEUE_TX);
				return 0; /* the gate notifies again */
			}
			(void)!writev(n->backend.tap, n->chain.parts, (int)n->chain.n_read);
		}
		r = virtqueue_push(q, n->chain.head, 0);
		served++;
	}
	virtio_interrupt(&n->device, QUEUE_TX);
	if (r)
		return r;
	return served == SERVE_BATCH || virtqueue_ask(q);
}

static int net_notify(struct virtio_device *d, unsigned int queue)
{
	struct net *n = net_of(d);
	int r = queue == QUEUE_RX ? receive_and_watch(n) : transmit(n);
	int detour = queue == QUEUE_TX && r >= 0 ? serve_detour(n) : 0;

	return detour < 0 ? detour : r;
}

/* --- the device ------------------------------------------------------------------------------- */

static void net_activate(struct virtio_device *d)
{
	unsigned int offload = 0;

	if (d->driver_features & (1ULL << VIRTIO_NET_F_GUEST_CSUM))
		offload |= TUN_F_CSUM;
	if (d->driver_features & (1ULL << VIRTIO_NET_F_GUEST_TSO4))
		offload |= TUN_F_TSO4;
	if (d->driver_features & (1ULL << VIRTIO_NET_F_GUEST_TSO6))
		offload |= TUN_F_TSO6;
	ioctl(net_of(d)->backend.tap, TUNSETOFFLOAD, offload);
}

static void net_reset(struct virtio_device *d)
{
	net_of(d)->waiting = 0;
}

static void net_config_read(struct virtio_device *d, uint32_t offset, uint8_t *to, uint32_t len)
{
	const struct net *n = net_of(d);
	struct virtio_net_config config = { .mtu = n->backend.mtu };

	memcpy(config.mac, n->backend.mac, sizeof(config.mac));
	if (offset < sizeof(config))
		memcpy(to, (uint8_t *)&config + offset, MIN(len, sizeof(config) - offset));
}

static void net_destroy(struct virtio_device *d)
{
	struct net *n = net_of(d);

	loop_fd_remove(n->watch);
	loop_timer_remove(n->detour_timer);
	gate_finish(&n->rx);
	gate_finish(&n->tx);
	free(n);
}

static const struct virtio_ops net_ops = {
	.type = VIRTIO_ID_NET,
	.n_queues = 2,
	.activate = net_activate,
	.notify = net_notify,
	.reset = net_reset,
	.config_read = net_config_read,
	.destroy = net_destroy,
};

int net_create(struct virtio_device **ret, const struct net_backend *backend, struct loop *loop,
	       const struct guest_memory *memory, int irq_fd, struct error *err)
{
	struct net *n = xnew(struct net);
	uint64_t features = OFFLOADS | 1ULL << VIRTIO_NET_F_MRG_RXBUF;

	(void)err;
	if (backend->has_mac)
		features |= 1ULL << VIRTIO_NET_F_MAC;
	if (backend->mtu)
		features |= 1ULL << VIRTIO_NET_F_MTU;
	n->backend = *backend;
	virtio_init(&n->device, &net_ops, features, memory, irq_fd);
	n->detour_timer = loop_add_timer(loop, detour_tick, n);
	gate_init(&n->rx, &backend->rx_limiter, loop, &n->device, QUEUE_RX);
	gate_init(&n->tx, &backend->tx_limiter, loop, &n->device, QUEUE_TX);
	n->watch = loop_add_fd(loop, backend->tap, 0, tap_readable, n);
	*ret = &n->device;
	return 0;
}

void net_set_limiters(struct virtio_device *d, const struct limiter_config *rx,
		      const struct limiter_config *tx)
{
	gate_update(&net_of(d)->rx, rx);
	gate_update(&net_of(d)->tx, tx);
}
