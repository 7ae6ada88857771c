/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on sockets: making, naming, connecting, options.
 */
#include "runtimes/sentry/sys/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "runtimes/sentry/ipc/unix.h"
#include "runtimes/sentry/net/inet.h"

#define OPTION_MAX 4096

/* --- descriptors ------------------------------------------------------------------------------ */

int sys_socket_file(struct task *t, uint64_t fd, struct file **ret)
{
	*ret = sys_file(t, (int)fd);
	if (!*ret)
		return -EBADF;
	if (socket_of(*ret))
		return 0;
	file_put(*ret);
	return -ENOTSOCK;
}

static struct ucred owner_of(const struct task *t)
{
	return (struct ucred){ .pid = t->process->pid, .uid = t->cred->euid, .gid = t->cred->egid };
}

/* install() - @s (taken over) gets a number. @flags: SOCK_NONBLOCK, SOCK_CLOEXEC. */
static long install(struct task *t, struct socket *s, int flags)
{
	struct file *f = socket_file(s, flags & SOCK_NONBLOCK ? O_NONBLOCK : 0, t->cred);
	int fd = fdtable_install(t->fds, f, 0, task_limit(t, RLIMIT_NOFILE), flags & SOCK_CLOEXEC);

	if (fd < 0)
		file_put(f);
	return fd;
}

static int check_type(uint64_t type)
{
	if (type & ~(uint64_t)(0xf | SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	return (type & 0xf) > SOCK_PACKET ? -EINVAL : 0;
}

long sys_socket(struct task *t, const uint64_t a[6])
{
	int domain = (int)a[0], type = (int)a[1] & 0xf, protocol = (int)a[2];
	struct socket *s;
	int rc = check_type(a[1]);

	if (rc < 0)
		return rc;
	if (domain == AF_UNIX)
		rc = protocol && protocol != PF_UNIX
			     ? -EPROTONOSUPPORT
			     : unix_create(type == SOCK_RAW ? SOCK_DGRAM : type, &s);
	else
		rc = inet_create(domain, type, protocol, t->cred, &s);
	if (rc < 0)
		return rc;
	s->owner = owner_of(t);
	return install(t, s, (int)a[1]);
}

long sys_socketpair(struct task *t, const uint64_t a[6])
{
	int type = (int)a[1] & 0xf, rc = check_type(a[1]);
	struct ucred owner = owner_of(t);
	struct socket *pair[2];
	int32_t fds[2];
	long fd;

	if (rc < 0)
		return rc;
	if ((int)a[0] != AF_UNIX)
		return (int)a[0] == AF_INET || (int)a[0] == AF_INET6 ? -EOPNOTSUPP : -EAFNOSUPPORT;
	rc = unix_create_pair(type, &owner, pair);
	if (rc < 0)
		return rc;
	fd = install(t, pair[0], (int)a[1]);
	if (fd < 0) {
		pair[1]->ops->release(pair[1]);
		return fd;
	}
	fds[0] = (int32_t)fd;
	fd = install(t, pair[1], (int)a[1]);
	fds[1] = (int32_t)fd;
	rc = fd < 0 ? (int)fd : sys_copy_out(t, a[3], fds, sizeof(fds));
	if (rc < 0) {
		fdtable_close(t->fds, fds[0]);
		if (fds[1] >= 0)
			fdtable_close(t->fds, fds[1]);
	}
	return rc;
}

/* --- addresses -------------------------------------------------------------------------------- */

/* is_path() - a name of AF_UNIX in the file system; *ret gets it, terminated. */
static bool is_path(const struct socket_address *a, char ret[109])
{
	size_t len = a->len - offsetof(struct sockaddr_un, sun_path);

	if (a->sa.sa_family != AF_UNIX || a->len <= offsetof(struct sockaddr_un, sun_path) ||
	    a->un.sun_path[0] == '\0')
		return false;
	memcpy(ret, a->un.sun_path, len);
	ret[len] = '\0';
	return true;
}

static int copy_address(struct task *t, uint64_t addr, uint64_t len, struct socket_address *ret)
{
	ret->inode = NULL;
	ret->len = 0;
	if (len > sizeof(ret->bytes))
		return -EINVAL;
	if (len && sys_copy_in(t, ret->bytes, addr, len) < 0)
		return -EFAULT;
	ret->len = (socklen_t)len;
	return 0;
}

/* check_unix() - lengths and family. */
static int check_unix(const struct socket_address *a)
{
	if (a->len < sizeof(sa_family_t) || a->len > sizeof(struct sockaddr_un))
		return -EINVAL;
	return a->sa.sa_family == AF_UNIX || a->sa.sa_family == AF_UNSPEC ? 0 : -EINVAL;
}

int sys_address_in(struct task *t, const struct socket *s, uint64_t addr, uint64_t len,
		   struct socket_address *ret)
{
	char path[109];
	struct walk w;
	int rc = copy_address(t, addr, (uint32_t)len, ret);

	if (rc < 0 || s->domain != AF_UNIX)
		return rc;
	rc = check_unix(ret);
	if (rc < 0 || !is_path(ret, path))
		return rc;
	rc = path_walk(t->fs, NULL, path, 0, t->cred, &w);
	if (rc < 0)
		return rc;
	rc = inode_permission(w.path.dentry->inode, MAY_WRITE, t->cred);
	if (rc == 0 && !S_ISSOCK(w.path.dentry->inode->attr.mode))
		rc = -ECONNREFUSED;
	if (rc == 0)
		ret->inode = inode_get(w.path.dentry->inode);
	path_put(&w.path);
	return rc;
}

void sys_address_finish(struct socket_address *a)
{
	inode_put(a->inode);
	a->inode = NULL;
}

int sys_address_out(struct task *t, const struct socket_address *a, uint64_t addr, uint64_t len)
{
	uint32_t room, whole = a->len;

	if (!addr)
		return 0;
	if (sys_copy_in(t, &room, len, sizeof(room)) < 0)
		return -EFAULT;
	if ((int32_t)room < 0)
		return -EINVAL;
	if (sys_copy_out(t, addr, a->bytes, MIN(room, whole)) < 0)
		return -EFAULT;
	return sys_copy_out(t, len, &whole, sizeof(whole));
}

/* bind_path() - makes the node, then the socket is known by it. */
static int bind_path(struct task *t, struct socket *s, const char *path,
		     struct socket_address *addr)
{
	mode_t mode = S_IFSOCK | (0777 & ~t->fs->umask);
	int rc = vfs_mknod(t->fs, NULL, path, mode, 0, t->cred, &addr->inode);

	if (rc == -EEXIST)
		return -EADDRINUSE;
	return rc < 0 ? rc : s->ops->bind(s, addr, t->cred);
}

long sys_bind(struct task *t, const uint64_t a[6])
{
	struct socket_address addr;
	struct socket *s;
	struct file *f;
	char path[109];
	int rc = sys_socket_file(t, a[0], &f);

	if (rc < 0)
		return rc;
	s = socket_of(f);
	rc = copy_address(t, a[1], (uint32_t)a[2], &addr);
	if (rc == 0 && s->domain == AF_UNIX)
		rc = check_unix(&addr);
	if (rc == 0 && !s->ops->bind)
		rc = -EOPNOTSUPP;
	if (rc == 0)
		rc = s->domain == AF_UNIX && is_path(&addr, path) ? bind_path(t, s, path, &addr)
								  : s->ops->bind(s, &addr, t->cred);
	sys_address_finish(&addr);
	file_put(f);
	return rc;
}

long sys_connect(struct task *t, const uint64_t a[6])
{
	struct socket_address addr = { 0 };
	struct file *f;
	int rc = sys_socket_file(t, a[0], &f);

	if (rc < 0)
		return rc;
	rc = sys_address_in(t, socket_of(f), a[1], a[2], &addr);
	if (rc == 0) {
		socket_of(f)->owner = owner_of(t);
		rc = socket_connect(f, &addr);
	}
	sys_address_finish(&addr);
	file_put(f);
	return rc;
}

long sys_listen(struct task *t, const uint64_t a[6])
{
	struct file *f;
	struct socket *s;
	int rc = sys_socket_file(t, a[0], &f);

	if (rc < 0)
		return rc;
	s = socket_of(f);
	rc = s->ops->listen ? s->ops->listen(s, (int)a[1]) : -EOPNOTSUPP;
	if (rc == 0)
		s->owner = owner_of(t);
	file_put(f);
	return rc;
}

static long accept_with(struct task *t, const uint64_t a[6], int flags)
{
	struct socket_address addr = { 0 };
	struct socket *s;
	struct file *f;
	long fd, rc;

	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	rc = sys_socket_file(t, a[0], &f);
	if (rc < 0)
		return rc;
	/* A connection that gets no number would be lost. */
	rc = fdtable_room(t->fds, task_limit(t, RLIMIT_NOFILE));
	if (rc == 0)
		rc = socket_accept(f, &addr, &s);
	file_put(f);
	if (rc < 0)
		return rc;
	fd = install(t, s, flags);
	rc = fd < 0 ? fd : sys_address_out(t, &addr, a[1], a[2]);
	if (rc < 0 && fd >= 0)
		fdtable_close(t->fds, (int)fd);
	return rc < 0 ? rc : fd;
}

long sys_accept(struct task *t, const uint64_t a[6])
{
	return accept_with(t, a, 0);
}

long sys_accept4(struct task *t, const uint64_t a[6])
{
	return accept_with(t, a, (int)a[3]);
}

static long name_of(struct task *t, const uint64_t a[6], bool peer)
{
	struct socket_address addr = { 0 };
	struct socket *s;
	struct file *f;
	int rc = sys_socket_file(t, a[0], &f);

	if (rc < 0)
		return rc;
	s = socket_of(f);
	rc = s->ops->name ? s->ops->name(s, peer, &addr) : -EOPNOTSUPP;
	if (rc == 0)
		rc = a[1] ? sys_address_out(t, &addr, a[1], a[2]) : -EFAULT;
	file_put(f);
	return rc;
}

long sys_getsockname(struct task *t, const uint64_t a[6])
{
	return name_of(t, a, false);
}

long sys_getpeername(struct task *t, const uint64_t a[6])
{
	return name_of(t, a, true);
}

/* --- options ---------------------------------------------------------------------------------- */

long sys_setsockopt(struct task *t, const uint64_t a[6])
{
	uint8_t value[OPTION_MAX] __attribute__((uninitialized));
	uint32_t len = (uint32_t)a[4];
	struct file *f;
	int rc = sys_socket_file(t, a[0], &f);

	if (rc < 0)
		return rc;
	if (len > sizeof(value))
		rc = -EINVAL;
	else if (len && sys_copy_in(t, value, a[3], len) < 0)
		rc = -EFAULT;
	else
		rc = socket_set_option(socket_of(f), (int)a[1], (int)a[2], value, len, t->cred);
	file_put(f);
	return rc;
}

long sys_getsockopt(struct task *t, const uint64_t a[6])
{
	uint8_t value[OPTION_MAX] = { 0 };
	struct file *f;
	uint32_t len;
	int rc = sys_socket_file(t, a[0], &f);

	if (rc < 0)
		return rc;
	if (sys_copy_in(t, &len, a[4], sizeof(len)) < 0) {
		rc = -EFAULT;
	} else if ((int32_t)len < 0) {
		rc = -EINVAL;
	} else {
		len = MIN(len, (uint32_t)sizeof(value));
		rc = socket_get_option(socket_of(f), (int)a[1], (int)a[2], value, &len);
	}
	if (rc == 0 &&
	    (sys_copy_out(t, a[3], value, len) < 0 || sys_copy_out(t, a[4], &len, sizeof(len)) < 0))
		rc = -EFAULT;
	file_put(f);
	return rc;
}

long sys_shutdown(struct task *t, const uint64_t a[6])
{
	struct file *f;
	struct socket *s;
	int rc = sys_socket_file(t, a[0], &f);

	if (rc < 0)
		return rc;
	s = socket_of(f);
	if ((int)a[1] < SHUT_RD || (int)a[1] > SHUT_RDWR)
		rc = -EINVAL;
	else
		rc = s->ops->shutdown ? s->ops->shutdown(s, (int)a[1]) : -EOPNOTSUPP;
	file_put(f);
	return rc;
}
