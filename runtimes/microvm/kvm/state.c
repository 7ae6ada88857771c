/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a machine as bytes.
 */
#include "runtimes/microvm/kvm/state.h"

#include "base/mem.h"

#define MAGIC	 "BHVMSNAP"
#define CRC_POLY 0xc96c5795d7870f42ULL /* ECMA-182, reflected */

struct file_head {
	char magic[8];
	uint32_t version, zero;
	uint64_t bytes, crc;
};

struct section_head {
	uint32_t tag, bytes;
};

static uint64_t crc64(const uint8_t *p, size_t len)
{
	uint64_t crc = ~0ULL;

	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC_POLY : 0);
	}
	return ~crc;
}

void state_put(struct strbuf *out, enum state_tag tag, const void *data, size_t len)
{
	struct section_head h = { .tag = tag, .bytes = (uint32_t)len };

	strbuf_append(out, &h, sizeof(h));
	if (len)
		strbuf_append(out, data, len);
}

int state_next(struct state_reader *r, enum state_tag tag, const void **ret, size_t *ret_len,
	       struct error *err)
{
	struct section_head h;

	if (r->left < sizeof(h))
		return error_set(err, EBADMSG, "section %d is missing", tag);
	memcpy(&h, r->at, sizeof(h));
	if (h.tag != tag)
		return error_set(err, EBADMSG, "section %u stands where %d should", h.tag, tag);
	if (h.bytes > r->left - sizeof(h))
		return error_set(err, EBADMSG, "section %d is cut off", tag);
	*ret = r->at + sizeof(h);
	*ret_len = h.bytes;
	r->at += sizeof(h) + h.bytes;
	r->left -= sizeof(h) + h.bytes;
	return 0;
}

int state_take(struct state_reader *r, enum state_tag tag, void *to, size_t len, struct error *err)
{
	const void *data;
	size_t bytes;
	int rc = state_next(r, tag, &data, &bytes, err);

	if (rc)
		return rc;
	if (bytes != len)
		return error_set(err, EBADMSG, "section %d has %zu bytes, not %zu", tag, bytes,
				 len);
	memcpy(to, data, len);
	return 0;
}

void state_seal(const struct strbuf *sections, struct strbuf *ret)
{
	struct file_head h = { .version = STATE_VERSION,
			       .bytes = sections->len,
			       .crc = crc64((const uint8_t *)sections->data, sections->len) };

	memcpy(h.magic, MAGIC, sizeof(h.magic));
	strbuf_append(ret, &h, sizeof(h));
	strbuf_append(ret, sections->data, sections->len);
}

int state_open(const void *file, size_t len, struct state_reader *ret, unsigned int *ret_version,
	       struct error *err)
{
	struct file_head h;

	if (len < sizeof(h) || memcmp(file, MAGIC, sizeof(h.magic)))
		return error_set(err, EINVAL, "not a snapshot of bulkhead-vmm");
	memcpy(&h, file, sizeof(h));
	if (ret_version)
		*ret_version = h.version;
	if (h.version != STATE_VERSION)
		return error_set(err, ENOTSUP, "format version %u, this program has %u", h.version,
				 STATE_VERSION);
	if (h.bytes != len - sizeof(h))
		return error_set(err, EBADMSG, "cut off or too long: %zu bytes, not %llu", len,
				 (unsigned long long)h.bytes + sizeof(h));
	ret->at = (const uint8_t *)file + sizeof(h);
	ret->left = len - sizeof(h);
	if (h.crc != crc64(ret->at, ret->left))
		return error_set(err, EBADMSG, "damaged: its checksum is wrong");
	return 0;
}
