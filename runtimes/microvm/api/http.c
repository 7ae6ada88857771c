/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1, the little of it that the API speaks.
 *
 * A body has a Content-Length; chunks are refused.  Lines end in CRLF.  A header that says the
 * length twice is refused: two readers of one request must not differ about its end.
 */
#include "runtimes/microvm/api/http.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct line {
	const char *text;
	size_t len;
};

/* next_line() - cut one line off.  Return: false when it is not whole. */
static bool next_line(const char **at, const char *end, struct line *ret)
{
	const char *nl = memchr(*at, '\n', (size_t)(end - *at));

	if (!nl || nl == *at || nl[-1] != '\r')
		return false;
	*ret = (struct line){ *at, (size_t)(nl - 1 - *at) };
	*at = nl + 1;
	return true;
}

static bool copy_word(char *to, size_t size, const char *from, size_t len)
{
	if (!len || len >= size)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isgraph((unsigned char)from[i]))
			return false;
	memcpy(to, from, len);
	to[len] = '\0';
	return true;
}

static int parse_request_line(const struct line *l, struct http_request *ret, struct error *err)
{
	const char *first = memchr(l->text, ' ', l->len), *second, *end = l->text + l->len;

	second = first ? memchr(first + 1, ' ', (size_t)(end - first - 1)) : NULL;
	if (!second ||
	    !copy_word(ret->method, sizeof(ret->method), l->text, (size_t)(first - l->text)))
		return error_set(err, EINVAL, "Invalid HTTP Method.");
	if (first[1] != '/' ||
	    !copy_word(ret->path, sizeof(ret->path), first + 1, (size_t)(second - first - 1)))
		return error_set(err, EINVAL, "Invalid URI.");
	if (end - second != 9 || memcmp(second, " HTTP/1.", 8) ||
	    (second[8] != '0' && second[8] != '1'))
		return error_set(err, EINVAL, "Invalid HTTP Version.");
	ret->keep_alive = second[8] == '1';
	return 0;
}

static bool is_name(const struct line *l, size_t name_len, const char *name)
{
	return name_len == strlen(name) && !strncasecmp(l->text, name, name_len);
}

/* parse_length() - Return: 0, or -EINVAL for no number or a second one. */
static int parse_length(const char *text, size_t len, bool *seen, size_t *ret)
{
	size_t v = 0;

	if (*seen || !len || len > 10)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return -EINVAL;
		v = v * 10 + (size_t)(text[i] - '0');
	}
	*seen = true;
	*ret = v;
	return 0;
}

static int parse_header(const struct line *l, struct http_request *ret, bool *length_seen,
			struct error *err)
{
	const char *colon = memchr(l->text, ':', l->len), *value;
	size_t name_len, len;

	if (!colon || colon == l->text)
		return error_set(err, EINVAL, "Invalid header.");
	name_len = (size_t)(colon - l->text);
	value = colon + 1;
	len = l->len - name_len - 1;
	while (len && (*value == ' ' || *value == '\t'))
		value++, len--;
	while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	if (is_name(l, name_len, "Content-Length") &&
	    parse_length(value, len, length_seen, &ret->body_len))
		return error_set(err, EINVAL, "Invalid value of header Content-Length.");
	if (is_name(l, name_len, "Transfer-Encoding"))
		return error_set(err, EINVAL, "Transfer encodings are not supported.");
	if (is_name(l, name_len, "Expect") && len == 12 && !strncasecmp(value, "100-continue", 12))
		ret->continues = true;
	if (is_name(l, name_len, "Connection") && len == 5 && !strncasecmp(value, "close", 5))
		ret->keep_alive = false;
	return 0;
}

ssize_t http_parse(const char *data, size_t len, size_t body_max, struct http_request *ret,
		   struct error *err)
{
	const char *head_end = memmem(data, len, "\r\n\r\n", 4), *at = data;
	bool length_seen = false;
	struct line l;
	int r;

	memset(ret, 0, sizeof(*ret));
	if (!head_end)
		return len > HTTP_HEAD_MAX ? error_set(err, EMSGSIZE, "The head is too long.") : 0;
	if ((size_t)(head_end - data) > HTTP_HEAD_MAX)
		return error_set(err, EMSGSIZE, "The head is too long.");
	head_end += 2;
	if (!next_line(&at, head_end, &l))
		return error_set(err, EINVAL, "Invalid HTTP Method.");
	r = parse_request_line(&l, ret, err);
	while (!r && at < head_end) {
		if (!next_line(&at, head_end, &l))
			return error_set(err, EINVAL, "Invalid header.");
		r = parse_header(&l, ret, &length_seen, err);
	}
	if (r)
		return r;
	at += 2;
	if (ret->body_len > body_max)
		return error_set(err, E2BIG,
				 "Request payload with size %zu is larger than the limit of %zu "
				 "allowed by server.",
				 ret->body_len, body_max);
	if (ret->body_len > len - (size_t)(at - data))
		return 0;
	ret->body = ret->body_len ? at : NULL;
	return at - data + (ssize_t)ret->body_len;
}

void http_answer(struct strbuf *out, int status, const char *body, size_t len, bool keep_alive)
{
	strbuf_printf(out, "HTTP/1.1 %d \r\nServer: Firecracker API\r\nConnection: %s\r\n", status,
		      keep_alive ? "keep-alive" : "close");
	if (body)
		strbuf_printf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
			      len);
	strbuf_puts(out, "\r\n");
	if (body)
		strbuf_append(out, body, len);
}
