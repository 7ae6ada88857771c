/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A platform without stubs, for tests of task/: masks and actions are plain fields.
 *
 * A "guest thread" is whoever calls handlers with fake_enter(); stub_exit_thread() jumps back to
 * it, after task_gone(), as the real serving thread would end.  A kill is reported at once by
 * fake_reap(), which a test calls when the host would have ended the process.
 */
#ifndef TESTS_UNIT_SENTRY_FAKE_PLATFORM_H
#define TESTS_UNIT_SENTRY_FAKE_PLATFORM_H

#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "runtimes/sentry/fs/tmpfs.h"
#include "runtimes/sentry/platform/platform.h"
#include "runtimes/sentry/task/internal.h"

struct stub_process {
	void *owner;
	struct stub_action actions[64];
	int kills;
};

struct stub_thread {
	struct stub_process *process;
	void *owner;
	uint64_t mask, pending;
	int kicks;
};

static int fake_clone_error; /* what the next stub_clone_prepare() answers */
static jmp_buf fake_end;     /* where stub_exit_thread() goes */

/* fake_call() - run @stmt as a handler that may not return. Return: whether it ended the thread. */
#define fake_call(stmt)                         \
	({                                      \
		bool ended_ = setjmp(fake_end); \
		if (!ended_) {                  \
			stmt;                   \
		}                               \
		ended_;                         \
	})

/* Stubs live as long as the program: they are kept, so that what leaks is the kernel's. */
struct fake_kept {
	struct fake_kept *next;
	void *what;
};
static struct fake_kept *fake_all;

static inline void *fake_keep(void *what)
{
	struct fake_kept *k = xnew(struct fake_kept);

	k->what = what;
	k->next = fake_all;
	fake_all = k;
	return what;
}

/* fake_reap() - the host process has ended. */
static inline void fake_reap(struct stub_process *p)
{
	if (p->owner)
		task_died(steal_ptr(p->owner), SIGKILL);
}

static inline struct stub_thread *fake_thread(struct stub_process *p, void *owner)
{
	struct stub_thread *t = fake_keep(xnew(struct stub_thread));

	t->process = p;
	t->owner = owner;
	return t;
}

int stub_create(struct zygote *z, void *owner, struct stub_process **ret,
		struct stub_thread **ret_thread)
{
	(void)z;
	*ret = fake_keep(xnew(struct stub_process));
	*ret_thread = fake_thread(*ret, owner);
	return 0;
}

int stub_start(struct stub_thread *t, const struct stub_image *img)
{
	(void)t;
	(void)img;
	return 0;
}

int stub_clone_prepare(struct stub_thread *parent, uint64_t flags, void *child_owner,
		       struct stub_thread **ret_child)
{
	struct stub_process *p = parent->process;

	if (fake_clone_error)
		return fake_clone_error;
	if (!(flags & 0x10000 /* CLONE_THREAD */)) {
		p = fake_keep(xmemdup(p, sizeof(*p)));
		p->owner = NULL;
		p->kills = 0;
	}
	*ret_child = fake_thread(p, child_owner);
	(*ret_child)->mask = parent->mask;
	return 0;
}

void stub_kick(struct stub_thread *t)
{
	t->kicks++;
}

void stub_exit_thread(struct stub_thread *t)
{
	if (t->owner)
		task_gone(steal_ptr(t->owner));
	longjmp(fake_end, 1);
}

void stub_kill(struct stub_process *p)
{
	p->kills++;
}

void *stub_owner(struct stub_thread *t)
{
	return t->owner;
}

void stub_set_owner(struct stub_thread *t, void *owner)
{
	t->owner = owner;
}

struct stub_process *stub_process_of(struct stub_thread *t)
{
	return t->process;
}

void stub_process_set_owner(struct stub_process *p, void *owner)
{
	p->owner = owner;
}

struct stub_thread *stub_current(void)
{
	return NULL;
}

uint64_t stub_signal_mask(struct stub_thread *t)
{
	return t->mask;
}

void stub_set_signal_mask(struct stub_thread *t, uint64_t mask)
{
	t->mask = mask;
}

void stub_set_pending(struct stub_thread *t, uint64_t set)
{
	t->pending = set;
}

void stub_set_ask(struct stub_thread *t, const uint64_t ask[STUB_ASK_WORDS])
{
	(void)t, (void)ask;
}

void stub_set_ids(struct stub_thread *t, const struct stub_ids *ids)
{
	(void)t;
	(void)ids;
}

uint64_t stub_vdso(struct stub_thread *t)
{
	(void)t;
	return 0;
}

struct stub_action stub_action_get(struct stub_process *p, int signo)
{
	return p->actions[signo - 1];
}

void stub_action_set(struct stub_process *p, int signo, const struct stub_action *a)
{
	p->actions[signo - 1] = *a;
}

int stub_read(struct stub_thread *t, void *to, uint64_t from, size_t len)
{
	(void)t;
	memcpy(to, (void *)(uintptr_t)from, len);
	return 0;
}

int stub_write(struct stub_thread *t, uint64_t to, const void *from, size_t len)
{
	(void)t;
	memcpy((void *)(uintptr_t)to, from, len);
	return 0;
}

int64_t stub_cpu_ns(struct stub_process *p)
{
	(void)p;
	return 0;
}

pid_t stub_host_pid(struct stub_process *p)
{
	(void)p;
	return 0;
}

/* fake_init() - the first process of a new container, as process_start() leaves it. */
static inline struct task *fake_init(struct container *c)
{
	struct process *p = process_create(c);
	struct cred *cred = cred_create();
	struct task *t = task_create(p, cred);
	struct filesystem *fs;
	struct path root;

	cred_put(cred);
	tmpfs_create("none", "", NULL, &fs);
	c->mounts = mount_namespace_create(fs, 0);
	filesystem_put(fs);
	root = (struct path){ c->mounts->root, c->mounts->root->root };
	t->fds = fdtable_create();
	t->fs = fs_context_create(&root);
	p->exit_signal = SIGCHLD;
	for (int i = 0; i < RLIM_NLIMITS; i++)
		p->limits[i] = (struct rlimit){ 1000, 1000 };
	p->command_line = xstrdup("");
	return t;
}

#endif
