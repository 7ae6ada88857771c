/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals as the guest's programs see them: reading, writing, settings, job control.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/sysmacros.h>
#include <termios.h>

#include "base/mem.h"
#include "runtimes/sentry/fs/tty_internal.h"
#include "runtimes/sentry/task/alarm.h"
#include "runtimes/sentry/task/signal.h"

#define PIECE	  256
#define PTS_MAJOR 136

static const struct file_ops tty_ops;

struct tty *tty_create(const struct tty_backend *b, void *object)
{
	struct tty *t = xnew(struct tty);

	t->refs = 1;
	t->index = -1;
	t->backend = b;
	t->object = object;
	t->set = tty_default_settings();
	lock_init(&t->lock, LOCK_OBJECT);
	wait_queue_init(&t->queue);
	return t;
}

struct tty *tty_get(struct tty *t)
{
	__atomic_fetch_add(&t->refs, 1, __ATOMIC_RELAXED);
	return t;
}

void tty_put(struct tty *t)
{
	if (!t || __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL))
		return;
	tty_control_finish(&t->control);
	if (t->backend->free)
		t->backend->free(t);
	free(t);
}

struct tty *tty_of_file(struct file *f)
{
	return f->ops == &tty_ops ? f->object : NULL;
}

struct tty_control *tty_control_of_file(struct file *f)
{
	struct tty *t = tty_of_file(f);

	return t ? &t->control : NULL;
}

int tty_number(const struct tty_control *c)
{
	const struct tty *t = CONTAINER_OF(c, struct tty, control);

	return (int)makedev(PTS_MAJOR, (unsigned int)MAX(t->index, 0));
}

int tty_open(struct tty *t, struct file *f)
{
	bool dead;

	lock_acquire(&t->lock);
	dead = t->hung_up || t->locked;
	if (!dead) {
		t->opens++;
		t->was_open = true;
	}
	lock_release(&t->lock);
	if (dead)
		return -EIO;
	f->ops = &tty_ops;
	f->object = tty_get(t);
	if (!(f->flags & O_NOCTTY) && task_current())
		tty_control_open(&t->control, task_current());
	return 0;
}

int tty_open_current(struct inode *i, struct file *f)
{
	struct tty_control *c = tty_control_of(task_current());

	(void)i;
	if (!c)
		return -ENXIO;
	f->flags |= O_NOCTTY;
	return tty_open(CONTAINER_OF(c, struct tty, control), f);
}

void tty_hangup(struct tty *t)
{
	bool before;

	lock_acquire(&t->lock);
	before = t->hung_up;
	t->hung_up = true;
	tty_flush_input(t);
	lock_release(&t->lock);
	if (before)
		return;
	tty_control_hangup(&t->control);
	wait_wake(&t->queue, 0);
}

void tty_send_signals(struct tty *t, uint64_t signals)
{
	static const int which[] = { SIGINT, SIGQUIT, SIGTSTP, SIGWINCH };

	for (size_t n = 0; signals && n < ARRAY_LEN(which); n++)
		if (signals & SIGNAL_BIT(which[n]))
			tty_control_signal(&t->control, which[n]);
}

/* --- reading --- */

/* gather() - one line, or what is there. Return: bytes, 0: end of file, -EAGAIN, -EFAULT. */
static ssize_t gather(struct tty *t, struct uio *to)
{
	uint8_t buf[PIECE];
	size_t done = 0, n;
	bool end = false;
	int rc;

	while (!end && uio_left(to)) {
		lock_acquire(&t->lock);
		if (!tty_readable(t)) {
			bool canonical = t->set.lflag & ICANON;
			bool hung_up = t->hung_up;
			uint8_t min = t->set.cc[VMIN];

			lock_release(&t->lock);
			if (done || hung_up || (!canonical && !min))
				return (ssize_t)done;
			return -EAGAIN;
		}
		n = tty_take(t, buf, MIN(sizeof(buf), uio_left(to)), &end);
		lock_release(&t->lock);
		rc = uio_put(to, buf, n);
		if (rc < 0)
			return done ? (ssize_t)done : rc;
		done += n;
	}
	return (ssize_t)done;
}

/* wait_vtime() - VMIN 0 and VTIME: tenths of a second for the first byte. */
static int wait_vtime(struct tty *t, struct file *f)
{
	int64_t vtime;
	bool wanted;

	lock_acquire(&t->lock);
	vtime = t->set.cc[VTIME];
	wanted = !(t->set.lflag & ICANON) && !t->set.cc[VMIN] && vtime && !tty_readable(t);
	lock_release(&t->lock);
	if (!wanted || (f->flags & O_NONBLOCK))
		return 0;
	return file_wait(f, EPOLLIN, alarm_now_ns() + vtime * 100000000);
}

static ssize_t tty_read(struct file *f, struct uio *to, int64_t *pos)
{
	struct tty *t = f->object;
	ssize_t n;
	int rc = tty_control_check(&t->control, task_current(), SIGTTIN);

	(void)pos;
	if (rc < 0)
		return rc;
	rc = wait_vtime(t, f);
	if (rc < 0 && rc != -ETIMEDOUT)
		return rc;
	n = gather(t, to);
	if (n > 0 && t->backend->more)
		t->backend->more(t);
	return n;
}

/* --- writing --- */

static ssize_t spread(struct tty *t, struct uio *from)
{
	uint8_t buf[PIECE];
	size_t done = 0;

	while (uio_left(from)) {
		size_t n = MIN(sizeof(buf), uio_left(from)), taken, before = from->done;
		bool hung_up;
		int rc = uio_get(from, buf, n);

		if (rc < 0)
			return done ? (ssize_t)done : rc;
		lock_acquire(&t->lock);
		hung_up = t->hung_up;
		taken = hung_up ? 0 : tty_output(t, buf, n);
		lock_release(&t->lock);
		from->done = before + taken;
		done += taken;
		if (hung_up)
			return -EIO;
		if (taken == n)
			continue;
		t->backend->flush(t);
		if (!taken)
			return done ? (ssize_t)done : -EAGAIN;
	}
	return (ssize_t)done;
}

static ssize_t tty_write(struct file *f, struct uio *from, int64_t *pos)
{
	struct tty *t = f->object;
	ssize_t rc = 0;

	(void)pos;
	if (t->set.lflag & TOSTOP)
		rc = tty_control_check(&t->control, task_current(), SIGTTOU);
	if (rc < 0)
		return rc;
	rc = spread(t, from);
	if (rc > 0)
		t->backend->flush(t);
	return rc;
}

static uint32_t tty_poll(struct file *f)
{
	struct tty *t = f->object;
	uint32_t events = 0;

	LOCKED(&t->lock);
	if (t->hung_up)
		return EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM | EPOLLWRNORM;
	if (tty_readable(t))
		events |= EPOLLIN | EPOLLRDNORM;
	if (!t->stopped && TTY_OUT_BYTES - t->out_used >= PIECE)
		events |= EPOLLOUT | EPOLLWRNORM;
	return events;
}

static struct wait_queue *tty_queue(struct file *f)
{
	return &((struct tty *)f->object)->queue;
}

static void tty_release(struct file *f)
{
	struct tty *t = f->object;
	bool last;

	if (!t)
		return;
	lock_acquire(&t->lock);
	last = --t->opens == 0;
	lock_release(&t->lock);
	if (last)
		t->backend->closed(t);
	tty_put(t);
}

/* --- settings --- */

#define TERMIOS_BYTES  36 /* struct termios of the kernel: to the end of cc */
#define TERMIOS2_BYTES 44

/* TCGETS2 and its like; the C library's headers name no struct termios2. */
#define GETS2  _IOC(_IOC_READ, 'T', 0x2a, TERMIOS2_BYTES)
#define SETS2  _IOC(_IOC_WRITE, 'T', 0x2b, TERMIOS2_BYTES)
#define SETSW2 _IOC(_IOC_WRITE, 'T', 0x2c, TERMIOS2_BYTES)
#define SETSF2 _IOC(_IOC_WRITE, 'T', 0x2d, TERMIOS2_BYTES)

static long get_settings(struct tty *t, uint64_t arg, size_t len, struct ioctl_memory *m)
{
	struct tty_settings s;

	lock_acquire(&t->lock);
	s = t->set;
	lock_release(&t->lock);
	return m->out(m, arg, &s, len);
}

static long set_settings(struct tty *t, uint64_t arg, size_t len, bool flush,
			 struct ioctl_memory *m)
{
	struct tty_settings s;
	long rc;

	lock_acquire(&t->lock);
	s = t->set;
	lock_release(&t->lock);
	rc = m->in(m, &s, arg, len);
	if (rc < 0)
		return rc;
	rc = tty_control_check(&t->control, task_current(), SIGTTOU);
	if (rc < 0)
		return rc;
	lock_acquire(&t->lock);
	if (flush)
		tty_flush_input(t);
	tty_set(t, &s);
	lock_release(&t->lock);
	wait_wake(&t->queue, 0);
	return 0;
}

static long settings_ioctl(struct tty *t, unsigned int cmd, uint64_t arg, struct ioctl_memory *m)
{
	_Static_assert(sizeof(struct tty_settings) == TERMIOS2_BYTES, "as the kernel's");
	switch (cmd) {
	case TCGETS:
		return get_settings(t, arg, TERMIOS_BYTES, m);
	case GETS2:
		return get_settings(t, arg, TERMIOS2_BYTES, m);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set_settings(t, arg, TERMIOS_BYTES, cmd == TCSETSF, m);
	case SETS2:
	case SETSW2:
	case SETSF2:
		return set_settings(t, arg, TERMIOS2_BYTES, cmd == SETSF2, m);
	default:
		return -ENOTTY;
	}
}

static long set_size(struct tty *t, uint64_t arg, struct ioctl_memory *m)
{
	struct winsize ws;
	bool changed;
	long rc = m->in(m, &ws, arg, sizeof(ws));

	if (rc < 0)
		return rc;
	lock_acquire(&t->lock);
	changed = memcmp(&t->ws, &ws, sizeof(ws)) != 0;
	t->ws = ws;
	lock_release(&t->lock);
	if (!changed)
		return 0;
	if (t->backend->resized)
		t->backend->resized(t, &ws);
	tty_control_signal(&t->control, SIGWINCH);
	return 0;
}

static long get_size(struct tty *t, uint64_t arg, struct ioctl_memory *m)
{
	struct winsize ws;

	lock_acquire(&t->lock);
	ws = t->ws;
	lock_release(&t->lock);
	return m->out(m, arg, &ws, sizeof(ws));
}

/* --- job control --- */

static long put_pid(pid_t pid, uint64_t arg, struct ioctl_memory *m)
{
	return pid < 0 ? pid : m->out(m, arg, &pid, sizeof(pid));
}

static long control_ioctl(struct tty *t, unsigned int cmd, uint64_t arg, struct ioctl_memory *m)
{
	struct task *me = task_current();
	pid_t pid;
	long rc;

	switch (cmd) {
	case TIOCGPGRP:
		return put_pid(tty_control_get_foreground(&t->control, me), arg, m);
	case TIOCSPGRP:
		rc = m->in(m, &pid, arg, sizeof(pid));
		return rc < 0 ? rc : tty_control_set_foreground(&t->control, me, pid);
	case TIOCGSID:
		return put_pid(tty_control_get_session(&t->control, me), arg, m);
	case TIOCSCTTY:
		return tty_control_acquire(&t->control, me, arg == 1);
	case TIOCNOTTY:
		return tty_control_release(&t->control, me);
	default:
		return -ENOTTY;
	}
}

static long flush_queues(struct tty *t, uint64_t which)
{
	if (which > TCIOFLUSH)
		return -EINVAL;
	lock_acquire(&t->lock);
	if (which != TCOFLUSH)
		tty_flush_input(t);
	if (which != TCIFLUSH)
		tty_flush_output(t);
	lock_release(&t->lock);
	wait_wake(&t->queue, 0);
	return 0;
}

static long flow(struct tty *t, uint64_t action)
{
	if (action > TCION)
		return -EINVAL;
	lock_acquire(&t->lock);
	if (action == TCOOFF || action == TCOON)
		t->stopped = action == TCOOFF;
	lock_release(&t->lock);
	wait_wake(&t->queue, 0);
	return 0;
}

static long put_count(struct tty *t, bool input, uint64_t arg, struct ioctl_memory *m)
{
	int n;

	lock_acquire(&t->lock);
	n = (int)(input ? tty_readable(t) : t->out_used);
	lock_release(&t->lock);
	return m->out(m, arg, &n, sizeof(n));
}

long tty_ioctl(struct tty *t, unsigned int cmd, uint64_t arg, struct ioctl_memory *m)
{
	int zero = 0;
	long rc = settings_ioctl(t, cmd, arg, m);

	if (rc != -ENOTTY)
		return rc;
	switch (cmd) {
	case TIOCGWINSZ:
		return get_size(t, arg, m);
	case TIOCSWINSZ:
		return set_size(t, arg, m);
	case TIOCOUTQ:
		return put_count(t, false, arg, m);
	case TCFLSH:
		return flush_queues(t, arg);
	case TCXONC:
		return flow(t, arg);
	case TCSBRK:
	case TCSBRKP:
		return 0; /* what was written is out already */
	case TIOCGETD:
		return m->out(m, arg, &zero, sizeof(zero));
	case TIOCSETD:
		rc = m->in(m, &zero, arg, sizeof(zero));
		return rc < 0 ? rc : zero ? -EINVAL : 0;
	case TIOCSTI:
		return -EIO; /* as Linux with dev.tty.legacy_tiocsti off */
	default:
		return -ENOTTY;
	}
}

static long slave_ioctl(struct file *f, unsigned int cmd, uint64_t arg, struct ioctl_memory *m)
{
	struct tty *t = f->object;
	long rc;

	if (__atomic_load_n(&t->hung_up, __ATOMIC_RELAXED))
		return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
	if (cmd == FIONREAD)
		return put_count(t, true, arg, m);
	rc = control_ioctl(t, cmd, arg, m);
	return rc == -ENOTTY ? tty_ioctl(t, cmd, arg, m) : rc;
}

static const struct file_ops tty_ops = {
	.read = tty_read,
	.write = tty_write,
	.poll = tty_poll,
	.queue = tty_queue,
	.ioctl = slave_ioctl,
	.release = tty_release,
};
