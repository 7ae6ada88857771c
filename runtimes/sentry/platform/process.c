/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes and threads of guests: their lives and deaths.
 *
 * A process is held by its threads and, until its host process is dead, by the housekeeper that
 * watches it.  Death reaches its serving threads as server_stop(); each leaves by itself.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtimes/sentry/platform/internal.h"

struct stub_process *process_new(struct zygote *z, struct channel *c, uint32_t leader_slot)
{
	struct stub_process *p = xnew(struct stub_process);

	p->refs = 1;
	p->zygote = zygote_get(z);
	p->channel = channel_get(c);
	p->leader_slot = leader_slot;
	p->pidfd = -1;
	pthread_mutex_init(&p->lock, NULL);
	list_init(&p->threads);
	return p;
}

static void process_get(struct stub_process *p)
{
	__atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
}

void process_unref(struct stub_process *p)
{
	if (__atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL))
		return;
	channel_slot_leave(p->channel, p->leader_slot, true);
	channel_put(p->channel);
	close_fd(&p->pidfd);
	zygote_put(p->zygote);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

struct stub_thread *thread_new(struct stub_process *p, uint32_t slot, void *owner)
{
	struct stub_thread *t = xnew(struct stub_thread);

	process_get(p);
	t->refs = 1;
	t->process = p;
	t->slot = slot;
	t->owner = owner;
	t->control = channel_control_of(p->channel, slot);
	t->data = (uint8_t *)t->control + CHANNEL_DATA_OFFSET;
	t->ahead = (struct channel_ahead *)((char *)t->control + CHANNEL_AHEAD_OFFSET);
	pthread_mutex_lock(&p->lock);
	list_add(&p->threads, &t->in_process);
	pthread_mutex_unlock(&p->lock);
	return t;
}

/*
 * What the channel says counts only until the request is taken: whoever writes into it later must
 * not hide a death from a call that sleeps.
 */
bool thread_is_leaving(struct stub_thread *t)
{
	const struct channel_control *c = t->control;

	if (!atomic_load(&t->busy) &&
	    __atomic_load_n(&c->kind, __ATOMIC_SEQ_CST) == CHANNEL_LAST_CALL &&
	    __atomic_load_n(&c->request, __ATOMIC_SEQ_CST) !=
		    __atomic_load_n(&t->seen, __ATOMIC_SEQ_CST))
		return true;
	return atomic_load(&t->leaving); /* set before `seen` and `busy` */
}

/* Preconditions: holds p->lock. */
static bool any_is_leaving(struct stub_process *p)
{
	struct stub_thread *t;

	list_for_each(t, &p->threads, in_process)
		if (thread_is_leaving(t))
			return true;
	return false;
}

static void tell_death(struct stub_process *p)
{
	void *owner;

	pthread_mutex_lock(&p->lock);
	owner = p->owner;
	pthread_mutex_unlock(&p->lock);
	if (owner)
		platform_ops->died(owner, p->told_to_exit ? 0 : SIGKILL);
	process_unref(p);
}

void thread_release(struct stub_thread *t)
{
	struct stub_process *p = t->process;
	bool untold;

	stub_leases_clear(t);
	pthread_mutex_lock(&p->lock);
	list_remove(&t->in_process);
	t->gone = true;
	untold = p->death_untold && !any_is_leaving(p);
	p->death_untold &= !untold;
	pthread_mutex_unlock(&p->lock);
	if (untold)
		tell_death(p);
	housekeeper_remove_stopping(t);
	/* The leader's slot holds what all threads share, and goes with the process. */
	if (t->slot != p->leader_slot)
		channel_slot_leave(p->channel, t->slot, atomic_load(&p->dead));
	thread_put(t);
	process_unref(p);
}

void thread_put(struct stub_thread *t)
{
	if (t && !__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL))
		free(t);
}

static void send(struct stub_process *p, int signo)
{
	int pidfd = __atomic_load_n(&p->pidfd, __ATOMIC_SEQ_CST);

	if (pidfd >= 0)
		syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0);
}

void process_adopted(struct stub_process *p, pid_t host_pid, int pidfd)
{
	__atomic_store_n(&p->host_pid, host_pid, __ATOMIC_RELEASE);
	__atomic_store_n(&p->pidfd, pidfd, __ATOMIC_SEQ_CST);
	if (atomic_load(&p->stopped))
		send(p, SIGSTOP);
	if (atomic_load(&p->killed))
		send(p, SIGKILL);
	if (housekeeper_watch(pidfd, p) < 0)
		stub_kill(p); /* nobody would hear of its death: it must not live */
}

void process_died(struct stub_process *p)
{
	struct stub_thread *t;
	bool told;

	pthread_mutex_lock(&p->lock);
	atomic_store(&p->dead, true);
	list_for_each(t, &p->threads, in_process)
		server_stop(t);
	told = !any_is_leaving(p);
	p->death_untold = !told;
	pthread_mutex_unlock(&p->lock);
	if (told)
		tell_death(p);
}

/* A child that has not adopted yet gets it when it does: see process_adopted(). */
void stub_kill(struct stub_process *p)
{
	atomic_store(&p->killed, true);
	send(p, SIGKILL);
}

void stub_stop(struct stub_process *p)
{
	atomic_store(&p->stopped, true);
	send(p, SIGSTOP);
}

void stub_continue(struct stub_process *p)
{
	atomic_store(&p->stopped, false);
	send(p, SIGCONT);
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
	pthread_mutex_lock(&p->lock);
	p->owner = owner;
	pthread_mutex_unlock(&p->lock);
}

/* As clock_gettime(2) takes it; clock_getcpuclockid(3) would make a system call to check it. */
#define CPU_CLOCK_OF(pid) ((clockid_t)(~(unsigned int)(pid) << 3 | 2))

int64_t stub_cpu_ns(struct stub_process *p)
{
	pid_t pid = stub_host_pid(p);
	struct timespec ts;

	if (p->last_cpu_ns)
		return (int64_t)p->last_cpu_ns;
	if (pid <= 0 || clock_gettime(CPU_CLOCK_OF(pid), &ts))
		return 0;
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

pid_t stub_host_pid(struct stub_process *p)
{
	return __atomic_load_n(&p->host_pid, __ATOMIC_ACQUIRE);
}

int stub_proc_dir(struct stub_process *p)
{
	return p->zygote->proc;
}
