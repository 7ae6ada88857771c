/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that move messages: send and receive, with addresses and control messages.
 *
 * Control messages of SOL_SOCKET are the sentry's own business (descriptors, credentials); those
 * of other levels go to the family as they are.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>

#include "base/mem.h"
#include "runtimes/sentry/sys/socket.h"
#include "runtimes/sentry/task/alarm.h"
#include "runtimes/sentry/task/signal.h"

#define MESSAGES_MAX 1024 /* of one sendmmsg or recvmmsg, as UIO_MAXIOV */

/* struct msghdr and struct mmsghdr as the guest lays them out. */
struct guest_msghdr {
	uint64_t name;
	uint32_t name_len, pad;
	uint64_t iov, n_iov, control, control_len;
	uint32_t flags, pad2;
};

/* One call's worth of message, too large for a stack. */
struct carried {
	struct socket_message m;
	struct socket_address address;
	struct file *files[SOCKET_FILES_MAX];
	char control[SOCKET_CONTROL_MAX];
};

static struct carried *carry(struct uio *u, int flags)
{
	struct carried *c = malloc(sizeof(*c));

	if (!c)
		return NULL;
	c->m = (struct socket_message){
		.uio = u, .flags = flags, .files = c->files, .control = c->control
	};
	c->address.len = 0;
	c->address.inode = NULL;
	return c;
}

static void drop(struct carried *c)
{
	for (size_t i = 0; i < c->m.n_files; i++)
		file_put(c->files[i]);
	sys_address_finish(&c->address);
	free(c);
}

static void raise_pipe(struct task *t, int flags, long rc)
{
	siginfo_t info;

	if (rc != -EPIPE || (flags & MSG_NOSIGNAL))
		return;
	info = signal_from_task(t, SIGPIPE, SI_USER);
	signal_send_task(t, &info);
}

/* --- control messages in ---------------------------------------------------------------------- */

static int take_rights(struct task *t, const struct cmsghdr *h, struct carried *c)
{
	size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int32_t);

	if (c->m.n_files + n > SOCKET_FILES_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		struct file *f;
		int32_t fd;

		memcpy(&fd, CMSG_DATA(h) + i * sizeof(fd), sizeof(fd));
		f = fdtable_find(t->fds, fd);
		if (!f)
			return -EBADF;
		c->files[c->m.n_files++] = f;
	}
	return 0;
}

/* take_cred() - who says to be somebody else needs the right to. */
static int take_cred(struct task *t, const struct cmsghdr *h, struct carried *c)
{
	const struct cred *k = t->cred;
	struct ucred u;

	if (h->cmsg_len != CMSG_LEN(sizeof(u)))
		return -EINVAL;
	memcpy(&u, CMSG_DATA(h), sizeof(u));
	if ((u.pid != t->process->pid && !cred_has(k, CAP_SYS_ADMIN)) ||
	    (u.uid != k->uid && u.uid != k->euid && u.uid != k->suid && !cred_has(k, CAP_SETUID)) ||
	    (u.gid != k->gid && u.gid != k->egid && u.gid != k->sgid && !cred_has(k, CAP_SETGID)))
		return -EPERM;
	c->m.has_cred = true;
	c->m.cred = u;
	return 0;
}

static int control_in(struct task *t, const struct socket *s, uint64_t from, uint64_t len,
		      struct carried *c)
{
	struct msghdr all = { 0 };
	char bytes[SOCKET_CONTROL_MAX];
	int rc = 0;

	if (len > sizeof(bytes))
		return -ENOBUFS;
	if (sys_copy_in(t, bytes, from, len) < 0)
		return -EFAULT;
	all.msg_control = bytes;
	all.msg_controllen = len;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&all); h && rc == 0; h = CMSG_NXTHDR(&all, h)) {
		size_t left = (size_t)(bytes + len - (char *)h);

		if (h->cmsg_len < sizeof(*h) || h->cmsg_len > left)
			return -EINVAL;
		if (h->cmsg_level != SOL_SOCKET) {
			memcpy(c->control + c->m.control_len, h, h->cmsg_len);
			c->m.control_len += CMSG_ALIGN(h->cmsg_len);
		} else if (h->cmsg_type == SCM_RIGHTS) {
			rc = s->domain == AF_UNIX ? take_rights(t, h, c) : 0;
		} else if (h->cmsg_type == SCM_CREDENTIALS) {
			rc = take_cred(t, h, c);
		} else {
			rc = -EINVAL;
		}
	}
	return rc;
}

/* --- control messages out --------------------------------------------------------------------- */

/* Where control messages for the guest are put together. */
struct out {
	char bytes[SOCKET_CONTROL_MAX * 2];
	size_t len, room;
	bool cut;
};

static void put_control(struct out *o, int level, int type, const void *data, size_t len)
{
	struct cmsghdr h = { .cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type };

	if (o->len + CMSG_LEN(len) > o->room || o->len + CMSG_SPACE(len) > sizeof(o->bytes)) {
		o->cut = true;
		return;
	}
	memset(o->bytes + o->len, 0, CMSG_SPACE(len));
	memcpy(o->bytes + o->len, &h, sizeof(h));
	memcpy(o->bytes + o->len + CMSG_LEN(0), data, len);
	o->len = MIN(o->len + CMSG_SPACE(len), o->room);
}

/* put_files() - each gets a number; those that find no room are closed. */
static void put_files(struct task *t, struct carried *c, struct out *o)
{
	int32_t fds[SOCKET_FILES_MAX];
	size_t n = 0, room = o->room > o->len + CMSG_LEN(0)
				     ? (o->room - o->len - CMSG_LEN(0)) / sizeof(int32_t)
				     : 0;
	bool cloexec = c->m.flags & MSG_CMSG_CLOEXEC;

	while (n < c->m.n_files && n < room) {
		fds[n] = fdtable_install(t->fds, c->files[n], 0, task_limit(t, RLIMIT_NOFILE),
					 cloexec);
		if (fds[n] < 0)
			break;
		n++;
	}
	if (n < c->m.n_files)
		o->cut = true;
	for (size_t i = n; i < c->m.n_files; i++)
		file_put(c->files[i]);
	c->m.n_files = 0;
	if (n > 0)
		put_control(o, SOL_SOCKET, SCM_RIGHTS, fds, n * sizeof(*fds));
}

static void put_host_control(struct carried *c, struct out *o)
{
	struct msghdr all = { .msg_control = c->control, .msg_controllen = c->m.control_len };

	for (struct cmsghdr *h = CMSG_FIRSTHDR(&all); h; h = CMSG_NXTHDR(&all, h))
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			put_control(o, h->cmsg_level, h->cmsg_type, CMSG_DATA(h),
				    h->cmsg_len - CMSG_LEN(0));
}

static int control_out(struct task *t, struct carried *c, struct guest_msghdr *g)
{
	struct out *o;
	int rc;

	if (!c->m.has_cred && !c->m.n_files && !c->m.control_len) {
		g->control_len = 0;
		return 0;
	}
	o = malloc(sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->len = 0;
	o->cut = false;
	o->room = g->control ? MIN(g->control_len, sizeof(o->bytes)) : 0;
	if (c->m.has_cred)
		put_control(o, SOL_SOCKET, SCM_CREDENTIALS, &c->m.cred, sizeof(c->m.cred));
	if (c->m.n_files)
		put_files(t, c, o);
	put_host_control(c, o);
	rc = sys_copy_out(t, g->control, o->bytes, o->len);
	g->control_len = o->len;
	if (o->cut)
		c->m.out_flags |= MSG_CTRUNC;
	free(o);
	return rc < 0 ? -EFAULT : 0;
}

/* --- one message ------------------------------------------------------------------------------ */

static long send_one(struct task *t, struct file *f, const struct guest_msghdr *g, int flags)
{
	struct sys_iov v __attribute__((uninitialized));
	struct carried *c;
	long rc = sys_iov(t, g->iov, g->n_iov, &v);

	if (rc < 0)
		return rc;
	c = carry(&v.uio, flags);
	rc = c ? 0 : -ENOMEM;
	if (rc == 0 && g->name) {
		rc = sys_address_in(t, socket_of(f), g->name, g->name_len, &c->address);
		c->m.address = &c->address;
	}
	if (rc == 0 && g->control && g->control_len)
		rc = control_in(t, socket_of(f), g->control, g->control_len, c);
	if (rc == 0)
		rc = socket_send(f, &c->m);
	if (c)
		drop(c);
	sys_iov_free(&v);
	raise_pipe(t, flags, rc);
	return rc;
}

static int give_name(struct task *t, struct carried *c, struct guest_msghdr *g)
{
	uint32_t len = c->address.len;

	if (!g->name)
		return 0;
	if (sys_copy_out(t, g->name, c->address.bytes, MIN(len, g->name_len)) < 0)
		return -EFAULT;
	g->name_len = len;
	return 0;
}

/* receive_one() - @g is brought up to date. */
static long receive_one(struct task *t, struct file *f, struct guest_msghdr *g, int flags)
{
	struct sys_iov v __attribute__((uninitialized));
	struct carried *c;
	long rc = sys_iov(t, g->iov, g->n_iov, &v), done;

	if (rc < 0)
		return rc;
	c = carry(&v.uio, flags);
	if (!c) {
		sys_iov_free(&v);
		return -ENOMEM;
	}
	c->m.max_files = SOCKET_FILES_MAX;
	c->m.control_size = MIN(g->control ? g->control_len : 0, sizeof(c->control));
	if (g->name)
		c->m.address = &c->address;
	rc = done = socket_receive(f, &c->m);
	if (rc >= 0)
		rc = give_name(t, c, g);
	if (rc >= 0)
		rc = control_out(t, c, g);
	g->flags = (uint32_t)(c->m.out_flags | (flags & MSG_CMSG_CLOEXEC));
	drop(c);
	sys_iov_free(&v);
	return rc < 0 ? rc : done;
}

/* What is done with the header at @at; as the call returns. */
typedef long message_fn(struct task *t, struct file *f, uint64_t at, int flags);

static long send_at(struct task *t, struct file *f, uint64_t at, int flags)
{
	struct guest_msghdr g;

	return sys_copy_in(t, &g, at, sizeof(g)) < 0 ? -EFAULT : send_one(t, f, &g, flags);
}

static long receive_at(struct task *t, struct file *f, uint64_t at, int flags)
{
	struct guest_msghdr g;
	long rc;

	if (sys_copy_in(t, &g, at, sizeof(g)) < 0)
		return -EFAULT;
	rc = receive_one(t, f, &g, flags);
	return rc >= 0 && sys_copy_out(t, at, &g, sizeof(g)) < 0 ? -EFAULT : rc;
}

static long one_message(struct task *t, const uint64_t a[6], message_fn *fn)
{
	struct file *f;
	long rc = sys_socket_file(t, a[0], &f);

	if (rc < 0)
		return rc;
	rc = fn(t, f, a[1], (int)a[2]);
	file_put(f);
	return rc;
}

long sys_sendmsg(struct task *t, const uint64_t a[6])
{
	return one_message(t, a, send_at);
}

long sys_recvmsg(struct task *t, const uint64_t a[6])
{
	return one_message(t, a, receive_at);
}

/* --- without control messages ----------------------------------------------------------------- */

long sys_sendto(struct task *t, const uint64_t a[6])
{
	struct sys_iov v __attribute__((uninitialized));
	struct socket_message m = { .uio = &v.uio, .flags = (int)a[3] };
	struct socket_address addr = { 0 };
	struct file *f;
	long rc = sys_socket_file(t, a[0], &f);

	if (rc < 0)
		return rc;
	sys_iov_one(t, a[1], a[2], &v);
	if (a[4]) {
		rc = sys_address_in(t, socket_of(f), a[4], a[5], &addr);
		m.address = &addr;
	}
	if (rc == 0)
		rc = socket_send(f, &m);
	sys_address_finish(&addr);
	file_put(f);
	raise_pipe(t, m.flags, rc);
	return rc;
}

long sys_recvfrom(struct task *t, const uint64_t a[6])
{
	struct sys_iov v __attribute__((uninitialized));
	struct socket_message m = { .uio = &v.uio, .flags = (int)a[3] };
	struct socket_address addr = { 0 };
	struct file *f;
	long rc = sys_socket_file(t, a[0], &f), rc2;

	if (rc < 0)
		return rc;
	sys_iov_one(t, a[1], a[2], &v);
	if (a[4])
		m.address = &addr;
	rc = socket_receive(f, &m);
	if (rc >= 0 && a[4]) {
		rc2 = sys_address_out(t, &addr, a[4], a[5]);
		rc = rc2 < 0 ? rc2 : rc;
	}
	file_put(f);
	return rc;
}

/* --- several messages ------------------------------------------------------------------------- */

#define MMSG_BYTES 64 /* of a struct mmsghdr: a message's head, and how much of it has moved */

static int told(struct task *t, uint64_t at, long n)
{
	uint32_t len = (uint32_t)n;

	return sys_copy_out(t, at + sizeof(struct guest_msghdr), &len, sizeof(len));
}

/* several() - until one fails, or it is @deadline_ns after one of them. */
static long several(struct task *t, const uint64_t a[6], int flags, int64_t deadline_ns,
		    message_fn *fn)
{
	size_t n = MIN((uint32_t)a[2], MESSAGES_MAX), done = 0;
	struct file *f;
	long rc = sys_socket_file(t, a[0], &f);

	if (rc < 0)
		return rc;
	while (done < n) {
		uint64_t at = a[1] + done * MMSG_BYTES;

		rc = fn(t, f, at, flags & ~MSG_WAITFORONE);
		if (rc >= 0)
			rc = told(t, at, rc);
		if (rc < 0)
			break;
		done++;
		if (deadline_ns != WAIT_FOREVER && alarm_now_ns() >= deadline_ns)
			break;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
	}
	file_put(f);
	return done > 0 ? (long)done : rc;
}

long sys_sendmmsg(struct task *t, const uint64_t a[6])
{
	return several(t, a, (int)a[3] & ~MSG_WAITFORONE, WAIT_FOREVER, send_at);
}

/* left() - what is left of the time, as Linux tells it. */
static struct timespec left(int64_t deadline_ns)
{
	int64_t ns = MAX(deadline_ns - alarm_now_ns(), 0);

	return (struct timespec){ ns / 1000000000, ns % 1000000000 };
}

long sys_recvmmsg(struct task *t, const uint64_t a[6])
{
	int64_t deadline_ns;
	struct timespec ts;
	long rc = sys_deadline(t, a[4], &deadline_ns);

	if (rc < 0)
		return rc;
	rc = several(t, a, (int)a[3], deadline_ns, receive_at);
	ts = left(deadline_ns);
	if (rc > 0 && a[4] && sys_copy_out(t, a[4], &ts, sizeof(ts)) < 0)
		return -EFAULT;
	return rc;
}
