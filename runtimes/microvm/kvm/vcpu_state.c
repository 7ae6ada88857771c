/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a vCPU, saved and loaded.
 *
 * Reading the run state first lets KVM finish what is pending; it is set first too.  Registers of
 * the local APIC come before the MSRs, as the deadline of its timer is one of them; of the MSRs
 * that one comes last, after the counter that it is a time of.  Those that this host does not
 * give are left out.
 */
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "base/mem.h"
#include "runtimes/microvm/kvm/vcpu.h"

#define MSR_TSC_DEADLINE 0x6e0
#define MSRS_MAX	 512
#define XSAVE_BYTES_MAX	 (64U << 10)

/* The parts of fixed size. */
struct vcpu_parts {
	struct kvm_mp_state mp_state;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_lapic_state lapic;
	struct kvm_vcpu_events events;
	uint32_t tsc_khz;
};

static int do_ioctl(const struct vcpu *v, unsigned long command, void *argument, const char *what,
		    struct error *err)
{
	if (ioctl(v->fd, command, argument) >= 0)
		return 0;
	return error_errno(err, errno, "vCPU %u: %s", v->index, what);
}

/* --- MSRs ------------------------------------------------------------------------------------- */

/* msr_list() - indices that this host saves.  Caller frees. */
static struct kvm_msr_list *msr_list(const struct vm *vm)
{
	struct kvm_msr_list *l = xcalloc(1, sizeof(*l) + MSRS_MAX * sizeof(l->indices[0]));

	l->nmsrs = MSRS_MAX;
	if (ioctl(vm->kvm, KVM_GET_MSR_INDEX_LIST, l) < 0)
		l->nmsrs = 0;
	return l;
}

static int get_msr(const struct vcpu *v, struct kvm_msr_entry *e)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} one = { .head.nmsrs = 1, .entry = *e };

	if (ioctl(v->fd, KVM_GET_MSRS, &one) != 1)
		return -ENOENT;
	*e = one.entry;
	return 0;
}

static int set_msr(const struct vcpu *v, const struct kvm_msr_entry *e)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} one = { .head.nmsrs = 1, .entry = *e };

	return ioctl(v->fd, KVM_SET_MSRS, &one) == 1 ? 0 : -EINVAL;
}

static void save_msrs(const struct vcpu *v, const struct vm *vm, struct strbuf *out)
{
	struct kvm_msr_list *list cleanup_free = msr_list(vm);
	struct kvm_msr_entry *entries cleanup_free = xcalloc(MSRS_MAX, sizeof(*entries));
	size_t n = 0;

	for (uint32_t i = 0; i < list->nmsrs; i++) {
		entries[n] = (struct kvm_msr_entry){ .index = list->indices[i] };
		n += get_msr(v, &entries[n]) == 0;
	}
	state_put(out, STATE_MSRS, entries, n * sizeof(*entries));
}

/* load_msr() - one that does not change here (it says what the host has) need not be set. */
static int load_msr(const struct vcpu *v, const struct kvm_msr_entry *e, struct error *err)
{
	struct kvm_msr_entry now = { .index = e->index };

	if (!set_msr(v, e) || (!get_msr(v, &now) && now.data == e->data))
		return 0;
	return error_set(err, EINVAL, "vCPU %u: this host does not take MSR 0x%x = 0x%llx",
			 v->index, e->index, (unsigned long long)e->data);
}

static int load_msrs(const struct vcpu *v, struct state_reader *r, struct error *err)
{
	struct kvm_msr_entry e, deadline = { 0 };
	const uint8_t *data;
	size_t len;
	int rc = state_next(r, STATE_MSRS, (const void **)&data, &len, err);

	if (!rc && (len % sizeof(e) || len / sizeof(e) > MSRS_MAX))
		rc = error_set(err, EBADMSG, "vCPU %u: a wrong number of MSRs", v->index);
	for (size_t at = 0; !rc && at < len; at += sizeof(e)) {
		memcpy(&e, data + at, sizeof(e));
		if (e.index == MSR_TSC_DEADLINE)
			deadline = e;
		else
			rc = load_msr(v, &e, err);
	}
	if (!rc && deadline.index)
		rc = load_msr(v, &deadline, err);
	return rc;
}

/* --- saving ----------------------------------------------------------------------------------- */

static int read_parts(const struct vcpu *v, struct vcpu_parts *p, struct error *err)
{
	int khz = ioctl(v->fd, KVM_GET_TSC_KHZ, 0UL);
	int r = do_ioctl(v, KVM_GET_MP_STATE, &p->mp_state, "read its run state", err);

	p->tsc_khz = khz > 0 ? (uint32_t)khz : 0;
	if (!r)
		r = do_ioctl(v, KVM_GET_REGS, &p->regs, "read registers", err);
	if (!r)
		r = do_ioctl(v, KVM_GET_SREGS, &p->sregs, "read system registers", err);
	if (!r)
		r = do_ioctl(v, KVM_GET_XCRS, &p->xcrs, "read extended registers", err);
	if (!r)
		r = do_ioctl(v, KVM_GET_DEBUGREGS, &p->debugregs, "read debug registers", err);
	if (!r)
		r = do_ioctl(v, KVM_GET_LAPIC, &p->lapic, "read its APIC", err);
	return r ? r : do_ioctl(v, KVM_GET_VCPU_EVENTS, &p->events, "read events", err);
}

/* xsave_bytes() - of the area of vector registers here. */
static size_t xsave_bytes(const struct vm *vm)
{
	int n = ioctl(vm->fd, KVM_CHECK_EXTENSION, (unsigned long)KVM_CAP_XSAVE2);

	return n > (int)sizeof(struct kvm_xsave) ? (size_t)n : sizeof(struct kvm_xsave);
}

static int save_xsave(const struct vcpu *v, const struct vm *vm, struct strbuf *out,
		      struct error *err)
{
	size_t bytes = xsave_bytes(vm);
	void *area cleanup_free = xcalloc(1, bytes);
	unsigned long command = bytes > sizeof(struct kvm_xsave) ? KVM_GET_XSAVE2 : KVM_GET_XSAVE;
	int r = do_ioctl(v, command, area, "read vector registers", err);

	if (!r)
		state_put(out, STATE_XSAVE, area, bytes);
	return r;
}

static int save_cpuid(const struct vcpu *v, struct strbuf *out, struct error *err)
{
	struct kvm_cpuid2 *c cleanup_free =
		xcalloc(1, sizeof(*c) + VM_CPUID_ENTRIES * sizeof(c->entries[0]));
	int r;

	c->nent = VM_CPUID_ENTRIES;
	r = do_ioctl(v, KVM_GET_CPUID2, c, "read its CPUID", err);
	if (!r)
		state_put(out, STATE_CPUID, c->entries, c->nent * sizeof(c->entries[0]));
	return r;
}

int vcpu_save(const struct vcpu *v, const struct vm *vm, struct strbuf *out, struct error *err)
{
	struct vcpu_parts p = { 0 };
	int r = read_parts(v, &p, err);

	if (r)
		return r;
	/* told that it stood still, the guest does not take the gap for a lock-up; no clock: fine
	 */
	(void)ioctl(v->fd, KVM_KVMCLOCK_CTRL, 0);
	state_put(out, STATE_VCPU, &p, sizeof(p));
	r = save_cpuid(v, out, err);
	if (!r)
		r = save_xsave(v, vm, out, err);
	if (!r)
		save_msrs(v, vm, out);
	return r;
}

/* --- loading ---------------------------------------------------------------------------------- */

static int load_cpuid(const struct vcpu *v, struct state_reader *r, struct error *err)
{
	struct kvm_cpuid2 *c cleanup_free = NULL;
	const void *data;
	size_t len, n;
	int rc = state_next(r, STATE_CPUID, &data, &len, err);

	if (rc)
		return rc;
	n = len / sizeof(c->entries[0]);
	if (len % sizeof(c->entries[0]) || n > VM_CPUID_ENTRIES)
		return error_set(err, EBADMSG, "vCPU %u: a wrong CPUID", v->index);
	c = xcalloc(1, sizeof(*c) + len);
	c->nent = (uint32_t)n;
	memcpy(c->entries, data, len);
	return do_ioctl(v, KVM_SET_CPUID2, c, "set its CPUID", err);
}

static int load_xsave(const struct vcpu *v, const struct vm *vm, struct state_reader *r,
		      struct error *err)
{
	size_t bytes = xsave_bytes(vm), len;
	void *area cleanup_free = NULL;
	const void *data;
	int rc = state_next(r, STATE_XSAVE, &data, &len, err);

	if (rc)
		return rc;
	if (len < sizeof(struct kvm_xsave) || len > XSAVE_BYTES_MAX)
		return error_set(err, EBADMSG, "vCPU %u: wrong vector registers", v->index);
	area = xcalloc(1, MAX(bytes, len)); /* KVM reads as much as it has */
	memcpy(area, data, len);
	return do_ioctl(v, KVM_SET_XSAVE, area, "set vector registers", err);
}

static int set_tsc_khz(const struct vcpu *v, uint32_t khz, struct error *err)
{
	int now = ioctl(v->fd, KVM_GET_TSC_KHZ, 0UL);

	if (!khz || now < 0 || khz == (uint32_t)now)
		return 0;
	if (ioctl(v->fd, KVM_SET_TSC_KHZ, (unsigned long)khz) < 0)
		return error_errno(err, errno, "vCPU %u: a counter of %u kHz, this host's has %d",
				   v->index, khz, now);
	return 0;
}

static int write_parts(const struct vcpu *v, struct vcpu_parts *p, struct error *err)
{
	int r = do_ioctl(v, KVM_SET_MP_STATE, &p->mp_state, "set its run state", err);

	if (!r)
		r = do_ioctl(v, KVM_SET_REGS, &p->regs, "set registers", err);
	if (!r)
		r = do_ioctl(v, KVM_SET_SREGS, &p->sregs, "set system registers", err);
	if (!r)
		r = do_ioctl(v, KVM_SET_XCRS, &p->xcrs, "set extended registers", err);
	if (!r)
		r = do_ioctl(v, KVM_SET_DEBUGREGS, &p->debugregs, "set debug registers", err);
	return r ? r : do_ioctl(v, KVM_SET_LAPIC, &p->lapic, "set its APIC", err);
}

int vcpu_load(const struct vcpu *v, const struct vm *vm, struct state_reader *r, struct error *err)
{
	struct vcpu_parts p;
	int rc = state_take(r, STATE_VCPU, &p, sizeof(p), err);

	if (!rc)
		rc = load_cpuid(v, r, err);
	if (!rc)
		rc = set_tsc_khz(v, p.tsc_khz, err);
	if (!rc)
		rc = write_parts(v, &p, err);
	if (!rc)
		rc = load_xsave(v, vm, r, err);
	if (!rc)
		rc = load_msrs(v, r, err);
	return rc ? rc : do_ioctl(v, KVM_SET_VCPU_EVENTS, &p.events, "set events", err);
}
