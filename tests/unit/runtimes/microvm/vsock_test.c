/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the virtio socket device, with a driver made by hand: the packets of good
 * streams, and those of a guest that means ill.
 */
#include "runtimes/microvm/virtio/vsock.h"

#include <linux/virtio_vsock.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/unit/runtimes/microvm/driver.h"

enum { RX, TX, EVENT };

#define CID    42
#define HEADER sizeof(struct virtio_vsock_hdr)

static struct loop *loop;
static char path[64];
static int listener, server;

static void stop(void *data)
{
	loop_stop(data);
}

/* turn() - all that the loop has to do now. */
static void turn(void)
{
	for (int i = 0; i < 4; i++) {
		loop_post(loop, stop, loop);
		loop_run(loop);
	}
}

static int unix_socket(const char *name, bool listening)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", name);
	r = listening ? bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 8)
		      : connect(fd, (struct sockaddr *)&a, sizeof(a));
	ok(!r, "socket %s", name);
	return fd;
}

/* room() - @n buffers for packets to the guest, of @len bytes. */
static void room(int n, uint32_t len)
{
	for (int i = 0; i < n; i++) {
		uint16_t d = driver_available[RX] % DRIVER_QUEUE_SIZE;

		driver_describe(RX, d, DRIVER_DATA + 0x1000ULL * d, len, DRIVER_WRITE, 0);
		driver_offer(RX, d);
	}
	virtio_notify(device, RX);
}

/* packet() - the next for the guest, or NULL. */
static struct virtio_vsock_hdr *packet(void)
{
	unsigned int i = driver_seen[RX] % DRIVER_QUEUE_SIZE;

	return driver_used(RX) < 0 ? NULL : driver_at(DRIVER_DATA + 0x1000ULL * i);
}

static bool got(const struct virtio_vsock_hdr *h, uint16_t op)
{
	return h && h->op == op && h->src_cid == 2 && h->dst_cid == CID;
}

/* say_packet() - @h with @len bytes of @data behind it, as the guest's. */
static void say_packet(struct virtio_vsock_hdr h, const void *data, uint32_t len)
{
	memcpy(driver_at(DRIVER_DATA + 0x40000), &h, HEADER);
	memcpy(driver_at(DRIVER_DATA + 0x40000 + HEADER), data, len);
	driver_describe(TX, 0, DRIVER_DATA + 0x40000, (uint32_t)HEADER + len, 0, 0);
	driver_offer(TX, 0);
	virtio_notify(device, TX);
	driver_used(TX);
}

static struct virtio_vsock_hdr header(uint16_t op, uint32_t guest_port, uint32_t host_port)
{
	return (struct virtio_vsock_hdr){ .src_cid = CID,
					  .dst_cid = 2,
					  .src_port = guest_port,
					  .dst_port = host_port,
					  .type = 1,
					  .op = op,
					  .buf_alloc = 100 };
}

static void say(uint16_t op, uint32_t guest_port, uint32_t host_port)
{
	say_packet(header(op, guest_port, host_port), "", 0);
}

/* open_stream() - the guest's port @port to the host's 7.  Return: the host's end. */
static int open_stream(uint32_t port)
{
	int fd;

	room(1, 1000);
	say(VIRTIO_VSOCK_OP_REQUEST, port, 7);
	fd = accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ok(fd >= 0 && got(packet(), VIRTIO_VSOCK_OP_RESPONSE), "the guest's port %u connects",
	   port);
	return fd;
}

static void test_guest_connects(void)
{
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_RW, 100, 7), *p;
	char text[200] = "";
	int fd = open_stream(100);

	h.len = 5;
	say_packet(h, "hello", 5);
	ok(read(fd, text, sizeof(text)) == 5 && !memcmp(text, "hello", 5), "bytes of the guest");
	ok(write(fd, "0123456789", 10) == 10, "the host answers");
	room(2, 1000);
	turn();
	p = packet();
	ok(got(p, VIRTIO_VSOCK_OP_RW) && p->len == 10 && p->fwd_cnt == 5 && p->buf_alloc == 65536,
	   "the guest gets it, and hears that its bytes are gone");
	ok(!memcmp(p + 1, "0123456789", 10), "whole");
	ok(write(fd, text, 200) == 200, "more than the guest has room for");
	turn();
	p = packet();
	ok(got(p, VIRTIO_VSOCK_OP_RW) && p->len == 90, "it gets what it has room for");
	room(1, 1000);
	turn();
	ok(got(packet(), VIRTIO_VSOCK_OP_CREDIT_REQUEST), "and is asked for more room");
	room(2, 1000);
	h = header(VIRTIO_VSOCK_OP_CREDIT_UPDATE, 100, 7);
	h.fwd_cnt = 100;
	say_packet(h, "", 0);
	p = packet();
	ok(got(p, VIRTIO_VSOCK_OP_RW) && p->len == 100, "then gets more");
	ok(got(packet(), VIRTIO_VSOCK_OP_CREDIT_REQUEST), "and is asked again");
	close(fd);
	room(2, 1000);
	h.fwd_cnt = 200;
	say_packet(h, "", 0);
	turn();
	p = packet();
	ok(got(p, VIRTIO_VSOCK_OP_RW) && p->len == 10, "what was written before the end");
	p = packet();
	ok(got(p, VIRTIO_VSOCK_OP_SHUTDOWN) && p->flags == 3, "then the end, both ways");
	say(VIRTIO_VSOCK_OP_RST, 100, 7);
	ok(!packet(), "a reset is not answered");
}

static void test_half_close(void)
{
	struct virtio_vsock_hdr h, *p;
	int fd = open_stream(101);
	char c;

	h = header(VIRTIO_VSOCK_OP_SHUTDOWN, 101, 7);
	h.flags = VIRTIO_VSOCK_SHUTDOWN_SEND;
	say_packet(h, "", 0);
	is_int(read(fd, &c, 1), 0, "the guest's half: end of file");
	ok(write(fd, "x", 1) == 1, "the other half lives");
	room(2, 1000);
	turn();
	p = packet();
	ok(got(p, VIRTIO_VSOCK_OP_RW) && p->len == 1, "and is heard");
	h.flags = VIRTIO_VSOCK_SHUTDOWN_RCV;
	say_packet(h, "", 0);
	ok(got(packet(), VIRTIO_VSOCK_OP_RST), "both halves: it is over");
	turn();
	is_int(write(fd, "x", 1), -1, "for the host, too");
	close(fd);
	fd = open_stream(102);
	shutdown(fd, SHUT_WR);
	room(1, 1000);
	turn();
	p = packet();
	ok(got(p, VIRTIO_VSOCK_OP_SHUTDOWN) && p->flags == VIRTIO_VSOCK_SHUTDOWN_SEND,
	   "the host's half");
	h = header(VIRTIO_VSOCK_OP_RW, 102, 7);
	h.len = 1;
	say_packet(h, "y", 1);
	ok(read(fd, &c, 1) == 1 && c == 'y', "the guest may still send");
	close(fd);
	room(1, 1000);
	turn();
	ok(got(packet(), VIRTIO_VSOCK_OP_SHUTDOWN), "then a hang-up");
	say(VIRTIO_VSOCK_OP_RST, 102, 7);
}

static void test_window(void)
{
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_RW, 103, 7);
	static char bytes[65536];
	int fd = open_stream(103);
	uint32_t n;

	h.len = 65536;
	for (n = 0; n < 100; n++) { /* no host reads, the guest minds no window */
		const struct virtio_vsock_hdr *p;

		room(1, 1000);
		say_packet(h, bytes, h.len);
		p = packet();
		if (p && p->op == VIRTIO_VSOCK_OP_RST)
			break;
	}
	ok(n > 1 && n < 100, "a guest that minds no window is reset, at packet %u", n);
	room(1, 1000);
	for (n = 0; read(fd, bytes, sizeof(bytes)) > 0;)
		n++;
	ok(n, "what the socket took is there");
	close(fd);
	say(VIRTIO_VSOCK_OP_RST, 103, 7);
}

static void test_host_connects(void)
{
	char text[64] = "";
	struct virtio_vsock_hdr *p;
	int fd = unix_socket(path, false);

	turn();
	ok(write(fd, "CONN", 4) == 4, "half a line");
	turn();
	ok(write(fd, "ECT 5000\nearly", 14) == 14, "the other half, and more");
	room(3, 1000);
	turn();
	turn();
	p = packet();
	ok(got(p, VIRTIO_VSOCK_OP_REQUEST) && p->dst_port == 5000 && p->src_port >= 1U << 30,
	   "the guest is asked");
	is_int(read(fd, text, sizeof(text)), -1, "no answer yet");
	say(VIRTIO_VSOCK_OP_RESPONSE, 5000, p->src_port);
	ok(read(fd, text, sizeof(text)) > 0 && !strncmp(text, "OK 10737", 8), "it is said: %s",
	   text);
	turn();
	p = packet();
	ok(got(p, VIRTIO_VSOCK_OP_RW) && p->len == 5 && !memcmp(p + 1, "early", 5),
	   "what followed the line goes to the guest");
	say(VIRTIO_VSOCK_OP_RST, 5000, p->src_port);
	is_int(read(fd, text, sizeof(text)), 0, "the guest's reset is the end");
	close(fd);
	fd = unix_socket(path, false);
	ok(write(fd, "CONNECT 5001\n", 13) == 13, "another");
	turn();
	p = packet();
	ok(got(p, VIRTIO_VSOCK_OP_REQUEST), "is asked");
	say(VIRTIO_VSOCK_OP_RST, 5001, p->src_port);
	is_int(read(fd, text, sizeof(text)), 0, "and refused");
	close(fd);
	fd = unix_socket(path, false);
	ok(write(fd, "GET / HTTP/1.1\r\n\r\n", 18) == 18, "another language");
	turn();
	errno = 0;
	ok(read(fd, text, sizeof(text)) <= 0 && errno != EAGAIN, "is not spoken");
	close(fd);
}

static void test_strays(void)
{
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_RW, 1, 2);
	int n = 0;

	room(4, 1000);
	say_packet(h, "", 0);
	ok(got(packet(), VIRTIO_VSOCK_OP_RST), "a packet of no stream");
	say(VIRTIO_VSOCK_OP_REQUEST, 1, 99);
	ok(got(packet(), VIRTIO_VSOCK_OP_RST), "a port that nobody serves");
	h.src_cid = CID + 1;
	say_packet(h, "", 0);
	h.src_cid = CID;
	h.dst_cid = 3;
	say_packet(h, "", 0);
	ok(!packet(), "another's name, another's address: silence");
	h = header(VIRTIO_VSOCK_OP_REQUEST, 1, 7);
	h.type = 2;
	say_packet(h, "", 0);
	ok(got(packet(), VIRTIO_VSOCK_OP_RST), "another type");
	for (int i = 0; i < 1000; i++)
		say(VIRTIO_VSOCK_OP_RW, 1, 2);
	while (driver_used(TX) >= 0)
		;
	ok(driver_available[TX] - driver_seen[TX] > 0, "a flood is left in the guest's queue");
	ok(!driver_stopped(), "which is no crime");
	driver_start(0);
	for (int i = 0; i < 200; i++) {
		say(VIRTIO_VSOCK_OP_RW, 1, 2);
		if (i % 4 == 3)
			room(4, 1000);
		while (packet())
			n++;
	}
	ok(n > 150, "with room for them, resets come: %d", n);
}

static void test_bad_packets(void)
{
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_RW, 1, 2);

	driver_start(0);
	h.len = 1;
	say_packet(h, "", 0);
	ok(driver_stopped(), "longer than its chain");
	driver_start(0);
	h.len = UINT32_MAX;
	say_packet(h, "", 0);
	ok(driver_stopped(), "much longer");
	driver_start(0);
	driver_describe(TX, 0, DRIVER_DATA, HEADER - 1, 0, 0);
	driver_offer(TX, 0);
	virtio_notify(device, TX);
	ok(driver_stopped(), "less than a header");
	driver_start(0);
	room(1, 10);
	say(VIRTIO_VSOCK_OP_RW, 1, 2);
	ok(driver_stopped(), "no room for a header");
	driver_start(0);
	room(1, 1000);
	say(VIRTIO_VSOCK_OP_RW, 1, 2);
	ok(got(packet(), VIRTIO_VSOCK_OP_RST), "a reset by the driver mends it");
}

static void test_reset(void)
{
	char c;
	int fd;

	driver_start(0);
	fd = open_stream(200);
	driver_start(0);
	turn();
	is_int(read(fd, &c, 1), 0, "a reset by the driver closes its streams");
	close(fd);
	fd = open_stream(201);
	room(1, 1000);
	driver_describe(EVENT, 0, DRIVER_DATA + 0x80000, 4, DRIVER_WRITE, 0);
	driver_offer(EVENT, 0);
	vsock_transport_reset(device);
	is_int(driver_used(EVENT), 4, "the driver is told that all is gone");
	is_int(read(fd, &c, 1), 0, "which it is");
	close(fd);
}

int main(void)
{
	struct vsock_backend backend = { .cid = CID, .path = path };
	char name[80];

	snprintf(path, sizeof(path), "/tmp/vsock-test-%d", getpid());
	snprintf(name, sizeof(name), "%s_7", path);
	signal(SIGPIPE, SIG_IGN);
	driver_memory();
	if (loop_create(&loop, NULL))
		return 1;
	backend.listener = listener = vsock_listen(path, NULL);
	ok(listener >= 0, "the device's socket");
	ok(vsock_listen(path, NULL) < 0, "exists once");
	server = unix_socket(name, true);
	vsock_create(&device, &backend, loop, &memory, irq_fd);
	driver_start(0);
	test_guest_connects();
	test_half_close();
	test_window();
	test_host_connects();
	test_strays();
	test_bad_packets();
	test_reset();
	device->ops->destroy(device);
	loop_destroy(loop);
	unlink(path);
	unlink(name);
	guest_memory_finish(&memory);
	return tap_done();
}
