/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signalfd(2): signals as a file, those of whoever reads it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "base/mem.h"
#include "runtimes/sentry/fs/eventfd.h"
#include "runtimes/sentry/task/signal.h"

struct signals {
	uint64_t set; /* SIGNAL_BIT()s */
};

static struct signalfd_siginfo info_of(const siginfo_t *i)
{
	return (struct signalfd_siginfo){
		.ssi_signo = (uint32_t)i->si_signo,
		.ssi_errno = i->si_errno,
		.ssi_code = i->si_code,
		.ssi_pid = (uint32_t)i->si_pid,
		.ssi_uid = i->si_uid,
		.ssi_status = i->si_signo == SIGCHLD ? i->si_status : 0,
		.ssi_int = i->si_signo == SIGCHLD ? 0 : i->si_value.sival_int,
		.ssi_ptr = i->si_signo == SIGCHLD ? 0 : (uint64_t)(uintptr_t)i->si_value.sival_ptr,
	};
}

static ssize_t signal_read(struct file *f, struct uio *to, int64_t *pos)
{
	struct signals *s = f->object;
	struct signalfd_siginfo out;
	size_t before = to->done;
	siginfo_t info;
	int rc = 0;

	(void)pos;
	if (uio_left(to) < sizeof(out))
		return -EINVAL;
	while (rc == 0 && uio_left(to) >= sizeof(out) &&
	       signal_take_set(task_current(), s->set, &info)) {
		out = info_of(&info);
		rc = uio_put(to, &out, sizeof(out));
	}
	if (to->done > before)
		return (ssize_t)(to->done - before);
	return rc < 0 ? rc : -EAGAIN;
}

static uint32_t signal_poll(struct file *f)
{
	struct signals *s = f->object;
	struct task *t = task_current();

	return t && (signal_pending_set(t) & s->set) ? EPOLLIN | EPOLLRDNORM : 0;
}

static struct wait_queue *signal_queue(struct file *f)
{
	(void)f;
	return &task_current()->process->signals;
}

static void signal_release(struct file *f)
{
	free(f->object);
}

static const struct file_ops signal_ops = {
	.read = signal_read,
	.poll = signal_poll,
	.queue = signal_queue,
	.release = signal_release,
};

struct file *signalfd_create(uint64_t set, unsigned int flags, struct cred *c)
{
	struct signals *s = xnew(struct signals);

	s->set = set & ~SIGNALS_UNBLOCKABLE;
	return file_create_anonymous(&signal_ops, "[signalfd]", s, flags | O_RDWR, c);
}

int signalfd_change(struct file *f, uint64_t set)
{
	if (f->ops != &signal_ops)
		return -EINVAL;
	((struct signals *)f->object)->set = set & ~SIGNALS_UNBLOCKABLE;
	return 0;
}
