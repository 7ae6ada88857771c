/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing strings, string lists and small text helpers.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* A growing byte string, always NUL-terminated after the first append. {0} is empty. */
struct strbuf {
	char *data; /* may be NULL while empty; free with strbuf_finish() */
	size_t len, cap;
};

void strbuf_finish(struct strbuf *s);
void strbuf_reset(struct strbuf *s);
void strbuf_append(struct strbuf *s, const void *data, size_t len);
void strbuf_puts(struct strbuf *s, const char *text);
void strbuf_putc(struct strbuf *s, char c);
void strbuf_printf(struct strbuf *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vprintf(struct strbuf *s, const char *format, va_list ap);
/* strbuf_consume() - drop the first @len bytes. */
void strbuf_consume(struct strbuf *s, size_t len);
/* strbuf_steal() - take the text ("" if empty); the buffer is empty after. Caller frees. */
char *strbuf_steal(struct strbuf *s);
#define cleanup_strbuf __attribute__((__cleanup__(strbuf_finish)))

/* A NULL-terminated array of owned strings. {0} is empty (items may be NULL). */
struct strlist {
	char **items;
	size_t count, cap;
};

void strlist_finish(struct strlist *l);
void strlist_add(struct strlist *l, const char *s);
void strlist_addf(struct strlist *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strlist_add_owned(struct strlist *l, char *s);
bool strlist_has(const struct strlist *l, const char *s);
#define cleanup_strlist __attribute__((__cleanup__(strlist_finish)))

bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool str_has_prefix(const char *s, const char *prefix);
bool str_has_suffix(const char *s, const char *suffix);
/* str_after() - what follows @prefix in @s, or NULL when @s does not begin with it. */
const char *str_after(const char *s, const char *prefix);
static inline bool str_empty(const char *s)
{
	return !s || !*s;
}
/* str_or() - @s, or @other when @s is NULL or empty. */
static inline const char *str_or(const char *s, const char *other)
{
	return str_empty(s) ? other : s;
}

/* str_parse_*() - whole string, decimal, no sign for u64.  Return: 0, -EINVAL or -ERANGE. */
int str_parse_u64(const char *s, uint64_t *ret);
int str_parse_i64(const char *s, int64_t *ret);

/* str_is_utf8() - whether @len bytes are valid UTF-8 (protobuf strings must be). */
bool str_is_utf8(const char *s, size_t len);

/* str_base64_encode/decode() - RFC 4648; decode takes both alphabets, padding optional. */
char *str_base64_encode(const void *data, size_t len);
int str_base64_decode(const char *text, size_t len, struct strbuf *ret);

/* str_nearest() - the candidate with the least edit distance (<= 3), or NULL: for "did you mean".
 */
const char *str_nearest(const char *s, const char *const *candidates, size_t count);

/* str_random_hex() - @bytes random bytes as lower-case hex into @out (2*bytes+1 long). */
void str_random_hex(char *out, size_t bytes);

/* str_utc() - @seconds since the epoch as "2026-01-02T03:04:05", years of four digits.  It reads no
 * time zone, and links with little of the C library. */
void str_utc(int64_t seconds, char out[20]);

/* str_rfc3339() - wall clock @ns since the epoch as RFC 3339 with nanoseconds, UTC ("...Z"). */
void str_rfc3339(int64_t ns, char out[36]);

#endif
