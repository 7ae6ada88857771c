/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio socket device (virtio 1.2, section 5.10): queues, and the host's side of connecting.
 *
 * Queue 0 takes packets for the guest, queue 1 has its own, queue 2 takes events.  Streams with
 * something to say stand in a list and take turns, a packet each.  Packets that belong to no
 * stream are answered with a reset; those wait in a ring, and while it is half full the guest's
 * packets are not taken, so that a flood of them costs the guest and not us.
 *
 * A reset by the driver comes on a vCPU's thread: it leaves a mark, and the loop then closes
 * the streams before it does anything else here.
 */
#include "runtimes/microvm/virtio/vsock.h"

#include <linux/virtio_ids.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtimes/microvm/virtio/vsock_stream.h"

#define HEADER	    sizeof(struct virtio_vsock_hdr)
#define SERVE_BATCH 64 /* packets in one go */
#define RESETS_MAX  256
#define BACKLOG	    128
#define TICK_MS	    500 /* how often deadlines are looked at, while there are any */

enum { QUEUE_RX, QUEUE_TX, QUEUE_EVENT };

struct reset {
	uint32_t host_port, guest_port;
	uint16_t type;
};

struct vsock {
	struct virtio_device device;
	struct vsock_backend backend;
	struct loop *loop;
	struct vsock_table table;
	struct loop_fd *listening;
	struct loop_timer *timer;
	bool forget, forget_posted; /* the driver has reset the device */
	bool held;		    /* packets of the guest wait until there is room for resets */
	bool ticking;		    /* the timer is armed */
	unsigned int first_reset, n_resets;
	struct reset resets[RESETS_MAX];
	struct queue_chain chain;
	struct iovec parts[QUEUE_CHAIN_MAX];
};

static struct vsock *vsock_of(struct virtio_device *d)
{
	return CONTAINER_OF(d, struct vsock, device);
}

static struct vsock *vsock_of_stream(const struct vsock_stream *s)
{
	return CONTAINER_OF(s->table, struct vsock, table);
}

/* --- ends of streams -------------------------------------------------------------------------- */

/* A ring that is full anyhow (by clients of the host) loses the reset: the guest's time-out. */
static void say_reset(struct vsock *v, uint32_t host_port, uint32_t guest_port, uint16_t type)
{
	if (v->n_resets < RESETS_MAX)
		v->resets[(v->first_reset + v->n_resets++) % RESETS_MAX] =
			(struct reset){ host_port, guest_port, type };
}

static void tick(struct vsock *v)
{
	if (!v->ticking)
		loop_timer_arm(v->timer, TICK_MS);
	v->ticking = true;
}

/* after() - of whatever happened to @s. */
static void after(struct vsock *v, struct vsock_stream *s, bool lives, bool reset)
{
	if (reset)
		say_reset(v, s->host_port, s->guest_port, VIRTIO_VSOCK_TYPE_STREAM);
	if (lives) {
		vsock_stream_watch(s);
		if (s->deadline_ns)
			tick(v);
		return;
	}
	vsock_stream_destroy(s);
	loop_fd_set_events(v->listening, EPOLLIN);
}

static void close_all(struct vsock *v)
{
	struct vsock_stream *s, *next;

	list_for_each_safe(s, next, &v->table.all, in_all)
		vsock_stream_destroy(s);
	v->n_resets = 0;
	v->held = false;
}

/* settle() - what a reset has left to do.  First thing of all that the loop does here. */
static void settle(struct vsock *v)
{
	if (v->forget)
		close_all(v);
	v->forget = false;
}

static void settle_posted(void *data)
{
	struct vsock *v = data;

	pthread_mutex_lock(&v->device.lock);
	v->forget_posted = false;
	settle(v);
	pthread_mutex_unlock(&v->device.lock);
}

static void vsock_reset(struct virtio_device *d)
{
	struct vsock *v = vsock_of(d);

	v->forget = true;
	if (!v->forget_posted)
		loop_post(v->loop, settle_posted, v);
	v->forget_posted = true;
}

/* deadlines_passed() - Return: whether there are more to come. */
static bool deadlines_passed(struct vsock *v)
{
	int64_t now_ns = clock_monotonic_ns();
	struct vsock_stream *s, *next;
	bool more = false;

	list_for_each_safe(s, next, &v->table.all, in_all) {
		if (s->deadline_ns && s->deadline_ns <= now_ns)
			after(v, s, false, true);
		else if (s->deadline_ns)
			more = true;
	}
	return more;
}

/* --- to the guest ----------------------------------------------------------------------------- */

static void next_reset(struct vsock *v, struct virtio_vsock_hdr *h)
{
	const struct reset *r = &v->resets[v->first_reset];

	*h = (struct virtio_vsock_hdr){
		.src_cid = VSOCK_HOST_CID,
		.src_port = r->host_port,
		.dst_port = r->guest_port,
		.type = r->type,
		.op = VIRTIO_VSOCK_OP_RST,
	};
	v->first_reset = (v->first_reset + 1) % RESETS_MAX;
	v->n_resets--;
}

/* next_packet() - Return: 1 with a header, its data in v->parts; 0 when there is none. */
static int next_packet(struct vsock *v, struct virtio_vsock_hdr *h)
{
	struct list *ready = &v->table.ready;
	int n = chain_parts(&v->chain, true, HEADER, v->chain.write_bytes - HEADER, v->parts);

	if (v->n_resets) {
		next_reset(v, h);
		return 1;
	}
	while (!list_empty(ready)) {
		struct vsock_stream *s = list_first(ready, struct vsock_stream, in_ready);
		bool said = vsock_stream_next(s, h, v->parts, n);

		list_remove(&s->in_ready);
		if (said)
			vsock_stream_say(s, 0); /* at the end of the list, if there is more */
		vsock_stream_watch(s);
		if (s->deadline_ns)
			tick(v);
		if (said)
			return 1;
	}
	return 0;
}

static bool has_packets(const struct vsock *v)
{
	return v->n_resets || !list_empty(&v->table.ready);
}

static int give_packet(struct vsock *v, struct virtqueue *q)
{
	struct virtio_vsock_hdr h;

	if (v->chain.write_bytes < HEADER)
		return -EBADMSG;
	if (!next_packet(v, &h)) {
		virtqueue_unpop(q);
		return 0;
	}
	h.dst_cid = v->backend.cid;
	if (chain_write(&v->chain, 0, &h, HEADER))
		return -EBADMSG;
	return virtqueue_push(q, v->chain.head, (uint32_t)HEADER + h.len);
}

/* give_packets() - Return: as virtio_ops.notify. */
static int give_packets(struct vsock *v)
{
	struct virtqueue *q = &v->device.queues[QUEUE_RX];
	unsigned int served = 0;
	int r = 0;

	while (r >= 0 && served < SERVE_BATCH && has_packets(v)) {
		r = virtqueue_pop(q, &v->chain);
		if (r > 0)
			r = give_packet(v, q);
		else if (!r && !virtqueue_ask(q))
			break;
		served++;
	}
	virtio_interrupt(&v->device, QUEUE_RX);
	if (r < 0)
		return r;
	return has_packets(v) && served == SERVE_BATCH;
}

/* --- from the guest --------------------------------------------------------------------------- */

/* dial() - the socket of the host that stands for @port.  Return: descriptor, or -1. */
static int dial(const struct vsock *v, uint32_t port)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int len = snprintf(a.sun_path, sizeof(a.sun_path), "%s_%u", v->backend.path, port);
	int fd cleanup_close = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (len >= (int)sizeof(a.sun_path) || fd < 0 ||
	    connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		log_debug("vsock: the guest wants port %u: %s: %s", port, a.sun_path,
			  strerror(errno));
		return -1;
	}
	return steal_fd(&fd);
}

static void packet_of_no_stream(struct vsock *v, const struct virtio_vsock_hdr *h)
{
	struct vsock_stream *s;
	int fd = -1;

	if (h->op == VIRTIO_VSOCK_OP_RST)
		return;
	if (h->op == VIRTIO_VSOCK_OP_REQUEST && h->type == VIRTIO_VSOCK_TYPE_STREAM &&
	    v->table.n < VSOCK_STREAMS_MAX)
		fd = dial(v, h->dst_port);
	if (fd < 0) {
		say_reset(v, h->dst_port, h->src_port, h->type);
		return;
	}
	s = vsock_stream_create(&v->table, fd);
	vsock_stream_accept(s, h);
	vsock_stream_watch(s);
}

/* take_packet() - Return: 0 or -EBADMSG. */
static int take_packet(struct vsock *v)
{
	struct vsock_stream *s;
	struct virtio_vsock_hdr h;
	bool reset, lives;
	int n;

	if (chain_read(&v->chain, 0, &h, HEADER))
		return -EBADMSG;
	n = chain_parts(&v->chain, false, HEADER, h.len, v->parts);
	if (n < 0)
		return -EBADMSG;
	if (h.src_cid != v->backend.cid || h.dst_cid != VSOCK_HOST_CID)
		return 0; /* to nobody, or in somebody's name */
	s = h.type == VIRTIO_VSOCK_TYPE_STREAM ? vsock_table_find(&v->table, h.dst_port, h.src_port)
					       : NULL;
	if (!s) {
		packet_of_no_stream(v, &h);
		return 0;
	}
	lives = vsock_stream_packet(s, &h, v->parts, n, &reset);
	after(v, s, lives, reset);
	return 0;
}

static bool resets_fit(const struct vsock *v)
{
	return v->n_resets < RESETS_MAX / 2;
}

/* take_packets() - Return: as virtio_ops.notify. */
static int take_packets(struct vsock *v)
{
	struct virtqueue *q = &v->device.queues[QUEUE_TX];
	unsigned int served = 0;
	int r = 0;

	while (!r && served < SERVE_BATCH && resets_fit(v) &&
	       (r = virtqueue_pop(q, &v->chain)) > 0) {
		r = take_packet(v);
		if (!r)
			r = virtqueue_push(q, v->chain.head, 0);
		served++;
	}
	virtio_interrupt(&v->device, QUEUE_TX);
	v->held = !r && !resets_fit(v);
	if (r || v->held)
		return r;
	return served == SERVE_BATCH || virtqueue_ask(q);
}

/* --- on the loop, with the lock --------------------------------------------------------------- */

/* serve() - packets both ways.  Return: as virtio_ops.notify. */
static int serve(struct vsock *v, bool take)
{
	int taken = take || v->held ? take_packets(v) : 0;
	int given = taken < 0 ? taken : give_packets(v);

	return given < 0 ? given : taken || given || (v->held && resets_fit(v));
}

static int vsock_notify(struct virtio_device *d, unsigned int queue)
{
	struct vsock *v = vsock_of(d);

	settle(v);
	return queue == QUEUE_EVENT ? 0 : serve(v, queue == QUEUE_TX);
}

static bool running(const struct vsock *v)
{
	return virtio_running(&v->device) && v->device.queues[QUEUE_RX].ready &&
	       v->device.queues[QUEUE_TX].ready;
}

/* serve_host() - after something happened on the host's side. */
static void serve_host(struct vsock *v)
{
	uint64_t one = 1;
	int r = running(v) ? serve(v, false) : 0;

	if (r < 0)
		virtio_stop(&v->device, "a malformed queue");
	else if (r > 0)
		(void)!write(v->device.notify_fds[QUEUE_RX], &one, sizeof(one));
}

static void timer_fired(void *data)
{
	struct vsock *v = data;

	pthread_mutex_lock(&v->device.lock);
	settle(v);
	v->ticking = false;
	if (deadlines_passed(v))
		tick(v);
	serve_host(v);
	pthread_mutex_unlock(&v->device.lock);
}

/* --- programs of the host --------------------------------------------------------------------- */

/* read_line() - up to its end, nothing beyond.  Return: 1, 0 when more is to come, -1. */
static int read_line(struct vsock_stream *s)
{
	char *to = s->line + s->line_len;
	ssize_t n = recv(s->fd, to, VSOCK_LINE_MAX - s->line_len, MSG_PEEK | MSG_DONTWAIT);
	char *end = n > 0 ? memchr(to, '\n', (size_t)n) : NULL;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (end)
		n = end + 1 - to;
	if (n <= 0 || recv(s->fd, to, (size_t)n, MSG_DONTWAIT) != n)
		return -1;
	s->line_len += (uint32_t)n;
	if (end)
		*end = '\0';
	return end ? 1 : s->line_len < VSOCK_LINE_MAX ? 0 : -1;
}

/* greet() - CONNECT and a port.  Return: whether the client may stay. */
static bool greet(struct vsock *v, struct vsock_stream *s)
{
	int r = read_line(s);
	uint64_t port;

	if (r <= 0)
		return r == 0;
	if (!running(v) || strncasecmp(s->line, "connect ", 8) ||
	    str_parse_u64(s->line + 8, &port) || port > UINT32_MAX)
		return false;
	vsock_stream_request(s, (uint32_t)port);
	return true;
}

static void stream_event(void *data, uint32_t events)
{
	struct vsock_stream *s = data;
	struct vsock *v = vsock_of_stream(s);
	bool lives, reset = false;

	pthread_mutex_lock(&v->device.lock);
	if (v->forget) {
		settle(v); /* @s is gone with all others */
	} else {
		if (s->state == VSOCK_GREETING && (events & EPOLLIN))
			lives = greet(v, s);
		else
			lives = vsock_stream_events(s, events, &reset);
		after(v, s, lives, reset);
		serve_host(v);
	}
	pthread_mutex_unlock(&v->device.lock);
}

/* A client too many is sent away; without a descriptor for it it waits for another's end. */
static void listener_event(void *data, uint32_t events)
{
	struct vsock *v = data;
	int fd = accept4(v->backend.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	pthread_mutex_lock(&v->device.lock);
	settle(v);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		loop_fd_set_events(v->listening, 0);
	else if (fd >= 0 && v->table.n < VSOCK_STREAMS_MAX)
		vsock_stream_create(&v->table, fd);
	else if (fd >= 0)
		close(fd);
	pthread_mutex_unlock(&v->device.lock);
}

int vsock_listen(const char *path, struct error *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd cleanup_close = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	errno = ENAMETOOLONG;
	if (strlen(path) < sizeof(a.sun_path)) {
		memcpy(a.sun_path, path, strlen(path));
		if (fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof(a)) && !listen(fd, BACKLOG))
			return steal_fd(&fd);
	}
	return error_set(err, errno,
			 "Cannot create backend for vsock device: Error binding to the host-side "
			 "Unix socket: %s (os error %d)",
			 strerror(errno), errno);
}

/* --- the device ------------------------------------------------------------------------------- */

static void vsock_config_read(struct virtio_device *d, uint32_t offset, uint8_t *to, uint32_t len)
{
	struct virtio_vsock_config config = { .guest_cid = vsock_of(d)->backend.cid };

	if (offset < sizeof(config))
		memcpy(to, (uint8_t *)&config + offset, MIN(len, sizeof(config) - offset));
}

static void vsock_destroy(struct virtio_device *d)
{
	struct vsock *v = vsock_of(d);

	close_all(v);
	loop_fd_remove(v->listening);
	loop_timer_remove(v->timer);
	free(v);
}

static const struct virtio_ops vsock_ops = {
	.type = VIRTIO_ID_VSOCK,
	.n_queues = 3,
	.notify = vsock_notify,
	.reset = vsock_reset,
	.config_read = vsock_config_read,
	.destroy = vsock_destroy,
};

void vsock_create(struct virtio_device **ret, const struct vsock_backend *backend,
		  struct loop *loop, const struct guest_memory *memory, int irq_fd)
{
	struct vsock *v = xnew(struct vsock);

	v->backend = *backend;
	v->loop = loop;
	vsock_table_init(&v->table, loop, stream_event);
	virtio_init(&v->device, &vsock_ops, 0, memory, irq_fd);
	v->listening = loop_add_fd(loop, backend->listener, EPOLLIN, listener_event, v);
	v->timer = loop_add_timer(loop, timer_fired, v);
	*ret = &v->device;
}

void vsock_transport_reset(struct virtio_device *d)
{
	const struct virtio_vsock_event event = { .id = VIRTIO_VSOCK_EVENT_TRANSPORT_RESET };
	struct vsock *v = vsock_of(d);
	struct virtqueue *q = &d->queues[QUEUE_EVENT];

	pthread_mutex_lock(&d->lock);
	close_all(v);
	if (running(v) && q->ready && virtqueue_pop(q, &v->chain) > 0 &&
	    !chain_write(&v->chain, 0, &event, sizeof(event))) {
		virtqueue_push(q, v->chain.head, sizeof(event));
		virtio_interrupt(d, QUEUE_EVENT);
	}
	pthread_mutex_unlock(&d->lock);
}
