/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread of a vCPU.
 *
 * A vCPU leaves the guest when a signal arrives or immediate_exit is set.  Whoever pauses sets
 * the flag under the lock, then immediate_exit, then sends the signal; the thread clears
 * immediate_exit before it looks at the flag, so none of the three is lost.
 */
#include "runtimes/microvm/machine/vcpu_thread.h"

#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#define KICK_SIGNAL (SIGRTMIN)

static const int faults[] = { SIGSYS, SIGSEGV, SIGBUS, SIGILL };

void vcpu_group_init(struct vcpu_group *g)
{
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->changed, NULL);
}

/* --- exits ------------------------------------------------------------------------------------ */

/* A string instruction moves count items of one port. */
static void serve_port(const struct bus *ports, struct kvm_run *run)
{
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_IN)
			bus_read(ports, run->io.port, data, run->io.size);
		else
			bus_write(ports, run->io.port, data, run->io.size);
	}
}

static void serve_mmio(const struct bus *mmio, struct kvm_run *run)
{
	if (run->mmio.is_write)
		bus_write(mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
	else
		bus_read(mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
}

/* serve_exit() - Return: -1 to go on, else the status that the machine ends with. */
static int serve_exit(struct vcpu_thread *t)
{
	struct kvm_run *run = t->vcpu.run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		counter_add(run->io.direction == KVM_EXIT_IO_IN ? &t->group->io_in
								: &t->group->io_out,
			    1);
		serve_port(t->group->ports, run);
		return -1;
	case KVM_EXIT_MMIO:
		counter_add(run->mmio.is_write ? &t->group->mmio_write : &t->group->mmio_read, 1);
		serve_mmio(t->group->mmio, run);
		return -1;
	case KVM_EXIT_INTR:
		return -1;
	case KVM_EXIT_SHUTDOWN:
	case KVM_EXIT_HLT:
	case KVM_EXIT_SYSTEM_EVENT:
		log_info("vCPU %u: the guest shut down", t->vcpu.index);
		return 0;
	case KVM_EXIT_FAIL_ENTRY:
		log_error("vCPU %u: the processor refused its state: reason 0x%llx", t->vcpu.index,
			  (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
		return 1;
	case KVM_EXIT_INTERNAL_ERROR:
		log_error("vCPU %u: KVM failed: suberror %u", t->vcpu.index,
			  run->internal.suberror);
		return 1;
	default:
		log_error("vCPU %u: unexpected exit %u", t->vcpu.index, run->exit_reason);
		return 1;
	}
}

/* run_once() - enter the guest and serve why it came back.  Return: as serve_exit(). */
static int run_once(struct vcpu_thread *t)
{
	if (ioctl(t->vcpu.fd, KVM_RUN, 0) == 0)
		return serve_exit(t);
	if (errno == EINTR || errno == EAGAIN) {
		__atomic_store_n(&t->vcpu.run->immediate_exit, 0, __ATOMIC_SEQ_CST);
		return -1;
	}
	log_error("vCPU %u: KVM_RUN: %s", t->vcpu.index, strerror(errno));
	return 1;
}

/* --- threads ---------------------------------------------------------------------------------- */

static bool is_to_pause(struct vcpu_group *g)
{
	bool pause;

	pthread_mutex_lock(&g->lock);
	pause = g->pause;
	pthread_mutex_unlock(&g->lock);
	return pause;
}

/*
 * settle() - what was read for the guest reaches its registers when it is entered next: enter it
 * without letting it run, until nothing is left to serve.  Return: as serve_exit().
 */
static int settle(struct vcpu_thread *t)
{
	int status = -1;

	do
		__atomic_store_n(&t->vcpu.run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	while (ioctl(t->vcpu.fd, KVM_RUN, 0) == 0 && (status = serve_exit(t)) < 0);
	__atomic_store_n(&t->vcpu.run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	return status;
}

/* wait_while_paused() - one lock operation a turn: cheap against an exit. */
static void wait_while_paused(struct vcpu_group *g)
{
	pthread_mutex_lock(&g->lock);
	if (g->pause) {
		g->n_paused++;
		pthread_cond_broadcast(&g->changed);
		while (g->pause)
			pthread_cond_wait(&g->changed, &g->lock);
		g->n_paused--;
		pthread_cond_broadcast(&g->changed);
	}
	pthread_mutex_unlock(&g->lock);
}

static void *thread_run(void *data)
{
	struct vcpu_thread *t = data;
	char name[16];
	sigset_t set;
	int status;

	snprintf(name, sizeof(name), "vcpu %u", t->vcpu.index);
	pthread_setname_np(pthread_self(), name);
	sigemptyset(&set);
	sigaddset(&set, KICK_SIGNAL);
	/* of our own faults: blocked, they would end the process without a word */
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		sigaddset(&set, faults[i]);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	status = t->group->began && t->group->began() ? 1 : -1;
	while (status < 0) {
		if (!is_to_pause(t->group))
			status = run_once(t);
		else if ((status = settle(t)) < 0)
			wait_while_paused(t->group);
	}
	if (status)
		counter_add(&t->group->failures, 1);
	t->group->ended(t->group->owner, status);
	pthread_mutex_lock(&t->group->lock);
	t->group->n_gone++;
	pthread_cond_broadcast(&t->group->changed);
	pthread_mutex_unlock(&t->group->lock);
	return NULL;
}

static void on_kick(int signo)
{
	(void)signo; /* it is enough that the ioctl returns */
}

int vcpu_thread_start(struct vcpu_thread *t, struct error *err)
{
	struct sigaction action = { .sa_handler = on_kick };
	int r;

	sigaction(KICK_SIGNAL, &action, NULL);
	r = thread_start_joinable(&t->thread, thread_run, t);
	return r ? error_errno(err, -r, "start the thread of vCPU %u", t->vcpu.index) : 0;
}

void vcpu_group_pause(struct vcpu_group *g, struct vcpu_thread *threads, unsigned int n)
{
	pthread_mutex_lock(&g->lock);
	g->pause = true;
	pthread_mutex_unlock(&g->lock);
	for (unsigned int i = 0; i < n; i++) {
		__atomic_store_n(&threads[i].vcpu.run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		pthread_kill(threads[i].thread, KICK_SIGNAL);
	}
	pthread_mutex_lock(&g->lock);
	while (g->n_paused + g->n_gone < n)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

void vcpu_group_resume(struct vcpu_group *g)
{
	pthread_mutex_lock(&g->lock);
	g->pause = false;
	pthread_cond_broadcast(&g->changed);
	while (g->n_paused)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
}
