/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's virtio devices: made from the configuration, put on the bus and on the loop.
 */
#ifndef MICROVM_MACHINE_DEVICES_H
#define MICROVM_MACHINE_DEVICES_H

#include "runtimes/microvm/machine/machine.h"

/* machine_irq_line() - an eventfd whose writes raise @gsi.  Return: 0 or -errno. */
int machine_irq_line(struct machine *m, unsigned int gsi, int *ret_fd, struct error *err);

/*
 * machine_add_devices() - all that the configuration names.  Preconditions: memory and virtual
 * machine exist, no vCPU runs.  On failure machine_remove_devices() is still to be called.
 */
int machine_add_devices(struct machine *m, struct error *err);

/* machine_drain_devices() - finish what they have under way.  Preconditions: no vCPU runs. */
void machine_drain_devices(struct machine *m);

/* machine_remove_devices() - Preconditions: no vCPU runs. */
void machine_remove_devices(struct machine *m);

#endif
