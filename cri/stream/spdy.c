/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SPDY/3.1 frames: the subset that kubelet and crictl speak.
 */
#include "cri/stream/spdy.h"

#include <arpa/inet.h>
#include <errno.h>

#include "base/mem.h"

#define VERSION	     3
#define DATA_MAX     ((1 << 24) - 1)
#define DEFLATE_BITS 11 /* we send empty blocks: a window that holds the dictionary will do */

uint32_t spdy_u32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return ntohl(v);
}

static void put_u32(struct strbuf *out, uint32_t v)
{
	v = htonl(v);
	strbuf_append(out, &v, sizeof(v));
}

static void put_control(struct strbuf *out, enum spdy_type type, uint8_t flags, size_t len)
{
	put_u32(out, UINT32_C(0x80000000) | VERSION << 16 | type);
	put_u32(out, (uint32_t)flags << 24 | (uint32_t)len);
}

int spdy_parse_head(const uint8_t head[SPDY_HEAD_BYTES], struct spdy_frame *ret, struct error *err)
{
	uint32_t first = spdy_u32(head), second = spdy_u32(head + 4);
	struct spdy_frame f = {
		.control = first >> 31,
		.flags = (uint8_t)(second >> 24),
		.length = second & 0xffffff,
	};
	uint16_t type = first & 0xffff;

	if (!f.control) {
		f.stream = first;
		*ret = f;
		return 0;
	}
	if ((first >> 16 & 0x7fff) != VERSION)
		return error_set(err, EPROTO, "SPDY: a frame of version %u", first >> 16 & 0x7fff);
	if (type < SPDY_SYN_STREAM || type > SPDY_WINDOW_UPDATE || type == 5)
		return error_set(err, EPROTO, "SPDY: a frame of unknown type %u", type);
	if (f.length > SPDY_MAX_CONTROL_BYTES)
		return error_set(err, EMSGSIZE, "SPDY: a control frame of %u bytes", f.length);
	f.type = type;
	*ret = f;
	return 0;
}

int spdy_codec_init(struct spdy_codec *c, struct error *err)
{
	size_t len;
	const uint8_t *dictionary = spdy_dictionary(&len);

	*c = (struct spdy_codec){ 0 };
	if (inflateInit(&c->inflate) != Z_OK)
		return error_set(err, ENOMEM, "SPDY: no memory to inflate headers");
	if (deflateInit2(&c->deflate, Z_BEST_SPEED, Z_DEFLATED, DEFLATE_BITS, 1,
			 Z_DEFAULT_STRATEGY) != Z_OK) {
		inflateEnd(&c->inflate);
		return error_set(err, ENOMEM, "SPDY: no memory to deflate headers");
	}
	deflateSetDictionary(&c->deflate, dictionary, (uInt)len);
	c->ready = true;
	return 0;
}

void spdy_codec_finish(struct spdy_codec *c)
{
	if (!c->ready)
		return;
	inflateEnd(&c->inflate);
	deflateEnd(&c->deflate);
	c->ready = false;
}

/* One step of inflate into @chunk, the dictionary given when it is asked for. */
static int inflate_step(struct spdy_codec *c, uint8_t *chunk, size_t size, size_t *ret_len)
{
	size_t dictionary_len;
	const uint8_t *dictionary = spdy_dictionary(&dictionary_len);
	int rc;

	c->inflate.next_out = chunk;
	c->inflate.avail_out = (uInt)size;
	rc = inflate(&c->inflate, Z_SYNC_FLUSH);
	if (rc == Z_NEED_DICT) {
		rc = inflateSetDictionary(&c->inflate, dictionary, (uInt)dictionary_len);
		if (rc == Z_OK)
			rc = inflate(&c->inflate, Z_SYNC_FLUSH);
	}
	*ret_len = size - c->inflate.avail_out;
	return rc == Z_BUF_ERROR ? Z_OK : rc;
}

/* Whether the block's count and lengths fill it exactly. */
static bool block_is_sound(const struct strbuf *block)
{
	const char *p = block->data, *end = p + block->len;
	uint32_t fields;

	if (block->len < 4 || spdy_u32(p) > SPDY_MAX_HEADERS)
		return false;
	fields = 2 * spdy_u32(p);
	p += 4;
	while (fields--) {
		if (end - p < 4 || spdy_u32(p) > (size_t)(end - p - 4))
			return false;
		p += 4 + spdy_u32(p);
	}
	return p == end;
}

int spdy_inflate_block(struct spdy_codec *c, const void *data, size_t len, struct strbuf *ret,
		       struct error *err)
{
	uint8_t chunk[4096];
	size_t got;

	c->inflate.next_in = (Bytef *)data;
	c->inflate.avail_in = (uInt)len;
	do {
		if (inflate_step(c, chunk, sizeof(chunk), &got) != Z_OK)
			return error_set(err, EPROTO, "SPDY: a header block cannot be inflated");
		if (ret->len + got > SPDY_MAX_BLOCK_BYTES)
			return error_set(err, EMSGSIZE, "SPDY: a header block over %d bytes",
					 SPDY_MAX_BLOCK_BYTES);
		strbuf_append(ret, chunk, got);
	} while (got == sizeof(chunk));
	if (c->inflate.avail_in > 0 || !block_is_sound(ret))
		return error_set(err, EPROTO, "SPDY: a header block with wrong lengths");
	return 0;
}

int spdy_find(const struct strbuf *block, const char *name, char *ret, size_t size)
{
	const char *p = block->data + 4;
	size_t name_len = strlen(name);

	for (uint32_t n = spdy_u32(block->data); n > 0; n--) {
		uint32_t key_len = spdy_u32(p);
		const char *key = p + 4;
		uint32_t len = spdy_u32(key + key_len);
		const char *value = key + key_len + 4;

		p = value + len;
		if (key_len != name_len || memcmp(key, name, name_len) != 0)
			continue;
		if (len >= size || memchr(value, '\0', len))
			return -EMSGSIZE;
		memcpy(ret, value, len);
		ret[len] = '\0';
		return 0;
	}
	return -ENOENT;
}

void spdy_put_data(struct strbuf *out, uint32_t stream, const void *data, size_t len, bool fin)
{
	const char *p = data;

	do {
		size_t part = MIN(len, (size_t)DATA_MAX);

		put_u32(out, stream);
		put_u32(out, (uint32_t)(fin && part == len ? SPDY_FIN : 0) << 24 | (uint32_t)part);
		strbuf_append(out, p, part);
		p += part;
		len -= part;
	} while (len > 0);
}

int spdy_put_reply(struct strbuf *out, struct spdy_codec *c, uint32_t stream, struct error *err)
{
	uint8_t none[4] = { 0 }, block[256];
	size_t len;

	c->deflate.next_in = none;
	c->deflate.avail_in = sizeof(none);
	c->deflate.next_out = block;
	c->deflate.avail_out = sizeof(block);
	if (deflate(&c->deflate, Z_SYNC_FLUSH) != Z_OK || c->deflate.avail_out == 0)
		return error_set(err, EIO, "SPDY: cannot deflate a header block");
	len = sizeof(block) - c->deflate.avail_out;
	put_control(out, SPDY_SYN_REPLY, 0, 4 + len);
	put_u32(out, stream);
	strbuf_append(out, block, len);
	return 0;
}

void spdy_put_reset(struct strbuf *out, uint32_t stream, enum spdy_status status)
{
	put_control(out, SPDY_RST_STREAM, 0, 8);
	put_u32(out, stream);
	put_u32(out, status);
}

void spdy_put_ping(struct strbuf *out, uint32_t id)
{
	put_control(out, SPDY_PING, 0, 4);
	put_u32(out, id);
}

void spdy_put_goaway(struct strbuf *out, uint32_t last_stream)
{
	put_control(out, SPDY_GOAWAY, 0, 8);
	put_u32(out, last_stream);
	put_u32(out, 0);
}
