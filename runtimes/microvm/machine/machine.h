/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine: built from its configuration, started, paused, ended.
 *
 * One thread (the one of the event loop) calls all of this; vCPUs have their own threads and
 * touch only devices, which lock themselves.
 */
#ifndef MICROVM_MACHINE_MACHINE_H
#define MICROVM_MACHINE_MACHINE_H

#include "base/loop.h"
#include "runtimes/microvm/devices/boot_timer.h"
#include "runtimes/microvm/devices/keyboard.h"
#include "runtimes/microvm/devices/serial.h"
#include "runtimes/microvm/machine/config.h"
#include "runtimes/microvm/machine/vcpu_thread.h"
#include "runtimes/microvm/virtio/mmio.h"

#define MACHINE_VIRTIO_MAX 18 /* interrupts 5 to 22; 23 is the generation's */

enum machine_state { MACHINE_NOT_STARTED, MACHINE_RUNNING, MACHINE_PAUSED };

/* A queue's notifications on the loop. */
struct virtio_watch {
	struct virtio_device *device;
	unsigned int queue;
	struct loop_fd *fd;
};

/* A virtio device, where it stands and what belongs to it. */
struct virtio_slot {
	struct virtio_device *device;
	uint64_t base;
	unsigned int gsi;
	int irq_fd;
	struct virtio_watch watches[VIRTIO_QUEUES_MAX];
};

struct machine {
	struct machine_config config;
	enum machine_state state;
	struct loop *loop;			 /* not owned */
	void (*on_end)(void *owner, int status); /* on the loop: the guest has ended */
	void *owner;
	int (*vcpu_began)(void); /* on each vCPU's thread, before its guest runs; may be NULL */
	struct guest_memory memory;
	struct vm vm;
	struct bus ports, mmio;
	struct serial serial;
	struct keyboard keyboard;
	struct boot_timer boot_timer;
	int serial_irq, keyboard_irq, generation_irq;
	int uffd;			/* tells another process of page faults; -1: nobody */
	struct loop_fd *input;		/* standard input, while the guest's port takes bytes */
	struct loop_timer *input_retry; /* armed while it does not */
	struct virtio_device *balloon;	/* NULL: none */
	unsigned int n_virtio;
	struct virtio_slot virtio[MACHINE_VIRTIO_MAX];
	struct vcpu_group group;
	struct vcpu_thread *vcpus;
	unsigned int n_vcpus; /* that have been created */
	bool ended;	      /* atomic: only the first end counts */
	int end_status;
};

/* machine_init() - nothing started.  @on_end(@owner, status) is called once, from @loop. */
void machine_init(struct machine *m, struct loop *loop, void (*on_end)(void *owner, int status),
		  void *owner);

/*
 * machine_start() - build it and let it run, by @m->config.
 * Return: 0 or -errno, then nothing runs and it may be tried again.
 */
int machine_start(struct machine *m, struct error *err);

/* machine_check_async() - whether drives can have io_engine Async here.  Return: 0 or -errno. */
int machine_check_async(struct error *err);

/* machine_open_tap() - for a network interface.  Return: descriptor or -errno. */
int machine_open_tap(const char *name, struct error *err);

/*
 * machine_update_drive() - go on with the file @path (NULL: the same), and with what @limiter
 * gives; machine_update_net() - with limiters alone.  Preconditions: it has been started.
 */
int machine_update_drive(struct drive_config *d, const char *path,
			 const struct limiter_config *limiter, struct error *err);
void machine_update_net(struct net_config *n, const struct limiter_config *rx,
			const struct limiter_config *tx);

/*
 * machine_build() - all but what runs: memory exists; devices stand on their buses, vCPUs have been
 * created.  On failure machine_undo() is still to be called, which forgets it all.
 * machine_run() - start vCPUs, which run unless @paused.  Return: 0; or -errno, then the machine is
 * at its end.
 */
int machine_build(struct machine *m, struct error *err);
void machine_undo(struct machine *m);
int machine_run(struct machine *m, bool paused, struct error *err);

/* machine_renew_generation() - other random bytes; tells the guest when it is to look. */
int machine_renew_generation(struct machine *m, bool tell, struct error *err);

/* machine_pause/resume() - idempotent.  Preconditions: it has been started. */
void machine_pause(struct machine *m);
void machine_resume(struct machine *m);

#endif
