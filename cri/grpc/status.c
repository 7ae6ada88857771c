/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status: from errno to code, and the text as a header value.
 */
#include "cri/grpc/status.h"

#include <errno.h>
#include <string.h>

#include "cri/grpc/server.h"

enum grpc_status grpc_status_of(int code)
{
	switch (code < 0 ? -code : code) {
	case 0:
		return GRPC_OK;
	case ENOENT:
		return GRPC_NOT_FOUND;
	case EEXIST:
		return GRPC_ALREADY_EXISTS;
	case EINVAL:
		return GRPC_INVALID_ARGUMENT;
	case ETIMEDOUT:
		return GRPC_DEADLINE_EXCEEDED;
	case ECANCELED:
		return GRPC_CANCELLED;
	case ENOSYS:
		return GRPC_UNIMPLEMENTED;
	case EDQUOT:
		return GRPC_RESOURCE_EXHAUSTED;
	case EBUSY:
		return GRPC_FAILED_PRECONDITION;
	default:
		return GRPC_UNKNOWN;
	}
}

static size_t encode_byte(unsigned char c, char *out)
{
	static const char hex[] = "0123456789ABCDEF";

	if (c >= 0x20 && c <= 0x7e && c != '%') {
		out[0] = (char)c;
		return 1;
	}
	out[0] = '%';
	out[1] = hex[c >> 4];
	out[2] = hex[c & 15];
	return 3;
}

/* Bytes of the character at @text: its lead byte and what continues it. */
static size_t char_len(const char *text)
{
	size_t n = 1;

	while (n < 4 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n++;
	return n;
}

size_t grpc_status_encode(const char *text, char *out, size_t size)
{
	size_t used = 0;

	while (*text) {
		size_t n = char_len(text), len = 0;
		char encoded[12];

		for (size_t i = 0; i < n; i++)
			len += encode_byte((unsigned char)text[i], encoded + len);
		if (len >= size - used)
			break;
		memcpy(out + used, encoded, len);
		used += len;
		text += n;
	}
	out[used] = '\0';
	return used;
}
