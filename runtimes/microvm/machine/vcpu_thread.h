/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread of a vCPU: runs it, serves its exits, stands still when told to.
 *
 *   RUNNING --pause--> (kicked out of KVM_RUN) --> PAUSED --resume--> RUNNING
 */
#ifndef MICROVM_MACHINE_VCPU_THREAD_H
#define MICROVM_MACHINE_VCPU_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "base/error.h"
#include "runtimes/microvm/devices/bus.h"
#include "runtimes/microvm/kvm/counter.h"
#include "runtimes/microvm/kvm/vcpu.h"

/* What all vCPUs of a machine share. */
struct vcpu_group {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* of what follows */
	bool pause;		/* under lock: vCPUs are to stand still */
	unsigned int n_paused;	/* under lock */
	unsigned int n_gone;	/* under lock: threads that have ended */
	const struct bus *ports, *mmio;
	/* a thread begins; may be NULL.  Return: 0, or the machine ends with 1 */
	int (*began)(void);
	/* a vCPU is at its end: the guest shut down (0) or KVM failed (1); on its thread */
	void (*ended)(void *owner, int status);
	void *owner;
	struct counter io_in, io_out, mmio_read, mmio_write, failures; /* exits */
};

struct vcpu_thread {
	struct vcpu vcpu;
	struct vcpu_group *group;
	pthread_t thread;
};

void vcpu_group_init(struct vcpu_group *g);

/* vcpu_thread_start() - the vCPU has been created; it runs at once unless the group is paused. */
int vcpu_thread_start(struct vcpu_thread *t, struct error *err);

/* vcpu_group_pause() - returns when none of the @n threads is in the guest any more. */
void vcpu_group_pause(struct vcpu_group *g, struct vcpu_thread *threads, unsigned int n);
void vcpu_group_resume(struct vcpu_group *g);

#endif
