/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata service's data: one JSON value, replaced as a whole.
 */
#include "runtimes/microvm/mmds/store.h"

#include "base/mem.h"

void mmds_store_finish(struct mmds_store *s)
{
	arena_finish(&s->arena);
	*s = (struct mmds_store){ 0 };
}

/* take() - @text becomes the data. */
static int take(struct mmds_store *s, const struct strbuf *text, size_t max, struct error *err)
{
	struct arena a = { 0 };
	struct json *data;
	int r;

	if (text->len > max)
		return error_set(err, E2BIG, "The MMDS patch request doesn't fit.");
	r = json_parse(&a, text->data, text->len, 0, &data, err);
	if (r) {
		arena_finish(&a);
		return r;
	}
	arena_finish(&s->arena);
	s->arena = a;
	s->data = data;
	return 0;
}

int mmds_store_put(struct mmds_store *s, const struct json *value, size_t max, struct error *err)
{
	struct strbuf text cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &text };

	json_value(&w, value);
	return take(s, &text, max, err);
}

static void merge(struct json_writer *w, const struct json *target, const struct json *patch);

static void merge_objects(struct json_writer *w, const struct json *target,
			  const struct json *patch)
{
	const struct json *member, *change;

	json_begin_object(w);
	json_for_each(member, target) {
		change = json_get(patch, member->key);
		if (change && change->type == JSON_NULL)
			continue;
		json_key(w, member->key);
		if (change)
			merge(w, member, change);
		else
			json_value(w, member);
	}
	json_for_each(change, patch) {
		if (change->type == JSON_NULL || json_get(target, change->key))
			continue;
		json_key(w, change->key);
		merge(w, NULL, change);
	}
	json_end_object(w);
}

/* merge() - @patch into @target (NULL: none).  As deep as the parser lets JSON be. */
static void merge(struct json_writer *w, const struct json *target, const struct json *patch)
{
	if (patch->type != JSON_OBJECT)
		json_value(w, patch);
	else
		merge_objects(w, target && target->type == JSON_OBJECT ? target : NULL, patch);
}

int mmds_store_patch(struct mmds_store *s, const struct json *patch, size_t max, struct error *err)
{
	struct strbuf text cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &text };

	if (!s->data)
		return error_set(err, ENODATA, "The MMDS data store is not initialized.");
	merge(&w, s->data, patch);
	return take(s, &text, max, err);
}
