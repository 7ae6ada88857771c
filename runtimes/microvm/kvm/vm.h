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

struct kvm_cpuid2;

struct vm {
	int kvm, fd;
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

#endif
