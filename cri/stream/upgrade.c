/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP/1.1 request that asks for an upgrade, and its answer.
 */
#include "cri/stream/upgrade.h"

#include <ctype.h>
#include <errno.h>
#include <strings.h>

#include "base/fd.h"
#include "base/mem.h"

#define MAX_VALUES 64 /* of one header, over all its lines */

static int not_http(struct error *err, const char *what)
{
	return error_set(err, EINVAL, "not an HTTP/1.1 request: %s", what);
}

/* The end of the head: the byte after the first empty line, or NULL. */
static const char *find_end(const char *data, size_t len)
{
	const char *end = memmem(data, len, "\r\n\r\n", 4);

	return end ? end + 4 : NULL;
}

static bool is_token(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("!#$%&'*+-.^_`|~", *s))
			return false;
	return true;
}

/* Cut the line at @line off its text.  Return: the next line. */
static char *cut_line(char *line)
{
	char *end = strstr(line, "\r\n");

	*end = '\0';
	return end + 2;
}

/* "POST /exec/abc?x=y HTTP/1.1" */
static int parse_request_line(char *line, struct upgrade_request *r, struct error *err)
{
	char *path = strchr(line, ' ');
	char *version;

	if (!path)
		return not_http(err, "no path");
	*path++ = '\0';
	version = strchr(path, ' ');
	if (!version)
		return not_http(err, "no version");
	*version++ = '\0';
	if (!is_token(line) || *path != '/')
		return not_http(err, "bad request line");
	if (!str_eq(version, "HTTP/1.1"))
		return not_http(err, "another version");
	path[strcspn(path, "?#")] = '\0';
	r->method = line;
	r->path = path;
	return 0;
}

static char *trim(char *s)
{
	char *end;

	s += strspn(s, " \t");
	end = s + strlen(s);
	while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	return s;
}

static int parse_header(char *line, struct upgrade_request *r, struct error *err)
{
	char *value = strchr(line, ':');

	if (!value)
		return not_http(err, "a header without a colon");
	*value++ = '\0';
	if (!is_token(line))
		return not_http(err, "a bad header name");
	if (r->n_headers == UPGRADE_MAX_HEADERS)
		return error_set(err, EMSGSIZE, "more than %d headers", UPGRADE_MAX_HEADERS);
	r->headers[r->n_headers++] = (struct upgrade_header){ line, trim(value) };
	return 0;
}

static int parse_head(struct upgrade_request *r, struct error *err)
{
	char *line = r->text;
	char *next = cut_line(line);
	int rc = parse_request_line(line, r, err);

	while (rc == 0) {
		line = next;
		next = cut_line(line);
		if (!*line)
			return 0;
		rc = parse_header(line, r, err);
	}
	return rc;
}

ssize_t upgrade_parse(const char *data, size_t len, struct upgrade_request *ret, struct error *err)
{
	struct upgrade_request r = { 0 };
	const char *end = find_end(data, MIN(len, (size_t)UPGRADE_MAX_BYTES));
	int rc;

	if (!end && len < UPGRADE_MAX_BYTES)
		return 0;
	if (!end)
		return error_set(err, EMSGSIZE, "request head over %d bytes", UPGRADE_MAX_BYTES);
	if (memchr(data, '\0', (size_t)(end - data)))
		return not_http(err, "a NUL byte");
	r.text = xstrndup(data, (size_t)(end - data));
	rc = parse_head(&r, err);
	if (rc < 0) {
		upgrade_finish(&r);
		return rc;
	}
	*ret = r;
	return end - data;
}

void upgrade_finish(struct upgrade_request *r)
{
	free(r->text);
	*r = (struct upgrade_request){ 0 };
}

static void add_values(const char *value, struct strlist *ret)
{
	char *copy cleanup_free = xstrdup(value);
	char *rest = copy;
	char *item;

	while ((item = strsep(&rest, ",")) && ret->count < MAX_VALUES) {
		item = trim(item);
		if (*item)
			strlist_add(ret, item);
	}
}

void upgrade_values(const struct upgrade_request *r, const char *name, struct strlist *ret)
{
	for (size_t i = 0; i < r->n_headers; i++)
		if (strcasecmp(r->headers[i].name, name) == 0)
			add_values(r->headers[i].value, ret);
}

bool upgrade_has(const struct upgrade_request *r, const char *name, const char *value)
{
	struct strlist values cleanup_strlist = { 0 };

	upgrade_values(r, name, &values);
	for (size_t i = 0; i < values.count; i++)
		if (strcasecmp(values.items[i], value) == 0)
			return true;
	return false;
}

int upgrade_choose(const struct upgrade_request *r, const char *const *offered, size_t n,
		   size_t *ret, struct error *err)
{
	struct strlist asked cleanup_strlist = { 0 };

	upgrade_values(r, "X-Stream-Protocol-Version", &asked);
	if (asked.count == 0)
		return error_set(err, EINVAL, "the header X-Stream-Protocol-Version is missing");
	for (size_t i = 0; i < asked.count; i++)
		for (size_t k = 0; k < n; k++)
			if (str_eq(asked.items[i], offered[k])) {
				*ret = k;
				return 0;
			}
	return error_set(err, EPROTO, "none of the client's stream protocols is served here");
}

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ 400, "Bad Request" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 426, "Upgrade Required" },
		{ 431, "Request Header Fields Too Large" },
		{ 503, "Service Unavailable" },
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Error";
}

void upgrade_refuse(int fd, int status, const char *headers, const char *text)
{
	char *reply cleanup_free =
		xasprintf("HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
			  "Content-Length: %zu\r\nConnection: close\r\n%s\r\n%s\n",
			  status, reason_of(status), strlen(text) + 1, headers, text);

	(void)fd_write_all(fd, reply, strlen(reply));
}

int upgrade_accept(int fd, const char *protocol)
{
	char *reply cleanup_free = xasprintf("HTTP/1.1 101 Switching Protocols\r\n"
					     "Connection: Upgrade\r\n"
					     "Upgrade: SPDY/3.1\r\n"
					     "X-Stream-Protocol-Version: %s\r\n\r\n",
					     protocol);

	return fd_write_all(fd, reply, strlen(reply));
}
