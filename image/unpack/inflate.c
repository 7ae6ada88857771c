/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layer decompression: gzip by ISA-L, zstd, or none.
 *
 * Both formats may be several members or frames one after the other (parallel compressors write
 * such).  The end of the file inside one of them is an error, and so is anything after a gzip
 * member that is not another.  The window of zstd is held to 128 MiB (the library's default).
 */
#include "image/unpack/inflate.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <poll.h>
#include <unistd.h>
#include <zstd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"

#define IN_BYTES (128 << 10)

enum compression { PLAIN, GZIP, ZSTD };

struct inflate {
	int fd;
	enum compression compression;
	bool in_member; /* a gzip member or zstd frame has begun and not ended */
	bool any;	/* at least one has ended */
	bool end;	/* of the file */
	struct inflate_state *gzip;
	ZSTD_DStream *zstd;
	size_t pos, len; /* unread part of in[] */
	unsigned char in[IN_BYTES];
};

static const struct {
	const char *media_type;
	enum compression compression;
} types[] = {
	{ "application/vnd.oci.image.layer.v1.tar+gzip", GZIP },
	{ "application/vnd.oci.image.layer.v1.tar+zstd", ZSTD },
	{ "application/vnd.oci.image.layer.v1.tar", PLAIN },
	{ "application/vnd.docker.image.rootfs.diff.tar.gzip", GZIP },
	{ "application/vnd.docker.image.rootfs.diff.tar.zstd", ZSTD },
	{ "application/vnd.docker.image.rootfs.diff.tar", PLAIN },
	/* registries need not have these: the manifest says where they are */
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar", PLAIN },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", GZIP },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", ZSTD },
	{ "application/vnd.docker.image.rootfs.foreign.diff.tar", PLAIN },
	{ "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", GZIP },
};

static int find_compression(const char *media_type, enum compression *ret, struct error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (!str_eq(types[i].media_type, media_type))
			continue;
		*ret = types[i].compression;
		return 0;
	}
	return error_set(err, EINVAL, "media type '%.200s' is not a layer's", media_type);
}

int inflate_open(int fd, const char *media_type, struct inflate **ret, struct error *err)
{
	enum compression compression = PLAIN;
	int rc = find_compression(media_type, &compression, err);
	struct inflate *in;

	if (rc < 0)
		return rc;
	in = xnew(struct inflate);
	in->fd = fd;
	in->compression = compression;
	if (compression == GZIP) {
		in->gzip = xnew(struct inflate_state);
		isal_inflate_init(in->gzip);
	} else if (compression == ZSTD) {
		in->zstd = ZSTD_createDStream();
		if (!in->zstd) {
			inflate_close(in);
			return error_set(err, ENOMEM, "zstd: out of memory");
		}
	}
	*ret = in;
	return 0;
}

void inflate_close(struct inflate *in)
{
	if (!in)
		return;
	free(in->gzip);
	ZSTD_freeDStream(in->zstd);
	free(in);
}

static ssize_t read_some(struct inflate *in, void *to, size_t size, struct error *err)
{
	ssize_t n;

	while ((n = read(in->fd, to, size)) < 0) {
		if (errno == EAGAIN)
			fd_wait(in->fd, POLLIN, -1);
		else if (errno != EINTR)
			return error_errno(err, errno, "read the layer");
	}
	return n;
}

/* fill() - have input in in[], or in->end set. */
static int fill(struct inflate *in, struct error *err)
{
	ssize_t n;

	if (in->pos < in->len || in->end)
		return 0;
	n = read_some(in, in->in, sizeof(in->in), err);
	if (n < 0)
		return (int)n;
	in->pos = 0;
	in->len = (size_t)n;
	in->end = n == 0;
	return 0;
}

static int gzip_error(int code, struct error *err)
{
	if (code == ISAL_INCORRECT_CHECKSUM)
		return error_set(err, EBADMSG, "corrupt gzip stream: checksum mismatch");
	if (code == ISAL_INVALID_WRAPPER || code == ISAL_UNSUPPORTED_METHOD)
		return error_set(err, EBADMSG, "not a gzip stream");
	return error_set(err, EBADMSG, "corrupt gzip stream");
}

static void gzip_begin(struct inflate *in)
{
	isal_inflate_reset(in->gzip);
	in->gzip->crc_flag = ISAL_GZIP;
	in->in_member = true;
}

/* gzip_step() - one call of the decoder.  Return: bytes put into @to. */
static ssize_t gzip_step(struct inflate *in, void *to, size_t size, struct error *err)
{
	struct inflate_state *z = in->gzip;
	int code;

	if (!in->in_member) {
		if (in->any && in->in[in->pos] != 0x1f)
			return error_set(err, EBADMSG, "garbage after the gzip stream");
		gzip_begin(in);
	}
	z->next_in = in->in + in->pos;
	z->avail_in = (uint32_t)(in->len - in->pos);
	z->next_out = to;
	z->avail_out = (uint32_t)size;
	code = isal_inflate(z);
	if (code < 0)
		return gzip_error(code, err);
	if (in->len - z->avail_in == in->pos && z->avail_out == size && in->pos < in->len &&
	    z->block_state != ISAL_BLOCK_FINISH)
		return error_set(err, EBADMSG, "corrupt gzip stream"); /* no way forward */
	in->pos = in->len - z->avail_in;
	if (z->block_state == ISAL_BLOCK_FINISH) {
		in->in_member = false;
		in->any = true;
	}
	return (ssize_t)(size - z->avail_out);
}

static ssize_t zstd_step(struct inflate *in, void *buf, size_t size, struct error *err)
{
	ZSTD_inBuffer from = { in->in, in->len, in->pos };
	ZSTD_outBuffer to = { buf, size, 0 };
	size_t left = ZSTD_decompressStream(in->zstd, &to, &from);

	if (ZSTD_isError(left))
		return error_set(err, EBADMSG, "corrupt zstd stream: %s", ZSTD_getErrorName(left));
	in->pos = from.pos;
	in->in_member = left != 0;
	in->any |= left == 0;
	return (ssize_t)to.pos;
}

static ssize_t step(struct inflate *in, void *to, size_t size, struct error *err)
{
	return in->compression == GZIP ? gzip_step(in, to, size, err)
				       : zstd_step(in, to, size, err);
}

/*
 * flush() - at the end of the file: what the decoder still holds.  A step that neither ends the
 * member nor gives anything shows that bytes are missing.
 */
static ssize_t flush(struct inflate *in, void *to, size_t size, struct error *err)
{
	ssize_t n = in->in_member ? step(in, to, size, err) : 0;

	if (n == 0 && (in->in_member || !in->any))
		return error_set(err, EBADMSG, "truncated %s stream",
				 in->compression == GZIP ? "gzip" : "zstd");
	return n;
}

ssize_t inflate_read(struct inflate *in, void *to, size_t size, struct error *err)
{
	ssize_t n = 0;

	if (in->compression == PLAIN)
		return read_some(in, to, size, err);
	while (n == 0) {
		int rc = fill(in, err);

		if (rc < 0)
			return rc;
		if (in->end)
			return flush(in, to, size, err);
		n = step(in, to, size, err);
	}
	return n;
}
