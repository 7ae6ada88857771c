/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CPUID tells a vCPU of its place.
 *
 * KVM reports the host's topology.  All vCPUs are made to stand in one package, APIC id =
 * index.  Leaf numbers and fields: Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E.
 */
#include "runtimes/microvm/kvm/cpuid.h"

#include <linux/kvm.h>
#include <stdint.h>

#define LEAF1_ECX_TSC_DEADLINE (1U << 24)
#define LEAF1_ECX_HYPERVISOR   (1U << 31)
#define LEAF1_EDX_HTT	       (1U << 28)
#define LEAF6_ECX_ENERGY_BIAS  (1U << 3)

/* bits_for() - bits that number @n things. */
static unsigned int bits_for(unsigned int n)
{
	return n > 1 ? 32 - (unsigned int)__builtin_clz(n - 1) : 0;
}

static void place_leaf1(struct kvm_cpuid_entry2 *e, unsigned int index, unsigned int count)
{
	e->ebx = (e->ebx & 0xff00) | 8U << 8 | (1U << bits_for(count)) << 16 | index << 24;
	e->ecx |= LEAF1_ECX_HYPERVISOR | LEAF1_ECX_TSC_DEADLINE;
	if (count > 1)
		e->edx |= LEAF1_EDX_HTT;
	else
		e->edx &= ~LEAF1_EDX_HTT;
}

/* Leaf 4: how many share a cache (the first levels: a core's threads), how many cores. */
static void place_caches(struct kvm_cpuid_entry2 *e, unsigned int count, unsigned int threads)
{
	unsigned int level = e->eax >> 5 & 7;
	unsigned int sharing = level >= 3 ? count : threads;
	unsigned int cores = count / threads ? count / threads : 1;

	if (!(e->eax & 0x1f))
		return; /* no more caches */
	e->eax &= 0x3fff;
	e->eax |= (sharing - 1) << 14 | ((1U << bits_for(cores)) - 1) << 26;
}

/* Leaves 0xb and 0x1f: level 0 threads, level 1 cores. */
static void place_topology(struct kvm_cpuid_entry2 *e, unsigned int index, unsigned int count,
			   unsigned int threads)
{
	e->edx = index;
	e->ecx = e->index;
	e->eax = e->ebx = 0;
	if (e->index == 0) {
		e->eax = bits_for(threads);
		e->ebx = threads;
		e->ecx |= 1 << 8;
	} else if (e->index == 1) {
		e->eax = bits_for(count);
		e->ebx = count;
		e->ecx |= 2 << 8;
	}
}

static void place(struct kvm_cpuid_entry2 *e, unsigned int index, unsigned int count,
		  unsigned int threads)
{
	switch (e->function) {
	case 0x1:
		place_leaf1(e, index, count);
		break;
	case 0x4:
	case 0x8000001d:
		place_caches(e, count, threads);
		break;
	case 0x6:
		e->ecx &= ~LEAF6_ECX_ENERGY_BIAS;
		break;
	case 0xa: /* no performance counters: they would not survive a snapshot */
		e->eax = e->ebx = e->ecx = e->edx = 0;
		break;
	case 0xb:
	case 0x1f:
		place_topology(e, index, count, threads);
		break;
	case 0x80000008:
		e->ecx = (e->ecx & ~0xf0ffU) | bits_for(count) << 12 | (count - 1);
		break;
	case 0x8000001e:
		e->eax = index;
		e->ebx = (e->ebx & ~0xffffU) | (threads - 1) << 8 | index / threads;
		e->ecx &= ~0x7ffU; /* one node */
		break;
	default:
		break;
	}
}

void cpuid_place(struct kvm_cpuid2 *cpuid, unsigned int index, unsigned int count,
		 unsigned int threads)
{
	for (uint32_t i = 0; i < cpuid->nent; i++)
		place(&cpuid->entries[i], index, count, threads);
}
