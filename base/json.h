/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON: a read-only tree in an arena (over yajl), and a writer.
 *
 * Comments are allowed in what we read only with JSON_COMMENTS (our configuration).  Depth is
 * bounded at 64, the caller bounds the size.  Numbers keep their text, so 64-bit values survive.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_type type;
	bool boolean;
	unsigned int line;  /* 1-based, for messages about configuration */
	const char *text;   /* string value or number text, NUL-terminated */
	size_t len;	    /* of text; number of children of arrays and objects */
	const char *key;    /* in an object; else NULL */
	struct json *next;  /* sibling */
	struct json *child; /* first child of arrays and objects, in order */
};

enum { JSON_COMMENTS = 1 };

/* json_parse() - whole @text.  Errors name line and column. Repeated keys: -EINVAL. */
int json_parse(struct arena *a, const char *text, size_t len, int flags, struct json **ret,
	       struct error *err);
const char *json_type_name(enum json_type type);

#define json_for_each(it, parent) for (it = (parent) ? (parent)->child : NULL; it; it = it->next)

/* json_get() - member @key of an object, or NULL; @j may be NULL or of another type. */
const struct json *json_get(const struct json *j, const char *key);
/* json_get_string/int/bool() - member of the right type, else the default. */
const char *json_get_string(const struct json *j, const char *key, const char *def);
int64_t json_get_int(const struct json *j, const char *key, int64_t def);
bool json_get_bool(const struct json *j, const char *key, bool def);
/* json_int() - an integer number. Return: 0 or -EINVAL/-ERANGE. */
int json_int(const struct json *j, int64_t *ret);
/* json_get_strings() - append the strings of array @key to @ret; other types -EINVAL, absent 0. */
int json_get_strings(const struct json *j, const char *key, struct strlist *ret);

/* A writer into a strbuf; commas and escapes are its business. {.out = &buf} starts one. */
struct json_writer {
	struct strbuf *out;
	bool pretty;
	unsigned int depth;
	uint64_t not_first; /* bit per depth: a value was written at this level */
	bool after_key;
};

void json_begin_object(struct json_writer *w);
void json_end_object(struct json_writer *w);
void json_begin_array(struct json_writer *w);
void json_end_array(struct json_writer *w);
void json_key(struct json_writer *w, const char *key);
void json_string(struct json_writer *w,
		 const char *value); /* NULL writes null; bad UTF-8 is replaced */
void json_stringn(struct json_writer *w, const char *value, size_t len);
void json_i64(struct json_writer *w, int64_t value);
void json_u64(struct json_writer *w, uint64_t value);
void json_bool(struct json_writer *w, bool value);
void json_null(struct json_writer *w);
/* json_value() - copy a parsed tree. */
void json_value(struct json_writer *w, const struct json *value);

/* Key and value in one call. */
void json_put_string(struct json_writer *w, const char *key, const char *value);
void json_put_i64(struct json_writer *w, const char *key, int64_t value);
void json_put_u64(struct json_writer *w, const char *key, uint64_t value);
void json_put_bool(struct json_writer *w, const char *key, bool value);
void json_put_strings(struct json_writer *w, const char *key, char *const *items, size_t count);
void json_put_object(struct json_writer *w, const char *key); /* key, then begins the object */
void json_put_array(struct json_writer *w, const char *key);

#endif
