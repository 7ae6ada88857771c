/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gofer's process: connections of the kernel, trees to serve.
 *
 * The launcher starts it as root with three kinds of descriptors: connections of the kernel (the
 * sentry or the VMM), roots of the trees it serves, and a listening socket on which later
 * launchers add trees.  The first thing it does is to give up everything else (confine.c).
 * A connection gets a thread with its first request; with the end of the last one the gofer ends.
 */
#include "runtimes/gofer/gofer.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "runtimes/gofer/confine.h"
#include "runtimes/gofer/serve.h"

struct connection {
	int fd;
	uint32_t cpu; /* where its thread is pinned to, as requests say it; 0: not */
	_Alignas(8) char request[GOFER_REQUEST_MAX];
	struct gofer_answer answer;
};

static struct {
	struct connection *connections[GOFER_CONNECTIONS];
	size_t n_connections;
	int admin;
	bool no_network;
} gofer = { .admin = -1 };

static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static size_t n_open; /* connections that have not ended; under open_lock */

/* --- connections ------------------------------------------------------------------------------ */

static int send_answer(int sock, struct gofer_answer *a)
{
	struct iovec iov[2] = {
		{ .iov_base = &a->reply, .iov_len = sizeof(a->reply) },
		{ .iov_base = a->data, .iov_len = a->reply.data_len },
	};
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	if (a->fd >= 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
						  .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), &a->fd, sizeof(int));
	}
	do
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	close_fd(&a->fd);
	return n < 0 ? -errno : 0;
}

/* follow() - to the CPU of who asks. It is only a hint: what is wrong with it changes nothing. */
static void follow(struct connection *c, const struct gofer_request *rq)
{
	cpu_set_t set;

	if (rq->cpu == c->cpu || rq->cpu == 0 || rq->cpu > CPU_SETSIZE)
		return;
	CPU_ZERO(&set);
	CPU_SET(rq->cpu - 1, &set);
	if (sched_setaffinity(0, sizeof(set), &set) == 0)
		c->cpu = rq->cpu;
}

/* serve_one() - Return: false when the connection has ended. */
static bool serve_one(struct connection *c)
{
	ssize_t n = fd_recv(c->fd, c->request, sizeof(c->request), NULL, 0);

	if (n == -EMSGSIZE)
		n = 1; /* too long to be a request: answered as one that is cut off */
	if (n <= 0)
		return false;
	if ((size_t)n >= sizeof(struct gofer_request))
		follow(c, (const struct gofer_request *)(const void *)c->request);
	if (!gofer_serve(c->request, (size_t)n, &c->answer))
		return true;
	return send_answer(c->fd, &c->answer) == 0;
}

static void *connection_run(void *data)
{
	struct connection *c = data;
	bool last;

	while (serve_one(c))
		;
	close_fd(&c->fd);
	pthread_mutex_lock(&open_lock);
	last = --n_open == 0;
	pthread_mutex_unlock(&open_lock);
	if (last)
		_exit(0);
	return NULL;
}

/* --- trees of later containers ---------------------------------------------------------------- */

static void admin_serve(int listener)
{
	int sock cleanup_close = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct gofer_tree tree;
	int fd, answer;
	ssize_t n;

	if (sock < 0)
		return;
	n = fd_recv(sock, &tree, sizeof(tree), &fd, 1);
	if (n == sizeof(tree) && fd >= 0)
		answer = handles_add_tree(fd, tree.read_only);
	else
		answer = -EINVAL;
	if (n != sizeof(tree) && n >= 0)
		close_fd(&fd);
	fd_send(sock, &answer, sizeof(answer), NULL, 0);
}

/* --- start ------------------------------------------------------------------------------------ */

static int run(void)
{
	struct pollfd p[GOFER_CONNECTIONS + 1];
	size_t n = gofer.n_connections;

	for (size_t i = 0; i < n; i++)
		p[i] = (struct pollfd){ .fd = gofer.connections[i]->fd, .events = POLLIN };
	p[n] = (struct pollfd){ .fd = gofer.admin, .events = POLLIN };
	for (;;) {
		if (poll(p, n + 1, -1) < 0 && errno != EINTR)
			return 1;
		for (size_t i = 0; i < n; i++) {
			if (!p[i].revents)
				continue;
			p[i].fd = -1;
			p[i].revents = 0;
			if (thread_start(connection_run, gofer.connections[i]) < 0)
				return 1;
		}
		if (p[n].revents)
			admin_serve(gofer.admin);
	}
}

static int usage(FILE *to, int code)
{
	fputs("usage: bulkhead-gofer --connection FD... [--tree FD[:ro]]... [--admin FD]\n"
	      "                      [--no-network]\n"
	      "Opens and changes files below the trees for the kernel of a pod.  Started by\n"
	      "bulkhead-sentry and bulkhead-microvm; of no use by hand.\n",
	      to);
	return code;
}

static int parse_fd(const char *text, const char *suffix, bool *ret_suffix)
{
	char number[16];
	size_t len = strcspn(text, ":");
	uint64_t fd;

	*ret_suffix = text[len] == ':' && suffix && strcmp(text + len + 1, suffix) == 0;
	if (len >= sizeof(number) || (text[len] && !*ret_suffix))
		return -1;
	memcpy(number, text, len);
	number[len] = '\0';
	return str_parse_u64(number, &fd) < 0 || fd > INT32_MAX ? -1 : (int)fd;
}

static int add_connection(int fd)
{
	struct connection *c;

	if (gofer.n_connections == GOFER_CONNECTIONS)
		return -1;
	/* pages of their own, which cost nothing before they are used: most requests are short */
	c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c == MAP_FAILED)
		return -1;
	c->fd = fd;
	gofer.connections[gofer.n_connections++] = c;
	n_open++;
	return 0;
}

static int take_option(int option, const char *text)
{
	bool suffix;
	int fd = parse_fd(text, option == 't' ? "ro" : NULL, &suffix);

	if (fd < 0 || fd_set_cloexec(fd, true) < 0)
		return -1;
	if (option == 't')
		return handles_add_tree(fd, suffix);
	if (option == 'c')
		return add_connection(fd);
	gofer.admin = fd;
	return 0;
}

/* Each handle is a descriptor of ours. */
static void raise_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

int gofer_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "connection", required_argument, NULL, 'c' },
		{ "tree", required_argument, NULL, 't' },
		{ "admin", required_argument, NULL, 'a' },
		{ "no-network", no_argument, NULL, 'n' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct error err = ERROR_INIT;
	int option;

	log_init("bulkhead-gofer", LOG_LEVEL_INFO);
	mallopt(M_ARENA_MAX, 1);
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'v') {
			puts("bulkhead-gofer " BULKHEAD_VERSION);
			return 0;
		}
		if (option == 'h')
			return usage(stdout, 0);
		if (option == 'n') {
			gofer.no_network = true;
			continue;
		}
		if (option == '?' || take_option(option, optarg) < 0)
			return usage(stderr, 2);
	}
	if (optind != argc || gofer.n_connections == 0)
		return usage(stderr, 2);
	raise_limit();
	if (gofer_confine(gofer.no_network, &err) < 0) {
		log_error("%s", err.text);
		return 1;
	}
	return run();
}
