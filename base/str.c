/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing strings and string lists.
 */
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* --- strbuf ----------------------------------------------------------------------------------- */

void strbuf_finish(struct strbuf *s)
{
	free(s->data);
	*s = (struct strbuf){ 0 };
}

void strbuf_reset(struct strbuf *s)
{
	s->len = 0;
	if (s->data)
		s->data[0] = '\0';
}

/* Room for @more bytes and the NUL. */
static void reserve(struct strbuf *s, size_t more)
{
	size_t need;

	if (__builtin_add_overflow(s->len, more + 1, &need))
		abort();
	if (need <= s->cap)
		return;
	s->cap = MAX(need, s->cap + s->cap / 2);
	s->cap = MAX(s->cap, 32);
	s->data = xrealloc(s->data, s->cap, 1);
}

void strbuf_append(struct strbuf *s, const void *data, size_t len)
{
	reserve(s, len);
	if (len)
		memcpy(s->data + s->len, data, len);
	s->len += len;
	s->data[s->len] = '\0';
}

void strbuf_puts(struct strbuf *s, const char *text)
{
	strbuf_append(s, text, strlen(text));
}

void strbuf_putc(struct strbuf *s, char c)
{
	strbuf_append(s, &c, 1);
}

void strbuf_vprintf(struct strbuf *s, const char *format, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (n < 0)
		return;
	reserve(s, (size_t)n);
	vsnprintf(s->data + s->len, (size_t)n + 1, format, ap);
	s->len += (size_t)n;
}

void strbuf_printf(struct strbuf *s, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	strbuf_vprintf(s, format, ap);
	va_end(ap);
}

void strbuf_consume(struct strbuf *s, size_t len)
{
	if (len == 0)
		return;
	memmove(s->data, s->data + len, s->len - len);
	s->len -= len;
	s->data[s->len] = '\0';
}

char *strbuf_steal(struct strbuf *s)
{
	char *text = s->data ? s->data : xstrdup("");

	*s = (struct strbuf){ 0 };
	return text;
}

/* --- strlist ---------------------------------------------------------------------------------- */

void strlist_finish(struct strlist *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->items[i]);
	free(l->items);
	*l = (struct strlist){ 0 };
}

void strlist_add_owned(struct strlist *l, char *s)
{
	if (l->count + 2 > l->cap) {
		l->cap = MAX(8, l->cap * 2);
		l->items = xrealloc(l->items, l->cap, sizeof(*l->items));
	}
	l->items[l->count++] = s;
	l->items[l->count] = NULL;
}

void strlist_add(struct strlist *l, const char *s)
{
	strlist_add_owned(l, xstrdup(s));
}

void strlist_addf(struct strlist *l, const char *format, ...)
{
	struct strbuf s = { 0 };
	va_list ap;

	va_start(ap, format);
	strbuf_vprintf(&s, format, ap);
	va_end(ap);
	strlist_add_owned(l, strbuf_steal(&s));
}

bool strlist_has(const struct strlist *l, const char *s)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->items[i], s) == 0)
			return true;
	return false;
}

/* --- comparisons ------------------------------------------------------------------------------ */

bool str_eq(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool str_has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_has_suffix(const char *s, const char *suffix)
{
	size_t len = strlen(s), n = strlen(suffix);

	return len >= n && memcmp(s + len - n, suffix, n) == 0;
}

const char *str_after(const char *s, const char *prefix)
{
	return str_has_prefix(s, prefix) ? s + strlen(prefix) : NULL;
}
