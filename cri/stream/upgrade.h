/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP/1.1 request that asks for an upgrade, and its answer.
 *
 * Only what an upgrade needs: a request line, headers, no body.  Everything is bounded; the
 * parser keeps a copy of the head and cuts it into strings in place.
 */
#ifndef CRI_STREAM_UPGRADE_H
#define CRI_STREAM_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"

#define UPGRADE_MAX_BYTES   (16 << 10)
#define UPGRADE_MAX_HEADERS 64

struct upgrade_header {
	const char *name, *value;
};

struct upgrade_request {
	char *text;		   /* what the pointers below point into */
	const char *method, *path; /* path without query */
	struct upgrade_header headers[UPGRADE_MAX_HEADERS];
	size_t n_headers;
};

/*
 * upgrade_parse() - a request head at the start of @data.
 * Return: its length in bytes, 0 when more bytes are needed, -EMSGSIZE too long, -EINVAL not HTTP.
 */
ssize_t upgrade_parse(const char *data, size_t len, struct upgrade_request *ret, struct error *err);
void upgrade_finish(struct upgrade_request *r);

/* upgrade_values() - the comma-separated values of every header @name, in order. */
void upgrade_values(const struct upgrade_request *r, const char *name, struct strlist *ret);
/* upgrade_has() - whether one of them is @value, letter case apart. */
bool upgrade_has(const struct upgrade_request *r, const char *name, const char *value);

/*
 * upgrade_choose() - the first of the client's X-Stream-Protocol-Version that is in @offered.
 * Return: 0 with its index, -EINVAL no such header, -EPROTO none in common.
 */
int upgrade_choose(const struct upgrade_request *r, const char *const *offered, size_t n,
		   size_t *ret, struct error *err);

/*
 * upgrade_refuse() - a whole response that ends the connection.
 * @headers: more header lines, each ending in CRLF; may be "".
 */
void upgrade_refuse(int fd, int status, const char *headers, const char *text);
/* upgrade_accept() - 101 Switching Protocols.  Return: 0 or -errno. */
int upgrade_accept(int fd, const char *protocol);

#endif
