/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AML: the little of ACPI's machine language that describes devices.
 *
 * Every function appends to a strbuf.  A package (scope, device, resources) is written into a
 * buffer of its own first, as its length stands before it.
 */
#ifndef MICROVM_BOOT_AML_H
#define MICROVM_BOOT_AML_H

#include <stdint.h>

#include "base/str.h"

/* aml_name_string(), aml_name_u32(), aml_name_bytes() - Name(@name, value); four letters each. */
void aml_name_string(struct strbuf *out, const char name[4], const char *value);
void aml_name_u32(struct strbuf *out, const char name[4], uint32_t value);
void aml_name_bytes(struct strbuf *out, const char name[4], const struct strbuf *bytes);

/* aml_name_eisa() - Name(_HID, EISAID("PNP0501")). */
void aml_name_eisa(struct strbuf *out, const char id[7]);

/* aml_device(), aml_scope() - wrap what @body holds. */
void aml_device(struct strbuf *out, const char name[4], const struct strbuf *body);
void aml_scope(struct strbuf *out, const char *path, const struct strbuf *body);

/* aml_name_package2() - Name(@name, Package() { @a, @b }). */
void aml_name_package2(struct strbuf *out, const char name[4], uint32_t a, uint32_t b);

/* aml_method_notify() - Method(@name, 1) { Notify(@device, 0x80) }. */
void aml_method_notify(struct strbuf *out, const char name[4], const char device[4]);

/* Resource descriptors, and the tag that ends a list of them. */
void aml_resource_memory(struct strbuf *out, uint32_t base, uint32_t bytes);
void aml_resource_io(struct strbuf *out, uint16_t port, uint8_t bytes);
void aml_resource_irq(struct strbuf *out, uint32_t gsi);
void aml_resource_end(struct strbuf *out);

#endif
