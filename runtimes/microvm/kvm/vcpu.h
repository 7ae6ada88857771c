/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual CPU: its identity, its first state, its runs.
 */
#ifndef MICROVM_KVM_VCPU_H
#define MICROVM_KVM_VCPU_H

#include "runtimes/microvm/kvm/vm.h"

struct kvm_run;

struct vcpu {
	int fd;
	unsigned int index;
	unsigned int run_bytes;
	struct kvm_run *run; /* shared with KVM */
};

#define VCPU_INIT        \
	{                \
		.fd = -1 \
	}

/*
 * vcpu_create() - vCPU @index of @count, with the CPUID of @vm told its place (@threads per
 * core, 1 or 2).  The first one may then be given a start; the others wait for its start-up
 * interrupt.  On failure the caller still calls vcpu_finish().
 */
int vcpu_create(struct vcpu *vcpu, const struct vm *vm, unsigned int index, unsigned int count,
		unsigned int threads, struct error *err);
void vcpu_finish(struct vcpu *vcpu);

/* vcpu_start_pvh() - 32 bits, no paging, rbx = @start_info (the x86/HVM direct boot ABI). */
int vcpu_start_pvh(struct vcpu *vcpu, uint64_t entry, uint64_t start_info, struct error *err);

/*
 * vcpu_start_64() - 64 bits, rsi = @zero_page (Linux's 64-bit boot protocol).  Writes page
 * tables (identity, the first GiB) and descriptors into @memory below 0xd000.
 */
int vcpu_start_64(struct vcpu *vcpu, const struct guest_memory *memory, uint64_t entry,
		  uint64_t zero_page, struct error *err);

/*
 * vcpu_save(), vcpu_load() - its whole state as sections.  Preconditions: it does not run, nothing
 * that it asked of us is half done (its thread stands paused); when loading, all vCPUs of @vm
 * exist.
 */
int vcpu_save(const struct vcpu *v, const struct vm *vm, struct strbuf *out, struct error *err);
int vcpu_load(const struct vcpu *v, const struct vm *vm, struct state_reader *r, struct error *err);

#endif
