/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of the virtio socket device, and the table of all of them.
 *
 *   GREETING ---CONNECT port---> REQUESTED ---the guest's RESPONSE---> OPEN
 *   (guest's REQUEST) -----------------------------------------------> OPEN
 *   OPEN --the guest has done both ways, bytes wait--> LINGERING --> gone
 *
 * Flow: each side may send so many bytes as the other has room for.  Room for the guest's bytes
 * is VSOCK_WINDOW; they go to the host's socket at once, and what it does not take waits in a
 * buffer that exists only then.  The guest's room bounds what is read from the socket.
 *
 * All of it belongs to the loop and needs the device's lock.
 */
#ifndef MICROVM_VIRTIO_VSOCK_STREAM_H
#define MICROVM_VIRTIO_VSOCK_STREAM_H

#include <linux/virtio_vsock.h>
#include <stdbool.h>
#include <sys/uio.h>

#include "base/list.h"
#include "base/loop.h"

#define VSOCK_HOST_CID	  2
#define VSOCK_STREAMS_MAX 1023
#define VSOCK_WINDOW	  (64U << 10)
#define VSOCK_LINE_MAX	  32 /* "CONNECT 4294967295\n" is shorter */
#define VSOCK_BUCKETS	  256

enum vsock_state { VSOCK_GREETING, VSOCK_REQUESTED, VSOCK_OPEN, VSOCK_LINGERING };

/* What is to be told to the guest. */
enum vsock_pending {
	VSOCK_SAY_REQUEST = 1,
	VSOCK_SAY_RESPONSE = 2,
	VSOCK_SAY_DATA = 4, /* the socket may have bytes */
	VSOCK_SAY_SHUTDOWN = 8,
	VSOCK_ASK_ROOM = 16,
	VSOCK_SAY_ROOM = 32,
};

struct vsock_stream {
	struct list in_all, in_ready, in_bucket;
	struct vsock_table *table;
	enum vsock_state state;
	int fd;		       /* owned */
	struct loop_fd *watch; /* NULL once the host's program has closed */
	uint32_t events;       /* that are watched for */
	uint32_t host_port, guest_port;
	unsigned int pending;		    /* of enum vsock_pending */
	unsigned int guest_done, host_done; /* VIRTIO_VSOCK_SHUTDOWN_* */
	int64_t deadline_ns;		    /* 0: none */
	uint32_t guest_window, guest_taken, sent;
	uint32_t passed_on, told_passed_on; /* bytes of the guest */
	uint8_t *buffer;		    /* ring of VSOCK_WINDOW bytes, or NULL */
	uint32_t first, buffered;
	char line[VSOCK_LINE_MAX + 1];
	uint32_t line_len;
};

struct vsock_table {
	struct loop *loop;
	loop_fd_fn *on_event; /* gets the stream; takes the lock */
	struct list all, ready;
	struct list buckets[VSOCK_BUCKETS];
	unsigned int n;
	uint32_t last_port; /* of the host's ends */
};

void vsock_table_init(struct vsock_table *t, struct loop *loop, loop_fd_fn *on_event);

/* vsock_table_find() - Return: NULL when there is none. */
struct vsock_stream *vsock_table_find(const struct vsock_table *t, uint32_t host_port,
				      uint32_t guest_port);

/* vsock_stream_create() - a connection over @fd, which it takes over; in state GREETING. */
struct vsock_stream *vsock_stream_create(struct vsock_table *t, int fd);
void vsock_stream_destroy(struct vsock_stream *s);

/*
 * vsock_stream_request() - the host's program wants @guest_port;
 * vsock_stream_accept() - the guest has connected with @h, and the host's end is there.
 */
void vsock_stream_request(struct vsock_stream *s, uint32_t guest_port);
void vsock_stream_accept(struct vsock_stream *s, const struct virtio_vsock_hdr *h);

/*
 * What happens to a stream: a packet of the guest (its @h->len bytes in @n @parts), or events
 * of its socket.  Return: whether it lives on, else the caller destroys it; *ret_reset: whether
 * the guest is to be told that the connection is over.
 */
bool vsock_stream_packet(struct vsock_stream *s, const struct virtio_vsock_hdr *h,
			 struct iovec *parts, int n, bool *ret_reset);
bool vsock_stream_events(struct vsock_stream *s, uint32_t events, bool *ret_reset);

/*
 * vsock_stream_next() - the next packet for the guest, with data in @n @parts (0: no room for
 * any).  Return: whether there is one; its data are @h->len bytes.
 */
bool vsock_stream_next(struct vsock_stream *s, struct virtio_vsock_hdr *h,
		       const struct iovec *parts, int n);

/* vsock_stream_say() - put it among those with something for the guest. */
void vsock_stream_say(struct vsock_stream *s, unsigned int pending);

/* vsock_stream_watch() - ask the loop for what the stream waits for now. */
void vsock_stream_watch(struct vsock_stream *s);

#endif
