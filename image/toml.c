/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TOML subset parser.
 *
 * One pass over a NUL-terminated copy, so that the end needs no test of its own: a NUL matches
 * nothing.  Values live in the caller's arena.
 */
#include "image/toml.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct parser {
	struct arena *arena;
	const char *p;
	unsigned int line;
	struct error *err;
};

static int bad(struct parser *s, const char *what)
{
	return error_set(s->err, EINVAL, "line %u: %s", s->line, what);
}

static void skip_blanks(struct parser *s)
{
	while (*s->p == ' ' || *s->p == '\t')
		s->p++;
	if (*s->p == '#')
		s->p += strcspn(s->p, "\n");
}

/* Blanks, comments and line ends. */
static void skip_lines(struct parser *s)
{
	for (;;) {
		skip_blanks(s);
		if (*s->p == '\n')
			s->line++;
		else if (*s->p != '\r')
			return;
		s->p++;
	}
}

static int end_of_line(struct parser *s)
{
	skip_blanks(s);
	if (*s->p == '\r')
		s->p++;
	if (*s->p && *s->p != '\n')
		return bad(s, "something follows the value");
	return 0;
}

static int escape(struct parser *s, struct strbuf *out)
{
	static const char from[] = "\"\\ntr", to[] = "\"\\\n\t\r";
	const char *at = *s->p ? strchr(from, *s->p) : NULL;

	if (!at)
		return bad(s, "unknown escape in a string");
	strbuf_putc(out, to[at - from]);
	s->p++;
	return 0;
}

/* "basic" with escapes or 'literal' without. */
static int string(struct parser *s, const char **ret)
{
	struct strbuf out cleanup_strbuf = { 0 };
	char quote = *s->p++;

	while (*s->p && *s->p != quote && *s->p != '\n') {
		if (*s->p == '\\' && quote == '"') {
			s->p++;
			if (escape(s, &out) < 0)
				return -EINVAL;
		} else {
			strbuf_putc(&out, *s->p++);
		}
	}
	if (*s->p != quote)
		return bad(s, "a string does not end on its line");
	s->p++;
	*ret = arena_strndup(s->arena, out.len ? out.data : "", out.len);
	return 0;
}

static bool is_bare(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static int key(struct parser *s, const char **ret)
{
	const char *start = s->p;

	if (*s->p == '"' || *s->p == '\'')
		return string(s, ret);
	while (is_bare(*s->p))
		s->p++;
	if (s->p == start)
		return bad(s, "a key was expected");
	*ret = arena_strndup(s->arena, start, s->p - start);
	return 0;
}

static int value(struct parser *s, unsigned int depth, struct toml_value **ret);

static int array(struct parser *s, unsigned int depth, struct toml_value *v)
{
	struct toml_value **last = &v->child;
	int rc;

	if (depth >= TOML_MAX_DEPTH)
		return bad(s, "arrays nest too deeply");
	v->type = TOML_ARRAY;
	s->p++;
	for (;;) {
		skip_lines(s);
		if (*s->p == ']')
			break;
		rc = value(s, depth + 1, last);
		if (rc < 0)
			return rc;
		last = &(*last)->next;
		skip_lines(s);
		if (*s->p == ',')
			s->p++;
		else if (*s->p != ']')
			return bad(s, "',' or ']' was expected in an array");
	}
	s->p++;
	return 0;
}

/* true, false and numbers; numbers keep their text. */
static int word(struct parser *s, struct toml_value *v)
{
	const char *start = s->p;

	while (is_bare(*s->p) || *s->p == '+' || *s->p == '.')
		s->p++;
	v->text = arena_strndup(s->arena, start, s->p - start);
	if (strcmp(v->text, "true") == 0 || strcmp(v->text, "false") == 0)
		v->type = TOML_BOOL;
	else if (isdigit((unsigned char)*start) || *start == '+' || *start == '-')
		v->type = TOML_NUMBER;
	else
		return bad(s, "a string, true, false, a number or an array was expected");
	return 0;
}

static int value(struct parser *s, unsigned int depth, struct toml_value **ret)
{
	struct toml_value *v = arena_alloc(s->arena, sizeof(*v));

	*ret = v;
	if (*s->p == '[')
		return array(s, depth, v);
	if (*s->p == '"' || *s->p == '\'') {
		v->type = TOML_STRING;
		return string(s, &v->text);
	}
	return word(s, v);
}

/* [a."b".c] */
static int header(struct parser *s, const char **path, size_t *depth)
{
	int rc;

	*depth = 0;
	s->p++;
	for (;;) {
		skip_blanks(s);
		if (*depth >= TOML_MAX_DEPTH)
			return bad(s, "a table header has too many parts");
		rc = key(s, &path[(*depth)++]);
		if (rc < 0)
			return rc;
		skip_blanks(s);
		if (*s->p != '.')
			break;
		s->p++;
	}
	if (*s->p++ != ']')
		return bad(s, "']' was expected after a table's name");
	return end_of_line(s);
}

static int pair(struct parser *s, const char *const *path, size_t depth, toml_fn *fn, void *data)
{
	struct toml_value *v;
	unsigned int line = s->line;
	const char *name;
	int rc = key(s, &name);

	if (rc < 0)
		return rc;
	skip_blanks(s);
	if (*s->p++ != '=')
		return bad(s, "'=' was expected after a key");
	skip_blanks(s);
	rc = value(s, 0, &v);
	if (rc == 0)
		rc = end_of_line(s);
	if (rc < 0)
		return rc;
	rc = fn(data, path, depth, name, v, s->err);
	if (rc < 0)
		error_wrap(s->err, "line %u", line);
	return rc;
}

int toml_parse(struct arena *a, const char *text, size_t len, toml_fn *fn, void *data,
	       struct error *err)
{
	const char *path[TOML_MAX_DEPTH];
	struct parser s = { .arena = a, .line = 1, .err = err };
	size_t depth = 0;
	int rc = 0;

	if (len > TOML_MAX_BYTES)
		return error_set(err, EINVAL, "larger than %d bytes", TOML_MAX_BYTES);
	if (memchr(text, '\0', len))
		return error_set(err, EINVAL, "it has a NUL byte");
	s.p = arena_strndup(a, text, len);
	while (rc == 0) {
		skip_lines(&s);
		if (!*s.p)
			break;
		if (*s.p != '[') {
			rc = pair(&s, path, depth, fn, data);
			continue;
		}
		rc = header(&s, path, &depth);
		if (rc == 0)
			rc = fn(data, path, depth, NULL, NULL, err);
	}
	return rc;
}
