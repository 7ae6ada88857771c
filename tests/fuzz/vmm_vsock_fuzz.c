/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzer: packets of a hostile guest to the socket device, with programs of the host on its other
 * side.
 *
 * The input is steps: a packet of the guest (most of its addresses are made right, or it would get
 * nowhere), buffers for packets to it, and what the host's programs do.
 */
#include "runtimes/microvm/virtio/vsock.h"

#include <linux/virtio_vsock.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/log.h"
#include "tests/unit/runtimes/microvm/driver.h"

#define CLIENTS 4
#define PACKET	(DRIVER_DATA + 0x40000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct loop *loop;
static char path[64], server_path[80];
static int server, clients[CLIENTS];
static uint32_t last_port;

static void forget_files(void)
{
	unlink(path);
	unlink(server_path);
}

static int unix_socket(const char *name, bool listening)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", name);
	if (listening ? bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 8)
		      : connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		close(fd);
		return -1;
	}
	return fd;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct vsock_backend backend = { .cid = 3, .path = path };

	(void)argc;
	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	log_set_fd(-1);
	snprintf(path, sizeof(path), "/tmp/vsock-fuzz-%d", getpid());
	snprintf(server_path, sizeof(server_path), "%s_7", path);
	atexit(forget_files);
	driver_memory();
	backend.listener = vsock_listen(path, NULL);
	server = unix_socket(server_path, true);
	if (backend.listener < 0 || server < 0 || loop_create(&loop, NULL))
		abort();
	vsock_create(&device, &backend, loop, &memory, irq_fd);
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = -1;
	return 0;
}

static void stop(void *data)
{
	loop_stop(data);
}

static void room(unsigned int n, uint32_t len)
{
	while (n--) {
		uint16_t d = driver_available[0] % DRIVER_QUEUE_SIZE;

		driver_describe(0, d, DRIVER_DATA + 0x1000ULL * d, len, DRIVER_WRITE, 0);
		driver_offer(0, d);
	}
	virtio_notify(device, 0);
}

/* What the guest would learn from the packets that it got: the host's ports. */
static void learn(void)
{
	struct virtio_vsock_hdr h;
	unsigned int i = driver_seen[0] % DRIVER_QUEUE_SIZE;

	while (driver_used(0) >= (int64_t)sizeof(h)) {
		memcpy(&h, driver_at(DRIVER_DATA + 0x1000ULL * i), sizeof(h));
		if (h.op == VIRTIO_VSOCK_OP_REQUEST)
			last_port = h.src_port;
		i = driver_seen[0] % DRIVER_QUEUE_SIZE;
	}
}

static void packet(uint8_t how, const uint8_t *bytes, size_t len)
{
	struct virtio_vsock_hdr h = { 0 };
	uint32_t data = (uint32_t)(how >> 4) * 4000;

	memcpy(&h, bytes, MIN(len, sizeof(h)));
	h.src_cid = 3;
	h.dst_cid = 2;
	h.type = how & 1 ? h.type : 1;
	h.op %= 9;
	h.dst_port = how & 2 ? 7 : last_port;
	h.src_port %= 4;
	h.len = how & 4 ? h.len : data;
	memcpy(driver_at(PACKET), &h, sizeof(h));
	driver_describe(1, 0, PACKET, (uint32_t)sizeof(h) + data, 0, 0);
	driver_offer(1, 0);
	virtio_notify(device, 1);
	driver_used(1);
}

static void host(uint8_t how, const uint8_t *bytes, size_t len)
{
	int *c = &clients[how % CLIENTS];
	static char sink[65536];

	switch (how >> 4) {
	case 0:
		close_fd(c);
		*c = unix_socket(path, false);
		break;
	case 1:
		close_fd(c);
		*c = accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		break;
	case 2:
		(void)!read(*c, sink, sizeof(sink));
		break;
	case 3:
		shutdown(*c, SHUT_WR);
		break;
	case 4:
		close_fd(c);
		break;
	case 5:
		(void)!write(*c, "CONNECT 2\n", 10);
		break;
	case 6:
		(void)!write(*c, sink, sizeof(sink));
		break;
	default:
		(void)!write(*c, bytes, len);
	}
}

static void step(const uint8_t *data, size_t len)
{
	switch (data[0] % 4) {
	case 0:
		room(data[1] % 8, data[1] & 128 ? 0x1000 : 44 + data[1]);
		break;
	case 1:
		host(data[1], data + 2, len - 2);
		break;
	default:
		packet(data[1], data + 2, len - 2);
	}
	loop_post(loop, stop, loop);
	loop_run(loop);
	learn();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int fd;

	driver_start(0);
	while (len > 2) {
		size_t n = MIN((size_t)data[0] / 4 + 2, len);

		step(data, n);
		data += n;
		len -= n;
	}
	driver_set(VIRTIO_MMIO_STATUS, 0);
	for (int i = 0; i < CLIENTS; i++)
		close_fd(&clients[i]);
	while ((fd = accept(server, NULL, NULL)) >= 0)
		close(fd);
	loop_post(loop, stop, loop);
	loop_run(loop);
	return 0;
}
