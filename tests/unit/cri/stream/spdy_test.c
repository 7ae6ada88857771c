/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SPDY frames: the dictionary, header blocks, and what ends a connection.
 */
#include "cri/stream/spdy.h"

#include "base/mem.h"
#include "cri/stream/mux.h"
#include "tests/unit/tap.h"

static void test_dictionary(void)
{
	size_t len;
	const uint8_t *d = spdy_dictionary(&len);

	is_int(len, 1423, "length of the dictionary");
	is_int(adler32(adler32(0, NULL, 0), d, (uInt)len), 0xe3c6a7c2, "its checksum");
}

static void test_head(void)
{
	static const struct {
		uint8_t head[8];
		int want;
		const char *what;
	} cases[] = {
		{ { 0x80, 3, 0, 1, 1, 0, 0, 10 }, 0, "SYN_STREAM" },
		{ { 0x80, 2, 0, 1, 0, 0, 0, 10 }, -EPROTO, "another version" },
		{ { 0x80, 3, 0, 0, 0, 0, 0, 10 }, -EPROTO, "type 0" },
		{ { 0x80, 3, 0, 5, 0, 0, 0, 10 }, -EPROTO, "type 5" },
		{ { 0x80, 3, 0, 10, 0, 0, 0, 10 }, -EPROTO, "type 10" },
		{ { 0x80, 3, 1, 1, 0, 0, 0, 10 }, -EPROTO, "type 257" },
		{ { 0x80, 3, 0, 1, 0, 1, 0, 0 }, 0, "64 KiB of control frame" },
		{ { 0x80, 3, 0, 1, 0, 1, 0, 1 }, -EMSGSIZE, "a byte more" },
		{ { 0, 0, 0, 3, 1, 0xff, 0xff, 0xff }, 0, "16 MiB of data" },
	};
	struct spdy_frame f;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		is_int(spdy_parse_head(cases[i].head, &f, NULL), cases[i].want, cases[i].what);
	ok(!f.control && f.stream == 3 && f.flags == SPDY_FIN && f.length == 0xffffff,
	   "the parts of a data frame's head");
}

/* Compress @plain as a client would. */
static size_t squeeze(z_stream *z, const void *plain, size_t len, uint8_t *out, size_t size)
{
	z->next_in = (Bytef *)plain;
	z->avail_in = (uInt)len;
	z->next_out = out;
	z->avail_out = (uInt)size;
	deflate(z, Z_SYNC_FLUSH);
	return size - z->avail_out;
}

static void start(z_stream *z)
{
	size_t len;
	const uint8_t *d = spdy_dictionary(&len);

	*z = (z_stream){ 0 };
	deflateInit(z, 6);
	deflateSetDictionary(z, d, (uInt)len);
}

/* Return: what spdy_inflate_block() says of @plain. */
static int inflate_one(const void *plain, size_t len)
{
	struct strbuf block cleanup_strbuf = { 0 };
	uint8_t *out cleanup_free = xmalloc(len + 1024);
	struct spdy_codec c;
	z_stream z;
	int rc;

	start(&z);
	spdy_codec_init(&c, NULL);
	rc = spdy_inflate_block(&c, out, squeeze(&z, plain, len, out, len + 1024), &block, NULL);
	spdy_codec_finish(&c);
	deflateEnd(&z);
	return rc;
}

static void test_blocks(void)
{
	static const char two[] = "\0\0\0\2\0\0\0\4port\0\0\0\2"
				  "80\0\0\0\1x\0\0\0\3a\0b";
	char *big cleanup_free = xcalloc(1, 100 << 10);

	is_int(inflate_one("\0\0\0\0", 4), 0, "no headers");
	is_int(inflate_one(two, sizeof(two) - 1), 0, "two headers");
	is_int(inflate_one(two, sizeof(two) - 2), -EPROTO, "a value cut off");
	is_int(inflate_one(two, sizeof(two)), -EPROTO, "a byte too many");
	is_int(inflate_one("\0\0\0\1\377\377\377\377xxxx", 12), -EPROTO, "a name of 4 GiB");
	is_int(inflate_one("\0\0\3\351", 4), -EPROTO, "1001 headers");
	is_int(inflate_one("", 0), -EPROTO, "nothing at all");
	is_int(inflate_one(big, 100 << 10), -EMSGSIZE, "100 KiB out of some bytes");
}

static void test_find(void)
{
	static const char two[] = "\0\0\0\2\0\0\0\4port\0\0\0\2"
				  "80\0\0\0\1x\0\0\0\3a\0b";
	struct strbuf block cleanup_strbuf = { 0 };
	char value[8];

	strbuf_append(&block, two, sizeof(two) - 1);
	is_int(spdy_find(&block, "port", value, sizeof(value)), 0, "a header is found");
	is_str(value, "80", "with its value");
	is_int(spdy_find(&block, "por", value, sizeof(value)), -ENOENT, "a part of a name is not");
	is_int(spdy_find(&block, "port", value, 2), -EMSGSIZE, "a value too long for its place");
	is_int(spdy_find(&block, "x", value, sizeof(value)), -EMSGSIZE, "two values in one");
}

/* The context lasts: the second block refers to the first. */
static void test_context(void)
{
	static const char one[] = "\0\0\0\1\0\0\0\12streamtype\0\0\0\6stdout";
	struct spdy_codec c;
	uint8_t out[256];
	z_stream z;
	size_t first = 0, n = 0;
	int rc = 0;

	start(&z);
	spdy_codec_init(&c, NULL);
	for (int i = 0; i < 3; i++) {
		struct strbuf block cleanup_strbuf = { 0 };

		n = squeeze(&z, one, sizeof(one) - 1, out, sizeof(out));
		first = i == 0 ? n : first;
		rc |= spdy_inflate_block(&c, out, n, &block, NULL);
		rc |= block.len != sizeof(one) - 1 || memcmp(block.data, one, block.len) != 0;
	}
	is_int(rc, 0, "three blocks in one context");
	ok(n < first, "later ones are shorter");
	is_int(spdy_inflate_block(&c, "garbage!", 8, &(struct strbuf){ 0 }, NULL), -EPROTO,
	       "garbage ends it");
	spdy_codec_finish(&c);
	deflateEnd(&z);
}

static bool refuse(void *data, struct mux_stream *s)
{
	(void)s;
	++*(int *)data;
	return false;
}

/* A frame that comes byte by byte is the same frame. */
static void test_pieces(void)
{
	static const char frames[] = "\x80\3\0\6\0\0\0\4\0\0\0\7"  /* PING 7 */
				     "\x80\3\0\4\0\0\0\4\0\0\0\0"  /* SETTINGS, none */
				     "\0\0\0\5\0\0\0\3abc"	   /* data nobody waits for */
				     "\x80\3\0\6\0\0\0\4\0\0\0\2"; /* PING 2: not ours to answer */
	int opened = 0;
	struct mux m;
	int rc = 0;

	mux_init(&m, -1, NULL);
	m.opened = refuse;
	m.data = &opened;
	for (size_t i = 0; i < sizeof(frames) - 1; i++)
		rc |= mux_feed(&m, frames + i, 1, NULL);
	is_int(rc, 0, "frames in pieces");
	ok(m.out.len == 12 && memcmp(m.out.data, frames, 12) == 0, "one ping is echoed");
	is_int(mux_feed(&m, "\x80\3\0\6\0\0\0\3\0\0\0", 11, NULL), -EPROTO, "a ping of 3 bytes");
	mux_finish(&m);
}

int main(void)
{
	test_dictionary();
	test_head();
	test_blocks();
	test_find();
	test_context();
	test_pieces();
	return tap_done();
}
