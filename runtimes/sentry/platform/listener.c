/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener of a container: seccomp notifications of its stubs.
 *
 * The kernel says who calls; a random number that can be used once says what for.  A new process
 * shows the number that its parent was given (the parent may be gone by then, so its pid says
 * nothing) and gets a channel of its own; pidfd_open() refuses threads.  A stub that is to map
 * files shows the number of the request and gets the descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "runtimes/sentry/platform/internal.h"

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS /* since Linux 6.6 */
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

/* Numbers come back as results of system calls, so they are positive. */
#define NUMBER_MASK 0x7fffffffffffffffull
#define N_NUMBERS   32 /* that are made at once; getrandom(2) gives so much whole */

static struct {
	pthread_mutex_t lock;
	struct list open;
	uint64_t numbers[N_NUMBERS];
	uint32_t n_numbers; /* not used yet */
} tickets = { .lock = PTHREAD_MUTEX_INITIALIZER, .open = { &tickets.open, &tickets.open } };

/* next_number() - a random one that is not 0. Preconditions: holds tickets.lock. */
static uint64_t next_number(void)
{
	uint64_t n = 0;

	while (!n) {
		if (!tickets.n_numbers) {
			if (getrandom(tickets.numbers, sizeof(tickets.numbers), 0) !=
			    sizeof(tickets.numbers))
				abort(); /* cannot happen once the host has booted */
			tickets.n_numbers = N_NUMBERS;
		}
		n = tickets.numbers[--tickets.n_numbers] & NUMBER_MASK;
		tickets.numbers[tickets.n_numbers] = 0;
	}
	return n;
}

void ticket_open(struct ticket *k, struct stub_thread *t)
{
	k->thread = t;
	pthread_mutex_lock(&tickets.lock);
	k->number = next_number();
	list_add(&tickets.open, &k->in_tickets);
	pthread_mutex_unlock(&tickets.lock);
}

bool ticket_close(struct ticket *k)
{
	bool unused;

	pthread_mutex_lock(&tickets.lock);
	unused = k->in_tickets.next != NULL;
	list_remove(&k->in_tickets);
	pthread_mutex_unlock(&tickets.lock);
	return unused;
}

/* Preconditions: holds tickets.lock. Return: NULL: no such number. */
static struct ticket *find(uint64_t number)
{
	struct ticket *k;

	list_for_each(k, &tickets.open, in_tickets)
		if (k->number == number)
			return k;
	return NULL;
}

static void answer(struct zygote *z, uint64_t id, int64_t value, int error)
{
	struct seccomp_notif_resp r = { .id = id, .val = value, .error = error };

	ioctl(z->listener, SECCOMP_IOCTL_NOTIF_SEND, &r); /* fails when the caller has died */
}

/* give() - descriptor @fd as number @number of the caller; @last: and let it go on. */
static int give(struct zygote *z, uint64_t id, int fd, int number, bool last)
{
	struct seccomp_notif_addfd a = {
		.id = id,
		.flags = SECCOMP_ADDFD_FLAG_SETFD | (last ? SECCOMP_ADDFD_FLAG_SEND : 0),
		.srcfd = (uint32_t)fd,
		.newfd = (uint32_t)number,
	};

	return ioctl(z->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a) < 0 ? -errno : 0;
}

/* Preconditions: holds tickets.lock. Return: 0 when the caller goes on, else -errno for it. */
static int adopt(struct zygote *z, const struct seccomp_notif *n)
{
	struct ticket *k = find(n->data.args[1]);
	cleanup_close int pidfd = -1, fd = -1;
	uint64_t id = n->id;

	if (!k || k->n_fds || k->thread->process->zygote != z)
		return -EPERM;
	pidfd = (int)syscall(SYS_pidfd_open, n->pid, 0);
	if (pidfd < 0 || ioctl(z->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0)
		return -EPERM;
	list_remove(&k->in_tickets);
	k->thread->adopted = true;
	server_hold(k->thread, (uint32_t)n->data.args[2]);
	fd = steal_fd(&k->thread->process->channel->fd);
	/* From here on it may die at any time, and be freed. */
	process_adopted(k->thread->process, (pid_t)n->pid, steal_fd(&pidfd));
	if (fd >= 0)
		return give(z, id, fd, STUB_FD_FIRST, true);
	answer(z, id, 0, 0); /* a vfork child lives in its parent's memory, channel and all */
	return 0;
}

/* Preconditions: holds tickets.lock, so that the descriptors stay what they are. */
static int fetch(struct zygote *z, const struct seccomp_notif *n)
{
	struct ticket *k = find(n->data.args[1]);
	int rc = 0;

	if (!k || !k->n_fds || k->thread->process->zygote != z)
		return -EPERM;
	list_remove(&k->in_tickets);
	for (int i = 0; i < k->n_fds && !rc; i++)
		rc = give(z, n->id, k->fds[i], STUB_FD_FIRST + i, i == k->n_fds - 1);
	return rc;
}

static void handle(struct zygote *z, const struct seccomp_notif *n)
{
	int rc;

	if (n->data.args[0] == STUB_RESERVED_ORDER) {
		zygote_order_arrived(z, n->id, (pid_t)n->pid);
		return;
	}
	pthread_mutex_lock(&tickets.lock);
	if (n->data.args[0] == STUB_RESERVED_ADOPT)
		rc = adopt(z, n);
	else if (n->data.args[0] == STUB_RESERVED_FETCH)
		rc = fetch(z, n);
	else
		rc = -ENOSYS;
	pthread_mutex_unlock(&tickets.lock);
	if (rc)
		answer(z, n->id, 0, rc);
}

/* is_over() - the last process of the container is gone; else one died while it was asking. */
static bool is_over(struct zygote *z)
{
	struct pollfd p = { .fd = z->listener, .events = POLLIN };

	return poll(&p, 1, 0) < 0 || p.revents & (POLLHUP | POLLERR | POLLNVAL);
}

static void *listen_to(void *arg)
{
	struct zygote *z = arg;

	for (;;) {
		struct seccomp_notif n;

		memset(&n, 0, sizeof(n));
		if (ioctl(z->listener, SECCOMP_IOCTL_NOTIF_RECV, &n) == 0)
			handle(z, &n);
		else if (errno != EINTR && is_over(z))
			break;
	}
	zygote_is_dead(z);
	zygote_put(z);
	return NULL;
}

int listener_start(struct zygote *z)
{
	int rc;

	/* Wake us on the CPU of the caller, which waits for us; older kernels choose by themselves.
	 */
	ioctl(z->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	rc = thread_start(listen_to, zygote_get(z));
	if (rc)
		zygote_put(z);
	return rc;
}
