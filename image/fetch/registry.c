/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registry client (distribution-spec, pull side).
 *
 * Endpoints are asked in order.  One that can't be spoken to, or that trickles while another is
 * left, is not asked again in this fetch, and the next goes on at the byte where it stopped; 429
 * and 5xx are tried a few times; 401 is answered once.  What is said when all failed is what the
 * last one said: that is the registry itself.
 */
#include "image/fetch/registry.h"

#include <string.h>
#include <time.h>

#include "base/digest.h"
#include "base/fd.h"
#include "base/mem.h"
#include "image/fetch/auth.h"
#include "image/fetch/http.h"
#include "image/manifest.h"

#define MAX_TRIES      4 /* of one endpoint */
#define MAX_RESUMES    8 /* of one blob, while bytes still come */
#define MAX_INDEXES    2 /* an index may point to an index, once */
#define MAX_BODY_SHOWN 120

void registry_init(struct registry *r, const struct request *request)
{
	*r = (struct registry){ .request = request };
	pthread_mutex_init(&r->lock, NULL);
}

static char *known_authorization(struct registry *r, size_t e)
{
	char *copy = NULL;

	pthread_mutex_lock(&r->lock);
	if (r->authorization[e])
		copy = xstrdup(r->authorization[e]);
	pthread_mutex_unlock(&r->lock);
	if (!copy && !str_empty(r->request->registry_token))
		copy = xasprintf("Bearer %s", r->request->registry_token);
	return copy;
}

static void set_authorization(struct registry *r, size_t e, const char *value)
{
	pthread_mutex_lock(&r->lock);
	free(r->authorization[e]);
	r->authorization[e] = xstrdup(value);
	pthread_mutex_unlock(&r->lock);
}

static void set_dead(struct registry *r, size_t e)
{
	pthread_mutex_lock(&r->lock);
	r->dead[e] = true;
	pthread_mutex_unlock(&r->lock);
}

static bool is_dead(struct registry *r, size_t e)
{
	bool dead;

	pthread_mutex_lock(&r->lock);
	dead = r->dead[e];
	pthread_mutex_unlock(&r->lock);
	return dead;
}

/* --- one endpoint ----------------------------------------------------------------------------- */

static void pause_before_retry(const struct http_exchange *x, int attempt)
{
	struct timespec t = { .tv_nsec = 300000000L };

	if (x->retry_after_s > 0)
		t = (struct timespec){ .tv_sec = x->retry_after_s };
	else if (attempt > 0)
		t = (struct timespec){ .tv_sec = attempt };
	nanosleep(&t, NULL);
}

static bool worth_retry(const struct http_exchange *x)
{
	return x->status == 429 || x->status == 408 || (x->status >= 500 && x->status != 501);
}

/* The start of an error's body, on one line: registries explain themselves there. */
static void shown_body(const struct http_exchange *x, char out[MAX_BODY_SHOWN + 1])
{
	size_t n = MIN(x->body.len, (size_t)MAX_BODY_SHOWN);

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)x->body.data[i];

		out[i] = c < ' ' || c > '~' ? ' ' : (char)c;
	}
	out[n] = '\0';
}

static int status_error(const struct http_exchange *x, struct error *err)
{
	char body[MAX_BODY_SHOWN + 1];
	int host_len = (int)strcspn(x->url, "?");

	shown_body(x, body);
	if (x->status == 401 || x->status == 403)
		return error_set(err, EACCES, "%.*s: access denied (status %ld) %s", host_len,
				 x->url, x->status, body);
	if (x->status == 404)
		return error_set(err, ENOENT, "%.*s: not found (status 404)", host_len, x->url);
	return error_set(err, EIO, "%.*s: status %ld %s", host_len, x->url, x->status, body);
}

static char *endpoint_url(const struct registry *r, size_t e, const char *what)
{
	const struct request_endpoint *p = &r->request->endpoints[e];

	if (p->proxy)
		return xasprintf("%s/%s/%s?ns=%s", p->url, r->request->path, what,
				 r->request->host);
	return xasprintf("%s/%s/%s", p->url, r->request->path, what);
}

static int answer_challenge(struct registry *r, CURL *curl, size_t e, const struct http_exchange *x,
			    struct error *err)
{
	char *value cleanup_free = NULL;
	int rc = auth_answer(curl, r->request, &r->request->endpoints[e], x->challenge.data, &value,
			     err);

	if (rc == 0)
		set_authorization(r, e, value);
	return rc;
}

/* Ask endpoint @e for @what with the exchange @x; only 200 and 206 are success. */
static int ask(struct registry *r, CURL *curl, size_t e, const char *what, struct http_exchange *x,
	       struct error *err)
{
	char *url cleanup_free = endpoint_url(r, e, what);
	bool answered = false;
	int rc = 0;

	for (int attempt = 0; attempt < MAX_TRIES; attempt++) {
		char *authorization cleanup_free = known_authorization(r, e);

		x->url = url;
		x->endpoint = &r->request->endpoints[e];
		x->authorization = authorization;
		rc = http_exchange(curl, x, err);
		x->authorization = NULL;
		if (rc < 0)
			break;
		if (x->status == 200 || x->status == 206)
			break;
		if (x->status == 401 && x->challenge.len && !answered) {
			answered = true;
			rc = answer_challenge(r, curl, e, x, err);
			if (rc < 0)
				break;
			continue;
		}
		rc = status_error(x, err);
		if (!worth_retry(x))
			break;
		if (attempt + 1 < MAX_TRIES)
			pause_before_retry(x, attempt);
	}
	if (rc < 0 && (x->unreachable || x->slow))
		set_dead(r, e);
	x->url = NULL;
	return rc;
}

/* Whether endpoint @e is to be asked, after the one before it ended with @before. */
static bool is_candidate(struct registry *r, size_t e, bool resolve, bool before_unreachable)
{
	const struct request_endpoint *p = &r->request->endpoints[e];

	if (p->fallback && !before_unreachable && !(e > 0 && is_dead(r, e - 1)))
		return false;
	if (is_dead(r, e))
		return false;
	return resolve ? p->resolve : p->pull;
}

/* Whether another endpoint is left to ask when @e fails. */
static bool has_next(struct registry *r, size_t e, bool resolve)
{
	for (e++; e < r->request->n_endpoints; e++) {
		if (!r->request->endpoints[e].fallback && is_candidate(r, e, resolve, false))
			return true;
	}
	return false;
}

static int nobody_asked(struct registry *r, bool resolve, bool *ret_unavailable, struct error *err)
{
	*ret_unavailable = true;
	return error_set(err, EIO, "%s: no endpoint that can be reached may %s", r->request->host,
			 resolve ? "resolve tags" : "give content");
}

/* --- manifests -------------------------------------------------------------------------------- */

/* @what as a whole into @body, from the first endpoint whose bytes have @digest (NULL: any). */
static int get_whole(struct registry *r, CURL *curl, const char *what, const char *digest,
		     const char *accept, struct http_exchange *x, bool *ret_unavailable,
		     struct error *err)
{
	bool resolve = !digest, unreachable = false, asked = false;
	char found[DIGEST_MAX];
	int rc = 0;

	for (size_t e = 0; e < r->request->n_endpoints; e++) {
		if (!is_candidate(r, e, resolve, unreachable))
			continue;
		asked = true;
		http_reset(x);
		x->accept = accept;
		x->hurried = has_next(r, e, resolve);
		x->max_body_bytes = MANIFEST_MAX_BYTES;
		rc = ask(r, curl, e, what, x, err);
		unreachable = x->unreachable;
		*ret_unavailable = x->unavailable;
		if (rc < 0)
			continue;
		digest_of((x->body.data ?: ""), x->body.len, found);
		if (!digest || strcmp(digest, found) == 0)
			return 0;
		rc = error_set(err, EBADMSG, "digest mismatch: the bytes are %s", found);
	}
	return asked ? rc : nobody_asked(r, resolve, ret_unavailable, err);
}

static int get_manifest(struct registry *r, CURL *curl, const char *name, const char *digest,
			struct http_exchange *x, bool *ret_unavailable, struct error *err)
{
	char *what cleanup_free = xasprintf("manifests/%s", name);
	int rc = get_whole(r, curl, what, digest, MANIFEST_ACCEPT, x, ret_unavailable, err);

	if (rc < 0)
		error_wrap(err, "manifest %s", name);
	return rc;
}

static int get_config(struct registry *r, CURL *curl, const char *digest, struct strbuf *ret,
		      bool *ret_unavailable, struct error *err)
{
	char *what cleanup_free = xasprintf("blobs/%s", digest);
	struct http_exchange x = { 0 };
	int rc = get_whole(r, curl, what, digest, NULL, &x, ret_unavailable, err);

	if (rc < 0) {
		error_wrap(err, "config %s", digest);
	} else {
		*ret = x.body;
		x.body = (struct strbuf){ 0 };
	}
	http_reset(&x);
	return rc;
}

/* From the name down through indexes to this platform's manifest, left in @x. */
static int walk_indexes(struct registry *r, CURL *curl, struct http_exchange *x,
			char digest[DIGEST_MAX], bool *ret_unavailable, struct error *err)
{
	const struct request *q = r->request;
	const char *name = q->digest ? q->digest : q->tag;
	char *chosen cleanup_free = NULL;
	enum manifest_kind kind;
	int rc;

	for (int i = 0; i <= MAX_INDEXES; i++) {
		rc = get_manifest(r, curl, chosen ? chosen : name, chosen ? chosen : q->digest, x,
				  ret_unavailable, err);
		if (rc < 0)
			return rc;
		if (i == 0)
			digest_of((x->body.data ?: ""), x->body.len, digest);
		rc = manifest_kind((x->body.data ?: ""), x->body.len, x->content_type.data, &kind,
				   err);
		if (rc < 0 || kind == MANIFEST_IMAGE)
			return rc;
		free(steal_ptr(chosen));
		rc = manifest_choose(x->body.data, x->body.len, q->os, q->arch, &chosen, err);
		if (rc < 0)
			return rc;
	}
	return error_set(err, EINVAL, "indexes nest more than %d deep", MAX_INDEXES);
}

int registry_resolve(struct registry *r, CURL *curl, struct registry_image *ret,
		     bool *ret_unavailable, struct error *err)
{
	struct http_exchange x = { 0 };
	struct manifest m = { 0 };
	int rc = walk_indexes(r, curl, &x, ret->digest, ret_unavailable, err);

	if (rc == 0)
		rc = manifest_parse(x.body.data, x.body.len, &m, err);
	if (rc == 0)
		rc = get_config(r, curl, m.config.digest, &ret->config, ret_unavailable, err);
	if (rc == 0) {
		ret->manifest = x.body;
		x.body = (struct strbuf){ 0 };
	}
	http_reset(&x);
	manifest_finish(&m);
	return rc;
}

void registry_image_finish(struct registry_image *image)
{
	strbuf_finish(&image->manifest);
	strbuf_finish(&image->config);
}

/* --- blobs ------------------------------------------------------------------------------------ */

/* A blob on its way. */
struct stream {
	const struct registry_blob *blob;
	struct digest hash;
	uint64_t got_bytes;  /* hashed */
	uint64_t skip_bytes; /* of an answer that began at 0 again */
	uint64_t seen_bytes; /* of this answer */
	bool reader_gone, too_long;
};

static int take_bytes(void *data, long status, const void *bytes, size_t len)
{
	struct stream *s = data;
	const char *p = bytes;

	if (s->seen_bytes == 0)
		s->skip_bytes = status == 200 ? s->got_bytes : 0;
	s->seen_bytes += len;
	if (s->skip_bytes >= len) {
		s->skip_bytes -= len;
		return 0;
	}
	p += s->skip_bytes;
	len -= s->skip_bytes;
	s->skip_bytes = 0;
	if (len > s->blob->size_bytes - s->got_bytes) {
		s->too_long = true;
		return -EBADMSG;
	}
	digest_update(&s->hash, p, len);
	s->got_bytes += len;
	if (s->blob->progress)
		s->blob->progress(s->blob->progress_data, s->got_bytes);
	if (!s->reader_gone && fd_write_all(s->blob->out, p, len) < 0)
		s->reader_gone = true;
	return 0;
}

static int check_blob(struct stream *s, struct error *err)
{
	char found[DIGEST_MAX];

	digest_text(&s->hash, found);
	if (strcmp(found, s->blob->digest) == 0)
		return 0;
	return error_set(err, EBADMSG, "digest mismatch: the bytes are %s", found);
}

static void begin_answer(struct http_exchange *x, struct stream *s)
{
	http_reset(x);
	s->seen_bytes = 0;
	x->sink = take_bytes;
	x->sink_data = s;
	x->offset_bytes = s->got_bytes;
}

static int judge_answer(struct stream *s, int rc, struct error *err)
{
	if (s->too_long)
		return error_set(err, EBADMSG, "the body is longer than the %llu bytes announced",
				 (unsigned long long)s->blob->size_bytes);
	if (rc == 0 && s->got_bytes < s->blob->size_bytes)
		return error_set(err, EBADMSG, "short body: %llu of %llu bytes",
				 (unsigned long long)s->got_bytes,
				 (unsigned long long)s->blob->size_bytes);
	return rc;
}

/* From one endpoint, or from @url where @e is no endpoint, resumed while more bytes come. */
static int stream_from(struct registry *r, CURL *curl, size_t e, const char *what, const char *url,
		       struct http_exchange *x, struct stream *s, struct error *err)
{
	int rc = 0;

	for (int i = 0; i < MAX_RESUMES; i++) {
		uint64_t before = s->got_bytes;

		begin_answer(x, s);
		if (url) {
			x->url = url;
			x->endpoint = NULL;
			rc = http_exchange(curl, x, err);
			if (rc == 0 && x->status != 200 && x->status != 206)
				rc = status_error(x, err);
		} else {
			rc = ask(r, curl, e, what, x, err);
		}
		rc = judge_answer(s, rc, err);
		if (rc == 0 || s->too_long || s->got_bytes == before || x->slow)
			return rc;
	}
	return rc;
}

static int stream_blob(struct registry *r, CURL *curl, struct stream *s, bool *ret_unavailable,
		       struct error *err)
{
	char *what cleanup_free = xasprintf("blobs/%s", s->blob->digest);
	const struct strlist *urls = s->blob->urls;
	struct http_exchange x = { 0 };
	bool unreachable = false, asked = false;
	int rc = 0;

	for (size_t e = 0; e < r->request->n_endpoints; e++) {
		if (!is_candidate(r, e, false, unreachable))
			continue;
		asked = true;
		x.hurried = has_next(r, e, false);
		rc = stream_from(r, curl, e, what, NULL, &x, s, err);
		unreachable = x.unreachable;
		if (rc == 0 || s->too_long)
			break;
	}
	for (size_t i = 0; urls && i < urls->count && (!asked || (rc < 0 && !s->too_long)); i++) {
		asked = true;
		x.hurried = false;
		rc = stream_from(r, curl, 0, NULL, urls->items[i], &x, s, err);
	}
	*ret_unavailable = x.unavailable && rc < 0;
	http_reset(&x);
	return asked ? rc : nobody_asked(r, false, ret_unavailable, err);
}

int registry_blob(struct registry *r, CURL *curl, const struct registry_blob *blob,
		  bool *ret_unavailable, struct error *err)
{
	struct stream s = { .blob = blob };
	char algorithm[8] = { 0 };
	int rc;

	memcpy(algorithm, blob->digest, strcspn(blob->digest, ":"));
	rc = digest_start(&s.hash, algorithm, err);
	if (rc < 0)
		return rc;
	if (blob->size_bytes > 0)
		rc = stream_blob(r, curl, &s, ret_unavailable, err);
	if (rc == 0)
		rc = check_blob(&s, err);
	digest_finish(&s.hash);
	return rc;
}
