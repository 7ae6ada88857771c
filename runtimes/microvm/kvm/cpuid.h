/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CPUID tells a vCPU of its place.
 */
#ifndef MICROVM_KVM_CPUID_H
#define MICROVM_KVM_CPUID_H

struct kvm_cpuid2;

/*
 * cpuid_place() - edit what KVM supports for vCPU @index of @count with @threads per core:
 * its APIC id, the topology leaves, one package.  What KVM cannot virtualize stays away.
 */
void cpuid_place(struct kvm_cpuid2 *cpuid, unsigned int index, unsigned int count,
		 unsigned int threads);

#endif
