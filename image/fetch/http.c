/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP exchange.
 *
 * Redirects are followed here, not by libcurl: once an answer sends us to another scheme, host
 * or port, neither the Authorization header nor a mirror's own headers and client certificate go
 * along (blob stores sign their URLs).  HTTPS never goes back to HTTP.
 *
 * Slowness is judged here too: libcurl would take it for the server's when whoever takes the bytes
 * is slow.
 */
#include "image/fetch/http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/loop.h"
#include "base/mem.h"

#define MAX_REDIRECTS	  6
#define CONNECT_TIMEOUT_S 5L
#define MAX_ERROR_BODY	  (64 << 10)

/* What an answer has to give at least, over each such time. */
struct pace {
	int64_t window_ns;
	uint64_t bytes_per_s;
};
static const struct pace patient = { 30000000000, 1 << 10 };
static const struct pace hurried = { 5000000000, 32 << 10 };

/* One hop. */
struct hop {
	struct http_exchange *x;
	CURL *curl;
	int sink_rc;
	/* Of the window under way: */
	int64_t began_ns, in_sink_ns;
	uint64_t bytes;
	char why[CURL_ERROR_SIZE];
};

void http_reset(struct http_exchange *x)
{
	x->status = 0;
	x->unreachable = x->unavailable = x->slow = false;
	x->retry_after_s = 0;
	strbuf_finish(&x->content_type);
	strbuf_finish(&x->challenge);
	strbuf_finish(&x->body);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
	struct hop *h = data;
	struct http_exchange *x = h->x;
	size_t len = size * count;
	long status = 0;

	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
	h->bytes += len;
	if (x->sink && (status == 200 || status == 206)) {
		int64_t before = clock_monotonic_ns();

		h->sink_rc = x->sink(x->sink_data, status, bytes, len);
		h->in_sink_ns += clock_monotonic_ns() - before;
		return h->sink_rc < 0 ? 0 : len;
	}
	if (status < 200 || status > 299) {
		if (x->body.len + len <= MAX_ERROR_BODY)
			strbuf_append(&x->body, bytes, len);
		return len;
	}
	if (x->body.len + len > x->max_body_bytes) {
		h->sink_rc = -EFBIG;
		return 0;
	}
	strbuf_append(&x->body, bytes, len);
	return len;
}

/* on_progress() - called about once a second.  Return: not 0 to give up. */
static int on_progress(void *data, curl_off_t total, curl_off_t now, curl_off_t up_total,
		       curl_off_t up_now)
{
	struct hop *h = data;
	const struct pace *p = h->x->hurried ? &hurried : &patient;
	int64_t passed = clock_monotonic_ns() - h->began_ns;
	int64_t theirs = passed - h->in_sink_ns;

	(void)total;
	(void)now;
	(void)up_total;
	(void)up_now;
	if (passed < p->window_ns)
		return 0;
	/* Mostly waiting for the sink, it had no time to show what it can. */
	h->x->slow = theirs > p->window_ns / 2 &&
		     h->bytes < p->bytes_per_s * (uint64_t)(theirs / 1000000) / 1000;
	h->began_ns += passed;
	h->in_sink_ns = 0;
	h->bytes = 0;
	return h->x->slow;
}

/* The value of header @name in @line, without its end. */
static bool header_value(const char *line, size_t len, const char *name, struct strbuf *ret)
{
	size_t n = strlen(name);

	if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
		return false;
	line += n + 1;
	len -= n + 1;
	while (len > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n' || line[len - 1] == ' '))
		len--;
	strbuf_reset(ret);
	strbuf_append(ret, line, MIN(len, (size_t)8192));
	return true;
}

static size_t on_header(char *line, size_t size, size_t count, void *data)
{
	struct http_exchange *x = ((struct hop *)data)->x;
	struct strbuf value cleanup_strbuf = { 0 };
	size_t len = size * count;
	uint64_t seconds;

	header_value(line, len, "Content-Type", &x->content_type);
	/* Several challenges may come: the Bearer one is the better. */
	if (header_value(line, len, "WWW-Authenticate", &value) &&
	    (!x->challenge.len || strncasecmp(value.data, "Bearer", 6) == 0)) {
		strbuf_reset(&x->challenge);
		strbuf_append(&x->challenge, value.data, value.len);
	}
	if (header_value(line, len, "Retry-After", &value) && value.data &&
	    str_parse_u64(value.data, &seconds) == 0)
		x->retry_after_s = seconds > 30 ? 30 : (unsigned int)seconds;
	return len;
}

static void set_blob(CURL *curl, CURLoption option, const char *pem)
{
	struct curl_blob blob = {
		.data = (void *)pem,
		.len = pem ? strlen(pem) : 0,
		.flags = CURL_BLOB_NOCOPY,
	};

	if (pem)
		curl_easy_setopt(curl, option, &blob);
}

static void set_tls(CURL *curl, const struct request_endpoint *e, bool same_host)
{
	if (!e)
		return;
	set_blob(curl, CURLOPT_CAINFO_BLOB, e->ca);
	if (e->skip_verify) {
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (same_host) {
		set_blob(curl, CURLOPT_SSLCERT_BLOB, e->cert);
		set_blob(curl, CURLOPT_SSLKEY_BLOB, e->key);
	}
}

static void add_header(struct curl_slist **list, const char *name, const char *value)
{
	char *line cleanup_free = NULL;

	if (!value)
		return;
	line = xasprintf("%s: %s", name, value);
	*list = curl_slist_append(*list, line);
}

static struct curl_slist *headers_of(const struct http_exchange *x, bool same_host)
{
	struct curl_slist *list = NULL;

	add_header(&list, "Accept", str_or(x->accept, "*/*"));
	if (!same_host)
		return list;
	add_header(&list, "Authorization", x->authorization);
	for (size_t i = 0; x->endpoint && i < x->endpoint->headers.count; i++)
		list = curl_slist_append(list, x->endpoint->headers.items[i]);
	return list;
}

static void set_options(struct hop *h, const char *url, bool same_host)
{
	struct http_exchange *x = h->x;
	bool https = strncasecmp(url, "https:", 6) == 0;
	char range[32];

	curl_easy_reset(h->curl);
	curl_easy_setopt(h->curl, CURLOPT_URL, url);
	curl_easy_setopt(h->curl, CURLOPT_PROTOCOLS_STR, https ? "https" : "http");
	curl_easy_setopt(h->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h->curl, CURLOPT_USERAGENT, "bulkhead/" BULKHEAD_VERSION);
	curl_easy_setopt(h->curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
	curl_easy_setopt(h->curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(h->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(h->curl, CURLOPT_XFERINFODATA, h);
	curl_easy_setopt(h->curl, CURLOPT_BUFFERSIZE, 128L << 10);
	curl_easy_setopt(h->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(h->curl, CURLOPT_WRITEDATA, h);
	curl_easy_setopt(h->curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(h->curl, CURLOPT_HEADERDATA, h);
	curl_easy_setopt(h->curl, CURLOPT_ERRORBUFFER, h->why);
	if (x->offset_bytes > 0) {
		snprintf(range, sizeof(range), "%llu-", (unsigned long long)x->offset_bytes);
		curl_easy_setopt(h->curl, CURLOPT_RANGE, range);
	}
	if (x->form && same_host)
		curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, x->form);
	set_tls(h->curl, x->endpoint, same_host);
}

static bool never_answered(CURLcode code)
{
	return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
	       code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT ||
	       code == CURLE_SSL_CONNECT_ERROR || code == CURLE_GOT_NOTHING ||
	       code == CURLE_PEER_FAILED_VERIFICATION;
}

static int transfer_failed(struct hop *h, CURLcode code, const char *url, struct error *err)
{
	int host_len = (int)strcspn(url, "?");

	if (h->sink_rc == -EFBIG)
		return error_set(err, EFBIG, "%.*s: the answer is larger than %zu bytes", host_len,
				 url, h->x->max_body_bytes);
	if (h->sink_rc < 0)
		return h->sink_rc;
	h->x->unreachable = h->x->status == 0 && (never_answered(code) || h->x->slow);
	h->x->unavailable = h->x->unreachable;
	if (h->x->slow)
		return error_set(err, EIO, "%.*s: too slow: it hardly sends anything", host_len,
				 url);
	return error_set(err, EIO, "%.*s: %s", host_len, url,
			 *h->why ? h->why : curl_easy_strerror(code));
}

static int run_hop(struct hop *h, const char *url, bool same_host, struct error *err)
{
	struct curl_slist *headers = headers_of(h->x, same_host);
	CURLcode code;

	set_options(h, url, same_host);
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
	code = curl_easy_perform(h->curl);
	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &h->x->status);
	h->x->unavailable = h->x->status >= 502 && h->x->status <= 504;
	curl_slist_free_all(headers);
	return code == CURLE_OK ? 0 : transfer_failed(h, code, url, err);
}

/* Scheme, host and port: all up to the path. */
static bool same_origin(const char *a, const char *b)
{
	const char *at = strstr(a, "://");
	size_t n;

	if (!at)
		return false;
	n = (size_t)(at + 3 - a) + strcspn(at + 3, "/?#");
	return strncasecmp(a, b, n) == 0 && (!b[n] || strchr("/?#", b[n]));
}

int http_exchange(CURL *curl, struct http_exchange *x, struct error *err)
{
	char *url cleanup_free = xstrdup(x->url);

	for (int i = 0; i <= MAX_REDIRECTS; i++) {
		struct hop h = { .x = x, .curl = curl, .began_ns = clock_monotonic_ns() };
		char *next = NULL;
		int rc;

		http_reset(x);
		rc = run_hop(&h, url, same_origin(x->url, url), err);
		if (rc < 0)
			return rc;
		curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &next);
		if (x->status < 300 || x->status > 399 || !next)
			return 0;
		if (strncasecmp(url, "https:", 6) == 0 && strncasecmp(next, "https:", 6) != 0)
			return error_set(err, EIO, "%s: redirected from https to plain http",
					 x->url);
		next = xstrdup(next);
		free(url);
		url = next;
	}
	return error_set(err, EIO, "%s: redirected more than %d times", x->url, MAX_REDIRECTS);
}
