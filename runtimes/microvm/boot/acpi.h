/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACPI tables: processors, interrupt controller, devices.
 */
#ifndef MICROVM_BOOT_ACPI_H
#define MICROVM_BOOT_ACPI_H

#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define ACPI_RSDP_AT   0xe0000ULL
#define ACPI_TABLES_AT 0x9fc00ULL /* up to the generation's page */

/*
 * The VM generation: 16 random bytes that change when a snapshot is loaded; an interrupt tells the
 * guest to look.
 */
#define ACPI_GENERATION_AT    0xdf000ULL
#define ACPI_GENERATION_BYTES 16
#define ACPI_GENERATION_GSI   23

/* A virtio-mmio device as the guest finds it. */
struct acpi_virtio {
	uint64_t base;
	uint32_t bytes, gsi;
};

struct acpi_machine {
	unsigned int n_vcpus;
	const struct acpi_virtio *devices;
	unsigned int n_devices;
};

/*
 * acpi_build() - all tables behind each other in @ret, to be put at ACPI_TABLES_AT, and the
 * pointer to them (36 bytes) for ACPI_RSDP_AT in @ret_rsdp.
 * Return: 0, or -E2BIG when they do not fit below the RSDP.
 */
int acpi_build(const struct acpi_machine *machine, struct strbuf *ret, uint8_t ret_rsdp[36],
	       struct error *err);

#endif
