/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACPI tables of a hardware-reduced machine: RSDP, XSDT, FADT, MADT, DSDT.
 *
 * Layouts: ACPI specification 6.5, chapter 5.  There is no power hardware: a guest ends by the
 * keyboard controller's reset.
 */
#include "runtimes/microvm/boot/acpi.h"

#include <stdio.h>

#include "base/mem.h"
#include "runtimes/microvm/boot/aml.h"

#define IOAPIC_AT 0xfec00000U
#define LAPIC_AT  0xfee00000U

#define FADT_BYTES	     276
#define FADT_HW_REDUCED	     (1U << 20)
#define FADT_RESET_SUPPORTED (1U << 10)
/* i8042 present; no VGA, no MSI, no ASPM, no CMOS clock */
#define FADT_BOOT_ARCH (1U << 1 | 1U << 2 | 1U << 3 | 1U << 4 | 1U << 5)

struct table_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

static uint8_t checksum(const uint8_t *bytes, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + bytes[i]);
	return (uint8_t)-sum;
}

/* add_table() - append one with its header.  Return: the address it will have. */
static uint64_t add_table(struct strbuf *out, const char *signature, uint8_t revision,
			  const struct strbuf *body)
{
	struct table_header h = {
		.length = (uint32_t)(sizeof(h) + body->len),
		.revision = revision,
		.oem_revision = 1,
		.creator_revision = 1,
	};
	size_t at;

	while (out->len % 16)
		strbuf_putc(out, 0);
	at = out->len;
	memcpy(h.signature, signature, 4);
	memcpy(h.oem_id, "BULKHD", 6);
	memcpy(h.oem_table_id, "MICROVM ", 8);
	memcpy(h.creator_id, "BLKH", 4);
	strbuf_append(out, &h, sizeof(h));
	strbuf_append(out, body->data, body->len);
	out->data[at + offsetof(struct table_header, checksum)] =
		(char)checksum((uint8_t *)out->data + at, h.length);
	return ACPI_TABLES_AT + at;
}

/* --- DSDT ------------------------------------------------------------------------------------- */

static void add_virtio(struct strbuf *scope, unsigned int i, const struct acpi_virtio *v)
{
	struct strbuf body cleanup_strbuf = { 0 }, crs cleanup_strbuf = { 0 };
	char name[8];

	snprintf(name, sizeof(name), "V%03u", i % 1000);
	aml_name_string(&body, "_HID", "LNRO0005");
	aml_name_u32(&body, "_UID", i);
	aml_name_u32(&body, "_CCA", 1);
	aml_resource_memory(&crs, (uint32_t)v->base, v->bytes);
	aml_resource_irq(&crs, v->gsi);
	aml_resource_end(&crs);
	aml_name_bytes(&body, "_CRS", &crs);
	aml_device(scope, name, &body);
}

/* A device of the old PC: @ports of one byte each that follow @port, and @irq. */
static void add_legacy(struct strbuf *scope, const char *name, const char *id, uint16_t port,
		       uint8_t bytes, uint16_t port2, uint32_t irq)
{
	struct strbuf body cleanup_strbuf = { 0 }, crs cleanup_strbuf = { 0 };

	aml_name_eisa(&body, id);
	aml_name_u32(&body, "_UID", 0);
	aml_resource_io(&crs, port, bytes);
	if (port2)
		aml_resource_io(&crs, port2, bytes);
	aml_resource_irq(&crs, irq);
	aml_resource_end(&crs);
	aml_name_bytes(&body, "_CRS", &crs);
	aml_device(scope, name, &body);
}

/* The generation's address, and the event device whose interrupt says that it is another one. */
static void add_generation(struct strbuf *scope)
{
	struct strbuf body cleanup_strbuf = { 0 }, event cleanup_strbuf = { 0 },
			   crs cleanup_strbuf = { 0 };

	aml_name_string(&body, "_HID", "BLKHGEN0");
	aml_name_string(&body, "_CID", "VM_Gen_Counter");
	aml_name_string(&body, "_DDN", "VM_Gen_Counter");
	aml_name_package2(&body, "ADDR", (uint32_t)ACPI_GENERATION_AT, 0);
	aml_device(scope, "VGEN", &body);
	aml_name_string(&event, "_HID", "ACPI0013");
	aml_name_u32(&event, "_UID", 0);
	aml_resource_irq(&crs, ACPI_GENERATION_GSI);
	aml_resource_end(&crs);
	aml_name_bytes(&event, "_CRS", &crs);
	aml_method_notify(&event, "_EVT", "VGEN");
	aml_device(scope, "GED0", &event);
}

static uint64_t add_dsdt(struct strbuf *out, const struct acpi_machine *m)
{
	struct strbuf scope cleanup_strbuf = { 0 }, body cleanup_strbuf = { 0 };

	add_legacy(&scope, "COM1", "PNP0501", 0x3f8, 8, 0, 4);
	add_legacy(&scope, "KBD0", "PNP0303", 0x60, 1, 0x64, 1);
	add_generation(&scope);
	for (unsigned int i = 0; i < m->n_devices; i++)
		add_virtio(&scope, i, &m->devices[i]);
	aml_scope(&body, "\\_SB_", &scope);
	return add_table(out, "DSDT", 6, &body);
}

/* --- the others ------------------------------------------------------------------------------- */

static uint64_t add_madt(struct strbuf *out, unsigned int n_vcpus)
{
	struct strbuf body cleanup_strbuf = { 0 };
	uint32_t head[2] = { LAPIC_AT, 0 };
	uint32_t ioapic[2] = { IOAPIC_AT, 0 };

	strbuf_append(&body, head, sizeof(head));
	strbuf_append(&body, (uint8_t[]){ 1, 12, 0, 0 }, 4);
	strbuf_append(&body, ioapic, sizeof(ioapic));
	for (unsigned int i = 0; i < n_vcpus; i++) /* local APICs, enabled */
		strbuf_append(&body, (uint8_t[]){ 0, 8, (uint8_t)i, (uint8_t)i, 1, 0, 0, 0 }, 8);
	return add_table(out, "APIC", 6, &body);
}

/* Offsets in the body are those of the specification less the header of 36 bytes. */
static uint64_t add_fadt(struct strbuf *out, uint64_t dsdt)
{
	uint8_t fields[FADT_BYTES - sizeof(struct table_header)] = { 0 };
	struct strbuf body cleanup_strbuf = { 0 };
	uint32_t flags = FADT_HW_REDUCED | FADT_RESET_SUPPORTED;
	uint16_t arch = FADT_BOOT_ARCH;
	uint64_t reset_port = 0x64;

	memcpy(&fields[109 - 36], &arch, sizeof(arch));
	memcpy(&fields[112 - 36], &flags, sizeof(flags));
	/* reset register: one byte of I/O space */
	memcpy(&fields[116 - 36], (uint8_t[]){ 1, 8, 0, 1 }, 4);
	memcpy(&fields[120 - 36], &reset_port, sizeof(reset_port));
	fields[128 - 36] = 0xfe; /* its value */
	fields[131 - 36] = 5;	 /* minor version */
	memcpy(&fields[140 - 36], &dsdt, sizeof(dsdt));
	memcpy(&fields[268 - 36], "BULKHEAD", 8); /* hypervisor */
	strbuf_append(&body, fields, sizeof(fields));
	return add_table(out, "FACP", 6, &body);
}

static void fill_rsdp(uint8_t rsdp[36], uint64_t xsdt)
{
	uint32_t length = 36;

	memset(rsdp, 0, 36);
	memcpy(rsdp, "RSD PTR ", 8);
	memcpy(rsdp + 9, "BULKHD", 6);
	rsdp[15] = 2;
	memcpy(rsdp + 20, &length, 4);
	memcpy(rsdp + 24, &xsdt, 8);
	rsdp[8] = checksum(rsdp, 20);
	rsdp[32] = checksum(rsdp, 36);
}

int acpi_build(const struct acpi_machine *machine, struct strbuf *ret, uint8_t ret_rsdp[36],
	       struct error *err)
{
	struct strbuf pointers cleanup_strbuf = { 0 };
	uint64_t dsdt = add_dsdt(ret, machine);
	uint64_t tables[2] = { add_fadt(ret, dsdt), add_madt(ret, machine->n_vcpus) };

	strbuf_append(&pointers, tables, sizeof(tables));
	fill_rsdp(ret_rsdp, add_table(ret, "XSDT", 1, &pointers));
	if (ret->len > ACPI_GENERATION_AT - ACPI_TABLES_AT)
		return error_set(err, E2BIG, "ACPI tables of %zu bytes do not fit", ret->len);
	return 0;
}
