/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual CPU and its first state.
 *
 * Values of registers: Linux Documentation/arch/x86/boot.rst ("64-bit boot protocol") and the
 * x86/HVM direct boot ABI of Xen (docs/misc/pvh.pandoc).
 */
#include "runtimes/microvm/kvm/vcpu.h"

#include <asm/kvm.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "runtimes/microvm/kvm/cpuid.h"

#define MSR_TSC		0x10
#define MSR_MISC_ENABLE 0x1a0 /* bit 0: fast strings */
#define MSR_MTRR_TYPE	0x2ff /* bit 11: on; 6: write-back by default */

#define LAPIC_LVT0 0x350
#define LAPIC_LVT1 0x360
#define LAPIC_NMI  0x400
#define LAPIC_EXT  0x700

#define CR0_PE	 0x1ULL
#define CR0_ET	 0x10ULL
#define CR0_PG	 0x80000000ULL
#define CR4_PAE	 0x20ULL
#define EFER_LME 0x100ULL
#define EFER_LMA 0x400ULL

/* Where vcpu_start_64() writes, below all that boot/ lays out. */
#define GDT_AT	0x500
#define PML4_AT 0x9000
#define PDPT_AT 0xa000
#define PD_AT	0xb000

enum { SELECTOR_CODE = 1, SELECTOR_DATA, SELECTOR_TASK };

static int set_cpuid(struct vcpu *vcpu, const struct vm *vm, unsigned int count,
		     unsigned int threads, struct error *err)
{
	struct kvm_cpuid2 *cpuid cleanup_free =
		xmemdup(vm->cpuid, sizeof(*cpuid) + vm->cpuid->nent * sizeof(cpuid->entries[0]));

	cpuid_place(cpuid, vcpu->index, count, threads);
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0)
		return error_errno(err, errno, "set the CPUID of vCPU %u", vcpu->index);
	return 0;
}

static int set_msrs(struct vcpu *vcpu, struct error *err)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entries[3];
	} msrs = {
		.head.nmsrs = 3,
		.entries = { { .index = MSR_TSC },
			     { .index = MSR_MISC_ENABLE, .data = 1 },
			     { .index = MSR_MTRR_TYPE, .data = 1 << 11 | 6 } },
	};

	if (ioctl(vcpu->fd, KVM_SET_MSRS, &msrs) != 3)
		return error_errno(err, errno, "set the MSRs of vCPU %u", vcpu->index);
	return 0;
}

/* The two local interrupt pins: the old controller's on 0, NMI on 1. */
static int set_lapic(struct vcpu *vcpu, struct error *err)
{
	struct kvm_lapic_state lapic;
	uint32_t *lvt0 = (uint32_t *)(void *)(lapic.regs + LAPIC_LVT0);
	uint32_t *lvt1 = (uint32_t *)(void *)(lapic.regs + LAPIC_LVT1);

	if (ioctl(vcpu->fd, KVM_GET_LAPIC, &lapic) < 0)
		return error_errno(err, errno, "read the APIC of vCPU %u", vcpu->index);
	*lvt0 = (*lvt0 & ~0x700U) | LAPIC_EXT;
	*lvt1 = (*lvt1 & ~0x700U) | LAPIC_NMI;
	if (ioctl(vcpu->fd, KVM_SET_LAPIC, &lapic) < 0)
		return error_errno(err, errno, "set the APIC of vCPU %u", vcpu->index);
	return 0;
}

int vcpu_create(struct vcpu *vcpu, const struct vm *vm, unsigned int index, unsigned int count,
		unsigned int threads, struct error *err)
{
	int r;

	vcpu->index = index;
	vcpu->run_bytes = vm->run_bytes;
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)index);
	if (vcpu->fd < 0)
		return error_errno(err, errno, "create vCPU %u", index);
	vcpu->run = mmap(NULL, vm->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		vcpu->run = NULL;
		return error_errno(err, errno, "map the page of vCPU %u", index);
	}
	r = set_cpuid(vcpu, vm, count, threads, err);
	if (!r)
		r = set_msrs(vcpu, err);
	return r ? r : set_lapic(vcpu, err);
}

void vcpu_finish(struct vcpu *vcpu)
{
	if (vcpu->run)
		munmap(vcpu->run, vcpu->run_bytes);
	vcpu->run = NULL;
	close_fd(&vcpu->fd);
}

/* --- first state ------------------------------------------------------------------------------ */

/* flat() - a segment from 0 to 4 GiB; type as in a descriptor. */
static struct kvm_segment flat(unsigned int selector, unsigned int type, bool long_mode)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = (uint16_t)(selector * 8),
		.type = (uint8_t)type,
		.present = 1,
		.s = 1,
		.g = 1,
		.db = !long_mode,
		.l = long_mode,
	};
}

static void set_segments(struct kvm_sregs *s, bool long_mode)
{
	struct kvm_segment data = flat(SELECTOR_DATA, 3, false);

	s->cs = flat(SELECTOR_CODE, 0xb, long_mode);
	s->ds = s->es = s->fs = s->gs = s->ss = data;
	s->tr = (struct kvm_segment){
		.limit = 0x67, .selector = SELECTOR_TASK * 8, .type = 0xb, .present = 1
	};
}

static int set_registers(struct vcpu *vcpu, const struct kvm_sregs *sregs,
			 const struct kvm_regs *regs, struct error *err)
{
	struct kvm_fpu fpu = { .fcw = 0x37f, .mxcsr = 0x1f80 };

	if (ioctl(vcpu->fd, KVM_SET_SREGS, sregs) < 0 || ioctl(vcpu->fd, KVM_SET_REGS, regs) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_FPU, &fpu) < 0)
		return error_errno(err, errno, "set the registers of vCPU %u", vcpu->index);
	return 0;
}

int vcpu_start_pvh(struct vcpu *vcpu, uint64_t entry, uint64_t start_info, struct error *err)
{
	struct kvm_regs regs = { .rflags = 2, .rip = entry, .rbx = start_info };
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return error_errno(err, errno, "read the registers of vCPU %u", vcpu->index);
	set_segments(&sregs, false);
	sregs.cr0 = CR0_PE | CR0_ET;
	sregs.cr4 = 0;
	sregs.efer = 0;
	return set_registers(vcpu, &sregs, &regs, err);
}

/* write_tables() - descriptors as the protocol wants them at 0x10 and 0x18, and page tables. */
static int write_tables(const struct guest_memory *memory)
{
	static const uint64_t gdt[] = { 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff,
					0x008f8b000000ffff };
	uint64_t pd[512], pml4 = PDPT_AT | 3, pdpt = PD_AT | 3;
	int r;

	for (uint64_t i = 0; i < ARRAY_LEN(pd); i++)
		pd[i] = i << 21 | 0x83; /* present, writable, 2 MiB */
	r = guest_memory_write(memory, GPA(GDT_AT), gdt, sizeof(gdt));
	if (!r)
		r = guest_memory_write(memory, GPA(PML4_AT), &pml4, sizeof(pml4));
	if (!r)
		r = guest_memory_write(memory, GPA(PDPT_AT), &pdpt, sizeof(pdpt));
	return r ? r : guest_memory_write(memory, GPA(PD_AT), pd, sizeof(pd));
}

int vcpu_start_64(struct vcpu *vcpu, const struct guest_memory *memory, uint64_t entry,
		  uint64_t zero_page, struct error *err)
{
	struct kvm_regs regs = {
		.rflags = 2, .rip = entry, .rsi = zero_page, .rsp = 0x8ff0, .rbp = 0x8ff0
	};
	struct kvm_sregs sregs;

	if (write_tables(memory))
		return error_set(err, EFAULT, "no memory for page tables");
	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return error_errno(err, errno, "read the registers of vCPU %u", vcpu->index);
	set_segments(&sregs, true);
	sregs.cs.selector = 0x10; /* __BOOT_CS */
	sregs.ds.selector = sregs.es.selector = sregs.fs.selector = sregs.gs.selector =
		sregs.ss.selector = 0x18; /* __BOOT_DS */
	sregs.tr.selector = 0x20;
	sregs.gdt.base = GDT_AT;
	sregs.gdt.limit = 5 * 8 - 1;
	sregs.idt.limit = 0;
	sregs.cr3 = PML4_AT;
	sregs.cr4 = CR4_PAE;
	sregs.cr0 = CR0_PE | CR0_ET | CR0_PG;
	sregs.efer = EFER_LME | EFER_LMA;
	return set_registers(vcpu, &sregs, &regs, err);
}
