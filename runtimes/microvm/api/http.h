/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1, the little of it that the API speaks: requests parsed, answers written.
 */
#ifndef MICROVM_API_HTTP_H
#define MICROVM_API_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"

#define HTTP_HEAD_MAX 8192  /* request line and headers */
#define HTTP_BODY_MAX 51200 /* Firecracker's default limit of a whole body */

struct http_request {
	char method[8];
	char path[512];
	const char *body; /* points into the parsed bytes; NULL when there is none */
	size_t body_len;
	bool keep_alive;
	bool continues; /* the client waits for "100 Continue" before it sends the body */
};

/*
 * http_parse() - one request at the start of @data.
 * Return: bytes that it takes, whole with its body; 0 when more is needed (then ->continues may
 * have been set); -EINVAL for what is no request; -E2BIG when its body is longer than @body_max;
 * -EMSGSIZE when its head is too long.
 */
ssize_t http_parse(const char *data, size_t len, size_t body_max, struct http_request *ret,
		   struct error *err);

/* http_answer() - append an answer; @body NULL: none. */
void http_answer(struct strbuf *out, int status, const char *body, size_t len, bool keep_alive);

#endif
