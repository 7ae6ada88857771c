/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reader of the server's request.
 *
 * The server is trusted; what is missing is our own bug and ends the fetch with a text.
 */
#include "image/fetch/request.h"

#include <string.h>

#include "base/str.h"

static int take_endpoint(const struct json *j, struct request_endpoint *e, struct error *err)
{
	e->url = json_get_string(j, "url", NULL);
	e->resolve = json_get_bool(j, "resolve", false);
	e->pull = json_get_bool(j, "pull", false);
	e->skip_verify = json_get_bool(j, "skip_verify", false);
	e->fallback = json_get_bool(j, "fallback", false);
	e->proxy = json_get_bool(j, "proxy", false);
	e->ca = json_get_string(j, "ca", NULL);
	e->cert = json_get_string(j, "cert", NULL);
	e->key = json_get_string(j, "key", NULL);
	if (!e->url || json_get_strings(j, "headers", &e->headers) < 0)
		return error_set(err, EINVAL, "an endpoint of the request is incomplete");
	return 0;
}

int request_parse(const char *text, size_t len, struct request *ret, struct error *err)
{
	const struct json *list, *e;
	struct json *j;
	int rc = json_parse(&ret->arena, text, len, 0, &j, err);

	if (rc < 0)
		return rc;
	ret->host = json_get_string(j, "host", NULL);
	ret->path = json_get_string(j, "path", NULL);
	ret->tag = json_get_string(j, "tag", NULL);
	ret->digest = json_get_string(j, "digest", NULL);
	ret->os = json_get_string(j, "os", NULL);
	ret->arch = json_get_string(j, "arch", NULL);
	ret->username = json_get_string(j, "username", NULL);
	ret->password = json_get_string(j, "password", NULL);
	ret->identity_token = json_get_string(j, "identity_token", NULL);
	ret->registry_token = json_get_string(j, "registry_token", NULL);
	ret->archive_index = json_get_int(j, "archive_index", -1);
	if (!ret->os || !ret->arch)
		return error_set(err, EINVAL, "the request has no platform");
	if (ret->archive_index >= 0)
		return 0;
	if (!ret->host || !ret->path || (!ret->tag && !ret->digest))
		return error_set(err, EINVAL, "the request is incomplete");
	list = json_get(j, "endpoints");
	json_for_each(e, list) {
		if (ret->n_endpoints == REQUEST_MAX_ENDPOINTS)
			return error_set(err, E2BIG, "more than %d endpoints",
					 REQUEST_MAX_ENDPOINTS);
		rc = take_endpoint(e, &ret->endpoints[ret->n_endpoints++], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

void request_finish(struct request *r)
{
	for (size_t i = 0; i < r->n_endpoints; i++)
		strlist_finish(&r->endpoints[i].headers);
	arena_finish(&r->arena);
}
