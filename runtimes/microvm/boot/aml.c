/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AML: names, devices, resources.
 *
 * Encodings: ACPI specification 6.5, chapters 20 (AML) and 6.4 (resource data types).
 */
#include "runtimes/microvm/boot/aml.h"

#include <ctype.h>

#include "base/mem.h"

enum {
	OP_NAME = 0x08,
	OP_BYTE = 0x0a,
	OP_DWORD = 0x0c,
	OP_STRING = 0x0d,
	OP_SCOPE = 0x10,
	OP_BUFFER = 0x11,
	OP_PACKAGE = 0x12,
	OP_METHOD = 0x14,
	OP_EXTENDED = 0x5b,
	OP_DEVICE = 0x82,
	OP_NOTIFY = 0x86,
};

static void put_u8(struct strbuf *out, unsigned int v)
{
	strbuf_putc(out, (char)v);
}

static void put_u16(struct strbuf *out, uint16_t v)
{
	strbuf_append(out, &v, sizeof(v));
}

static void put_u32(struct strbuf *out, uint32_t v)
{
	strbuf_append(out, &v, sizeof(v));
}

/* put_length() - PkgLength: it counts itself, and says in two bits how long it is. */
static void put_length(struct strbuf *out, size_t body)
{
	size_t len = body + 1;

	if (len <= 0x3f) {
		put_u8(out, (unsigned int)len);
		return;
	}
	for (unsigned int extra = 1; extra <= 3; extra++) {
		len = body + 1 + extra;
		if (len >> (4 + 8 * extra))
			continue;
		put_u8(out, extra << 6 | (len & 0xf));
		for (unsigned int i = 0; i < extra; i++)
			put_u8(out, (len >> (4 + 8 * i)) & 0xff);
		return;
	}
}

static void put_name(struct strbuf *out, const char name[4])
{
	put_u8(out, OP_NAME);
	strbuf_append(out, name, 4);
}

void aml_name_string(struct strbuf *out, const char name[4], const char *value)
{
	put_name(out, name);
	put_u8(out, OP_STRING);
	strbuf_append(out, value, strlen(value) + 1);
}

void aml_name_u32(struct strbuf *out, const char name[4], uint32_t value)
{
	put_name(out, name);
	put_u8(out, OP_DWORD);
	put_u32(out, value);
}

void aml_name_bytes(struct strbuf *out, const char name[4], const struct strbuf *bytes)
{
	put_name(out, name);
	put_u8(out, OP_BUFFER);
	put_length(out, bytes->len + 2);
	put_u8(out, OP_BYTE);
	put_u8(out, (unsigned int)bytes->len);
	strbuf_append(out, bytes->data, bytes->len);
}

void aml_name_package2(struct strbuf *out, const char name[4], uint32_t a, uint32_t b)
{
	put_name(out, name);
	put_u8(out, OP_PACKAGE);
	put_length(out, 1 + 2 * 5);
	put_u8(out, 2);
	put_u8(out, OP_DWORD);
	put_u32(out, a);
	put_u8(out, OP_DWORD);
	put_u32(out, b);
}

void aml_method_notify(struct strbuf *out, const char name[4], const char device[4])
{
	put_u8(out, OP_METHOD);
	put_length(out, 4 + 1 + 1 + 4 + 2);
	strbuf_append(out, name, 4);
	put_u8(out, 1); /* one argument, not serialized */
	put_u8(out, OP_NOTIFY);
	strbuf_append(out, device, 4);
	put_u8(out, OP_BYTE);
	put_u8(out, 0x80);
}

static unsigned int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? (unsigned int)(c - '0') : (unsigned int)(c - 'A' + 10);
}

void aml_name_eisa(struct strbuf *out, const char id[7])
{
	put_name(out, "_HID");
	put_u8(out, OP_DWORD);
	put_u8(out, ((id[0] - 0x40U) << 2 | (id[1] - 0x40U) >> 3) & 0xff);
	put_u8(out, ((id[1] - 0x40U) << 5 | (id[2] - 0x40U)) & 0xff);
	put_u8(out, hex_digit(id[3]) << 4 | hex_digit(id[4]));
	put_u8(out, hex_digit(id[5]) << 4 | hex_digit(id[6]));
}

void aml_device(struct strbuf *out, const char name[4], const struct strbuf *body)
{
	put_u8(out, OP_EXTENDED);
	put_u8(out, OP_DEVICE);
	put_length(out, body->len + 4);
	strbuf_append(out, name, 4);
	strbuf_append(out, body->data, body->len);
}

void aml_scope(struct strbuf *out, const char *path, const struct strbuf *body)
{
	put_u8(out, OP_SCOPE);
	put_length(out, body->len + strlen(path));
	strbuf_puts(out, path);
	strbuf_append(out, body->data, body->len);
}

void aml_resource_memory(struct strbuf *out, uint32_t base, uint32_t bytes)
{
	put_u8(out, 0x86); /* 32-bit fixed memory range */
	put_u16(out, 9);
	put_u8(out, 1); /* writable */
	put_u32(out, base);
	put_u32(out, bytes);
}

void aml_resource_io(struct strbuf *out, uint16_t port, uint8_t bytes)
{
	put_u8(out, 0x47); /* I/O port, 7 bytes */
	put_u8(out, 1);	   /* all 16 bits are decoded */
	put_u16(out, port);
	put_u16(out, port);
	put_u8(out, 1); /* alignment */
	put_u8(out, bytes);
}

void aml_resource_irq(struct strbuf *out, uint32_t gsi)
{
	put_u8(out, 0x89); /* extended interrupt */
	put_u16(out, 6);
	put_u8(out, 3); /* consumer, edge, active high, exclusive */
	put_u8(out, 1);
	put_u32(out, gsi);
}

void aml_resource_end(struct strbuf *out)
{
	put_u16(out, 0x79);
}
