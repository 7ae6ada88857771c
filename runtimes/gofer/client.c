/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the gofer.
 *
 * A caller takes a free connection, sends one message, waits for one, gives the connection back.
 * The lowest free one is taken, so a kernel that asks one thing at a time wakes one thread of the
 * gofer only.  What comes back is checked for its lengths: the gofer holds rights, so it is
 * trusted with files, but a bug in it should not become one here.
 */
#include "runtimes/gofer/client.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/fd.h"
#include "base/mem.h"

struct gofer {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	int socks[GOFER_CONNECTIONS];
	size_t n;
	unsigned int busy; /* bit i: connection i is in use */
	bool is_lost;
	void (*lost)(void); /* may be NULL */
};

/* One request and where its answer goes. */
struct ask {
	struct gofer_request rq;
	const char *name; /* NULL: none */
	const void *data;
	struct gofer_reply reply;
	void *into; /* reply's data; NULL: none is wanted */
	size_t into_size;
	int fd;
	bool lost; /* there is nobody to ask */
};

struct gofer *gofer_create(const int *socks, size_t n)
{
	struct gofer *g = xnew(struct gofer);

	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->freed, NULL);
	g->n = MIN(n, (size_t)GOFER_CONNECTIONS);
	memcpy(g->socks, socks, g->n * sizeof(*socks));
	return g;
}

void gofer_destroy(struct gofer *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->n; i++)
		close(g->socks[i]);
	pthread_cond_destroy(&g->freed);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

void gofer_on_lost(struct gofer *g, void (*fn)(void))
{
	g->lost = fn;
}

static void tell_lost(struct gofer *g)
{
	if (!__atomic_exchange_n(&g->is_lost, true, __ATOMIC_ACQ_REL) && g->lost)
		g->lost();
}

static size_t take_connection(struct gofer *g)
{
	size_t i;

	pthread_mutex_lock(&g->lock);
	while (g->busy == (1U << g->n) - 1)
		pthread_cond_wait(&g->freed, &g->lock);
	i = (size_t)__builtin_ctz(~g->busy);
	g->busy |= 1U << i;
	pthread_mutex_unlock(&g->lock);
	return i;
}

static void give_connection(struct gofer *g, size_t i)
{
	pthread_mutex_lock(&g->lock);
	g->busy &= ~(1U << i);
	pthread_cond_signal(&g->freed);
	pthread_mutex_unlock(&g->lock);
}

static int send_request(int sock, struct ask *a)
{
	struct iovec iov[3] = {
		{ .iov_base = &a->rq, .iov_len = sizeof(a->rq) },
		{ .iov_base = (void *)(uintptr_t)a->name, .iov_len = a->rq.name_len },
		{ .iov_base = (void *)(uintptr_t)a->data, .iov_len = a->rq.data_len },
	};
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 3 };
	ssize_t n;

	do
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	a->lost = n < 0;
	return n < 0 ? -EIO : 0;
}

/* take_fd() - the descriptor of a message, if it has one. */
static int take_fd(struct msghdr *m)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fd = -1;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

static int receive_reply(int sock, struct ask *a)
{
	struct iovec iov[2] = {
		{ .iov_base = &a->reply, .iov_len = sizeof(a->reply) },
		{ .iov_base = a->into, .iov_len = a->into_size },
	};
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr m = { .msg_iov = iov,
			    .msg_iovlen = 2,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	ssize_t n;

	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	a->lost = n <= 0;
	if (a->lost)
		return -EIO;
	a->fd = take_fd(&m);
	if ((size_t)n < sizeof(a->reply) || a->reply.error > 0)
		return -EIO;
	if (!(m.msg_flags & MSG_TRUNC) && a->reply.data_len != (size_t)n - sizeof(a->reply))
		return -EIO;
	return a->reply.error;
}

static int ask(struct gofer *g, struct ask *a)
{
	size_t i, len = a->name ? strlen(a->name) : 0;
	int rc;

	a->fd = -1;
	if (len > GOFER_NAME_MAX)
		return -ENAMETOOLONG;
	a->rq.name_len = (uint32_t)len;
	a->rq.cpu = (uint32_t)(sched_getcpu() + 1);
	i = take_connection(g);
	rc = send_request(g->socks[i], a);
	if (rc == 0)
		rc = receive_reply(g->socks[i], a);
	give_connection(g, i);
	if (rc < 0)
		close_fd(&a->fd);
	if (a->lost)
		tell_lost(g);
	return rc;
}

/* ask_node() - a request that is answered with a file. */
static int ask_node(struct gofer *g, struct ask *a, struct gofer_node *ret)
{
	int rc = ask(g, a);

	if (rc < 0)
		return rc;
	ret->handle = a->reply.handle;
	ret->attr = a->reply.attr;
	return 0;
}

int gofer_lookup(struct gofer *g, uint32_t dir, const char *name, struct gofer_node *ret)
{
	struct ask a = { .rq = { .op = GOFER_LOOKUP, .handle = dir }, .name = name };

	return ask_node(g, &a, ret);
}

int gofer_getattr(struct gofer *g, uint32_t handle, struct gofer_attr *ret)
{
	struct ask a = { .rq = { .op = GOFER_GETATTR, .handle = handle } };
	int rc = ask(g, &a);

	if (rc == 0)
		*ret = a.reply.attr;
	return rc;
}

int gofer_open(struct gofer *g, uint32_t handle, int flags, int *ret_fd)
{
	struct ask a = { .rq = { .op = GOFER_OPEN, .handle = handle, .flags = (uint32_t)flags } };
	int rc = ask(g, &a);

	if (rc < 0)
		return rc;
	*ret_fd = a.fd;
	return a.fd < 0 ? -EIO : 0;
}

int gofer_create_file(struct gofer *g, uint32_t dir, const char *name, mode_t mode, uid_t uid,
		      gid_t gid, struct gofer_node *ret, int *ret_fd)
{
	struct ask a = {
		.rq = { .op = name ? GOFER_CREATE : GOFER_TMPFILE,
			.handle = dir,
			.mode = mode,
			.uid = uid,
			.gid = gid },
		.name = name,
	};
	int rc = ask_node(g, &a, ret);

	if (rc < 0)
		return rc;
	*ret_fd = a.fd;
	return a.fd < 0 ? -EIO : 0;
}

int gofer_make(struct gofer *g, uint32_t dir, const char *name, mode_t mode, uid_t uid, gid_t gid,
	       struct gofer_node *ret)
{
	struct ask a = {
		.rq = { .op = S_ISDIR(mode) ? GOFER_MKDIR : GOFER_MKNOD,
			.handle = dir,
			.mode = mode,
			.uid = uid,
			.gid = gid },
		.name = name,
	};

	return ask_node(g, &a, ret);
}

int gofer_symlink(struct gofer *g, uint32_t dir, const char *name, const char *target, uid_t uid,
		  gid_t gid, struct gofer_node *ret)
{
	struct ask a = {
		.rq = { .op = GOFER_SYMLINK,
			.handle = dir,
			.uid = uid,
			.gid = gid,
			.data_len = (uint32_t)strlen(target) },
		.name = name,
		.data = target,
	};

	return ask_node(g, &a, ret);
}

int gofer_link(struct gofer *g, uint32_t dir, const char *name, uint32_t file)
{
	struct ask a = { .rq = { .op = GOFER_LINK, .handle = dir, .handle2 = file }, .name = name };

	return ask(g, &a);
}

int gofer_unlink(struct gofer *g, uint32_t dir, const char *name, int flags)
{
	struct ask a = { .rq = { .op = GOFER_UNLINK, .handle = dir, .flags = (uint32_t)flags },
			 .name = name };

	return ask(g, &a);
}

int gofer_rename(struct gofer *g, uint32_t dir, const char *name, uint32_t new_dir,
		 const char *new_name, unsigned int flags)
{
	struct ask a = {
		.rq = { .op = GOFER_RENAME,
			.handle = dir,
			.handle2 = new_dir,
			.flags = flags,
			.data_len = (uint32_t)strlen(new_name) },
		.name = name,
		.data = new_name,
	};

	return ask(g, &a);
}

ssize_t gofer_readlink(struct gofer *g, uint32_t handle, char *buf, size_t size)
{
	struct ask a = { .rq = { .op = GOFER_READLINK, .handle = handle },
			 .into = buf,
			 .into_size = size };
	int rc = ask(g, &a);

	return rc < 0 ? rc : (ssize_t)MIN((size_t)a.reply.data_len, size);
}

int gofer_setattr(struct gofer *g, uint32_t handle, unsigned int mask, const struct gofer_attr *to,
		  struct gofer_attr *ret)
{
	struct ask a = { .rq = { .op = GOFER_SETATTR,
				 .handle = handle,
				 .mask = mask,
				 .mode = to->mode,
				 .uid = to->uid,
				 .gid = to->gid,
				 .size = to->size,
				 .atime = to->atime,
				 .mtime = to->mtime } };
	int rc = ask(g, &a);

	if (rc == 0)
		*ret = a.reply.attr;
	return rc;
}

/* --- extended attributes ---------------------------------------------------------------------- */

/* ask_bytes() - an answer of any length, as the calls on attributes give it. */
static ssize_t ask_bytes(struct gofer *g, struct ask *a, void *buf, size_t size)
{
	int rc;

	a->into = buf;
	a->into_size = size;
	rc = ask(g, a);
	if (rc < 0)
		return rc;
	return size > 0 && a->reply.data_len > size ? -ERANGE : (ssize_t)a->reply.data_len;
}

ssize_t gofer_getxattr(struct gofer *g, uint32_t handle, const char *name, void *buf, size_t size)
{
	struct ask a = { .rq = { .op = GOFER_GETXATTR, .handle = handle }, .name = name };

	return ask_bytes(g, &a, buf, size);
}

ssize_t gofer_listxattr(struct gofer *g, uint32_t handle, char *buf, size_t size)
{
	struct ask a = { .rq = { .op = GOFER_LISTXATTR, .handle = handle } };

	return ask_bytes(g, &a, buf, size);
}

int gofer_setxattr(struct gofer *g, uint32_t handle, const char *name, const void *value,
		   size_t size, int flags)
{
	struct ask a = { .rq = { .op = GOFER_SETXATTR,
				 .handle = handle,
				 .flags = (uint32_t)flags,
				 .data_len = (uint32_t)size },
			 .name = name,
			 .data = value };

	return size > GOFER_DATA_MAX ? -E2BIG : ask(g, &a);
}

int gofer_removexattr(struct gofer *g, uint32_t handle, const char *name)
{
	struct ask a = { .rq = { .op = GOFER_REMOVEXATTR, .handle = handle }, .name = name };

	return ask(g, &a);
}

/* --- the rest --------------------------------------------------------------------------------- */

int gofer_statfs(struct gofer *g, uint32_t handle, struct statfs *ret)
{
	struct ask a = { .rq = { .op = GOFER_STATFS, .handle = handle },
			 .into = ret,
			 .into_size = sizeof(*ret) };
	int rc = ask(g, &a);

	return rc == 0 && a.reply.data_len != sizeof(*ret) ? -EIO : rc;
}

int gofer_sync(struct gofer *g, uint32_t handle)
{
	struct ask a = { .rq = { .op = GOFER_SYNC, .handle = handle } };

	return ask(g, &a);
}

void gofer_close(struct gofer *g, uint32_t handle)
{
	struct ask a = { .rq = { .op = GOFER_CLOSE, .data_len = sizeof(handle) }, .data = &handle };
	size_t i = take_connection(g);

	send_request(g->socks[i], &a);
	give_connection(g, i);
}

int gofer_add_tree(const char *path, int fd, int read_only, struct error *err)
{
	struct gofer_tree tree = { .read_only = read_only != 0 };
	int sock cleanup_close = fd_connect_unix(path, SOCK_SEQPACKET, err);
	int answer, rc;

	if (sock < 0)
		return sock;
	rc = fd_send(sock, &tree, sizeof(tree), &fd, 1);
	if (rc == 0 && fd_recv(sock, &answer, sizeof(answer), NULL, 0) != sizeof(answer))
		rc = -EIO;
	if (rc == 0)
		rc = answer;
	return rc < 0 ? error_errno(err, -rc, "give the gofer a tree") : rc;
}
