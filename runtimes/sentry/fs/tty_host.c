/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals of the host as the guest's: what the launcher was started on.
 *
 * The host's terminal is in raw mode and carries bytes only.  The poller's thread reads what was
 * typed, so that a ^C acts while no program reads.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "runtimes/sentry/fs/tty_internal.h"
#include "runtimes/sentry/net/poller.h"
#include "runtimes/sentry/task/signal.h"

#define PIECE 256

struct host_tty {
	struct tty *tty;
	struct filesystem *fs; /* a reference */
	int fd;
	struct wait_queue ready; /* of the poller's: only its callback is used */
	struct poller_watch watch;
	struct lock pump_lock; /* LOCK_FILE: one reads or writes the host's at a time */
};

/* pump_in() - what the host has, as far as there is room. Return: false: the host has hung up. */
static bool pump_in(struct host_tty *h, uint64_t *signals)
{
	uint8_t buf[PIECE];

	for (;;) {
		struct tty *t = h->tty;
		size_t room, taken;
		ssize_t n;

		lock_acquire(&t->lock);
		/* In a line, bytes beyond its bound are lost; else the host keeps them. */
		room = t->in_used < TTY_IN_BYTES - 1 ? TTY_IN_BYTES - 1 - t->in_used : 0;
		if (!room && (t->set.lflag & ICANON) && !t->in_ready)
			room = 1;
		lock_release(&t->lock);
		if (!room)
			return true;
		n = read(h->fd, buf, MIN(room, sizeof(buf)));
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		if (n == 0)
			return false;
		lock_acquire(&t->lock);
		taken = tty_input(t, buf, (size_t)n, signals);
		lock_release(&t->lock);
		if (taken < (size_t)n)
			return true;
	}
}

static void pump_out(struct host_tty *h)
{
	uint8_t buf[PIECE];

	for (;;) {
		struct tty *t = h->tty;
		ssize_t put;
		size_t n;

		lock_acquire(&t->lock);
		n = MIN(MIN(t->out_used, TTY_OUT_BYTES - t->out_head), sizeof(buf));
		memcpy(buf, t->out + t->out_head, n);
		lock_release(&t->lock);
		if (!n)
			return;
		put = write(h->fd, buf, n);
		if (put <= 0)
			return;
		lock_acquire(&t->lock);
		/* A flush may have emptied it meanwhile. */
		tty_out_take(t, buf, (size_t)put);
		lock_release(&t->lock);
	}
}

static void pump(struct host_tty *h)
{
	uint64_t signals = 0;
	bool alive = true;

	lock_acquire(&h->pump_lock);
	if (h->fd >= 0) {
		alive = pump_in(h, &signals);
		pump_out(h);
	}
	lock_release(&h->pump_lock);
	tty_send_signals(h->tty, signals);
	wait_wake(&h->tty->queue, 0);
	if (!alive)
		tty_hangup(h->tty);
}

static void host_ready(struct poller_watch *w, uint32_t events)
{
	(void)events;
	pump(CONTAINER_OF(w, struct host_tty, watch));
}

static void host_pump(struct tty *t)
{
	pump(t->object);
}

static void host_flush(struct tty *t)
{
	struct host_tty *h = t->object;

	lock_acquire(&h->pump_lock);
	if (h->fd >= 0)
		pump_out(h);
	lock_release(&h->pump_lock);
	wait_wake(&t->queue, EPOLLOUT | EPOLLWRNORM);
}

/* host_closed() - nobody in the guest has it any more: the host's side sees the end. */
static void host_closed(struct tty *t)
{
	struct host_tty *h = t->object;

	poller_remove(&h->watch);
	lock_acquire(&h->pump_lock);
	if (h->fd >= 0)
		pump_out(h);
	close_fd(&h->fd);
	lock_release(&h->pump_lock);
	devpts_remove(h->fs, t);
}

static void host_resized(struct tty *t, const struct winsize *ws)
{
	struct host_tty *h = t->object;

	LOCKED(&h->pump_lock);
	if (h->fd >= 0)
		ioctl(h->fd, TIOCSWINSZ, ws);
}

static void host_free(struct tty *t)
{
	struct host_tty *h = t->object;

	poller_remove(&h->watch);
	close_fd(&h->fd);
	filesystem_put(h->fs);
	free(h);
}

static const struct tty_backend host_backend = {
	.flush = host_flush,
	.more = host_pump,
	.closed = host_closed,
	.resized = host_resized,
	.free = host_free,
};

static int make_raw(int fd)
{
	struct termios set;

	if (tcgetattr(fd, &set) < 0)
		return -errno;
	cfmakeraw(&set);
	if (tcsetattr(fd, TCSANOW, &set) < 0)
		return -errno;
	return fd_set_nonblock(fd, true);
}

int tty_host_add(struct filesystem *devpts, int fd)
{
	struct host_tty *h;
	struct tty *t;
	int index, rc = make_raw(fd);

	if (rc < 0) {
		close(fd);
		return rc;
	}
	h = xnew(struct host_tty);
	h->fs = filesystem_get(devpts);
	h->fd = fd;
	lock_init(&h->pump_lock, LOCK_FILE);
	wait_queue_init(&h->ready);
	t = h->tty = tty_create(&host_backend, h);
	ioctl(fd, TIOCGWINSZ, &t->ws);
	index = devpts_add(devpts, t);
	if (index >= 0) {
		h->watch = (struct poller_watch){ .fd = fd, .queue = &h->ready, .fn = host_ready };
		rc = poller_add(&h->watch);
		if (rc < 0) {
			devpts_remove(devpts, t);
			index = rc;
		}
	}
	tty_put(t);
	return index;
}

void tty_host_resized(struct file *f)
{
	struct tty *t = tty_of_file(f);
	struct host_tty *h;
	struct winsize ws;
	bool changed = false;

	if (!t || t->backend != &host_backend)
		return;
	h = t->object;
	lock_acquire(&h->pump_lock);
	if (h->fd >= 0 && ioctl(h->fd, TIOCGWINSZ, &ws) == 0) {
		lock_acquire(&t->lock);
		changed = memcmp(&ws, &t->ws, sizeof(ws)) != 0;
		t->ws = ws;
		lock_release(&t->lock);
	}
	lock_release(&h->pump_lock);
	if (changed)
		tty_control_signal(&t->control, SIGWINCH);
}
