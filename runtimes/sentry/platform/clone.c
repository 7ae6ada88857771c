/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room for children: what is made ready before the stub may clone.
 *
 * Everything that can fail is done here, so that the child needs nothing but to appear.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "runtimes/sentry/platform/internal.h"

/* A child begins with its parent's mask, a new process with its actions too. */
static void inherit(struct stub_thread *parent, struct stub_thread *child)
{
	child->control->mask = parent->control->mask;
	child->control->cpu = parent->control->cpu;
	child->control->vdso = parent->control->vdso;
	child->control->area = parent->control->area;
	if (child->is_new_process)
		memcpy(channel_process_of(child->process->channel, child->slot),
		       channel_process_of(parent->process->channel, parent->process->leader_slot),
		       sizeof(struct channel_process));
}

static struct stub_thread *new_thread(struct stub_thread *parent, void *owner)
{
	struct stub_process *p = parent->process;
	int slot = channel_slot_take(p->channel, -1);

	return slot < 0 ? NULL : thread_new(p, (uint32_t)slot, owner);
}

static struct stub_thread *new_process(struct stub_thread *parent, bool shares_memory, void *owner)
{
	struct channel *c =
		shares_memory ? channel_get(parent->process->channel) : channel_create();
	struct stub_process *p;
	struct stub_thread *t;
	int slot;

	if (!c)
		return NULL;
	/* A forked child finds itself on its parent's stack, so it keeps the slot. */
	slot = channel_slot_take(c, shares_memory ? -1 : (int)parent->slot);
	if (slot < 0) {
		channel_put(c);
		return NULL;
	}
	p = process_new(parent->process->zygote, c, (uint32_t)slot);
	channel_put(c);
	t = thread_new(p, (uint32_t)slot, owner);
	t->is_new_process = true;
	return t;
}

int stub_clone_prepare(struct stub_thread *parent, uint64_t flags, void *child_owner,
		       struct stub_thread **ret_child)
{
	struct stub_thread *child;

	if (flags & CLONE_THREAD)
		child = new_thread(parent, child_owner);
	else
		child = new_process(parent, flags & CLONE_VM, child_owner);
	if (!child)
		return -EAGAIN;
	inherit(parent, child);
	if (child->is_new_process)
		ticket_open(&child->ticket, child);
	if (server_assign(child) < 0) {
		clone_undo(child);
		return -EAGAIN;
	}
	child->parent = parent;
	__atomic_fetch_add(&child->refs, 1, __ATOMIC_RELAXED);
	parent->cloning = child;
	*ret_child = child;
	return 0;
}

/* stop_unstarted() - Return: false: it has run, or is gone already. */
static bool stop_unstarted(struct stub_thread *child, struct stub_process *p)
{
	bool may;

	pthread_mutex_lock(&p->lock);
	may = !child->started && !child->gone;
	if (may) {
		child->owner = NULL;
		child->control->exited = 1; /* its slot has never been used */
		server_stop(child);
	}
	pthread_mutex_unlock(&p->lock);
	return may;
}

/*
 * What a stub says of its clone may be a lie: a process whose ticket is closed has been adopted,
 * a thread is of the caller's own process, which lives.
 */
bool clone_undo(struct stub_thread *child)
{
	bool is_new_process = child->is_new_process;
	struct stub_process *p;

	if (is_new_process && !ticket_close(&child->ticket))
		return false;
	p = child->process;
	if (!child->server) {
		child->owner = NULL;
		child->control->exited = 1;
		thread_release(child);
	} else if (!stop_unstarted(child, p)) {
		return false;
	}
	if (is_new_process)
		process_unref(p);
	return true;
}

void stub_clone_cancel(struct stub_thread *child)
{
	child->parent->cloning = NULL;
	clone_undo(child);
	thread_put(child);
}
