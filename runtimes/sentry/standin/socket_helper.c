/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bulkhead-socket-helper: sockets in the pod's network namespace, for its sentry.
 *
 *   bulkhead-socket-helper [--raw] [--own]
 *
 * Descriptor 3 is the socket to the sentry (net/helper.h says what is said there).  Started by the
 * launcher in the pod's network namespace; --own: in a new one with nothing but a loopback
 * interface.  It keeps NET_BIND_SERVICE, with --raw also NET_RAW, and no other right; the lists of
 * its namespace are all that it can name; a filter has the calls that it needs.
 */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "runtimes/sentry/net/helper.h"
#include "runtimes/sentry/standin/bare.h"

#define SOCKET 3
#define LISTS  4 /* /proc/net, as a process of the pod's namespace sees it */

int socket_helper(uint64_t argc, char **argv);
void *memset(void *to, int byte, size_t len);
void *memcpy(void *to, const void *from, size_t len);

BARE_START(socket_helper);

/* What the compiler makes of initialisers and assignments. */
void *memset(void *to, int byte, size_t len)
{
	void *at = to;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(len) : "a"(byte) : "memory");
	return to;
}

void *memcpy(void *to, const void *from, size_t len)
{
	void *at = to;

	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(len) : : "memory");
	return to;
}

/* --- its world -------------------------------------------------------------------------------- */

/* own_network() - a namespace of its own, in which 127.0.0.1 answers. */
static long own_network(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	long rc = bare_call(__NR_unshare, CLONE_NEWNET, 0, 0, 0, 0), sock;

	if (rc < 0)
		return rc;
	sock = bare_call(__NR_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0, 0, 0);
	if (sock < 0)
		return sock;
	rc = bare_call(__NR_ioctl, (uint64_t)sock, SIOCSIFFLAGS, (uint64_t)&r, 0, 0);
	bare_call(__NR_close, (uint64_t)sock, 0, 0, 0, 0);
	return rc;
}

/* enter_lists() - the directory becomes the root, and descriptor LISTS. */
static long enter_lists(void)
{
	long rc = bare_call(__NR_chroot, (uint64_t) "/proc/self/net", 0, 0, 0, 0);

	if (rc == 0)
		rc = bare_call(__NR_chdir, (uint64_t) "/", 0, 0, 0, 0);
	if (rc == 0)
		rc = bare_call(__NR_openat, (uint64_t)AT_FDCWD, (uint64_t) "/",
			       O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0);
	if (rc >= 0 && rc != LISTS)
		return bare_call(__NR_dup3, (uint64_t)rc, LISTS, O_CLOEXEC, 0, 0);
	return rc;
}

static long drop_rights(uint32_t keep)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { keep, keep, 0 }, { 0, 0, 0 } };
	const struct rlimit no_core = { 0, 0 };
	long rc = 0;

	for (uint64_t cap = 0; bare_call(__NR_prctl, PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (cap > 31 || !(keep >> cap & 1))
			rc |= bare_call(__NR_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);
	rc |= bare_call(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	rc |= bare_call(__NR_capset, (uint64_t)&head, (uint64_t)data, 0, 0, 0);
	rc |= bare_call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	rc |= bare_call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	rc |= bare_call(__NR_setrlimit, RLIMIT_CORE, (uint64_t)&no_core, 0, 0, 0);
	return rc ? -EPERM : 0;
}

#define LOAD(what)     BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, what))
#define ALLOWED	       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSED	       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define UNLESS(k, far) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, 0, far)
#define ALLOW(call)    UNLESS(__NR_##call, 1), ALLOWED

static long filter_calls(void)
{
	struct sock_filter code[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		/* requests, replies */
		ALLOW(recvmsg),
		ALLOW(sendmsg),
		/* what is asked */
		ALLOW(socket),
		ALLOW(bind),
		ALLOW(setsockopt),
		ALLOW(close),
		ALLOW(restart_syscall),
		ALLOW(exit_group),
		/* lists of the namespace, which are all of its root, to read */
		UNLESS(__NR_openat, 5),
		LOAD(args[0]),
		UNLESS(LISTS, 3),
		LOAD(args[2]),
		UNLESS(O_RDONLY | O_CLOEXEC, 1),
		ALLOWED,
		REFUSED,
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	return bare_call(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, (uint64_t)&program, 0, 0);
}

/* --- requests --------------------------------------------------------------------------------- */

/* One message with at most one descriptor, either way. */
struct message {
	struct msghdr head;
	struct iovec iov;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control;
};

/* set_up() - it is used where it lies: its parts point at each other. */
static void set_up(struct message *m, void *data, size_t len)
{
	m->iov = (struct iovec){ data, len };
	m->head = (struct msghdr){ .msg_iov = &m->iov,
				   .msg_iovlen = 1,
				   .msg_control = &m->control,
				   .msg_controllen = sizeof(m->control) };
}

/* receive() - Return: bytes, 0 at the end, or -errno; *ret_fd: -1 when none came along. */
static long receive(struct helper_request *rq, int *ret_fd)
{
	struct message m;
	long n;

	*ret_fd = -1;
	set_up(&m, rq, sizeof(*rq));
	do
		n = bare_call(__NR_recvmsg, SOCKET, (uint64_t)&m.head, MSG_CMSG_CLOEXEC, 0, 0);
	while (n == -EINTR);
	if (n > 0 && m.head.msg_controllen >= sizeof(m.control) &&
	    m.control.head.cmsg_level == SOL_SOCKET && m.control.head.cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(&m.control.head), sizeof(*ret_fd));
	return m.head.msg_flags & MSG_TRUNC && n > 0 ? -EMSGSIZE : n;
}

static long answer(int error, int fd)
{
	struct helper_reply reply = { .error = error };
	struct message m;
	long n;

	set_up(&m, &reply, sizeof(reply));
	m.control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
					   .cmsg_level = SOL_SOCKET,
					   .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&m.control.head), &fd, sizeof(fd));
	if (fd < 0)
		m.head.msg_controllen = 0;
	do
		n = bare_call(__NR_sendmsg, SOCKET, (uint64_t)&m.head, MSG_NOSIGNAL, 0, 0);
	while (n == -EINTR);
	return n;
}

static long make_socket(const struct helper_request *rq)
{
	if (!helper_allowed(rq->domain, rq->type, rq->protocol))
		return -EPROTONOSUPPORT;
	return bare_call(__NR_socket, (uint64_t)rq->domain,
			 (uint64_t)(rq->type | SOCK_NONBLOCK | SOCK_CLOEXEC),
			 (uint64_t)rq->protocol, 0, 0);
}

static long open_list(const struct helper_request *rq)
{
	const char *name = helper_list_name(rq->name);

	if (!name)
		return -EINVAL;
	return bare_call(__NR_openat, LISTS, (uint64_t)name, O_RDONLY | O_CLOEXEC, 0, 0);
}

/* serve() - Return: a descriptor for SOCKET and LIST, 0, or -errno. */
static long serve(const struct helper_request *rq, int fd)
{
	if (rq->op == HELPER_SOCKET)
		return make_socket(rq);
	if (rq->op == HELPER_LIST)
		return open_list(rq);
	if (fd < 0 || rq->len > sizeof(rq->bytes))
		return -EINVAL;
	if (rq->op == HELPER_BIND)
		return bare_call(__NR_bind, (uint64_t)fd, (uint64_t)rq->bytes, rq->len, 0, 0);
	if (rq->op != HELPER_OPTION)
		return -EINVAL;
	if (!helper_option_allowed(rq->level, rq->name))
		return -EPERM;
	return bare_call(__NR_setsockopt, (uint64_t)fd, (uint64_t)rq->level, (uint64_t)rq->name,
			 (uint64_t)rq->bytes, rq->len);
}

static bool serve_one(void)
{
	struct helper_request rq;
	int fd, made = -1;
	long n = receive(&rq, &fd), rc = -EINVAL;

	if (n <= 0 && n != -EMSGSIZE)
		return false;
	if (n == sizeof(rq))
		rc = serve(&rq, fd);
	if (rc >= 0 && (rq.op == HELPER_SOCKET || rq.op == HELPER_LIST))
		made = (int)rc;
	n = answer((int)(rc < 0 ? rc : 0), made);
	if (fd >= 0)
		bare_call(__NR_close, (uint64_t)fd, 0, 0, 0, 0);
	if (made >= 0)
		bare_call(__NR_close, (uint64_t)made, 0, 0, 0, 0);
	return n > 0;
}

/* --- start ------------------------------------------------------------------------------------ */

/* failed() - says what, and the number of the error. */
static int failed(const char *what, long error)
{
	char number[8] = { 0 };
	size_t at = sizeof(number) - 1;

	for (long n = -error; n > 0 && at > 0; n /= 10)
		number[--at] = (char)('0' + n % 10);
	bare_print(2, "bulkhead-socket-helper: ");
	bare_print(2, what);
	bare_print(2, ": error ");
	bare_print(2, number + at);
	bare_print(2, "\n");
	return 1;
}

int socket_helper(uint64_t argc, char **argv)
{
	bool raw = false, own = false;
	long rc = 0;

	for (uint64_t i = 1; i < argc; i++) {
		if (bare_same(argv[i], "--version")) {
			bare_print(1, "bulkhead-socket-helper " BULKHEAD_VERSION "\n");
			return 0;
		}
		raw |= bare_same(argv[i], "--raw");
		own |= bare_same(argv[i], "--own");
	}
	if (own && (rc = own_network()) < 0)
		return failed("make a network namespace", rc);
	rc = enter_lists();
	if (rc < 0)
		return failed("enter /proc/self/net", rc);
	rc = drop_rights(1U << CAP_NET_BIND_SERVICE | (raw ? 1U << CAP_NET_RAW : 0));
	if (rc == 0)
		rc = filter_calls();
	if (rc < 0)
		return failed("give rights up", rc);
	while (serve_one())
		;
	return 0;
}
