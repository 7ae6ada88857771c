/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a machine as bytes: sections behind each other, in a file with a checksum.
 *
 *   "BHVMSNAP"  version  0  bytes of what follows  their CRC-64
 *   sections: tag  length  bytes
 *
 * Sections stand in a fixed order, so a reader asks for the next one by its tag.  The file is
 * hostile: whoever takes a section checks what is in it.
 */
#ifndef MICROVM_KVM_STATE_H
#define MICROVM_KVM_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define STATE_VERSION	1
#define STATE_BYTES_MAX (4U << 20) /* of a whole file: 32 vCPUs take less than one MiB */

enum state_tag {
	STATE_CONFIG = 1, /* JSON: sections as a configuration file has them */
	STATE_MEMORY,
	STATE_CONTROLLERS,
	STATE_CLOCK,
	STATE_VCPU,
	STATE_CPUID,
	STATE_MSRS,
	STATE_XSAVE,
	STATE_SERIAL,
	STATE_KEYBOARD,
	STATE_VIRTIO,
	STATE_DEVICE, /* what a virtio device has besides its transport's; may be empty */
};

/* Sections that have not been read yet. */
struct state_reader {
	const uint8_t *at;
	size_t left;
};

/* state_put() - append a section. */
void state_put(struct strbuf *out, enum state_tag tag, const void *data, size_t len);

/*
 * state_next() - the next section, which must be a @tag.
 * Return: 0 with what is in it, pointing into the reader's bytes, or -EBADMSG.
 */
int state_next(struct state_reader *r, enum state_tag tag, const void **ret, size_t *ret_len,
	       struct error *err);

/* state_take() - the next section into @to, of exactly @len bytes.  Return: 0 or -EBADMSG. */
int state_take(struct state_reader *r, enum state_tag tag, void *to, size_t len, struct error *err);

/* state_seal() - a whole file of the sections in @sections. */
void state_seal(const struct strbuf *sections, struct strbuf *ret);

/*
 * state_open() - check a file's head and checksum.
 * Return: 0 with a reader at its first section; -EINVAL for no such file; -ENOTSUP for another
 * version, which is in *ret_version (may be NULL) then too; -EBADMSG for a damaged one.
 */
int state_open(const void *file, size_t len, struct state_reader *ret, unsigned int *ret_version,
	       struct error *err);

#endif
