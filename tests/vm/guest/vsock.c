/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A test guest's AF_VSOCK: servers for the host to connect to, and a client.
 *
 *   52  repeats what comes, until its end
 *   53  sends for ever, and reads nothing
 *   54  reads nothing and sends nothing, until the other side has closed
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "tests/vm/guest/init.h"

#define BYTES (1 << 20)

static void *repeat(void *data)
{
	int sock = (int)(intptr_t)data;
	char buffer[8192];
	ssize_t n;

	while ((n = read(sock, buffer, sizeof(buffer))) > 0)
		for (ssize_t done = 0, m; done < n; done += m) {
			m = send(sock, buffer + done, (size_t)(n - done), MSG_NOSIGNAL);
			if (m <= 0)
				break;
		}
	close(sock);
	return NULL;
}

static void *flood(void *data)
{
	int sock = (int)(intptr_t)data;
	char buffer[8192];

	memset(buffer, 'f', sizeof(buffer));
	while (send(sock, buffer, sizeof(buffer), MSG_NOSIGNAL) > 0)
		;
	close(sock);
	return NULL;
}

static void *stay(void *data)
{
	struct pollfd p = { .fd = (int)(intptr_t)data };

	poll(&p, 1, -1); /* a hang-up is always reported */
	close(p.fd);
	return NULL;
}

static void *(*const servers[])(void *) = { repeat, flood, stay };

static void *serve(void *data)
{
	unsigned int i = (unsigned int)(intptr_t)data;
	struct sockaddr_vm a = { .svm_family = AF_VSOCK,
				 .svm_port = 52 + i,
				 .svm_cid = VMADDR_CID_ANY };
	int sock = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (bind(sock, (struct sockaddr *)&a, sizeof(a)) || listen(sock, 128)) {
		printf("GUEST vsock port %u: %s\n", 52 + i, strerror(errno));
		return NULL;
	}
	for (;;) {
		int fd = accept(sock, NULL, NULL);
		pthread_t t;

		if (fd >= 0 && pthread_create(&t, &attr, servers[i], (void *)(intptr_t)fd))
			close(fd);
	}
}

static int dial(unsigned int port)
{
	struct sockaddr_vm a = { .svm_family = AF_VSOCK,
				 .svm_port = port,
				 .svm_cid = VMADDR_CID_HOST };
	int sock = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(sock, (struct sockaddr *)&a, sizeof(a))) {
		printf("GUEST vsock to %u: %s\n", port, strerror(errno));
		close(sock);
		return -1;
	}
	return sock;
}

/* A MiB to port 60, its end; then what comes back. */
static void talk(void)
{
	unsigned long long got = 0, total = 0;
	uint8_t *buffer = malloc(BYTES);
	int sock = dial(60);
	ssize_t n = 0;

	for (int i = 0; i < BYTES; i++)
		buffer[i] = (uint8_t)(i * 7 + (i >> 12));
	for (size_t done = 0; done < BYTES && n >= 0; done += (size_t)n)
		n = send(sock, buffer + done, BYTES - done, MSG_NOSIGNAL);
	shutdown(sock, SHUT_WR);
	while ((n = read(sock, buffer, BYTES)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			total += buffer[i];
		got += (unsigned long long)n;
	}
	printf("GUEST vsock received %llu, sum %llu\n", got, total);
	close(sock);
	free(buffer);
}

void guest_vsock(void)
{
	pthread_t t;

	for (intptr_t i = 0; i < 3; i++)
		pthread_create(&t, NULL, serve, (void *)i);
	puts("GUEST vsock serves");
	talk();
	close(dial(61)); /* nobody there */
}
