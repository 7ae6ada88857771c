/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the server asks of one fetch, and the messages between them.
 *
 * Descriptor 3 is a SOCK_SEQPACKET socket to the server; messages are JSON, < 64 KiB:
 *
 *   server -> fetch  {"type":"request"}            + memory file with the JSON of request_parse(),
 *                                                    and the archive if the image is in one
 *   fetch -> server  {"type":"manifest","digest":D} + memory files: manifest, config
 *                    and from an archive "names":[..],"more":B: another image follows
 *   server -> fetch  {"type":"layer","digest":D,"size":N,"urls":[..]}  + pipe to write it to
 *   fetch -> server  {"type":"progress","digest":D,"bytes":N}  so far, a few times a second
 *   fetch -> server  {"type":"layer","digest":D}    all of it written, digest as it should be
 *   fetch -> server  {"type":"error","code":-N,"text":T,"unavailable":B,"layer":D}
 *
 * The first D is the digest of what was asked (an index, if it is one).  An error about a layer
 * is sent before its pipe is closed, so that the server knows the cause before the effect.  The
 * server ends a fetch by closing the socket.
 */
#ifndef IMAGE_FETCH_REQUEST_H
#define IMAGE_FETCH_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"

#define REQUEST_MAX_BYTES     (4 << 20)
#define REQUEST_MAX_ENDPOINTS 16
#define REQUEST_MESSAGE_BYTES (60 << 10)

struct request_endpoint {
	const char *url; /* "https://host/v2" */
	bool resolve, pull, skip_verify, fallback, proxy;
	const char *ca, *cert, *key; /* PEM, may be NULL */
	struct strlist headers;
};

struct request {
	struct arena arena;
	const char *host, *path, *tag, *digest; /* one of tag and digest is NULL */
	const char *os, *arch;
	struct request_endpoint endpoints[REQUEST_MAX_ENDPOINTS];
	size_t n_endpoints;
	const char *username, *password, *identity_token, *registry_token; /* NULL: none */
	int64_t archive_index; /* of the image in an archive; -1: a registry's, by its name */
};

int request_parse(const char *text, size_t len, struct request *ret, struct error *err);
void request_finish(struct request *r);

#endif
