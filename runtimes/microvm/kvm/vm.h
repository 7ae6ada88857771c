/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A KVM virtual machine: memory slots, interrupt controllers, event descriptors.
 */
#ifndef MICROVM_KVM_VM_H
#define MICROVM_KVM_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "runtimes/microvm/kvm/memory.h"
#include "runtimes/microvm/kvm/state.h"

struct kvm_clock_data;
struct kvm_cpuid2;

#define VM_CPUID_ENTRIES 256

struct vm {
	int kvm, fd;
	bool tracks_dirty;
	unsigned int run_bytes;	  /* of a vCPU's shared page */
	struct kvm_cpuid2 *cpuid; /* what KVM offers; each vCPU takes an edited copy */
};

#define VM_INIT                      \
	{                            \
		.kvm = -1, .fd = -1, \
	}

/*
 * vm_create() - open /dev/kvm, make a machine with local and I/O interrupt controllers, a PIT
 * and @memory (which must outlive it).  Dirty pages are logged with @track_dirty.
 * Return: 0 or -errno; on failure the caller still calls vm_finish().
 */
int vm_create(struct vm *vm, const struct guest_memory *memory, bool track_dirty,
	      struct error *err);
void vm_finish(struct vm *vm);

/* vm_irqfd() - a write to eventfd @fd raises an edge on @gsi. */
int vm_irqfd(struct vm *vm, int fd, unsigned int gsi, struct error *err);

/* vm_ioeventfd() - a guest write of @value (32 bits) at @at signals eventfd @fd, without an exit.
 */
int vm_ioeventfd(struct vm *vm, int fd, struct gpa at, uint32_t value, struct error *err);

/* vm_save() - controllers, timer and clock, as sections.  Preconditions: no vCPU runs. */
int vm_save(const struct vm *vm, struct strbuf *out, struct error *err);

/* vm_load() - what vm_save() wrote; the clock is returned, for vm_set_clock(). */
int vm_load(const struct vm *vm, struct state_reader *r, struct kvm_clock_data *ret_clock,
	    struct error *err);

/*
 * vm_set_clock() - the guest's clock goes on where it was, or with @realtime as if it had never
 * stood still.
 */
int vm_set_clock(const struct vm *vm, const struct kvm_clock_data *saved, bool realtime,
		 struct error *err);

/*
 * vm_dirty_log() - a bit for each page of region @slot that the guest has written since the last
 * call.  Preconditions: ->tracks_dirty.
 */
int vm_dirty_log(const struct vm *vm, unsigned int slot, uint64_t *bitmap, struct error *err);

#endif
