/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine, built and run.
 *
 * Order matters: devices stand on their buses and tables before the kernel is loaded, vCPUs
 * exist before the first one is given its start, and nothing runs before all is in place.
 */
#include "runtimes/microvm/machine/machine.h"

#include <sys/random.h>

#include "base/mem.h"
#include "runtimes/microvm/boot/load.h"
#include "runtimes/microvm/machine/console.h"
#include "runtimes/microvm/machine/devices.h"

/* An empty machine; what stays is its configuration and who owns it. */
static void machine_reset(struct machine *m)
{
	m->memory = (struct guest_memory){ 0 };
	m->vm = (struct vm)VM_INIT;
	m->ports.n = m->mmio.n = 0;
	m->serial_irq = m->keyboard_irq = m->generation_irq = m->uffd = -1;
	m->vcpus = NULL;
	m->n_vcpus = 0;
}

void machine_init(struct machine *m, struct loop *loop, void (*on_end)(void *owner, int status),
		  void *owner)
{
	memset(m, 0, sizeof(*m));
	machine_config_init(&m->config);
	m->loop = loop;
	m->on_end = on_end;
	m->owner = owner;
	machine_reset(m);
}

void machine_undo(struct machine *m)
{
	machine_remove_devices(m);
	for (unsigned int i = 0; i < m->n_vcpus; i++)
		vcpu_finish(&m->vcpus[i].vcpu);
	free(m->vcpus);
	close_fd(&m->serial_irq);
	close_fd(&m->keyboard_irq);
	close_fd(&m->generation_irq);
	close_fd(&m->uffd);
	vm_finish(&m->vm);
	guest_memory_finish(&m->memory);
	machine_reset(m);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void tell_end(void *data)
{
	struct machine *m = data;

	m->on_end(m->owner, m->end_status);
}

/* On a vCPU's thread. */
static void machine_ended(void *data, int status)
{
	struct machine *m = data;

	if (__atomic_exchange_n(&m->ended, true, __ATOMIC_SEQ_CST))
		return;
	m->end_status = status;
	loop_post(m->loop, tell_end, m);
}

static void machine_was_reset(void *data)
{
	machine_ended(data, 0);
}

/* --- building --------------------------------------------------------------------------------- */

static int add_legacy(struct machine *m, struct error *err)
{
	int r = machine_irq_line(m, SERIAL_GSI, &m->serial_irq, err);

	if (!r)
		r = machine_irq_line(m, KEYBOARD_GSI, &m->keyboard_irq, err);
	if (!r)
		r = machine_irq_line(m, ACPI_GENERATION_GSI, &m->generation_irq, err);
	if (r)
		return r;
	serial_init(&m->serial, m->config.serial_fd >= 0 ? m->config.serial_fd : STDOUT_FILENO,
		    &m->config.serial_limit, m->serial_irq);
	keyboard_init(&m->keyboard, m->keyboard_irq, machine_was_reset, m);
	r = bus_add(&m->ports, SERIAL_PORT, SERIAL_PORTS, &serial_ops, &m->serial);
	if (!r)
		r = bus_add(&m->ports, KEYBOARD_PORT, KEYBOARD_PORTS, &keyboard_ops, &m->keyboard);
	if (!r && m->config.boot_timer)
		r = bus_add(&m->mmio, BOOT_TIMER_AT, BOOT_TIMER_BYTES, &boot_timer_ops,
			    &m->boot_timer);
	return r ? error_set(err, -r, "too many devices") : 0;
}

static int add_vcpus(struct machine *m, struct error *err)
{
	unsigned int n = m->config.vcpu_count, threads = m->config.smt && n > 1 ? 2 : 1;
	int r = 0;

	m->vcpus = xcalloc(n, sizeof(*m->vcpus));
	while (m->n_vcpus < n && !r) {
		struct vcpu_thread *t = &m->vcpus[m->n_vcpus];

		t->vcpu = (struct vcpu)VCPU_INIT;
		t->group = &m->group;
		r = vcpu_create(&t->vcpu, &m->vm, m->n_vcpus++, n, threads, err);
	}
	return r;
}

static int load_kernel(struct machine *m, struct error *err)
{
	char *command_line cleanup_free = machine_config_command_line(&m->config);
	struct acpi_virtio devices[MACHINE_VIRTIO_MAX];
	struct load_source source = {
		.kernel_fd = m->config.kernel_fd,
		.initrd_fd = m->config.initrd_fd,
		.command_line = command_line,
		.acpi = { .n_vcpus = m->config.vcpu_count,
			  .devices = devices,
			  .n_devices = m->n_virtio },
	};
	struct load_entry entry;
	int r;

	for (unsigned int i = 0; i < m->n_virtio; i++)
		devices[i] = (struct acpi_virtio){ m->virtio[i].base, VIRTIO_MMIO_BYTES,
						   m->virtio[i].gsi };
	r = load_linux(&m->memory, &source, &entry, err);
	if (r)
		return r;
	if (entry.pvh)
		return vcpu_start_pvh(&m->vcpus[0].vcpu, entry.entry, entry.argument, err);
	return vcpu_start_64(&m->vcpus[0].vcpu, &m->memory, entry.entry, entry.argument, err);
}

int machine_renew_generation(struct machine *m, bool tell, struct error *err)
{
	uint8_t bytes[ACPI_GENERATION_BYTES];
	uint64_t one = 1;

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return error_errno(err, errno, "random bytes for the generation");
	if (guest_memory_write(&m->memory, GPA(ACPI_GENERATION_AT), bytes, sizeof(bytes)))
		return error_set(err, EFAULT, "no memory for the generation");
	if (tell)
		(void)!write(m->generation_irq, &one, sizeof(one));
	return 0;
}

int machine_build(struct machine *m, struct error *err)
{
	const struct machine_config *c = &m->config;
	int r;

	if (c->track_dirty)
		guest_memory_track(&m->memory);
	r = vm_create(&m->vm, &m->memory, c->track_dirty, err);
	if (!r)
		r = add_legacy(m, err);
	if (!r)
		r = machine_add_devices(m, err);
	return r ? r : add_vcpus(m, err);
}

static int start_threads(struct machine *m, struct error *err)
{
	m->group.ports = &m->ports;
	m->group.mmio = &m->mmio;
	m->group.began = m->vcpu_began;
	m->group.ended = machine_ended;
	m->group.owner = m;
	/* The first vCPU comes last: until it sends them their start the others only wait. */
	for (unsigned int i = m->n_vcpus; i-- > 0;) {
		int r = vcpu_thread_start(&m->vcpus[i], err);

		if (r)
			return r;
	}
	return 0;
}

int machine_start(struct machine *m, struct error *err)
{
	int r;

	if (m->config.kernel_fd < 0)
		return error_set(err, EINVAL, "Cannot start microvm without kernel configuration.");
	boot_timer_start(&m->boot_timer);
	r = guest_memory_create(&m->memory, m->config.memory_mib << 20, m->config.pages, err);
	if (!r)
		r = machine_build(m, err);
	if (!r)
		r = load_kernel(m, err);
	if (!r)
		r = machine_renew_generation(m, false, err);
	if (r) {
		machine_undo(m);
		return r;
	}
	return machine_run(m, false, err);
}

int machine_run(struct machine *m, bool paused, struct error *err)
{
	int r;

	vcpu_group_init(&m->group);
	m->group.pause = paused;
	r = start_threads(m, err);
	if (r) {
		/* some wait in the kernel: only the process's end frees them */
		machine_ended(m, 1);
		return r;
	}
	m->state = paused ? MACHINE_PAUSED : MACHINE_RUNNING;
	machine_console_open(m);
	return 0;
}

void machine_pause(struct machine *m)
{
	if (m->state == MACHINE_RUNNING)
		vcpu_group_pause(&m->group, m->vcpus, m->n_vcpus);
	m->state = MACHINE_PAUSED;
}

void machine_resume(struct machine *m)
{
	if (m->state == MACHINE_PAUSED)
		vcpu_group_resume(&m->group);
	m->state = MACHINE_RUNNING;
}
