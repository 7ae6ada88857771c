/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a virtual machine besides its vCPUs: interrupt controllers, timer, clock.
 */
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "base/mem.h"
#include "runtimes/microvm/kvm/vm.h"

#define CHIPS 3 /* two PICs, the I/O APIC */

struct controllers {
	struct kvm_irqchip chips[CHIPS];
	struct kvm_pit_state2 pit;
};

static int do_ioctl(const struct vm *vm, unsigned long command, void *argument, const char *what,
		    struct error *err)
{
	return ioctl(vm->fd, command, argument) < 0 ? error_errno(err, errno, "%s", what) : 0;
}

int vm_save(const struct vm *vm, struct strbuf *out, struct error *err)
{
	struct controllers c = { 0 };
	struct kvm_clock_data clock = { 0 };
	int r = 0;

	for (uint32_t i = 0; i < CHIPS && !r; i++) {
		c.chips[i].chip_id = i;
		r = do_ioctl(vm, KVM_GET_IRQCHIP, &c.chips[i], "read an interrupt controller", err);
	}
	if (!r)
		r = do_ioctl(vm, KVM_GET_PIT2, &c.pit, "read the timer", err);
	if (!r)
		r = do_ioctl(vm, KVM_GET_CLOCK, &clock, "read the clock", err);
	if (r)
		return r;
	state_put(out, STATE_CONTROLLERS, &c, sizeof(c));
	state_put(out, STATE_CLOCK, &clock, sizeof(clock));
	return 0;
}

int vm_load(const struct vm *vm, struct state_reader *r, struct kvm_clock_data *ret_clock,
	    struct error *err)
{
	struct controllers c;
	int rc = state_take(r, STATE_CONTROLLERS, &c, sizeof(c), err);

	if (!rc)
		rc = state_take(r, STATE_CLOCK, ret_clock, sizeof(*ret_clock), err);
	for (uint32_t i = 0; i < CHIPS && !rc; i++) {
		c.chips[i].chip_id = i;
		rc = do_ioctl(vm, KVM_SET_IRQCHIP, &c.chips[i], "set an interrupt controller", err);
	}
	return rc ? rc : do_ioctl(vm, KVM_SET_PIT2, &c.pit, "set the timer", err);
}

int vm_set_clock(const struct vm *vm, const struct kvm_clock_data *saved, bool realtime,
		 struct error *err)
{
	struct kvm_clock_data clock = { .clock = saved->clock };

	if (realtime) {
		if (!(saved->flags & KVM_CLOCK_REALTIME))
			return error_set(err, ENOTSUP,
					 "clock_realtime: the host of the snapshot told no time");
		clock.flags = KVM_CLOCK_REALTIME;
		clock.realtime = saved->realtime;
	}
	return do_ioctl(vm, KVM_SET_CLOCK, &clock, "set the clock", err);
}

int vm_dirty_log(const struct vm *vm, unsigned int slot, uint64_t *bitmap, struct error *err)
{
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = bitmap };

	return do_ioctl(vm, KVM_GET_DIRTY_LOG, &log, "read which pages were written", err);
}
