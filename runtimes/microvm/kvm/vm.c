/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A KVM virtual machine.
 */
#include "runtimes/microvm/kvm/vm.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "base/mem.h"

/* Three pages that KVM needs below 4 GiB on Intel, in the hole that no memory or device uses. */
#define TSS_ADDRESS 0xfffbd000UL

static int open_kvm(struct vm *vm, struct error *err)
{
	int version;

	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		return error_errno(err, errno, "open /dev/kvm");
	version = ioctl(vm->kvm, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION)
		return error_set(err, ENOTSUP, "KVM has API version %d, not %d", version,
				 KVM_API_VERSION);
	version = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (version < 0)
		return error_errno(err, errno, "size of a vCPU's page");
	vm->run_bytes = (unsigned int)version;
	return 0;
}

static int read_cpuid(struct vm *vm, struct error *err)
{
	vm->cpuid =
		xcalloc(1, sizeof(*vm->cpuid) + VM_CPUID_ENTRIES * sizeof(struct kvm_cpuid_entry2));
	vm->cpuid->nent = VM_CPUID_ENTRIES;
	if (ioctl(vm->kvm, KVM_GET_SUPPORTED_CPUID, vm->cpuid) < 0)
		return error_errno(err, errno, "read the CPUID that KVM supports");
	return 0;
}

static int add_memory(struct vm *vm, const struct guest_memory *memory, bool track_dirty,
		      struct error *err)
{
	for (unsigned int i = 0; i < memory->n_regions; i++) {
		const struct guest_region *r = &memory->regions[i];
		struct kvm_userspace_memory_region slot = {
			.slot = i,
			.flags = track_dirty ? KVM_MEM_LOG_DIRTY_PAGES : 0,
			.guest_phys_addr = r->start,
			.memory_size = r->bytes,
			.userspace_addr = (uintptr_t)r->host,
		};

		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
			return error_errno(err, errno, "give memory to the machine");
	}
	return 0;
}

static int add_controllers(struct vm *vm, struct error *err)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

	if (ioctl(vm->fd, KVM_SET_TSS_ADDR, TSS_ADDRESS) < 0)
		return error_errno(err, errno, "set the TSS address");
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return error_errno(err, errno, "create the interrupt controllers");
	if (ioctl(vm->fd, KVM_CREATE_PIT2, &pit) < 0)
		return error_errno(err, errno, "create the timer");
	return 0;
}

int vm_create(struct vm *vm, const struct guest_memory *memory, bool track_dirty, struct error *err)
{
	int r = open_kvm(vm, err);

	if (!r)
		r = read_cpuid(vm, err);
	if (r)
		return r;
	do
		vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0UL);
	while (vm->fd < 0 && errno == EINTR);
	if (vm->fd < 0)
		return error_errno(err, errno, "create a virtual machine");
	vm->tracks_dirty = track_dirty;
	r = add_controllers(vm, err);
	return r ? r : add_memory(vm, memory, track_dirty, err);
}

void vm_finish(struct vm *vm)
{
	close_fd(&vm->fd);
	close_fd(&vm->kvm);
	free(vm->cpuid);
	vm->cpuid = NULL;
}

int vm_irqfd(struct vm *vm, int fd, unsigned int gsi, struct error *err)
{
	struct kvm_irqfd irq = { .fd = (__u32)fd, .gsi = gsi };

	if (ioctl(vm->fd, KVM_IRQFD, &irq) < 0)
		return error_errno(err, errno, "bind an event to interrupt %u", gsi);
	return 0;
}

int vm_ioeventfd(struct vm *vm, int fd, struct gpa at, uint32_t value, struct error *err)
{
	struct kvm_ioeventfd io = {
		.datamatch = value,
		.addr = at.at,
		.len = 4,
		.fd = fd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
	};

	if (ioctl(vm->fd, KVM_IOEVENTFD, &io) < 0)
		return error_errno(err, errno, "bind an event to address 0x%llx",
				   (unsigned long long)at.at);
	return 0;
}
