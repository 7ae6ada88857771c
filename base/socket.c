/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UNIX sockets of fd.h: listening, connecting, passing descriptors.
 *
 * sun_path holds 108 bytes; a longer path is reached as /proc/self/fd/N/name, N being an open
 * descriptor of the directory (unix(7), proc(5)).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/mem.h"

#define MAX_FDS 64

int fd_send(int sock, const void *data, size_t len, const int *fds, size_t nfds)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	union {
		char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	ssize_t n;

	if (nfds > MAX_FDS)
		return -EINVAL;
	if (nfds > 0) {
		struct cmsghdr *c;

		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	do
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EMSGSIZE;
}

/* Descriptors that came with @m go to @fds; surplus ones are closed. */
static void take_fds(struct msghdr *m, int *fds, size_t max_fds)
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (n < max_fds)
				fds[n++] = fd;
			else
				close(fd);
		}
	}
}

ssize_t fd_recv(int sock, void *data, size_t size, int *fds, size_t max_fds)
{
	struct iovec iov = { .iov_base = data, .iov_len = size };
	union {
		char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;

	for (size_t i = 0; i < max_fds; i++)
		fds[i] = -1;
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	take_fds(&m, fds, max_fds);
	if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		for (size_t i = 0; i < max_fds; i++)
			close_fd(&fds[i]);
		return -EMSGSIZE;
	}
	return n;
}

/* An address for @path; *ret_dir keeps the directory open where it is needed. */
static int make_address(const char *path, struct sockaddr_un *a, int *ret_dir, struct error *err)
{
	const char *slash = strrchr(path, '/');
	char *dir cleanup_free = NULL;
	int n;

	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*ret_dir = -1;
	if (strlen(path) < sizeof(a->sun_path)) {
		memcpy(a->sun_path, path, strlen(path) + 1);
		return 0;
	}
	if (!slash)
		return error_set(err, ENAMETOOLONG, "socket name '%s' is too long", path);
	dir = xstrndup(path, (size_t)(slash - path) + 1);
	*ret_dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*ret_dir < 0)
		return error_errno(err, errno, "open %s", dir);
	n = snprintf(a->sun_path, sizeof(a->sun_path), "/proc/self/fd/%d/%s", *ret_dir, slash + 1);
	if (n >= (int)sizeof(a->sun_path)) {
		close_fd(ret_dir);
		return error_set(err, ENAMETOOLONG, "socket name '%s' is too long", slash + 1);
	}
	return 0;
}

int fd_connect_unix(const char *path, int type, struct error *err)
{
	struct sockaddr_un a;
	int dir cleanup_close = -1;
	int sock cleanup_close = -1;
	int rc = make_address(path, &a, &dir, err);

	if (rc < 0)
		return rc;
	sock = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return error_errno(err, errno, "socket");
	if (connect(sock, (struct sockaddr *)&a, sizeof(a)) < 0)
		return error_errno(err, errno, "connect to %s", path);
	return steal_fd(&sock);
}

/* A socket file that nobody listens on is left over from a killed process. */
static int remove_dead(const char *path, int type, struct error *err)
{
	struct error why = ERROR_INIT;
	struct stat st;
	int fd;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : error_errno(err, errno, "%s", path);
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, EEXIST, "%s exists and is not a socket", path);
	fd = fd_connect_unix(path, type, &why);
	if (fd >= 0) {
		close(fd);
		return error_set(err, EADDRINUSE, "another process listens on %s", path);
	}
	if (why.code != -ECONNREFUSED)
		return error_copy(err, &why);
	return unlink(path) < 0 ? error_errno(err, errno, "unlink %s", path) : 0;
}

int fd_listen_unix(const char *path, int type, mode_t mode, struct error *err)
{
	struct sockaddr_un a;
	int dir cleanup_close = -1;
	int sock cleanup_close = -1;
	int rc = remove_dead(path, type, err);

	if (rc == 0)
		rc = make_address(path, &a, &dir, err);
	if (rc < 0)
		return rc;
	sock = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return error_errno(err, errno, "socket");
	if (fchmod(sock, mode) < 0 || bind(sock, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    chmod(path, mode) < 0)
		return error_errno(err, errno, "bind %s", path);
	if (listen(sock, 128) < 0)
		return error_errno(err, errno, "listen on %s", path);
	return steal_fd(&sock);
}
