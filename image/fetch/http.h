/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP exchange over libcurl, redirects included.
 */
#ifndef IMAGE_FETCH_HTTP_H
#define IMAGE_FETCH_HTTP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "image/fetch/request.h"

/* Takes body bytes of a 200 or 206 answer.  Return: < 0 ends the transfer. */
typedef int http_sink_fn(void *data, long status, const void *bytes, size_t len);

struct http_exchange {
	const char *url;
	const struct request_endpoint *endpoint; /* TLS options and headers; may be NULL */
	const char *accept;			 /* may be NULL */
	const char *authorization; /* header's value, may be NULL; never sent to another host */
	const char *form;	   /* a body to POST, may be NULL */
	uint64_t offset_bytes;	   /* ask for the rest from here */
	bool hurried;		   /* somebody else can be asked: a trickle will not do */
	http_sink_fn *sink;	   /* NULL: into body */
	void *sink_data;
	size_t max_body_bytes;

	/* Results: */
	long status;
	bool unreachable; /* could not even be spoken to */
	bool slow;	  /* given up as it trickled */
	bool unavailable; /* unreachable, or its proxy says so: 502, 503, 504 */
	struct strbuf content_type, challenge, body;
	unsigned int retry_after_s;
};

/*
 * http_exchange() - run it.  Return: 0 with a status, whichever it is; -errno when the transfer
 * failed (with ->unreachable where there was no answer at all); what the sink returned.
 */
int http_exchange(CURL *curl, struct http_exchange *x, struct error *err);
/* http_reset() - forget the results, to run it again. */
void http_reset(struct http_exchange *x);

#endif
