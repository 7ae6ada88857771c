/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rate limiters in requests and answers.
 */
#include "base/mem.h"
#include "runtimes/microvm/api/api.h"

/* take_number() - a number of 64 bits that is not negative. */
static int take_number(const struct json *bucket, const char *key, bool required, uint64_t *ret,
		       struct error *err)
{
	const struct json *field = json_get(bucket, key);

	if (!required && (!field || field->type == JSON_NULL))
		return 0;
	if (!field)
		return error_set(err, EINVAL, "missing field `%s`", key);
	if (field->type != JSON_NUMBER || str_parse_u64(field->text, ret))
		return error_set(err, EINVAL, "invalid value of field `%s`, expected u64", key);
	return 0;
}

int api_take_bucket(const struct json *bucket, struct bucket_config *ret, struct error *err)
{
	int r;

	if (!bucket || bucket->type == JSON_NULL)
		return 0;
	if (bucket->type != JSON_OBJECT)
		return error_set(err, EINVAL, "invalid type of field `%s`", bucket->key);
	ret->given = true;
	r = take_number(bucket, "size", true, &ret->size, err);
	if (!r)
		r = take_number(bucket, "refill_time", true, &ret->refill_ms, err);
	if (!r)
		r = take_number(bucket, "one_time_burst", false, &ret->burst, err);
	return r ? error_wrap(err, "%s", bucket->key) : 0;
}

int api_take_limiter(const struct json *body, const char *key, struct limiter_config *ret,
		     struct error *err)
{
	const struct json *bucket;
	int r = 0;

	json_for_each(bucket, json_get(body, key)) {
		if (str_eq(bucket->key, "bandwidth"))
			r = api_take_bucket(bucket, &ret->bandwidth, err);
		else if (str_eq(bucket->key, "ops"))
			r = api_take_bucket(bucket, &ret->ops, err);
		else
			r = error_set(err, EINVAL,
				      "unknown field `%s`, expected `bandwidth` or `ops`",
				      bucket->key);
		if (r)
			return error_wrap(err, "%s", key);
	}
	return 0;
}

static bool limits(const struct bucket_config *c)
{
	return c->given && c->size && c->refill_ms;
}

void api_write_bucket(struct json_writer *w, const char *key, const struct bucket_config *c)
{
	if (!limits(c)) {
		json_put_string(w, key, NULL);
		return;
	}
	json_put_object(w, key);
	json_put_u64(w, "size", c->size);
	json_key(w, "one_time_burst");
	if (c->burst)
		json_u64(w, c->burst);
	else
		json_null(w);
	json_put_u64(w, "refill_time", c->refill_ms);
	json_end_object(w);
}

void api_write_limiter(struct json_writer *w, const char *key, const struct limiter_config *c)
{
	if (!limits(&c->bandwidth) && !limits(&c->ops)) {
		json_put_string(w, key, NULL);
		return;
	}
	json_put_object(w, key);
	api_write_bucket(w, "bandwidth", &c->bandwidth);
	api_write_bucket(w, "ops", &c->ops);
	json_end_object(w);
}
