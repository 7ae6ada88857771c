/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON reader: yajl's callbacks build a tree in the arena.
 *
 * The chain of open arrays and objects is the builder's stack; its depth is bounded, so neither
 * reading nor walking a tree can exhaust ours.
 */
#include "base/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "base/mem.h"

#define MAX_DEPTH 64

struct builder {
	struct arena *arena;
	const char *text; /* whole input, to count lines */
	size_t counted;	  /* bytes of it counted so far */
	unsigned int line;
	yajl_handle yajl;
	struct json *stack[MAX_DEPTH];
	struct json *last[MAX_DEPTH]; /* last child of each open node */
	unsigned int depth;
	const char *key; /* waiting for its value */
	struct json *root;
	const char *problem;
};

static const char *const type_names[] = { "null",     "a boolean", "a number",
					  "a string", "an array",  "an object" };

const char *json_type_name(enum json_type type)
{
	return type_names[type];
}

static int problem(struct builder *b, const char *text)
{
	b->problem = text;
	return 0; /* tells yajl to stop */
}

static unsigned int line_now(struct builder *b)
{
	size_t at = yajl_get_bytes_consumed(b->yajl);

	for (; b->counted < at; b->counted++)
		b->line += b->text[b->counted] == '\n';
	return b->line;
}

/* add() - a node in its place: the root, or the next child of the innermost open node. */
static struct json *add(struct builder *b, enum json_type type)
{
	struct json *j = arena_alloc(b->arena, sizeof(*j));

	j->type = type;
	j->line = line_now(b);
	if (b->depth == 0) {
		b->root = j;
	} else {
		struct json *parent = b->stack[b->depth - 1];
		struct json **last = &b->last[b->depth - 1];

		j->key = b->key;
		b->key = NULL;
		if (*last)
			(*last)->next = j;
		else
			parent->child = j;
		*last = j;
		parent->len++;
	}
	return j;
}

static int on_null(void *ctx)
{
	add(ctx, JSON_NULL);
	return 1;
}

static int on_boolean(void *ctx, int value)
{
	add(ctx, JSON_BOOL)->boolean = value;
	return 1;
}

static int on_number(void *ctx, const char *text, size_t len)
{
	struct builder *b = ctx;
	struct json *j = add(b, JSON_NUMBER);

	j->text = arena_strndup(b->arena, text, len);
	j->len = len;
	return 1;
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
	struct builder *b = ctx;
	struct json *j = add(b, JSON_STRING);

	j->text = arena_strndup(b->arena, (const char *)text, len);
	j->len = len;
	return 1;
}

static int open_node(struct builder *b, enum json_type type)
{
	struct json *j;

	if (b->depth == MAX_DEPTH)
		return problem(b, "nested deeper than 64 levels");
	j = add(b, type);
	b->stack[b->depth] = j;
	b->last[b->depth] = NULL;
	b->depth++;
	return 1;
}

static int on_start_object(void *ctx)
{
	return open_node(ctx, JSON_OBJECT);
}

static int on_start_array(void *ctx)
{
	return open_node(ctx, JSON_ARRAY);
}

static int on_end(void *ctx)
{
	struct builder *b = ctx;

	b->depth--;
	return 1;
}

static int on_key(void *ctx, const unsigned char *key, size_t len)
{
	struct builder *b = ctx;

	if (memchr(key, '\0', len))
		return problem(b, "a key holds a NUL");
	b->key = arena_strndup(b->arena, (const char *)key, len);
	return 1;
}

/* Objects of ours and of OCI are small; a large one is checked by sorting its keys. */
static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *repeated_key(const struct json *object)
{
	const char **keys cleanup_free = xcalloc(object->len, sizeof(*keys));
	const struct json *it;
	size_t n = 0;

	json_for_each(it, object)
		keys[n++] = it->key;
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (size_t i = 1; i < n; i++)
		if (strcmp(keys[i - 1], keys[i]) == 0)
			return keys[i];
	return NULL;
}

static int check_keys(const struct json *j, struct error *err)
{
	const struct json *it;
	const char *key = j->type == JSON_OBJECT ? repeated_key(j) : NULL;

	if (key)
		return error_set(err, EINVAL, "line %u: key '%s' stands there twice", j->line, key);
	if (j->type != JSON_OBJECT && j->type != JSON_ARRAY)
		return 0;
	json_for_each(it, j) {
		int rc = check_keys(it, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int parse_failed(struct builder *b, yajl_status status, const char *text, size_t len,
			struct error *err)
{
	unsigned char *why;
	unsigned int line = line_now(b);
	int rc;

	if (b->problem)
		return error_set(err, EINVAL, "line %u: not valid JSON: %s", line, b->problem);
	if (status == yajl_status_ok)
		return error_set(err, EINVAL, "not valid JSON: it ends too early");
	why = yajl_get_error(b->yajl, 0, (const unsigned char *)text, len);
	why[strcspn((char *)why, "\n")] = '\0';
	rc = error_set(err, EINVAL, "line %u: not valid JSON: %s", line, (char *)why);
	yajl_free_error(b->yajl, why);
	return rc;
}

int json_parse(struct arena *a, const char *text, size_t len, int flags, struct json **ret,
	       struct error *err)
{
	static const yajl_callbacks callbacks = {
		.yajl_null = on_null,
		.yajl_boolean = on_boolean,
		.yajl_number = on_number,
		.yajl_string = on_string,
		.yajl_start_map = on_start_object,
		.yajl_map_key = on_key,
		.yajl_end_map = on_end,
		.yajl_start_array = on_start_array,
		.yajl_end_array = on_end,
	};
	struct builder b = { .arena = a, .text = text, .line = 1 };
	yajl_status status;
	int rc = 0;

	b.yajl = yajl_alloc(&callbacks, NULL, &b);
	if (!b.yajl)
		return error_set(err, ENOMEM, "JSON parser");
	yajl_config(b.yajl, yajl_allow_comments, flags & JSON_COMMENTS ? 1 : 0);
	status = yajl_parse(b.yajl, (const unsigned char *)text, len);
	if (status == yajl_status_ok)
		status = yajl_complete_parse(b.yajl);
	if (status != yajl_status_ok || !b.root || b.depth > 0)
		rc = parse_failed(&b, status, text, len, err);
	yajl_free(b.yajl);
	if (rc == 0)
		rc = check_keys(b.root, err);
	if (rc == 0)
		*ret = b.root;
	return rc;
}

/* --- access ----------------------------------------------------------------------------------- */

const struct json *json_get(const struct json *j, const char *key)
{
	const struct json *it;

	if (!j || j->type != JSON_OBJECT)
		return NULL;
	json_for_each(it, j)
		if (strcmp(it->key, key) == 0)
			return it;
	return NULL;
}

const char *json_get_string(const struct json *j, const char *key, const char *def)
{
	const struct json *v = json_get(j, key);

	return v && v->type == JSON_STRING ? v->text : def;
}

int json_int(const struct json *j, int64_t *ret)
{
	if (!j || j->type != JSON_NUMBER)
		return -EINVAL;
	return str_parse_i64(j->text, ret);
}

int64_t json_get_int(const struct json *j, const char *key, int64_t def)
{
	int64_t value;

	return json_int(json_get(j, key), &value) == 0 ? value : def;
}

bool json_get_bool(const struct json *j, const char *key, bool def)
{
	const struct json *v = json_get(j, key);

	return v && v->type == JSON_BOOL ? v->boolean : def;
}

int json_get_strings(const struct json *j, const char *key, struct strlist *ret)
{
	const struct json *v = json_get(j, key);
	const struct json *it;

	if (!v || v->type == JSON_NULL)
		return 0;
	if (v->type != JSON_ARRAY)
		return -EINVAL;
	json_for_each(it, v) {
		if (it->type != JSON_STRING)
			return -EINVAL;
		strlist_add(ret, it->text);
	}
	return 0;
}
