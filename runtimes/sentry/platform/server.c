/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Serving threads: each serves one guest thread, then the next.
 *
 * It sleeps on the request word of its channel, pinned to the CPU that the stub runs on: the
 * stub wakes it and goes to sleep, which is a switch on that CPU, while waking another, idle CPU
 * would cost twenty times as much.
 *
 * Upcalls may leave by stub_exit_thread(), from any depth: the thread then goes on at its base.
 */
#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtimes/sentry/platform/internal.h"

#define STACK_BYTES (128 << 10)
#define MAX_IDLE    8
#define MAX_CPU_NS  (1ull << 55) /* of one process: a year */

struct server {
	struct list in_idle;
	struct stub_thread *thread; /* NULL while idle */
	uint32_t word;		    /* futex: changes when there is a thread */
	pid_t tid;
	int cpu; /* that it is held to; -1: none */
	jmp_buf base;
};

static struct {
	pthread_mutex_t lock;
	struct list idle;
	int n;
} pool = { PTHREAD_MUTEX_INITIALIZER, { &pool.idle, &pool.idle }, 0 };

static __thread struct server *self;

struct stub_thread *stub_current(void)
{
	return self ? self->thread : NULL;
}

void host_futex_wait(uint32_t *word, uint32_t value)
{
	syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

void host_futex_wait_ms(uint32_t *word, uint32_t value, int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	syscall(SYS_futex, word, FUTEX_WAIT, value, &t, NULL, 0);
}

/* futex_move() - who sleeps on @from, which holds @value, sleeps on @to now. */
static void futex_move(uint32_t *from, uint32_t value, uint32_t *to)
{
	syscall(SYS_futex, from, FUTEX_CMP_REQUEUE, 0, 1ul, to, value);
}

void host_futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* hold() - @s to @cpu, which a stub has said: only a hint. */
static void hold(struct server *s, uint32_t cpu)
{
	cpu_set_t set;

	if (cpu == (uint32_t)s->cpu || cpu >= CPU_SETSIZE)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(s->tid, sizeof(set), &set); /* refused outside of our cpuset: stay */
	s->cpu = (int)cpu;
}

/* follow() - to the CPU of the stub. */
static void follow(struct stub_thread *t)
{
	if (self)
		hold(self, __atomic_load_n(&t->control->cpu, __ATOMIC_RELAXED));
}

void server_hold(struct stub_thread *t, uint32_t cpu)
{
	/* A new one has no number yet; it follows later. */
	if (t->server && t->server->tid)
		hold(t->server, cpu);
}

int thread_wait(struct stub_thread *t)
{
	struct channel_control *c = t->control;
	uint32_t now, kind;

	__atomic_store_n(&c->sentry_sleeps, 1, __ATOMIC_SEQ_CST);
	while ((now = __atomic_load_n(&c->request, __ATOMIC_SEQ_CST)) == t->seen) {
		if (atomic_load(&t->stop))
			return -ESRCH;
		host_futex_wait(&c->request, t->seen);
	}
	__atomic_store_n(&c->sentry_sleeps, 0, __ATOMIC_RELAXED);
	kind = __atomic_load_n(&c->kind, __ATOMIC_RELAXED) & 0xff;
	/* What a process has said last counts, though it is dead by now. */
	if (kind == CHANNEL_LAST_CALL && !atomic_load(&t->busy))
		atomic_store(&t->leaving, true);
	else if (atomic_load(&t->stop))
		return -ESRCH;
	__atomic_store_n(&t->seen, now, __ATOMIC_SEQ_CST);
	atomic_store(&t->busy, true);
	follow(t);
	return (int)kind;
}

static void answer(struct stub_thread *t, enum channel_answer kind, uint32_t flags)
{
	struct channel_control *c = t->control;

	if (kind != CHANNEL_COMMANDS) {
		/* Whoever kicks sets `kick` and then looks at `busy`: one of us sees the other. */
		atomic_store(&t->busy, false);
		if (atomic_load(&t->kick))
			flags |= CHANNEL_LOOK;
	}
	c->answer_kind = kind;
	c->answer_flags = flags;
	__atomic_store_n(&c->answer, t->seen, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&c->stub_sleeps, __ATOMIC_SEQ_CST))
		host_futex_wake(&c->answer);
}

void thread_answer(struct stub_thread *t, enum channel_answer kind)
{
	answer(t, kind, 0);
}

int64_t thread_commands(struct stub_thread *t, uint32_t n, const int *fds, int n_fds)
{
	struct ticket *k = &t->ticket;
	int kind;

	k->n_fds = n_fds;
	for (int i = 0; i < n_fds; i++)
		k->fds[i] = fds[i];
	if (n_fds)
		ticket_open(k, t);
	t->control->token = n_fds ? k->number : 0;
	t->control->n_commands = n;
	thread_answer(t, CHANNEL_COMMANDS);
	kind = thread_wait(t);
	if (n_fds)
		ticket_close(k);
	k->n_fds = 0;
	if (kind != CHANNEL_COMMANDS_DONE) {
		stub_kill(t->process);
		return -ESRCH;
	}
	return __atomic_load_n(&t->control->result, __ATOMIC_RELAXED);
}

/* --- requests --------------------------------------------------------------------------------- */

static void clone_refused(struct stub_thread *t)
{
	struct stub_thread *child = t->cloning;
	void *owner = child->owner;

	t->cloning = NULL;
	if (clone_undo(child))
		platform_ops->clone_failed(owner);
	thread_put(child);
}

/* begin() - the first request of a thread. Return: false: it was called off. */
static bool begin(struct stub_thread *t)
{
	pthread_mutex_lock(&t->process->lock);
	t->started = t->owner && (!atomic_load(&t->stop) || atomic_load(&t->leaving));
	pthread_mutex_unlock(&t->process->lock);
	return t->started;
}

static void take_signal(struct stub_thread *t)
{
	struct channel_control *c = t->control;
	struct stub_action action = { 0 };
	uint64_t mask = 0;
	siginfo_t info;
	int signo;

	atomic_store(&t->kick, 0);
	__atomic_store_n(&c->kick, 0, __ATOMIC_SEQ_CST);
	memset(&info, 0, sizeof(info));
	signo = platform_ops->take_signal(t, &info, &action, &mask);
	c->signo = (uint64_t)signo;
	c->action = action;
	c->frame_mask = mask;
	memcpy(c->siginfo, &info, sizeof(c->siginfo));
}

/* The stub would come back for signals at once: those of its call go with the answer. */
static bool wants_signals(struct stub_thread *t, long result)
{
	return atomic_load(&t->kick) || result == -ERESTARTSYS || result == -ERESTARTNOINTR ||
	       result == -ERESTARTNOHAND || result == -ERESTART_RESTARTBLOCK;
}

static void read_call(struct stub_thread *t, struct stub_call *ret)
{
	const struct channel_control *c = t->control;

	ret->nr = __atomic_load_n(&c->nr, __ATOMIC_RELAXED);
	memcpy(ret->args, c->args, sizeof(ret->args));
	ret->ip = c->ip;
	ret->sp = c->sp;
}

static void serve_call(struct stub_thread *t)
{
	struct channel_control *c = t->control;
	struct stub_call call;
	uint32_t flags = 0;
	long result;

	read_call(t, &call);
	window_open(t);
	result = platform_ops->call(t, &call);
	window_close(t);
	c->answer_result = result;
	if (t->cloning) {
		c->cookie = t->cloning->ticket.number;
		c->child_slot = t->cloning->slot;
		thread_answer(t, CHANNEL_CLONE);
		return;
	}
	if (wants_signals(t, result)) {
		take_signal(t);
		flags = CHANNEL_WITH_SIGNAL;
	}
	answer(t, CHANNEL_RETURN, flags);
}

static void serve_check(struct stub_thread *t)
{
	struct stub_call call;
	long result = 0;
	bool good;

	read_call(t, &call);
	good = platform_ops->check(t, &call, &result);
	t->control->answer_result = result;
	thread_answer(t, good ? CHANNEL_ALLOW : CHANNEL_RETURN);
}

static void serve_last_call(struct stub_thread *t)
{
	uint32_t nr = __atomic_load_n(&t->control->nr, __ATOMIC_RELAXED);

	if (nr == SYS_exit || nr == SYS_exit_group) {
		t->process->last_cpu_ns =
			MIN(__atomic_load_n(&t->control->args[1], __ATOMIC_RELAXED), MAX_CPU_NS);
		serve_call(t);
	}
	/* Not what it says it is, or it was refused: its thread is gone all the same. */
	stub_kill(t->process);
	stub_exit_thread(t);
}

static void serve_signal(struct stub_thread *t)
{
	take_signal(t);
	thread_answer(t, CHANNEL_SIGNAL);
}

static void serve_fault(struct stub_thread *t)
{
	siginfo_t info;

	memcpy(&info, t->control->siginfo, sizeof(info));
	platform_ops->fatal_fault(t, &info);
	thread_answer(t, CHANNEL_RETURN);
}

void server_request(struct stub_thread *t, int kind)
{
	if (t->cloning && kind == CHANNEL_CLONE_FAILED) {
		clone_refused(t);
		thread_answer(t, CHANNEL_RETURN);
		return;
	}
	thread_put(t->cloning); /* the child runs */
	t->cloning = NULL;
	switch (kind) {
	case CHANNEL_CALL:
		serve_call(t);
		break;
	case CHANNEL_CHECK:
		serve_check(t);
		break;
	case CHANNEL_LAST_CALL:
		serve_last_call(t);
		break;
	case CHANNEL_TAKE_SIGNAL:
		serve_signal(t);
		break;
	case CHANNEL_FAULT:
		serve_fault(t);
		break;
	default: /* no stub of ours says that */
		stub_kill(t->process);
		thread_answer(t, CHANNEL_EXIT);
	}
}

/* Ends when there is nothing to wait for any more, or from the depth of an upcall. */
static void serve_requests(struct server *s)
{
	int kind;

	if (setjmp(s->base))
		return;
	while ((kind = thread_wait(s->thread)) >= 0) {
		if (!s->thread->started && !begin(s->thread))
			return;
		server_request(s->thread, kind);
	}
}

/* serve() - until the guest thread or its process ends. */
static void serve(struct server *s)
{
	struct stub_thread *t = s->thread;

	serve_requests(s);
	t->n_windows = 0;
	if (t->cloning && t->cloning->is_new_process)
		clone_refused(t); /* unless it has come to life meanwhile */
	thread_put(steal_ptr(t->cloning));
	if (t->owner)
		platform_ops->thread_gone(t->owner);
	s->thread = NULL;
	thread_release(t);
}

void stub_exit_thread(struct stub_thread *t)
{
	assert(self && self->thread == t);
	if (!atomic_load(&t->stop)) {
		pthread_mutex_lock(&t->process->lock);
		if (t->process->threads.next == t->process->threads.prev)
			t->process->told_to_exit = true;
		pthread_mutex_unlock(&t->process->lock);
		thread_answer(t, CHANNEL_EXIT);
	}
	longjmp(self->base, 1);
}

/* --- the pool -----------------------------------------------------------------------------------
 */

/* Return: whether this server is to end: there are enough idle ones. */
static bool go_idle(struct server *s)
{
	bool enough;

	pthread_mutex_lock(&pool.lock);
	enough = pool.n >= MAX_IDLE;
	if (!enough) {
		list_add(&pool.idle, &s->in_idle);
		pool.n++;
	}
	pthread_mutex_unlock(&pool.lock);
	return enough;
}

static void *run(void *arg)
{
	struct server *s = arg;

	self = s;
	s->tid = gettid();
	for (;;) {
		while (!__atomic_load_n(&s->word, __ATOMIC_ACQUIRE))
			host_futex_wait(&s->word, 0);
		s->word = 0;
		serve(s);
		if (go_idle(s))
			break;
	}
	free(s);
	return NULL;
}

static int start(struct server *s)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&thread, &attr, run, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -rc;
}

/* take_idle() - one that is held to @cpu, else any; of those who ran last, whose stacks are warm.
 */
static struct server *take_idle(int cpu)
{
	struct server *s, *best = NULL;

	pthread_mutex_lock(&pool.lock);
	list_for_each(s, &pool.idle, in_idle)
		if (!best || s->cpu == cpu || best->cpu != cpu)
			best = s;
	if (best) {
		list_remove(&best->in_idle);
		pool.n--;
	}
	pthread_mutex_unlock(&pool.lock);
	return best;
}

/*
 * An idle one is not woken to fall asleep again: it is moved from its own word to that of the
 * channel, where the first request of @t wakes it, or we do when that has come already.
 */
int server_assign(struct stub_thread *t)
{
	struct server *s = take_idle(self ? self->cpu : -1);
	bool fresh = !s;
	int rc = 0;

	if (fresh) {
		s = xnew(struct server);
		s->cpu = -1;
	}
	s->thread = t;
	t->server = s;
	__atomic_store_n(&t->control->sentry_sleeps, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&s->word, 1, __ATOMIC_SEQ_CST);
	if (fresh)
		rc = start(s);
	else
		futex_move(&s->word, 1, &t->control->request);
	if (!fresh && __atomic_load_n(&t->control->request, __ATOMIC_SEQ_CST) != t->seen)
		host_futex_wake(&t->control->request);
	if (rc)
		free(s);
	return rc;
}

void server_nudge(struct stub_thread *t)
{
	__atomic_fetch_add(&t->control->request, 1, __ATOMIC_SEQ_CST);
	host_futex_wake(&t->control->request);
}

void server_stop(struct stub_thread *t)
{
	atomic_store(&t->stop, true);
	housekeeper_add_stopping(t);
	server_nudge(t);
}
