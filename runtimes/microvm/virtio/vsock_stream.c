/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of the virtio socket device.
 *
 * Ends of the host's side: end of file alone is half a close, and the guest may go on sending;
 * a hang-up is a whole one.  Its socket is not watched any more then (it would report the
 * hang-up for ever) but still read until it is empty, so that no byte is lost.
 */
#include "runtimes/microvm/virtio/vsock_stream.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/mem.h"

#define DEADLINE_NS  INT64_C(2000000000) /* for the guest's answer to a request or a close */
#define TELL_ROOM_AT (VSOCK_WINDOW / 4)	 /* bytes passed on that the guest has not heard of */
#define FIRST_PORT   (1U << 30)
#define BOTH	     (VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)

/* --- table ------------------------------------------------------------------------------------ */

void vsock_table_init(struct vsock_table *t, struct loop *loop, loop_fd_fn *on_event)
{
	*t = (struct vsock_table){ .loop = loop, .on_event = on_event, .last_port = FIRST_PORT };
	list_init(&t->all);
	list_init(&t->ready);
	for (unsigned int i = 0; i < VSOCK_BUCKETS; i++)
		list_init(&t->buckets[i]);
}

static unsigned int bucket(uint32_t host_port, uint32_t guest_port)
{
	uint32_t h = host_port * 2654435761U ^ guest_port * 2246822519U;

	return (h >> 16) % VSOCK_BUCKETS;
}

struct vsock_stream *vsock_table_find(const struct vsock_table *t, uint32_t host_port,
				      uint32_t guest_port)
{
	const struct list *head = &t->buckets[bucket(host_port, guest_port)];
	struct vsock_stream *s;

	list_for_each(s, head, in_bucket)
		if (s->host_port == host_port && s->guest_port == guest_port)
			return s;
	return NULL;
}

static void enter_table(struct vsock_stream *s, uint32_t host_port, uint32_t guest_port)
{
	s->host_port = host_port;
	s->guest_port = guest_port;
	list_add(&s->table->buckets[bucket(host_port, guest_port)], &s->in_bucket);
}

/* free_port() - for the host's end: from 2^30 up to 2^31, in turn. */
static uint32_t free_port(struct vsock_table *t, uint32_t guest_port)
{
	do
		t->last_port = ((t->last_port + 1) & (FIRST_PORT - 1)) | FIRST_PORT;
	while (vsock_table_find(t, t->last_port, guest_port));
	return t->last_port;
}

struct vsock_stream *vsock_stream_create(struct vsock_table *t, int fd)
{
	struct vsock_stream *s = xnew(struct vsock_stream);

	s->table = t;
	s->fd = fd;
	s->events = EPOLLIN;
	list_add(&t->all, &s->in_all);
	t->n++;
	s->watch = loop_add_fd(t->loop, fd, s->events, t->on_event, s);
	return s;
}

void vsock_stream_destroy(struct vsock_stream *s)
{
	list_remove(&s->in_all);
	list_remove(&s->in_ready);
	list_remove(&s->in_bucket);
	s->table->n--;
	loop_fd_remove(s->watch);
	close_fd(&s->fd);
	free(s->buffer);
	free(s);
}

void vsock_stream_say(struct vsock_stream *s, unsigned int pending)
{
	s->pending |= pending;
	if (s->pending && !s->in_ready.next)
		list_add(&s->table->ready, &s->in_ready);
}

void vsock_stream_request(struct vsock_stream *s, uint32_t guest_port)
{
	enter_table(s, free_port(s->table, guest_port), guest_port);
	s->state = VSOCK_REQUESTED;
	s->deadline_ns = clock_monotonic_ns() + DEADLINE_NS;
	vsock_stream_say(s, VSOCK_SAY_REQUEST);
}

void vsock_stream_accept(struct vsock_stream *s, const struct virtio_vsock_hdr *h)
{
	enter_table(s, h->dst_port, h->src_port);
	s->state = VSOCK_OPEN;
	s->guest_window = h->buf_alloc;
	s->guest_taken = h->fwd_cnt;
	vsock_stream_say(s, VSOCK_SAY_RESPONSE);
}

/* guest_room() - bytes that the guest takes now, by its own words. */
static uint32_t guest_room(const struct vsock_stream *s)
{
	uint32_t under_way = s->sent - s->guest_taken;

	return under_way < s->guest_window ? s->guest_window - under_way : 0;
}

static bool reads(const struct vsock_stream *s)
{
	return s->state == VSOCK_OPEN && !(s->host_done & VIRTIO_VSOCK_SHUTDOWN_SEND) &&
	       !(s->guest_done & VIRTIO_VSOCK_SHUTDOWN_RCV);
}

void vsock_stream_watch(struct vsock_stream *s)
{
	uint32_t events = 0;

	if (!s->watch)
		return;
	if (s->state == VSOCK_GREETING ||
	    (reads(s) && !(s->pending & VSOCK_SAY_DATA) && guest_room(s)))
		events |= EPOLLIN;
	if (s->buffered)
		events |= EPOLLOUT;
	if (events == s->events)
		return;
	s->events = events;
	loop_fd_set_events(s->watch, events);
}

/* --- from the guest --------------------------------------------------------------------------- */

static void bytes_passed_on(struct vsock_stream *s, uint32_t n)
{
	s->passed_on += n;
	if (s->passed_on - s->told_passed_on >= TELL_ROOM_AT)
		vsock_stream_say(s, VSOCK_SAY_ROOM);
}

/* keep() - @parts but for their first @skip bytes. */
static void keep(struct vsock_stream *s, const struct iovec *parts, int n, size_t skip)
{
	if (!s->buffer)
		s->buffer = xmalloc(VSOCK_WINDOW);
	for (int i = 0; i < n; i++) {
		const uint8_t *from = parts[i].iov_base;
		size_t len = parts[i].iov_len, omit = MIN(skip, len);

		skip -= omit;
		from += omit;
		len -= omit;
		while (len) {
			uint32_t at = (s->first + s->buffered) % VSOCK_WINDOW;
			uint32_t some = (uint32_t)MIN(len, VSOCK_WINDOW - at);

			memcpy(s->buffer + at, from, some);
			s->buffered += some;
			from += some;
			len -= some;
		}
	}
}

static ssize_t send_some(int fd, struct iovec *parts, int n)
{
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = (size_t)n };
	ssize_t sent = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);

	return sent < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : sent;
}

/* take_data() - Return: false when the guest sent more than it may, or nobody reads. */
static bool take_data(struct vsock_stream *s, struct iovec *parts, int n, uint32_t len)
{
	ssize_t sent = 0;

	if (s->state != VSOCK_OPEN || (s->guest_done & VIRTIO_VSOCK_SHUTDOWN_SEND) ||
	    len > VSOCK_WINDOW - s->buffered)
		return false;
	if (!len)
		return true;
	if (!s->buffered)
		sent = send_some(s->fd, parts, n);
	if (sent < 0)
		return false;
	bytes_passed_on(s, (uint32_t)sent);
	if ((size_t)sent < len)
		keep(s, parts, n, (size_t)sent);
	return true;
}

/* finish_guest_side() - when all is passed on.  Return: whether the stream lives on. */
static bool finish_guest_side(struct vsock_stream *s)
{
	if (s->buffered)
		return true;
	free(steal_ptr(s->buffer));
	s->first = 0;
	if (s->state == VSOCK_LINGERING)
		return false;
	if (s->guest_done & VIRTIO_VSOCK_SHUTDOWN_SEND)
		shutdown(s->fd, SHUT_WR);
	return true;
}

/* take_shutdown() - Return: false when both ways are done; what waits lingers. */
static bool take_shutdown(struct vsock_stream *s, uint32_t flags)
{
	s->guest_done |= flags & BOTH;
	if (s->guest_done & VIRTIO_VSOCK_SHUTDOWN_RCV) {
		shutdown(s->fd, SHUT_RD);
		s->pending &= ~(unsigned int)VSOCK_SAY_DATA;
	}
	if (s->guest_done != BOTH)
		return finish_guest_side(s);
	return false;
}

/* take_response() - Return: false unless the host's program heard of it. */
static bool take_response(struct vsock_stream *s)
{
	char line[32];
	int len;

	if (s->state != VSOCK_REQUESTED || (s->pending & VSOCK_SAY_REQUEST))
		return false;
	s->state = VSOCK_OPEN;
	s->deadline_ns = 0;
	len = snprintf(line, sizeof(line), "OK %u\n", s->host_port);
	return send(s->fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) == len;
}

/* linger() - leave the table; the guest's last bytes are still under way to the host. */
static bool linger(struct vsock_stream *s)
{
	list_remove(&s->in_bucket);
	list_remove(&s->in_ready);
	s->pending = 0;
	s->deadline_ns = 0;
	s->state = VSOCK_LINGERING;
	return s->buffered && s->watch;
}

bool vsock_stream_packet(struct vsock_stream *s, const struct virtio_vsock_hdr *h,
			 struct iovec *parts, int n, bool *ret_reset)
{
	bool lives = true, had_room = guest_room(s) != 0;

	*ret_reset = false;
	s->guest_window = h->buf_alloc;
	s->guest_taken = h->fwd_cnt;
	switch (h->op) {
	case VIRTIO_VSOCK_OP_RESPONSE:
		lives = take_response(s);
		break;
	case VIRTIO_VSOCK_OP_RW:
		lives = take_data(s, parts, n, h->len);
		break;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		vsock_stream_say(s, VSOCK_SAY_ROOM);
		break;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
		break;
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		if (take_shutdown(s, h->flags))
			break;
		*ret_reset = true;
		return linger(s);
	case VIRTIO_VSOCK_OP_RST:
		return false;
	default:
		lives = false;
	}
	if (lives && !had_room && reads(s) && guest_room(s))
		vsock_stream_say(s, VSOCK_SAY_DATA);
	*ret_reset = !lives;
	return lives;
}

/* --- from the host ---------------------------------------------------------------------------- */

/* flush() - Return: false when nobody reads any more. */
static bool flush(struct vsock_stream *s)
{
	uint32_t to_end = MIN(s->buffered, VSOCK_WINDOW - s->first);
	struct iovec parts[2];
	ssize_t sent;

	if (!s->buffered)
		return true;
	parts[0] = (struct iovec){ s->buffer + s->first, to_end };
	parts[1] = (struct iovec){ s->buffer, s->buffered - to_end };
	sent = send_some(s->fd, parts, 2);
	if (sent < 0)
		return false;
	s->first = (s->first + (uint32_t)sent) % VSOCK_WINDOW;
	s->buffered -= (uint32_t)sent;
	bytes_passed_on(s, (uint32_t)sent);
	return finish_guest_side(s);
}

/* host_is_done() - one way or both; the guest is told after the last byte. */
static void host_is_done(struct vsock_stream *s, unsigned int flags)
{
	if ((s->host_done | flags) == s->host_done)
		return;
	s->host_done |= flags;
	if (s->host_done == BOTH)
		s->deadline_ns = clock_monotonic_ns() + DEADLINE_NS;
	s->pending &= ~(unsigned int)VSOCK_SAY_DATA;
	vsock_stream_say(s, VSOCK_SAY_SHUTDOWN);
}

/* hung_up() - the host's program has closed: what it sent before is still read. */
static bool hung_up(struct vsock_stream *s)
{
	loop_fd_remove(s->watch);
	s->watch = NULL;
	s->buffered = 0;
	if (s->state != VSOCK_OPEN)
		return false;
	if (!reads(s))
		host_is_done(s, BOTH);
	else if (guest_room(s))
		vsock_stream_say(s, VSOCK_SAY_DATA);
	return true;
}

static bool serve_events(struct vsock_stream *s, uint32_t events)
{
	if ((events & EPOLLOUT) && !flush(s))
		return false;
	if (events & (EPOLLHUP | EPOLLERR))
		return hung_up(s);
	if ((events & EPOLLIN) && reads(s))
		vsock_stream_say(s, VSOCK_SAY_DATA);
	return true;
}

bool vsock_stream_events(struct vsock_stream *s, uint32_t events, bool *ret_reset)
{
	bool known = s->state == VSOCK_REQUESTED || s->state == VSOCK_OPEN;
	bool lives = serve_events(s, events);

	*ret_reset = known && !lives;
	return lives;
}

/* --- to the guest ----------------------------------------------------------------------------- */

static bool take_pending(struct vsock_stream *s, unsigned int what)
{
	bool had = s->pending & what;

	s->pending &= ~what;
	return had;
}

static ssize_t read_some(const struct vsock_stream *s, const struct iovec *parts, int n)
{
	struct iovec some[16]; /* a guest's buffer is one part or two */
	uint32_t room = MIN(guest_room(s), VSOCK_WINDOW);
	int count = 0;

	for (; count < n && count < (int)ARRAY_LEN(some) && room; count++) {
		some[count] = parts[count];
		some[count].iov_len = MIN(some[count].iov_len, room);
		room -= (uint32_t)some[count].iov_len;
	}
	return readv(s->fd, some, count);
}

/* next_data() - Return: bytes, 0 when there is nothing to say about data now. */
static uint32_t next_data(struct vsock_stream *s, const struct iovec *parts, int n)
{
	struct pollfd p = { .fd = s->fd };
	ssize_t got;

	if (!reads(s)) {
		s->pending &= ~(unsigned int)VSOCK_SAY_DATA;
		return 0;
	}
	if (!guest_room(s)) {
		s->pending &= ~(unsigned int)VSOCK_SAY_DATA;
		s->pending |= VSOCK_ASK_ROOM;
		return 0;
	}
	if (!n)
		return 0;
	got = read_some(s, parts, n);
	if (got > 0) {
		s->sent += (uint32_t)got;
		return (uint32_t)got;
	}
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
		s->pending &= ~(unsigned int)VSOCK_SAY_DATA;
		return 0;
	}
	poll(&p, 1, 0);
	host_is_done(s, got < 0 || !s->watch || (p.revents & POLLHUP) ? BOTH
								      : VIRTIO_VSOCK_SHUTDOWN_SEND);
	return 0;
}

/* choose() - what to say; the operation, or OP_INVALID. */
static uint16_t choose(struct vsock_stream *s, struct virtio_vsock_hdr *h,
		       const struct iovec *parts, int n)
{
	if (take_pending(s, VSOCK_SAY_REQUEST))
		return VIRTIO_VSOCK_OP_REQUEST;
	if (take_pending(s, VSOCK_SAY_RESPONSE))
		return VIRTIO_VSOCK_OP_RESPONSE;
	if (s->pending & VSOCK_SAY_DATA) {
		h->len = next_data(s, parts, n);
		if (h->len)
			return VIRTIO_VSOCK_OP_RW;
	}
	if (take_pending(s, VSOCK_SAY_SHUTDOWN)) {
		h->flags = s->host_done;
		return VIRTIO_VSOCK_OP_SHUTDOWN;
	}
	if (take_pending(s, VSOCK_ASK_ROOM))
		return VIRTIO_VSOCK_OP_CREDIT_REQUEST;
	return take_pending(s, VSOCK_SAY_ROOM) ? VIRTIO_VSOCK_OP_CREDIT_UPDATE
					       : VIRTIO_VSOCK_OP_INVALID;
}

bool vsock_stream_next(struct vsock_stream *s, struct virtio_vsock_hdr *h,
		       const struct iovec *parts, int n)
{
	*h = (struct virtio_vsock_hdr){
		.src_cid = VSOCK_HOST_CID,
		.src_port = s->host_port,
		.dst_port = s->guest_port,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.buf_alloc = VSOCK_WINDOW,
	};
	h->op = choose(s, h, parts, n);
	if (h->op == VIRTIO_VSOCK_OP_INVALID)
		return false;
	h->fwd_cnt = s->told_passed_on = s->passed_on; /* every packet tells the room */
	s->pending &= ~(unsigned int)VSOCK_SAY_ROOM;
	return true;
}
