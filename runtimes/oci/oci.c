/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Argument lists for an OCI runtime, and its answers.
 *
 * runc and crun write a log line a message, {"level":"error","msg":"..","time":".."}.  A quote
 * inside a JSON string is always escaped, so the bytes `"msg":` can only be the key: no parser
 * is needed to find it.
 */
#include "runtimes/oci/oci.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"

#define LOG_TAIL_BYTES 16384
#define TEXT_MAX       800

/* --- command lines -------------------------------------------------------------------------------
 */

static void begin(const struct oci *o, const char *log, const char *verb, struct strlist *ret)
{
	strlist_add(ret, o->program);
	for (const char *const *a = o->args; a && *a; a++)
		strlist_add(ret, *a);
	strlist_add(ret, "--root");
	strlist_add(ret, o->root);
	strlist_add(ret, "--log");
	strlist_add(ret, log);
	strlist_add(ret, "--log-format");
	strlist_add(ret, "json");
	strlist_add(ret, verb);
}

static void begin_start(const struct oci *o, const struct oci_start *s, const char *verb,
			struct strlist *ret)
{
	begin(o, s->log, verb, ret);
	strlist_add(ret, "--detach");
	strlist_add(ret, "--pid-file");
	strlist_add(ret, s->pid_file);
	if (s->console_socket) {
		strlist_add(ret, "--console-socket");
		strlist_add(ret, s->console_socket);
	}
}

void oci_argv_run(const struct oci *o, const struct oci_start *s, const char *bundle,
		  struct strlist *ret)
{
	begin_start(o, s, "run", ret);
	strlist_add(ret, "--bundle");
	strlist_add(ret, bundle);
	strlist_add(ret, s->id);
}

void oci_argv_exec(const struct oci *o, const struct oci_start *s, const char *process_file,
		   struct strlist *ret)
{
	begin_start(o, s, "exec", ret);
	strlist_add(ret, "--process");
	strlist_add(ret, process_file);
	strlist_add(ret, s->id);
}

void oci_argv_delete(const struct oci *o, const char *log, const char *id, bool force,
		     struct strlist *ret)
{
	begin(o, log, "delete", ret);
	if (force)
		strlist_add(ret, "--force");
	strlist_add(ret, id);
}

void oci_argv_kill(const struct oci *o, const char *log, const char *id, int signo,
		   struct strlist *ret)
{
	begin(o, log, "kill", ret);
	strlist_add(ret, id);
	strlist_addf(ret, "%d", signo);
}

void oci_argv_state(const struct oci *o, const char *log, const char *id, struct strlist *ret)
{
	begin(o, log, "state", ret);
	strlist_add(ret, id);
}

/* --- answers -------------------------------------------------------------------------------------
 */

int oci_read_pid(const char *path, pid_t *ret_pid, struct error *err)
{
	struct strbuf text cleanup_strbuf = { 0 };
	uint64_t pid;
	int rc = fd_read_file(AT_FDCWD, path, 64, &text, err);

	if (rc < 0)
		return rc;
	while (text.len > 0 && strchr(" \t\r\n", text.data[text.len - 1]))
		text.data[--text.len] = '\0';
	if (str_parse_u64(text.data, &pid) < 0 || pid <= 1 || pid > INT32_MAX)
		return error_set(err, EBADMSG, "%s holds no pid: '%s'", path,
				 str_or(text.data, ""));
	*ret_pid = (pid_t)pid;
	return 0;
}

static void put_utf8(struct strbuf *ret, unsigned int c)
{
	if (c >= 0xd800 && c <= 0xdfff)
		c = '?'; /* halves of a pair: not worth joining here */
	if (c < 0x80) {
		strbuf_putc(ret, (char)c);
	} else if (c < 0x800) {
		strbuf_putc(ret, (char)(0xc0 | c >> 6));
		strbuf_putc(ret, (char)(0x80 | (c & 63)));
	} else {
		strbuf_putc(ret, (char)(0xe0 | c >> 12));
		strbuf_putc(ret, (char)(0x80 | (c >> 6 & 63)));
		strbuf_putc(ret, (char)(0x80 | (c & 63)));
	}
}

/* unescape() - a JSON string from after its opening quote. */
static void unescape(const char *p, const char *end, struct strbuf *ret)
{
	static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";

	for (; p < end && *p != '"' && ret->len < TEXT_MAX; p++) {
		const char *known;
		unsigned int c;

		if (*p != '\\' || p + 1 >= end) {
			strbuf_putc(ret, *p);
			continue;
		}
		p++;
		known = strchr(from, *p);
		if (*p == 'u' && end - p > 4 && sscanf(p + 1, "%4x", &c) == 1) {
			put_utf8(ret, c);
			p += 4;
		} else {
			strbuf_putc(ret, known && *known ? to[known - from] : *p);
		}
	}
}

/* value_of() - the opening quote's successor of string member @key in a line, or NULL. */
static const char *value_of(const char *line, size_t len, const char *key)
{
	const char *end = line + len;
	const char *p = memmem(line, len, key, strlen(key));

	if (!p)
		return NULL;
	p += strlen(key);
	while (p < end && (*p == ':' || *p == ' '))
		p++;
	return p < end && *p == '"' ? p + 1 : NULL;
}

static bool is_error(const char *line, size_t len)
{
	const char *level = value_of(line, len, "\"level\"");

	return level && (str_has_prefix(level, "error\"") || str_has_prefix(level, "fatal\""));
}

static void put_line(const char *line, size_t len, struct strbuf *ret)
{
	const char *msg = value_of(line, len, "\"msg\"");

	if (msg)
		unescape(msg, line + len, ret);
	else
		strbuf_append(ret, line, MIN(len, TEXT_MAX));
	while (ret->len > 0 && strchr(" \r\n", ret->data[ret->len - 1]))
		ret->data[--ret->len] = '\0';
}

/* last_line() - the last line of @text that is not empty, preferring errors when asked to. */
static void last_line(const char *text, bool errors, struct strbuf *ret)
{
	const char *best = NULL;
	size_t best_len = 0;
	bool best_is_error = false;

	while (*text) {
		size_t len = strcspn(text, "\n");
		bool error = errors && is_error(text, len);

		if (len > 0 && (error || !best_is_error)) {
			best = text;
			best_len = len;
			best_is_error = error;
		}
		text += len + (text[len] == '\n');
	}
	if (best)
		put_line(best, best_len, ret);
}

/* read_tail() - the end of a file that a runtime may have made as long as it likes. */
static void read_tail(const char *path, struct strbuf *ret)
{
	int fd cleanup_close = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);

	if (size <= 0)
		return;
	lseek(fd, size > LOG_TAIL_BYTES ? size - LOG_TAIL_BYTES : 0, SEEK_SET);
	fd_read_all(fd, LOG_TAIL_BYTES * 2, ret);
}

void oci_read_error(const char *log, const char *stderr_text, struct strbuf *ret)
{
	struct strbuf text cleanup_strbuf = { 0 };

	read_tail(log, &text);
	if (text.len > 0)
		last_line(text.data, true, ret);
	if (ret->len == 0 && stderr_text)
		last_line(stderr_text, false, ret);
}
