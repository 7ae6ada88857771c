/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zygotes: where fresh stubs come from.
 *
 * A zygote asks for an order by a call that the listener keeps unanswered until a stub is
 * wanted: the answer is the number that the new process must show.  One stub is kept ready.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtimes/sentry/platform/internal.h"

/* Flags that the filter lets a stub map with; MAP_FIXED and the kinds are among them. */
#define ANON_FLAGS                                                                       \
	(MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_NORESERVE | \
	 MAP_STACK | MAP_POPULATE)
#define FILE_FLAGS \
	(MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_NORESERVE | MAP_POPULATE)

#define READY_LOOK_MS 100 /* how soon a death is seen that nobody tells */

struct zygote *zygote_get(struct zygote *z)
{
	__atomic_fetch_add(&z->refs, 1, __ATOMIC_RELAXED);
	return z;
}

void zygote_put(struct zygote *z)
{
	if (__atomic_sub_fetch(&z->refs, 1, __ATOMIC_ACQ_REL))
		return;
	close_fd(&z->pidfd);
	close_fd(&z->listener);
	close_fd(&z->proc);
	pthread_mutex_destroy(&z->lock);
	pthread_cond_destroy(&z->changed);
	free(z);
}

int zygote_attach(int pidfd, int listener, int proc, struct zygote **ret)
{
	struct zygote *z = xnew(struct zygote);
	int rc;

	z->refs = 1;
	z->pidfd = pidfd;
	z->listener = listener;
	z->proc = proc;
	pthread_mutex_init(&z->lock, NULL);
	pthread_cond_init(&z->changed, NULL);
	rc = listener_start(z);
	if (rc) {
		zygote_kill(z);
		zygote_put(z);
		return rc;
	}
	housekeeper_want_spare(z);
	*ret = z;
	return 0;
}

void zygote_kill(struct zygote *z)
{
	syscall(SYS_pidfd_send_signal, z->pidfd, SIGKILL, NULL, 0);
}

void zygote_is_dead(struct zygote *z)
{
	struct stub_thread *spare;

	pthread_mutex_lock(&z->lock);
	z->dead = true;
	spare = z->spare;
	z->spare = NULL;
	pthread_cond_broadcast(&z->changed);
	pthread_mutex_unlock(&z->lock);
	if (spare)
		stub_discard(spare);
}

void zygote_order_arrived(struct zygote *z, uint64_t id, pid_t pid)
{
	bool wanted;

	pthread_mutex_lock(&z->lock);
	/* The first to ask is the zygote: guest code can exist only after its first order. */
	if (!z->pid)
		z->pid = pid;
	if (z->pid == pid) { /* nobody else gets an answer */
		z->order_id = id;
		z->order_waits = true;
		pthread_cond_broadcast(&z->changed);
	}
	wanted = z->order_waits && z->spare_wanted;
	z->spare_wanted &= !wanted;
	pthread_mutex_unlock(&z->lock);
	if (wanted)
		housekeeper_want_spare(z);
}

/* place_order() - @may_wait: until the zygote is ready for one. Return: 0, -ESRCH, -EAGAIN. */
static int place_order(struct zygote *z, uint64_t cookie, bool may_wait)
{
	struct seccomp_notif_resp r = { .val = (int64_t)cookie };
	int rc;

	pthread_mutex_lock(&z->lock);
	while (may_wait && !z->order_waits && !z->dead)
		pthread_cond_wait(&z->changed, &z->lock);
	if (z->dead) {
		rc = -ESRCH;
	} else if (!z->order_waits) {
		z->spare_wanted = true; /* when it asks */
		rc = -EAGAIN;
	} else {
		r.id = z->order_id;
		z->order_waits = false;
		rc = ioctl(z->listener, SECCOMP_IOCTL_NOTIF_SEND, &r) < 0 ? -ESRCH : 0;
	}
	pthread_mutex_unlock(&z->lock);
	return rc;
}

void stub_discard(struct stub_thread *t)
{
	struct stub_process *p = t->process;
	bool unborn = ticket_close(&t->ticket);

	stub_kill(p);
	thread_release(t);
	if (unborn)
		process_unref(p);
}

/* order_stub() - Return: its first thread, which nobody serves yet, or -errno. */
static int order_stub(struct zygote *z, bool may_wait, struct stub_thread **ret)
{
	struct channel *c = channel_create();
	struct stub_process *p;
	struct stub_thread *t;
	int rc;

	if (!c)
		return -EAGAIN;
	channel_slot_take(c, 0);
	p = process_new(z, c, 0);
	channel_put(c);
	t = thread_new(p, 0, NULL);
	t->is_new_process = true;
	ticket_open(&t->ticket, t);
	rc = place_order(z, t->ticket.number, may_wait);
	if (rc)
		stub_discard(t);
	else
		*ret = t;
	return rc;
}

void zygote_refill(struct zygote *z)
{
	struct stub_thread *t;
	bool wanted;

	pthread_mutex_lock(&z->lock);
	wanted = !z->spare && !z->dead;
	pthread_mutex_unlock(&z->lock);
	if (!wanted || order_stub(z, false, &t) < 0)
		return;
	pthread_mutex_lock(&z->lock);
	if (!z->spare && !z->dead) {
		z->spare = t;
		t = NULL;
	}
	pthread_mutex_unlock(&z->lock);
	if (t)
		stub_discard(t);
}

/* wait_ready() - for the first request of a stub that may never come to be. */
static int wait_ready(struct zygote *z, struct stub_thread *t)
{
	while (__atomic_load_n(&t->control->request, __ATOMIC_SEQ_CST) == t->seen) {
		if (z->dead || atomic_load(&t->stop))
			return -ESRCH;
		__atomic_store_n(&t->control->sentry_sleeps, 1, __ATOMIC_SEQ_CST);
		host_futex_wait_ms(&t->control->request, t->seen, READY_LOOK_MS);
	}
	return thread_wait(t) == CHANNEL_READY ? 0 : -ESRCH;
}

int stub_create(struct zygote *z, void *owner, struct stub_process **ret,
		struct stub_thread **ret_thread)
{
	struct stub_thread *t;
	int rc = 0;

	pthread_mutex_lock(&z->lock);
	t = z->spare;
	z->spare = NULL;
	pthread_mutex_unlock(&z->lock);
	if (!t)
		rc = order_stub(z, true, &t);
	if (rc)
		return rc;
	housekeeper_want_spare(z);
	rc = wait_ready(z, t);
	if (rc) {
		stub_discard(t);
		return rc;
	}
	t->owner = owner;
	*ret = t->process;
	*ret_thread = t;
	return 0;
}

/* --- loading ------------------------------------------------------------------------------------
 */

/* Commands that are collected until they must be run. */
struct batch {
	struct stub_thread *thread;
	uint32_t n;
	int fds[STUB_FD_COUNT], n_fds;
};

static int batch_run(struct batch *b)
{
	int64_t rc = 0;

	if (b->n)
		rc = thread_commands(b->thread, b->n, b->fds, b->n_fds);
	b->n = 0;
	b->n_fds = 0;
	return rc < 0 && rc > -4096 ? (int)rc : 0;
}

static int batch_fd(const struct batch *b, int fd)
{
	for (int i = 0; i < b->n_fds; i++)
		if (b->fds[i] == fd)
			return i;
	return -1;
}

static void batch_add(struct batch *b, const struct stub_map *m)
{
	struct channel_command *c = (struct channel_command *)b->thread->data + b->n++;
	int known = batch_fd(b, m->fd);

	if (m->fd >= 0 && known < 0) {
		known = b->n_fds;
		b->fds[b->n_fds++] = m->fd;
	}
	c->nr = SYS_mmap;
	c->args[0] = m->addr;
	c->args[1] = m->length;
	c->args[2] = (uint64_t)(m->prot & (PROT_READ | PROT_WRITE | PROT_EXEC));
	c->args[3] = (uint64_t)(m->flags & (m->fd < 0 ? ANON_FLAGS : FILE_FLAGS));
	c->args[4] = (uint64_t)(m->fd < 0 ? -1 : STUB_FD_FIRST + known);
	c->args[5] = m->offset;
}

static int map_image(struct stub_thread *t, const struct stub_image *img)
{
	struct batch b = { .thread = t };
	int rc = 0;

	for (size_t i = 0; i < img->n_maps && !rc; i++) {
		const struct stub_map *m = &img->maps[i];
		bool full = b.n == CHANNEL_MAX_COMMANDS;

		if (full || (m->fd >= 0 && batch_fd(&b, m->fd) < 0 && b.n_fds == STUB_FD_COUNT))
			rc = batch_run(&b);
		batch_add(&b, m);
	}
	return rc ? rc : batch_run(&b);
}

int stub_start(struct stub_thread *t, const struct stub_image *img)
{
	struct channel_control *c = t->control;
	int rc = map_image(t, img);

	for (size_t i = 0; i < img->n_pokes && !rc; i++)
		rc = stub_write(t, img->pokes[i].addr, img->pokes[i].from, img->pokes[i].len);
	if (rc)
		return rc;
	c->entry = img->entry;
	c->stack = img->stack;
	c->brk_start = img->brk_start;
	thread_answer(t, CHANNEL_START);
	return server_assign(t);
}

int64_t stub_mmap(struct stub_thread *t, const struct stub_map *m)
{
	struct batch b = { .thread = t };

	batch_add(&b, m);
	return thread_commands(t, b.n, b.fds, b.n_fds);
}

int stub_munmap(struct stub_thread *t, uint64_t addr, uint64_t len)
{
	struct channel_command *c = (struct channel_command *)t->data;

	*c = (struct channel_command){ .nr = SYS_munmap, .args = { addr, len } };
	return (int)thread_commands(t, 1, NULL, 0);
}
