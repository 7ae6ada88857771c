/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON writer.
 *
 * Before each value: a comma unless it is the first at its level or follows its key.  Strings
 * that are not UTF-8 are written with U+FFFD for each bad byte: what we write is always valid.
 */
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

static void indent(struct json_writer *w)
{
	if (!w->pretty)
		return;
	strbuf_putc(w->out, '\n');
	for (unsigned int i = 0; i < w->depth; i++)
		strbuf_puts(w->out, "  ");
}

static void before_value(struct json_writer *w)
{
	uint64_t bit = UINT64_C(1) << (w->depth & 63);

	if (w->after_key) {
		w->after_key = false;
		return;
	}
	if (w->not_first & bit)
		strbuf_putc(w->out, ',');
	w->not_first |= bit;
	if (w->depth > 0)
		indent(w);
}

static void begin(struct json_writer *w, char c)
{
	before_value(w);
	strbuf_putc(w->out, c);
	w->depth++;
	w->not_first &= ~(UINT64_C(1) << (w->depth & 63));
}

static void end(struct json_writer *w, char c)
{
	bool had_values = w->not_first >> (w->depth & 63) & 1;

	w->depth--;
	if (had_values)
		indent(w);
	strbuf_putc(w->out, c);
}

void json_begin_object(struct json_writer *w)
{
	begin(w, '{');
}

void json_end_object(struct json_writer *w)
{
	end(w, '}');
}

void json_begin_array(struct json_writer *w)
{
	begin(w, '[');
}

void json_end_array(struct json_writer *w)
{
	end(w, ']');
}

static void escape(struct strbuf *out, unsigned char c)
{
	static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs: character, its letter */

	for (const char *p = named; *p; p += 2) {
		if ((unsigned char)*p == c) {
			strbuf_putc(out, '\\');
			strbuf_putc(out, p[1]);
			return;
		}
	}
	if (c < 0x20 || c == 0x7f)
		strbuf_printf(out, "\\u%04x", c);
	else
		strbuf_putc(out, (char)c);
}

/* quoted() - bytes in quotes; one bad byte at a time is replaced. */
static void quoted(struct strbuf *out, const char *s, size_t len)
{
	strbuf_putc(out, '"');
	for (size_t i = 0; i < len;) {
		size_t n = 1;

		if ((unsigned char)s[i] >= 0x80) {
			for (n = 2; n <= 4 && i + n <= len && !str_is_utf8(s + i, n);)
				n++;
			if (n > 4 || i + n > len) {
				strbuf_puts(out, "\xef\xbf\xbd");
				i++;
				continue;
			}
			strbuf_append(out, s + i, n);
		} else {
			escape(out, (unsigned char)s[i]);
		}
		i += n;
	}
	strbuf_putc(out, '"');
}

void json_key(struct json_writer *w, const char *key)
{
	before_value(w);
	quoted(w->out, key, strlen(key));
	strbuf_puts(w->out, w->pretty ? ": " : ":");
	w->after_key = true;
}

void json_stringn(struct json_writer *w, const char *value, size_t len)
{
	before_value(w);
	quoted(w->out, value, len);
}

void json_string(struct json_writer *w, const char *value)
{
	if (value)
		json_stringn(w, value, strlen(value));
	else
		json_null(w);
}

void json_i64(struct json_writer *w, int64_t value)
{
	before_value(w);
	strbuf_printf(w->out, "%" PRId64, value);
}

void json_u64(struct json_writer *w, uint64_t value)
{
	before_value(w);
	strbuf_printf(w->out, "%" PRIu64, value);
}

void json_bool(struct json_writer *w, bool value)
{
	before_value(w);
	strbuf_puts(w->out, value ? "true" : "false");
}

void json_null(struct json_writer *w)
{
	before_value(w);
	strbuf_puts(w->out, "null");
}

void json_value(struct json_writer *w, const struct json *value)
{
	const struct json *it;

	switch (value->type) {
	case JSON_NULL:
		json_null(w);
		break;
	case JSON_BOOL:
		json_bool(w, value->boolean);
		break;
	case JSON_NUMBER:
		before_value(w);
		strbuf_append(w->out, value->text, value->len);
		break;
	case JSON_STRING:
		json_stringn(w, value->text, value->len);
		break;
	case JSON_ARRAY:
		json_begin_array(w);
		json_for_each(it, value)
			json_value(w, it);
		json_end_array(w);
		break;
	case JSON_OBJECT:
		json_begin_object(w);
		json_for_each(it, value) {
			json_key(w, it->key);
			json_value(w, it);
		}
		json_end_object(w);
		break;
	}
}

void json_put_string(struct json_writer *w, const char *key, const char *value)
{
	json_key(w, key);
	json_string(w, value);
}

void json_put_i64(struct json_writer *w, const char *key, int64_t value)
{
	json_key(w, key);
	json_i64(w, value);
}

void json_put_u64(struct json_writer *w, const char *key, uint64_t value)
{
	json_key(w, key);
	json_u64(w, value);
}

void json_put_bool(struct json_writer *w, const char *key, bool value)
{
	json_key(w, key);
	json_bool(w, value);
}

void json_put_strings(struct json_writer *w, const char *key, char *const *items, size_t count)
{
	json_put_array(w, key);
	for (size_t i = 0; i < count; i++)
		json_string(w, items[i]);
	json_end_array(w);
}

void json_put_object(struct json_writer *w, const char *key)
{
	json_key(w, key);
	json_begin_object(w);
}

void json_put_array(struct json_writer *w, const char *key)
{
	json_key(w, key);
	json_begin_array(w);
}
