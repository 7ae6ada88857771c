/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads that wait for sockets, each in its own way: nobody is forgotten.
 *
 * Servers wait by epoll, by poll or in recv, with short timeouts or none, while sockets come and
 * go.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "tests/syscalls/check.h"

#define CLIENTS	    6
#define CONNECTIONS 25
#define BYTES	    15
#define PATIENCE_MS 8000

static struct sockaddr_in address;
static int listener, answered, refused;

/* wait_for() - a byte on @c, or its end. */
static void wait_for(int c, int set, unsigned int how)
{
	struct pollfd p = { c, POLLIN, 0 };
	struct epoll_event e;

	if (how == 0)
		while (epoll_wait(set, &e, 1, 1 + c % 20) <= 0)
			;
	if (how == 1)
		while (poll(&p, 1, 1 + c % 20) <= 0)
			;
	if (how == 2)
		epoll_wait(set, &e, 1, -1);
}

static void *serve(void *arg)
{
	int c = (int)(intptr_t)arg, set = epoll_create1(0);
	struct epoll_event e = { .events = EPOLLIN };
	char b;

	epoll_ctl(set, EPOLL_CTL_ADD, c, &e);
	do
		wait_for(c, set, (unsigned int)c % 4);
	while (recv(c, &b, 1, 0) == 1 && send(c, &b, 1, MSG_NOSIGNAL) == 1);
	close(set);
	close(c);
	return NULL;
}

static void *accept_all(void *unused)
{
	for (;;) {
		int c = accept(listener, NULL, NULL);
		pthread_t t;

		if (c < 0)
			break;
		pthread_create(&t, NULL, serve, (void *)(intptr_t)c);
		pthread_detach(t);
	}
	return unused;
}

/* One connection. Return: whether everything came back, and its end when it was asked for. */
static bool talk(bool until_end)
{
	int c = socket(AF_INET, SOCK_STREAM, 0);
	struct pollfd p = { c, POLLIN, 0 };
	bool good = connect(c, (void *)&address, sizeof(address)) == 0;
	char b = 1;

	for (int i = 0; good && i < BYTES; i++)
		good = write(c, &b, 1) == 1 && poll(&p, 1, PATIENCE_MS) == 1 && read(c, &b, 1) == 1;
	if (good && until_end) {
		shutdown(c, SHUT_WR);
		good = poll(&p, 1, PATIENCE_MS) == 1 && read(c, &b, 1) == 0;
	}
	close(c);
	return good;
}

static void *client(void *unused)
{
	for (int i = 0; i < CONNECTIONS; i++)
		__atomic_fetch_add(talk(i & 1) ? &answered : &refused, 1, __ATOMIC_RELAXED);
	return unused;
}

int main(void)
{
	socklen_t len = sizeof(address);
	pthread_t acceptor, clients[CLIENTS];

	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	bind(listener, (void *)&address, len);
	is(listen(listener, 64), 0, "listen");
	getsockname(listener, (void *)&address, &len);
	pthread_create(&acceptor, NULL, accept_all, NULL);
	for (int i = 0; i < CLIENTS; i++)
		pthread_create(&clients[i], NULL, client, NULL);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	is(refused, 0, "no connection lost a byte or its end");
	is(answered, CLIENTS * CONNECTIONS, "all were served");
	return tap_done();
}
