/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decompression: members and frames in a row, cuts at every byte, media types.
 */
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"
#include "image/unpack/inflate.h"
#include "tests/unit/image/unpack/tar.h"
#include "tests/unit/tap.h"

#define GZIP  "application/vnd.oci.image.layer.v1.tar+gzip"
#define ZSTD  "application/vnd.oci.image.layer.v1.tar+zstd"
#define PLAIN "application/vnd.oci.image.layer.v1.tar"
#define BYTES (3 << 20)

static char *text; /* BYTES of what compresses a little */

static void gzip(struct strbuf *out, const void *data, size_t len)
{
	size_t size = len + len / 2 + 1000;
	char *buf cleanup_free = xmalloc(size);
	z_stream z = { .next_in = (void *)(uintptr_t)data,
		       .avail_in = (unsigned int)len,
		       .next_out = (void *)buf,
		       .avail_out = (unsigned int)size };

	if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
	    deflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	strbuf_append(out, buf, z.total_out);
	deflateEnd(&z);
}

static void zstd(struct strbuf *out, const void *data, size_t len)
{
	size_t size = ZSTD_compressBound(len);
	char *buf cleanup_free = xmalloc(size);

	strbuf_append(out, buf, ZSTD_compress(buf, size, data, len, 3));
}

/* inflate_all() - Return: 0 or what inflate_read() says. */
static int inflate_all(const char *type, const void *data, size_t len, struct strbuf *out,
		       struct error *err)
{
	int fd cleanup_close = tar_fd(data, len);
	struct inflate *in = NULL;
	static char piece[256 << 10];
	ssize_t n = inflate_open(fd, type, &in, err);

	if (n < 0)
		return (int)n;
	while ((n = inflate_read(in, piece, sizeof(piece), err)) > 0)
		strbuf_append(out, piece, (size_t)n);
	inflate_close(in);
	return (int)n;
}

static void round_trip(const char *what, const char *type, const struct strbuf *in)
{
	struct strbuf out cleanup_strbuf = { 0 };
	struct error err = ERROR_INIT;

	is_int(inflate_all(type, in->data, in->len, &out, &err), 0, what);
	ok(out.len == BYTES && memcmp(out.data, text, BYTES) == 0, "%s: same bytes (%s)", what,
	   err.text);
}

static void test_round_trips(void)
{
	struct strbuf one cleanup_strbuf = { 0 }, many cleanup_strbuf = { 0 };
	struct strbuf frame cleanup_strbuf = { 0 }, frames cleanup_strbuf = { 0 };
	struct strbuf plain cleanup_strbuf = { 0 };

	gzip(&one, text, BYTES);
	round_trip("gzip", GZIP, &one);
	zstd(&frame, text, BYTES);
	round_trip("zstd", ZSTD, &frame);
	strbuf_append(&plain, text, BYTES);
	round_trip("not compressed", PLAIN, &plain);
	for (size_t at = 0, len; at < BYTES; at += len) { /* sizes around those of the buffers */
		len = MIN((size_t)BYTES - at, at % 3 * 131072 + at % 7 + 1000);
		gzip(&many, text + at, len);
		zstd(&frames, text + at, len);
	}
	gzip(&many, "", 0);
	round_trip("gzip, many members", GZIP, &many);
	round_trip("zstd, many frames", ZSTD, &frames);
}

static void test_cuts(void)
{
	struct strbuf g cleanup_strbuf = { 0 }, z cleanup_strbuf = { 0 },
			out cleanup_strbuf = { 0 }, second cleanup_strbuf = { 0 };
	int wrong = 0;

	gzip(&g, text, 2000);
	zstd(&z, text, 2000);
	for (size_t i = 0; i < g.len; i++) {
		struct error err = ERROR_INIT;

		wrong += inflate_all(GZIP, g.data, i, &out, &err) != -EBADMSG ||
			 !strstr(err.text, "truncated gzip stream");
	}
	is_int(wrong, 0, "gzip cut after any byte");
	for (size_t i = 0; i < z.len; i++) {
		struct error err = ERROR_INIT;

		wrong += inflate_all(ZSTD, z.data, i, &out, &err) != -EBADMSG ||
			 !strstr(err.text, "truncated zstd stream");
	}
	is_int(wrong, 0, "zstd cut after any byte");
	strbuf_append(&second, g.data, g.len);
	strbuf_append(&second, g.data, 100);
	is_int(inflate_all(GZIP, second.data, second.len, &out, NULL), -EBADMSG,
	       "second member cut");
}

static void test_damage(void)
{
	struct strbuf g cleanup_strbuf = { 0 }, out cleanup_strbuf = { 0 };
	struct error err = ERROR_INIT;

	gzip(&g, text, 2000);
	is_int(inflate_all(ZSTD, g.data, g.len, &out, &err), -EBADMSG, "gzip as zstd");
	is_int(inflate_all(GZIP, text, 2000, &out, &err), -EBADMSG, "text as gzip");
	is_str(err.text, "not a gzip stream", "by name");
	g.data[g.len - 6] ^= 1; /* in the checksum */
	is_int(inflate_all(GZIP, g.data, g.len, &out, &err), -EBADMSG, "checksum");
	ok(strstr(err.text, "checksum"), "by name: %s", err.text);
	g.data[g.len - 6] ^= 1;
	g.data[g.len - 2] ^= 1; /* in the length */
	is_int(inflate_all(GZIP, g.data, g.len, &out, &err), -EBADMSG, "length");
	g.data[g.len - 2] ^= 1;
	strbuf_puts(&g, "xx");
	is_int(inflate_all(GZIP, g.data, g.len, &out, &err), -EBADMSG, "garbage at the end");
	ok(strstr(err.text, "garbage"), "by name: %s", err.text);
}

static void test_types(void)
{
	struct strbuf out cleanup_strbuf = { 0 };
	struct error err = ERROR_INIT;

	is_int(inflate_all("application/vnd.docker.image.rootfs.diff.tar", "x", 1, &out, &err), 0,
	       "Docker's type");
	is_int(inflate_all("text/plain", "x", 1, &out, &err), -EINVAL, "another type");
	ok(strstr(err.text, "text/plain"), "is named");
	is_int(inflate_all("application/vnd.docker.image.rootfs.foreign.diff.tar", "x", 1, &out,
			   &err),
	       0, "layers of another's");
	is_int(inflate_all(NULL, "x", 1, &out, &err), -EINVAL, "no type");
}

int main(void)
{
	unsigned int seed = 1;

	text = xmalloc(BYTES);
	for (size_t i = 0; i < BYTES; i++) {
		seed = seed * 1103515245 + 12345;
		text[i] = (char)(i % 5000 < 2500 ? seed >> 24 & 15 : i % 13);
	}
	test_round_trips();
	test_cuts();
	test_damage();
	test_types();
	free(text);
	return tap_done();
}
