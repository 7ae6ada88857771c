/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors of processes.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "runtimes/sentry/task/pidfd.h"

static uint32_t poll(struct file *f)
{
	const struct process *p = f->object;

	LOCKED(&tasks_lock);
	return p->state >= PROCESS_ZOMBIE ? EPOLLIN | EPOLLRDNORM : 0;
}

static struct wait_queue *queue(struct file *f)
{
	struct process *p = f->object;

	return &p->exited;
}

static void release(struct file *f)
{
	process_put(f->object);
}

static const struct file_ops ops = {
	.poll = poll,
	.queue = queue,
	.release = release,
};

struct file *pidfd_create(struct process *p, unsigned int flags, struct cred *c)
{
	return file_create_anonymous(&ops, "[pidfd]", process_get(p), flags | 2 /* O_RDWR */, c);
}

struct process *pidfd_process(const struct file *f)
{
	return f->ops == &ops ? f->object : NULL;
}
