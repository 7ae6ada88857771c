/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream that epoll_wait() has just reported, used in any way but the usual one.
 *
 * A kernel may bring the bytes along with the report; nobody must be able to tell.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "tests/syscalls/check.h"

static int ours, theirs, set;
static char b[65536];

static void connect_pair(int *ret_c, int *ret_d)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM, 0);

	bind(s, (void *)&a, len);
	listen(s, 1);
	getsockname(s, (void *)&a, &len);
	*ret_c = socket(AF_INET, SOCK_STREAM, 0);
	connect(*ret_c, (void *)&a, len);
	*ret_d = accept4(s, NULL, NULL, SOCK_NONBLOCK);
	close(s);
}

/* begin() - a fresh pair whose one end is watched. */
static void begin(uint32_t events)
{
	struct epoll_event e = { .events = events };

	connect_pair(&theirs, &ours);
	set = epoll_create1(0);
	epoll_ctl(set, EPOLL_CTL_ADD, ours, &e);
}

static void end(void)
{
	close(ours);
	close(theirs);
	close(set);
}

/* reported() - @text is sent, arrives and is told of. */
static void reported(const char *text)
{
	struct epoll_event e;
	int have = 0, before = 0;

	ioctl(ours, FIONREAD, &before);
	send(theirs, text, strlen(text), 0);
	while (ioctl(ours, FIONREAD, &have) == 0 && have < before + (int)strlen(text))
		usleep(100);
	epoll_wait(set, &e, 1, 5000);
}

/* gets() - @n bytes are what is read from @fd. */
static bool gets_(int fd, const char *want)
{
	ssize_t n = read(fd, b, sizeof(b));

	return n == (ssize_t)strlen(want) && memcmp(b, want, (size_t)n) == 0;
}

static bool is_empty(int fd)
{
	return CALL(SYS_recvfrom, fd, b, sizeof(b), MSG_DONTWAIT, NULL, NULL) == -EAGAIN;
}

static void test_plain(void)
{
	struct epoll_event e;
	int n = -1;

	begin(EPOLLIN);
	reported("hello");
	ok(gets_(ours, "hello"), "a read gets it");
	ok(is_empty(ours), "once");
	is(epoll_wait(set, &e, 1, 0), 0, "and nothing is told of");
	reported("again");
	is(epoll_wait(set, &e, 1, 0), 1, "what is not read is told of again");
	is(ioctl(ours, FIONREAD, &n), 0, "FIONREAD");
	is(n, 5, "counts it");
	is(recv(ours, b, 2, 0), 2, "a part of it");
	is(ioctl(ours, FIONREAD, &n), 0, "FIONREAD");
	is(n, 3, "counts the rest");
	is(epoll_wait(set, &e, 1, 0), 1, "which is told of");
	ok(gets_(ours, "ain"), "and read");
	is(CALL(SYS_read, ours, b, 0), 0, "no bytes at all");
	reported("bad");
	is(CALL(SYS_read, ours, BAD, 100), -EFAULT, "EFAULT");
	end();
}

static void test_other_ways(void)
{
	struct iovec v[2] = { { b, 2 }, { b + 2, 100 } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };
	struct pollfd p;

	begin(EPOLLIN);
	reported("vector");
	is(readv(ours, v, 2), 6, "readv");
	is(memcmp(b, "vector", 6), 0, "gets it");
	reported("message");
	is(recvmsg(ours, &m, 0), 7, "recvmsg");
	is(memcmp(b, "message", 7), 0, "gets it");
	reported("peeked");
	is(recv(ours, b, 100, MSG_PEEK), 6, "MSG_PEEK");
	send(theirs, " on", 3, 0);
	usleep(20000);
	is(recv(ours, b, 100, MSG_PEEK), 9, "sees what has come since");
	is(memcmp(b, "peeked on", 9), 0, "in order");
	is(recv(ours, b, 9, MSG_WAITALL), 9, "MSG_WAITALL");
	reported("dropped");
	is(recv(ours, b, 100, MSG_TRUNC), 7, "MSG_TRUNC throws it away");
	ok(is_empty(ours), "all");
	reported("polled");
	p = (struct pollfd){ ours, POLLIN, 0 };
	is(poll(&p, 1, 0), 1, "poll sees it");
	ok(gets_(ours, "polled"), "a read gets it");
	is(poll(&p, 1, 0), 0, "poll sees it no more");
	end();
}

static void *read_it(void *unused)
{
	return gets_(ours, "thread") ? unused : NULL;
}

static void test_others(void)
{
	int copy, status, pair[2], got = -1;
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec v = { b, 1 };
	struct msghdr m = { .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	pthread_t t;
	void *good;

	begin(EPOLLIN);
	copy = dup(ours);
	reported("dup");
	ok(gets_(copy, "dup"), "another number of it gets it");
	ok(is_empty(ours), "and nobody else");
	reported("child");
	status = in_child(_exit(gets_(ours, "child") ? 7 : 1));
	is(WEXITSTATUS(status), 7, "a child gets it");
	ok(is_empty(ours), "and nobody else");
	reported("thread");
	pthread_create(&t, NULL, read_it, b);
	pthread_join(t, &good);
	ok(good != NULL, "another thread gets it");
	ok(is_empty(ours), "and nobody else");
	reported("rights");
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	*c = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(c), &ours, sizeof(ours));
	sendmsg(pair[0], &m, 0);
	recvmsg(pair[1], &m, 0);
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(got));
	ok(gets_(got, "rights"), "who was sent it gets it");
	ok(is_empty(ours), "and nobody else");
	close(got);
	close(copy);
	close(pair[0]);
	close(pair[1]);
	end();
}

/* The number means something else before it is read. */
static void test_numbers(void)
{
	int c, d, number;

	begin(EPOLLIN);
	connect_pair(&c, &d);
	send(c, "other", 5, 0);
	usleep(20000);
	reported("first");
	number = dup(ours);
	dup2(d, ours);
	ok(gets_(ours, "other"), "another file under its number is that file");
	ok(gets_(number, "first"), "and it is still there");
	close(number);
	close(c);
	close(d);
	end();
	begin(EPOLLIN);
	reported("x");
	close(ours);
	is(CALL(SYS_read, ours, b, 1), -EBADF, "a closed number: EBADF");
	end();
}

static void test_ends(void)
{
	struct epoll_event e;
	long n;

	begin(EPOLLIN);
	reported("last");
	close(theirs);
	ok(gets_(ours, "last"), "the last bytes");
	is(epoll_wait(set, &e, 1, 5000), 1, "and then the end");
	is(read(ours, b, 10), 0, "0");
	is(read(ours, b, 10), 0, "and again");
	end();
	begin(EPOLLIN);
	reported("kept");
	shutdown(ours, SHUT_RD);
	ok(gets_(ours, "kept"), "after SHUT_RD what was there");
	is(read(ours, b, 10), 0, "and the end");
	end();
	begin(EPOLLIN);
	reported("unread");
	close(ours);
	n = CALL(SYS_recvfrom, theirs, b, 10, 0, NULL, NULL);
	is(n, -ECONNRESET, "who closes and has not read resets");
	end();
}

/* Edge-triggered: who reads less than there is room for may wait for the next edge. */
static void test_edges(void)
{
	static char big[5000];
	struct epoll_event e;

	memset(big, 'x', sizeof(big) - 1);
	begin(EPOLLIN | EPOLLET | EPOLLRDHUP);
	reported(big);
	is(read(ours, b, sizeof(b)), (long)sizeof(big) - 1, "a read gets all there is");
	is(epoll_wait(set, &e, 1, 0), 0, "no edge");
	reported("one");
	is(epoll_wait(set, &e, 1, 0), 0, "one edge");
	send(theirs, "two", 3, 0);
	is(epoll_wait(set, &e, 1, 5000), 1, "and another");
	ok(gets_(ours, "onetwo"), "for both");
	send(theirs, "end", 3, 0);
	shutdown(theirs, SHUT_WR);
	usleep(20000);
	is(epoll_wait(set, &e, 1, 5000), 1, "the end with bytes before it");
	ok(e.events & EPOLLRDHUP, "EPOLLRDHUP");
	ok(gets_(ours, "end"), "the bytes");
	is(read(ours, b, 10), 0, "the end");
	end();
}

/* The next program of the process has its descriptors and its bytes. */
static void test_exec(void)
{
	char number[16];
	int status = 0;
	pid_t pid;

	begin(EPOLLIN);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		reported("exec");
		fcntl(ours, F_SETFD, 0);
		snprintf(number, sizeof(number), "%d", ours);
		execl("/proc/self/exe", "socket_ahead", number, NULL);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	is(WEXITSTATUS(status), 7, "a program that is executed gets it");
	ok(is_empty(ours), "and nobody else");
	end();
}

/* --- many readers ----------------------------------------------------------------------------- */

#define STREAM_BYTES (1 << 20)

static uint8_t stream[STREAM_BYTES];
static uint64_t sum_read, bytes_read;

static void *write_stream(void *unused)
{
	unsigned int seed = 1;

	for (size_t at = 0; at < STREAM_BYTES;) {
		size_t n = (size_t)rand_r(&seed) % 3000 + 1;

		n = n < STREAM_BYTES - at ? n : STREAM_BYTES - at;
		if (send(theirs, stream + at, n, 0) != (ssize_t)n)
			break;
		at += n;
		if (n % 7 == 0)
			usleep(n % 400);
	}
	shutdown(theirs, SHUT_WR);
	return unused;
}

/* receive_somehow() - in a way of the moment. Return: as the call; what was peeked is no progress.
 */
static ssize_t receive_somehow(unsigned int *seed, uint8_t *to)
{
	size_t n = (size_t)rand_r(seed) % 4000 + 1;
	struct iovec v[2] = { { to, n / 2 }, { to + n / 2, n - n / 2 } };

	switch (rand_r(seed) % 6) {
	case 0:
		return readv(ours, v, 2);
	case 1:
		recv(ours, to, n, MSG_PEEK);
		return recv(ours, to, n, 0);
	case 2:
		return recv(ours, to, n, MSG_DONTWAIT);
	default:
		return read(ours, to, n);
	}
}

static void test_order(void)
{
	static uint8_t got[STREAM_BYTES + 8192];
	unsigned int seed = 2;
	struct epoll_event e;
	size_t at = 0;
	pthread_t t;
	ssize_t n;

	begin(EPOLLIN);
	pthread_create(&t, NULL, write_stream, NULL);
	for (;;) {
		epoll_wait(set, &e, 1, 5000);
		n = receive_somehow(&seed, got + at);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		at += n > 0 ? (size_t)n : 0;
	}
	pthread_join(t, NULL);
	is(at, STREAM_BYTES, "one reader in changing ways: nothing is lost");
	is(memcmp(got, stream, STREAM_BYTES), 0, "and all comes in order");
	end();
}

static void *read_some(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;
	struct epoll_event e;
	uint8_t to[4096];
	ssize_t n = 1;

	while (n > 0 || (n < 0 && errno == EAGAIN)) {
		uint64_t sum = 0;

		epoll_wait(set, &e, 1, 20);
		n = receive_somehow(&seed, to);
		for (ssize_t i = 0; i < n; i++)
			sum += to[i];
		__atomic_fetch_add(&sum_read, sum, __ATOMIC_RELAXED);
		__atomic_fetch_add(&bytes_read, n > 0 ? (uint64_t)n : 0, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void test_many(void)
{
	uint64_t sum = 0;
	pthread_t t[4];

	for (size_t i = 0; i < STREAM_BYTES; i++)
		sum += stream[i];
	begin(EPOLLIN);
	pthread_create(&t[0], NULL, write_stream, NULL);
	for (uintptr_t i = 1; i < ARRAY_LEN(t); i++)
		pthread_create(&t[i], NULL, read_some, (void *)i);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		pthread_join(t[i], NULL);
	is(bytes_read, STREAM_BYTES, "three readers: nothing is lost or comes twice");
	is(sum_read, sum, "and nothing is changed");
	end();
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc > 1)
		return gets_(atoi(argv[1]), "exec") ? 7 : 1;
	for (size_t i = 0; i < STREAM_BYTES; i++)
		stream[i] = (uint8_t)(i * 31 + i / 255);
	test_plain();
	test_other_ways();
	test_others();
	test_numbers();
	test_ends();
	test_edges();
	test_exec();
	test_order();
	test_many();
	return tap_done();
}
