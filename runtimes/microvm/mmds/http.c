/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's HTTP requests to the metadata service.
 *
 * GET of a path answers with what is there: as JSON if the request accepts that, else as EC2's
 * service does: an object's names, one a line, those of objects with a slash; a string's text.
 * PUT of /latest/api/token answers with a token, without which V2 tells nothing.
 */
#include <stdio.h>
#include <strings.h>

#include "base/loop.h"
#include "base/mem.h"
#include "runtimes/microvm/mmds/store.h"

#define HEAD_MAX  2048
#define TOKEN_URL "/latest/api/token"
#define TTL_MAX	  21600

static const char *const token_headers[] = { "x-metadata-token", "x-aws-ec2-metadata-token" };
static const char *const ttl_headers[] = { "x-metadata-token-ttl-seconds",
					   "x-aws-ec2-metadata-token-ttl-seconds" };

/* A request, in a buffer of its own that it is cut in. */
struct request {
	char head[HEAD_MAX + 1];
	const char *method, *path, *accept, *forwarded;
	const char *token, *ttl, *ttl_name;
	uint64_t body_len;
};

struct answer {
	int status;
	const char *extra; /* header lines, or "" */
	bool json;
	struct strbuf body;
};

/* --- parsing ---------------------------------------------------------------------------------- */

static char *trim(char *s)
{
	char *end = s + strlen(s);

	while (*s == ' ' || *s == '\t')
		s++;
	while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	return s;
}

/* take_header() - Return: 0, or -EBADMSG for a length that is none. */
static int take_header(struct request *r, const char *name, const char *value)
{
	for (size_t i = 0; i < 2; i++) {
		if (!strcasecmp(name, token_headers[i]))
			r->token = value;
		if (!strcasecmp(name, ttl_headers[i])) {
			r->ttl = value;
			r->ttl_name = ttl_headers[i];
		}
	}
	if (!strcasecmp(name, "accept"))
		r->accept = value;
	else if (!strcasecmp(name, "x-forwarded-for"))
		r->forwarded = value;
	else if (!strcasecmp(name, "content-length"))
		return str_parse_u64(value, &r->body_len) ? -EBADMSG : 0;
	return 0;
}

/* take_first_line() - METHOD PATH HTTP/1.x; a path may be http://host/path. */
static int take_first_line(struct request *r, char *line)
{
	char *save, *path, *version;
	const char *absolute;

	r->method = strtok_r(line, " ", &save);
	path = strtok_r(NULL, " ", &save);
	version = strtok_r(NULL, " ", &save);
	if (!version || (!str_eq(version, "HTTP/1.1") && !str_eq(version, "HTTP/1.0")))
		return -EBADMSG;
	absolute = str_after(path, "http://");
	r->path = absolute ? strchr(absolute, '/') : path;
	if (!r->path)
		r->path = "";
	return *r->path == '/' || absolute ? 0 : -EBADMSG;
}

/* parse() - Return: the length of the head, 0 when more is to come, -EBADMSG. */
static ssize_t parse(struct request *r, const char *text, size_t len)
{
	const char *end = memmem(text, len, "\r\n\r\n", 4);
	size_t head = end ? (size_t)(end - text) : 0;
	char *save, *line;

	if (!end)
		return len > HEAD_MAX ? -EBADMSG : 0;
	if (head > HEAD_MAX || memchr(text, '\0', head))
		return -EBADMSG;
	memcpy(r->head, text, head);
	r->head[head] = '\0';
	line = strtok_r(r->head, "\r\n", &save);
	if (!line || take_first_line(r, line))
		return -EBADMSG;
	while ((line = strtok_r(NULL, "\r\n", &save))) {
		char *colon = strchr(line, ':');

		if (!colon)
			return -EBADMSG;
		*colon = '\0';
		if (take_header(r, trim(line), trim(colon + 1)))
			return -EBADMSG;
	}
	return (ssize_t)head + 4;
}

/* --- data ------------------------------------------------------------------------------------- */

/* unescape() - a part of a JSON pointer (RFC 6901), in place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++, to++) {
		*to = *s;
		if (s[0] == '~' && (s[1] == '0' || s[1] == '1'))
			*to = *++s == '0' ? '~' : '/';
	}
	*to = '\0';
}

static const struct json *nth(const struct json *array, const char *index)
{
	const struct json *it = array->child;
	uint64_t n;

	if (str_parse_u64(index, &n) || n >= array->len)
		return NULL;
	while (n--)
		it = it->next;
	return it;
}

/* find() - what @path names; slashes may stand twice, and at the end. */
static const struct json *find(const struct json *at, const char *path)
{
	char copy[HEAD_MAX + 1], *save, *part;

	snprintf(copy, sizeof(copy), "%s", path);
	for (part = strtok_r(copy, "/", &save); part && at; part = strtok_r(NULL, "/", &save)) {
		unescape(part);
		at = at->type == JSON_ARRAY ? nth(at, part) : json_get(at, part);
	}
	return at;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* list_names() - of an object, in order. */
static void list_names(const struct json *object, struct strbuf *out)
{
	const char **names = xcalloc(object->len + 1, sizeof(*names));
	const struct json *member;
	size_t n = 0;

	json_for_each(member, object)
		names[n++] = member->key;
	qsort(names, n, sizeof(*names), compare);
	for (size_t i = 0; i < n; i++)
		strbuf_printf(out, "%s%s%s", i ? "\n" : "", names[i],
			      json_get(object, names[i])->type == JSON_OBJECT ? "/" : "");
	free(names);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void say(struct answer *a, int status, const char *text)
{
	a->status = status;
	strbuf_puts(&a->body, text);
}

static void get(const struct mmds_store *s, const struct request *r, struct answer *a)
{
	struct json_writer w = { .out = &a->body };
	const struct json *value = s->data ? find(s->data, r->path) : NULL;

	a->json = r->accept && strstr(r->accept, "application/json");
	if (!value) {
		a->json = false;
		a->status = 404;
		strbuf_printf(&a->body, "Resource not found: %s.", r->path);
	} else if (a->json && !s->imds) {
		json_value(&w, value);
	} else if (value->type == JSON_OBJECT) {
		list_names(value, &a->body);
	} else if (value->type == JSON_STRING) {
		strbuf_append(&a->body, value->text, value->len);
	} else {
		a->json = false;
		say(a, 501, "Cannot retrieve value. The value has an unsupported type.");
	}
}

static void get_with_token(struct mmds_store *s, const struct request *r, struct answer *a)
{
	if (s->version == MMDS_V1)
		get(s, r, a);
	else if (!r->token)
		say(a, 401,
		    "No MMDS token provided. Use `X-metadata-token` or "
		    "`X-aws-ec2-metadata-token` header to specify the session token.");
	else if (!mmds_token_good(s, r->token, clock_monotonic_ns()))
		say(a, 401, "MMDS token not valid.");
	else
		get(s, r, a);
}

static void give_token(struct mmds_store *s, const struct request *r, struct answer *a,
		       char extra[80])
{
	char *token cleanup_free = NULL;
	uint64_t seconds;

	if (!r->ttl) {
		say(a, 400,
		    "Token time to live value not found. Use `X-metadata-token-ttl-seconds` or "
		    "`X-aws-ec2-metadata-token-ttl-seconds` header to specify the token's "
		    "lifetime.");
		return;
	}
	if (str_parse_u64(r->ttl, &seconds) || seconds > UINT32_MAX) {
		a->status = 400;
		strbuf_printf(&a->body, "Invalid header. Reason: Invalid value. Key:%s; Value:%s",
			      r->ttl_name, r->ttl);
		return;
	}
	if (!seconds || seconds > TTL_MAX) {
		a->status = 400;
		strbuf_printf(&a->body,
			      "Invalid time to live value provided for token: %llu. Please "
			      "provide a value between 1 and %d.",
			      (unsigned long long)seconds, TTL_MAX);
		return;
	}
	token = mmds_token_make(s, (uint32_t)seconds, clock_monotonic_ns());
	strbuf_puts(&a->body, token);
	snprintf(extra, 80, "%s: %llu\r\n", r->ttl_name, (unsigned long long)seconds);
	a->extra = extra;
}

static bool is_token_url(const char *path)
{
	const char *want = TOKEN_URL;

	while (*path && *path == *want) {
		path++;
		want++;
		while (path[-1] == '/' && *path == '/')
			path++;
	}
	return !*path && !*want;
}

static void put(struct mmds_store *s, const struct request *r, struct answer *a, char extra[80])
{
	if (r->forwarded) {
		say(a, 400,
		    "Invalid header. Reason: Unsupported header name. Key: x-forwarded-for");
	} else if (!is_token_url(r->path)) {
		a->status = 404;
		strbuf_printf(&a->body, "Resource not found: %s.", r->path);
	} else {
		give_token(s, r, a, extra);
	}
}

static void write_answer(const struct answer *a, struct strbuf *out)
{
	strbuf_printf(out,
		      "HTTP/1.1 %d \r\nServer: bulkhead-vmm\r\nConnection: keep-alive\r\n"
		      "Content-Type: %s\r\n%sContent-Length: %zu\r\n\r\n",
		      a->status, a->json ? "application/json" : "text/plain", a->extra,
		      a->body.len);
	strbuf_append(out, a->body.data ? a->body.data : "", a->body.len);
}

ssize_t mmds_store_answer(struct mmds_store *s, const char *text, size_t len, struct strbuf *out)
{
	struct answer a = { .status = 200, .extra = "" };
	struct request r = { 0 };
	char extra[80];
	ssize_t head = parse(&r, text, len);

	if (!head || (head > 0 && r.body_len <= HEAD_MAX && r.body_len > len - (size_t)head))
		return 0;
	if (head > 0 && r.body_len > HEAD_MAX)
		head = -EBADMSG;
	if (head < 0)
		say(&a, 400, "Invalid request.");
	else if (!*r.path)
		say(&a, 400, "Invalid URI.");
	else if (str_eq(r.method, "GET"))
		get_with_token(s, &r, &a);
	else if (str_eq(r.method, "PUT"))
		put(s, &r, &a, extra);
	else {
		a.extra = "Allow: GET, PUT\r\n";
		say(&a, 405, "Not allowed HTTP method.");
	}
	write_answer(&a, out);
	strbuf_finish(&a.body);
	return head < 0 ? head : head + (ssize_t)r.body_len;
}
