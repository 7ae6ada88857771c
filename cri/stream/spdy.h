/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SPDY/3.1 frames: the subset that kubelet and crictl speak.
 *
 *   control: |1| version 15 | type 16 |      data: |0| stream id 31      |
 *            | flags 8 | length 24    |            | flags 8 | length 24 |
 *
 * Header blocks are zlib streams that last as long as the connection, one a direction, with the
 * dictionary that the SPDY/3 specification prints.  A frame that cannot be inflated therefore
 * ends the connection.
 */
#ifndef CRI_STREAM_SPDY_H
#define CRI_STREAM_SPDY_H

#include <stdbool.h>
#include <stdint.h>
#include <zlib.h>

#include "base/error.h"
#include "base/str.h"

#define SPDY_HEAD_BYTES	       8
#define SPDY_MAX_CONTROL_BYTES (64 << 10) /* of a control frame as sent */
#define SPDY_MAX_BLOCK_BYTES   (64 << 10) /* of a header block, inflated */
#define SPDY_MAX_HEADERS       1000

enum spdy_type {
	SPDY_SYN_STREAM = 1,
	SPDY_SYN_REPLY = 2,
	SPDY_RST_STREAM = 3,
	SPDY_SETTINGS = 4,
	SPDY_PING = 6,
	SPDY_GOAWAY = 7,
	SPDY_HEADERS = 8,
	SPDY_WINDOW_UPDATE = 9,
};

enum spdy_status { SPDY_PROTOCOL_ERROR = 1, SPDY_REFUSED_STREAM = 3, SPDY_CANCEL = 5 };

#define SPDY_FIN 1

struct spdy_frame {
	bool control;
	enum spdy_type type; /* control */
	uint32_t stream;     /* data */
	uint8_t flags;
	uint32_t length; /* bytes that follow the head */
};

/* spdy_parse_head() - Return: 0, -EPROTO wrong version or type, -EMSGSIZE too long a control frame.
 */
int spdy_parse_head(const uint8_t head[SPDY_HEAD_BYTES], struct spdy_frame *ret, struct error *err);
/* spdy_u32() - big endian. */
uint32_t spdy_u32(const void *p);

/* The two compression contexts of a connection. */
struct spdy_codec {
	z_stream inflate, deflate;
	bool ready;
};

int spdy_codec_init(struct spdy_codec *c, struct error *err);
void spdy_codec_finish(struct spdy_codec *c);

/*
 * spdy_inflate_block() - the header block of one frame, checked.
 * Return: 0 with count, names and values in @ret (see spdy_find()); any error ends the connection.
 */
int spdy_inflate_block(struct spdy_codec *c, const void *data, size_t len, struct strbuf *ret,
		       struct error *err);
/*
 * spdy_find() - value of @name (lower case) in a checked block, as a string.
 * Return: 0, -ENOENT, -EMSGSIZE longer than @size - 1 or with a NUL inside.
 */
int spdy_find(const struct strbuf *block, const char *name, char *ret, size_t size);

/* What we send. */
void spdy_put_data(struct strbuf *out, uint32_t stream, const void *data, size_t len, bool fin);
int spdy_put_reply(struct strbuf *out, struct spdy_codec *c, uint32_t stream, struct error *err);
void spdy_put_reset(struct strbuf *out, uint32_t stream, enum spdy_status status);
void spdy_put_ping(struct strbuf *out, uint32_t id);
void spdy_put_goaway(struct strbuf *out, uint32_t last_stream);

/* spdy_dictionary() - of the header blocks; *ret_len 1423. */
const uint8_t *spdy_dictionary(size_t *ret_len);

#endif
