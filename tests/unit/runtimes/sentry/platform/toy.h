/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A toy kernel on the platform, and guest code inside the test program.
 *
 * Guest functions stand in a section of their own, which toy_run() maps into a fresh stub; they use
 * no libc and no data but the shared page at TOY_DATA, which the test sees as toy_data.
 */
#ifndef TESTS_SENTRY_TOY_H
#define TESTS_SENTRY_TOY_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtimes/sentry/kern/wait.h"
#include "runtimes/sentry/platform/launch.h"
#include "runtimes/sentry/platform/lease.h"
#include "runtimes/sentry/platform/platform.h"
#include "tests/unit/tap.h"

#define GUEST                                                                         \
	__attribute__((section("guest"), no_stack_protector, noinline, used,          \
		       no_sanitize("address", "undefined"),                           \
		       optimize("no-tree-loop-distribute-patterns", "no-jump-tables", \
				"no-tree-switch-conversion")))

#define TOY_TEXT       0x10000000ull
#define TOY_DATA       0x20000000ull
#define TOY_STACK      0x30000000ull
#define TOY_STACK_SIZE 0x100000ull
#define TOY_HEAP       0x40000000ull
#define TOY_BYTES      65536u
/* Calls of the toy that Linux does not have. */
#define TOY_NOTE  900 /* (word, value): toy_data[word] = value, by the sentry */
#define TOY_RAISE 901 /* (signo): a signal for the caller */
#define TOY_BLOCK 902 /* sleep until a signal; a0: how it restarts */
#define TOY_NOP	  903
#define TOY_WHO	  904 /* tid of whom the sentry serves */
#define TOY_KILL  905 /* (pid): its host process, at once */
#define TOY_LEASE 906 /* (fd, n): n bytes for the next receive of fd */
#define TOY_TAKEN 907 /* the lease ends: were they taken? */

extern char __start_guest[], __stop_guest[];

/* --- guest side ------------------------------------------------------------------------------- */

static inline __attribute__((always_inline)) long guest_call(long nr, long a, long b, long c,
							     long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long rc;

	__asm__ volatile("syscall"
			 : "=a"(rc)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return rc;
}

#define guest_data ((volatile long *)TOY_DATA)
#define guest_exit(status) \
	(guest_call(SYS_exit_group, status, 0, 0, 0, 0, 0), __builtin_unreachable())

/* guest_begin() - the stack holds a function and its argument. */
GUEST __attribute__((naked)) static void guest_begin(void)
{
	__asm__("pop %rax\n pop %rdi\n call *%rax\n hlt\n");
}

/* --- the toy kernel -----------------------------------------------------------------------------
 */

struct toy_task {
	struct toy_process *process;
	int tid;
	atomic_int signal; /* pending */
	struct sleeper sleeper;
	struct stub_lease *lease; /* may be NULL */
};

struct toy_process {
	int pid, parent, status, threads, host_signal;
	bool exited, waited, died, never_ran;
	struct stub_thread *first;
	struct stub_process *stub;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct toy_process processes[40000];
	int n_processes, next_tid, faults, last_fault;
	uint64_t last_fault_address;
	long checks;
	bool strict; /* the container that toy_start() makes */
	uint32_t forbidden;
	struct zygote *zygote;
	struct stub_thread *threads[65536];
	struct launched launched;
	long *data;
	int data_fd, text_fd;
} toy = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

#define toy_data ((volatile long *)toy.data)

static struct toy_process *toy_process_new(int parent)
{
	struct toy_process *p = &toy.processes[toy.n_processes++];

	if (toy.n_processes >= (int)ARRAY_LEN(toy.processes))
		abort();
	*p = (struct toy_process){ .parent = parent };
	return p;
}

static struct toy_task *toy_task_new(struct toy_process *p)
{
	struct toy_task *t = xnew(struct toy_task);

	t->process = p;
	t->tid = ++toy.next_tid;
	if (!p->pid)
		p->pid = t->tid;
	p->threads++;
	return t;
}

static void toy_publish(struct toy_task *t, struct stub_thread *s)
{
	struct stub_ids ids = { .pid = (uint32_t)t->process->pid, .tid = (uint32_t)t->tid };

	stub_set_ids(s, &ids);
	toy.threads[t->tid] = s;
}

static long toy_clone(struct stub_thread *s, struct toy_task *t, uint64_t flags)
{
	struct toy_task *child;
	struct stub_thread *c;
	int rc;

	pthread_mutex_lock(&toy.lock);
	child = toy_task_new(flags & CLONE_THREAD ? t->process : toy_process_new(t->process->pid));
	pthread_mutex_unlock(&toy.lock);
	rc = stub_clone_prepare(s, flags, child, &c);
	if (rc)
		return rc;
	if (!(flags & CLONE_THREAD)) {
		child->process->stub = stub_process_of(c);
		child->process->first = c;
		stub_process_set_owner(stub_process_of(c), child->process);
	}
	toy_publish(child, c);
	return child->tid;
}

static void toy_exit(struct stub_thread *s, struct toy_task *t, int status, bool group)
{
	struct toy_process *p = t->process;

	pthread_mutex_lock(&toy.lock);
	if (group || p->threads == 1) {
		p->exited = true;
		p->status = status;
		pthread_cond_broadcast(&toy.changed);
	}
	pthread_mutex_unlock(&toy.lock);
	if (group && p->threads > 1)
		stub_kill(p->stub);
	stub_exit_thread(s);
}

static long toy_wait_for(int pid, int parent)
{
	long found = 0;

	pthread_mutex_lock(&toy.lock);
	while (!found) {
		found = -ECHILD;
		for (int i = 0; i < toy.n_processes; i++) {
			struct toy_process *p = &toy.processes[i];

			if ((pid > 0 ? p->pid != pid : p->parent != parent) || p->waited ||
			    p->never_ran)
				continue;
			found = 0;
			if (!p->exited && !p->died)
				continue;
			p->waited = true;
			found = p->pid;
			break;
		}
		if (!found)
			pthread_cond_wait(&toy.changed, &toy.lock);
	}
	pthread_mutex_unlock(&toy.lock);
	return found;
}

static void toy_raise(struct stub_thread *s, struct toy_task *t, int signo)
{
	atomic_store(&t->signal, signo);
	stub_set_pending(s, 1ull << (signo - 1));
	sleeper_interrupt(&t->sleeper);
	stub_kick(s);
}

/* toy_signal() - for the first thread of @p, if it lives. */
__attribute__((unused)) static void toy_signal(struct toy_process *p, int signo)
{
	pthread_mutex_lock(&toy.lock);
	if (toy.threads[p->pid])
		toy_raise(toy.threads[p->pid], stub_owner(toy.threads[p->pid]), signo);
	pthread_mutex_unlock(&toy.lock);
}

static long toy_kill_pid(int pid)
{
	long rc = -ESRCH;

	pthread_mutex_lock(&toy.lock);
	for (int i = 0; i < toy.n_processes; i++) {
		struct toy_process *p = &toy.processes[i];

		if (p->pid != pid || p->died)
			continue;
		stub_kill(p->stub);
		rc = 0;
	}
	pthread_mutex_unlock(&toy.lock);
	return rc;
}

static long toy_block(long code)
{
	int rc = wait_sleep(WAIT_FOREVER);

	return rc == -ERESTARTSYS ? -code : rc;
}

static long toy_taken(struct toy_task *t)
{
	return t->lease && stub_lease_end(steal_ptr(t->lease));
}

static long toy_lease(struct stub_thread *s, struct toy_task *t, int fd, size_t len)
{
	static const char bytes[65536] = "leased";

	toy_taken(t);
	stub_leases_clear(s);
	t->lease = len <= sizeof(bytes) ? stub_lease(s, fd, bytes, len) : NULL;
	return t->lease ? 0 : -ENOMEM;
}

static uint64_t toy_clone3_flags(struct stub_thread *s, uint64_t at)
{
	uint64_t flags = 0;

	stub_read(s, &flags, at, sizeof(flags));
	return flags;
}

static long toy_call(struct stub_thread *s, const struct stub_call *c)
{
	struct toy_task *t = stub_owner(s);

	sleeper_set_current(&t->sleeper);
	switch (c->nr) {
	case TOY_NOP:
		return 0;
	case TOY_KILL:
		return toy_kill_pid((int)c->args[0]);
	case TOY_LEASE:
		return toy_lease(s, t, (int)c->args[0], c->args[1]);
	case TOY_TAKEN:
		return toy_taken(t);
	case TOY_WHO:
		return t->tid;
	case TOY_NOTE:
		toy_data[c->args[0]] = (long)c->args[1];
		return 0;
	case TOY_RAISE:
		toy_raise(s, t, (int)c->args[0]);
		return 0;
	case SYS_read: /* (signo or 0, n): n, with a signal on the way */
		if (c->args[0])
			toy_raise(s, t, (int)c->args[0]);
		return (long)c->args[1];
	case TOY_BLOCK:
		return toy_block((long)c->args[0]);
	case SYS_write: {
		char text[64] = "";

		if (c->args[2] >= sizeof(text) || stub_read(s, text, c->args[1], c->args[2]))
			return -EFAULT;
		strncat((char *)&toy_data[512], text, 256);
		return (long)c->args[2];
	}
	case SYS_clone:
		return toy_clone(s, t, c->args[0]);
	case SYS_fork:
		return toy_clone(s, t, 0);
	case SYS_vfork:
		return toy_clone(s, t, CLONE_VM | CLONE_VFORK);
	case SYS_clone3:
		return toy_clone(s, t, toy_clone3_flags(s, c->args[0]));
	case SYS_wait4:
		return toy_wait_for((int)c->args[0], t->process->pid);
	case SYS_exit:
	case SYS_exit_group:
		toy_exit(s, t, (int)c->args[0], c->nr == SYS_exit_group);
		return 0;
	case SYS_mmap: {
		struct stub_map m = { c->args[0],
				      c->args[1],
				      c->args[5],
				      (int)c->args[2],
				      (int)c->args[3] & ~MAP_ANONYMOUS,
				      toy.data_fd };

		return stub_mmap(s, &m);
	}
	default:
		return -ENOSYS;
	}
}

static int toy_take_signal(struct stub_thread *s, siginfo_t *info, struct stub_action *action,
			   uint64_t *mask)
{
	struct toy_task *t = stub_owner(s);
	int signo = atomic_load(&t->signal);

	sleeper_clear_interrupt(&t->sleeper);
	*mask = stub_signal_mask(s);
	if (!signo || *mask & 1ull << (signo - 1))
		return 0;
	atomic_store(&t->signal, 0);
	stub_set_pending(s, 0);
	*action = stub_action_get(t->process->stub, signo);
	if (action->handler <= 1)
		return 0;
	info->si_signo = signo;
	info->si_code = SI_TKILL;
	return signo;
}

static void toy_fatal_fault(struct stub_thread *s, const siginfo_t *info)
{
	struct toy_task *t = stub_owner(s);

	toy.faults++;
	toy.last_fault = info->si_signo;
	toy.last_fault_address = (uint64_t)info->si_addr;
	toy_exit(s, t, 128 + info->si_signo, true);
}

static void toy_clone_failed(void *owner)
{
	struct toy_task *t = owner;

	pthread_mutex_lock(&toy.lock);
	t->process->never_ran = t->process->pid == t->tid;
	t->process->threads--;
	toy.threads[t->tid] = NULL;
	pthread_mutex_unlock(&toy.lock);
	free(t);
}

static void toy_died(void *owner, int host_signal)
{
	struct toy_process *p = owner;

	pthread_mutex_lock(&toy.lock);
	p->died = true;
	p->host_signal = host_signal;
	pthread_cond_broadcast(&toy.changed);
	for (int i = 0; i <= toy.next_tid; i++) {
		struct stub_thread *s = toy.threads[i];

		if (s && stub_process_of(s) == p->stub && stub_owner(s))
			sleeper_kill(&((struct toy_task *)stub_owner(s))->sleeper);
	}
	pthread_mutex_unlock(&toy.lock);
}

static void toy_thread_gone(void *owner)
{
	struct toy_task *t = owner;

	pthread_mutex_lock(&toy.lock);
	toy.threads[t->tid] = NULL;
	t->process->threads--;
	pthread_cond_broadcast(&toy.changed);
	pthread_mutex_unlock(&toy.lock);
	sleeper_set_current(NULL);
	toy_taken(t);
	free(t);
}

/* Each call that is asked for, with -EPERM as the answer for one of them. */
static bool toy_check(struct stub_thread *s, const struct stub_call *c, long *ret)
{
	(void)s;
	__atomic_fetch_add(&toy.checks, 1, __ATOMIC_SEQ_CST);
	*ret = -EPERM;
	return c->nr != toy.forbidden;
}

static const struct platform_ops toy_ops = {
	.call = toy_call,
	.check = toy_check,
	.take_signal = toy_take_signal,
	.fatal_fault = toy_fatal_fault,
	.clone_failed = toy_clone_failed,
	.died = toy_died,
	.thread_gone = toy_thread_gone,
};

/* toy_prepare() - the memory that guests share with the test. */
static void toy_prepare(void)
{
	toy.data_fd = memfd_create("data", MFD_CLOEXEC);
	toy.text_fd = memfd_create("text", MFD_CLOEXEC);
	if (write(toy.text_fd, __start_guest, (size_t)(__stop_guest - __start_guest)) < 0 ||
	    ftruncate(toy.data_fd, TOY_BYTES) < 0)
		abort();
	toy.data = mmap(NULL, TOY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, toy.data_fd, 0);
}

/* toy_start() - the platform and a container. Return: whether it could be made. */
__attribute__((unused)) static bool toy_start(void)
{
	struct launch l = LAUNCH_INIT;
	struct error err = ERROR_INIT;
	const char *bin = getenv("BIN");
	char path[4096];

	snprintf(path, sizeof(path), "%s/bulkhead-stub", bin ? bin : "build/bin");
	l.program = path;
	l.strict = toy.strict;
	toy_prepare();
	if (!ok(platform_init(&toy_ops) == 0, "the platform starts"))
		return false;
	if (!ok(launch_zygote(&l, &toy.launched, &err) == 0, "a zygote is made %s", err.text))
		return false;
	return ok(zygote_attach(toy.launched.pidfd, toy.launched.listener,
				open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
				&toy.zygote) == 0,
		  "and attached");
}

/* toy_begin() - a process that runs guest function @fn(@arg); NULL: it could not be made. */
static struct toy_process *toy_begin(void (*fn)(long), long arg)
{
	size_t len = (size_t)(__stop_guest - __start_guest);
	uint64_t text_bytes = (len + 4095) & ~4095ull;
	struct stub_map maps[] = {
		{ TOY_TEXT, text_bytes, 0, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED,
		  toy.text_fd },
		{ TOY_DATA, TOY_BYTES, 0, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		  toy.data_fd },
		{ TOY_STACK, TOY_STACK_SIZE, 0, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1 },
	};
	uint64_t entry = TOY_TEXT + (uint64_t)((char *)guest_begin - __start_guest);
	uint64_t top = TOY_STACK + TOY_STACK_SIZE - 64;
	uint64_t frame[2] = { TOY_TEXT + (uint64_t)((char *)fn - __start_guest), (uint64_t)arg };
	struct stub_poke pokes[] = {
		{ top, frame, sizeof(frame) },
	};
	struct stub_image img = {
		.maps = maps,
		.n_maps = ARRAY_LEN(maps),
		.pokes = pokes,
		.n_pokes = ARRAY_LEN(pokes),
		.entry = entry,
		.stack = top,
		.brk_start = TOY_HEAP,
	};
	struct toy_process *p;
	struct toy_task *t;
	struct stub_thread *s;

	pthread_mutex_lock(&toy.lock);
	p = toy_process_new(0);
	t = toy_task_new(p);
	pthread_mutex_unlock(&toy.lock);
	if (stub_create(toy.zygote, t, &p->stub, &s) < 0) {
		free(t);
		return NULL;
	}
	p->first = s;
	stub_process_set_owner(p->stub, p);
	toy_publish(t, s);
	return stub_start(s, &img) < 0 ? NULL : p;
}

/* toy_kill() - unless it is dead already: then its stub may be freed. */
__attribute__((unused)) static void toy_kill(struct toy_process *p)
{
	pthread_mutex_lock(&toy.lock);
	if (!p->died)
		stub_kill(p->stub);
	pthread_mutex_unlock(&toy.lock);
}

/* toy_end() - wait until it is gone. Return: its status, -1 when it died without exit. */
static int toy_end(struct toy_process *p)
{
	if (!p)
		return -2;
	pthread_mutex_lock(&toy.lock);
	while (!p->died || p->threads)
		pthread_cond_wait(&toy.changed, &toy.lock);
	pthread_mutex_unlock(&toy.lock);
	return p->exited ? p->status : -1;
}

__attribute__((unused)) static int toy_run(void (*fn)(long), long arg)
{
	memset(toy.data, 0, TOY_BYTES);
	return toy_end(toy_begin(fn, arg));
}

static void toy_stop(void)
{
	zygote_kill(toy.zygote);
}

/* toy_await() - until toy_data[word] is @value, at most ten seconds. */
__attribute__((unused)) static bool toy_await(int word, long value)
{
	for (int i = 0; i < 10000; i++) {
		if (toy_data[word] == value)
			return true;
		usleep(1000);
	}
	return false;
}

#endif
