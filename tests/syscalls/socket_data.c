/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sockets carry: every way to send against every way to receive, sizes around the limits of
 * what travels with a call, memory beyond what arrived, bad addresses.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "tests/syscalls/check.h"

#define BIG   200000
#define WAYS  4
#define PARTS 5

static uint8_t sent[BIG], got[BIG + 64];
static const size_t sizes[] = { 1, 4096, 16384, 16385, 57344, 65536, 65537, BIG };

struct end {
	int fd;
	size_t len;
	int way;
};

/* split() - @len bytes at @at in pieces of different sizes. Return: how many. */
static size_t split(uint8_t *at, size_t len, struct iovec v[PARTS])
{
	size_t n = 0;

	while (len) {
		size_t k = n == PARTS - 1 ? len : len / 3 + 1;

		v[n++] = (struct iovec){ at, k };
		at += k;
		len -= k;
	}
	return n;
}

/* move() - one call of @way. Ways: plain, with flags, a vector, a message. */
static ssize_t move(int fd, uint8_t *at, size_t len, int way, bool out)
{
	struct iovec v[PARTS];
	struct msghdr m = { .msg_iov = v };
	int n;

	switch (way) {
	case 0:
		return out ? write(fd, at, len) : read(fd, at, len);
	case 1:
		return out ? send(fd, at, len, 0) : recv(fd, at, len, 0);
	case 2:
		n = (int)split(at, len, v);
		return out ? writev(fd, v, n) : readv(fd, v, n);
	default:
		m.msg_iovlen = split(at, len, v);
		return out ? sendmsg(fd, &m, 0) : recvmsg(fd, &m, 0);
	}
}

static void *send_all(void *arg)
{
	struct end *e = arg;
	size_t done = 0;

	while (done < e->len) {
		ssize_t n = move(e->fd, sent + done, e->len - done, e->way, true);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return NULL;
}

static size_t receive_all(int fd, size_t len, int way)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = move(fd, got + done, len - done, way, false);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

static void connect_pair(int pair[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM, 0);

	bind(s, (void *)&a, len);
	listen(s, 1);
	getsockname(s, (void *)&a, &len);
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	connect(pair[0], (void *)&a, len);
	pair[1] = accept(s, NULL, NULL);
	close(s);
}

static void test_streams(void)
{
	int bad = 0, pair[2];

	connect_pair(pair);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (int way = 0; way < WAYS * WAYS; way++) {
			struct end e = { pair[0], sizes[i], way / WAYS };
			pthread_t t;

			memset(got, 0xee, sizeof(got));
			pthread_create(&t, NULL, send_all, &e);
			if (receive_all(pair[1], sizes[i], way % WAYS) != sizes[i] ||
			    memcmp(got, sent, sizes[i]) != 0 || got[sizes[i]] != 0xee) {
				printf("# %zu bytes, sent by %d, received by %d\n", sizes[i],
				       way / WAYS, way % WAYS);
				bad++;
			}
			pthread_join(t, NULL);
		}
	is(bad, 0, "every way to send against every way to receive, in all sizes");
	close(pair[0]);
	close(pair[1]);
}

/* A receive leaves alone what is behind the bytes that came. */
static void test_behind(void)
{
	int bad = 0, pair[2];

	connect_pair(pair);
	for (int way = 0; way < WAYS; way++) {
		memset(got, 0xee, sizeof(got));
		write(pair[0], "abc", 3);
		if (move(pair[1], got, 4000, way, false) != 3)
			bad++;
		for (int i = 3; i < 4000; i++)
			bad += got[i] != 0xee;
	}
	is(bad, 0, "memory behind what was received is as it was");
	close(pair[0]);
	close(pair[1]);
}

static void test_datagrams(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0), bad = 0;
	static const size_t all[] = { 0, 1, 4096, 30000, 65000 };

	bind(s, (void *)&a, len);
	getsockname(s, (void *)&a, &len);
	connect(c, (void *)&a, len);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		for (int way = 0; way < WAYS * WAYS; way++) {
			if (all[i] == 0 && (way / WAYS == 2 || way % WAYS == 2))
				continue; /* an empty vector is no datagram */
			memset(got, 0xee, sizeof(got));
			if (move(c, sent, all[i], way / WAYS, true) != (ssize_t)all[i] ||
			    move(s, got, 70000, way % WAYS, false) != (ssize_t)all[i] ||
			    memcmp(got, sent, all[i]) != 0 || got[all[i]] != 0xee)
				bad++;
		}
	is(bad, 0, "datagrams arrive whole and alone");
	is(CALL(SYS_sendto, c, sent, 70000, 0, NULL, 0), -EMSGSIZE, "too long: EMSGSIZE");
	close(s);
	close(c);
}

static void test_bad_addresses(void)
{
	uint8_t *p = edge(8);
	struct iovec v[2] = { { sent, 4 }, { BAD, 4 } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };
	socklen_t len = sizeof(struct sockaddr_in);
	struct sockaddr_in a;
	int pair[2];

	connect_pair(pair);
	is(CALL(SYS_sendto, pair[0], p, 16, 0, NULL, 0), -EFAULT, "send over an edge: EFAULT");
	is(CALL(SYS_sendmsg, pair[0], BAD, 0), -EFAULT, "sendmsg: EFAULT for its header");
	m.msg_iov = (void *)edge(8);
	is(CALL(SYS_sendmsg, pair[0], &m, 0), -EFAULT, "for its vector");
	is(CALL(SYS_sendto, pair[0], sent, 8, 0, BAD, 16), -EFAULT, "sendto: for its address");
	is(CALL(SYS_recvmsg, pair[1], BAD, MSG_DONTWAIT), -EFAULT, "recvmsg: EFAULT");
	is(CALL(SYS_sendto, pair[0], sent, 8, 0, NULL, 0), 8, "what fits is sent");
	is(CALL(SYS_recvfrom, pair[1], p, 8, 0, NULL, NULL), 8, "and received at an edge");
	is(memcmp(p, sent, 8), 0, "whole");
	is(CALL(SYS_accept, pair[1], BAD, BAD), -EINVAL, "accept where nobody listens: EINVAL");
	is(CALL(SYS_getsockname, pair[0], BAD, &len), -EFAULT, "getsockname: EFAULT");
	is(CALL(SYS_getpeername, pair[0], &a, BAD), -EFAULT, "getpeername: EFAULT");
	is(CALL(SYS_bind, pair[0], BAD, 16), -EFAULT, "bind: EFAULT");
	is(CALL(SYS_connect, pair[0], BAD, 16), -EFAULT, "connect: EFAULT");
	close(pair[0]);
	close(pair[1]);
}

/* fill() - until nothing moves any more. Return: what the last send said. */
static long fill(int fd)
{
	long n;

	do {
		while ((n = CALL(SYS_sendto, fd, sent, BIG, MSG_DONTWAIT, NULL, 0)) > 0)
			;
		usleep(20000);
	} while (n == -EAGAIN && (n = CALL(SYS_sendto, fd, sent, BIG, MSG_DONTWAIT, NULL, 0)) > 0);
	return n;
}

/* Blocked in a send: the other side does not read. */
static void test_full(void)
{
	struct timeval limit = { 0, 50000 };
	int pair[2], bytes = 20000;
	ssize_t n;

	connect_pair(pair);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	setsockopt(pair[1], SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	is(fill(pair[0]), -EAGAIN, "a send that does not wait, of a full socket: EAGAIN");
	on(SIGALRM, check_noop, 0);
	after_ms(50);
	n = CALL(SYS_sendto, pair[0], sent, BIG, 0, NULL, 0);
	ok(n == -EINTR || (n > 0 && n < BIG), "one that does: EINTR, or what has moved");
	is(setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0, "SO_SNDTIMEO");
	n = CALL(SYS_sendto, pair[0], sent, BIG, 0, NULL, 0);
	ok(n == -EAGAIN || (n > 0 && n < BIG), "its time is over: EAGAIN, or what has moved");
	is(setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0, "SO_RCVTIMEO");
	while ((n = recv(pair[1], got, BIG, 0)) > 0)
		;
	is(n < 0 ? -errno : n, -EAGAIN, "a receive's time is over: EAGAIN");
	limit.tv_usec = 0;
	setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	fill(pair[0]);
	is(killed_while(send(pair[0], sent, BIG, 0)), SIGKILL, "killed while it sends");
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < BIG; i++)
		sent[i] = (uint8_t)(i * 7 + i / 251);
	test_streams();
	test_behind();
	test_datagrams();
	test_bad_addresses();
	test_full();
	return tap_done();
}
