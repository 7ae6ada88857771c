/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registry authentication (distribution's token specification, RFC 7235, RFC 6750).
 *
 *   401, WWW-Authenticate: Bearer realm="https://auth/token",service="reg",scope="..."
 *   GET realm?service=..&scope=..   with Basic credentials if there are any  ->  {"token": ..}
 *   identity token: POST realm, grant_type=refresh_token                     ->  {"access_token"}
 *
 * A registry reached by HTTPS can't send credentials to a plain HTTP realm.
 */
#include "image/fetch/auth.h"

#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/mem.h"
#include "image/fetch/http.h"

#define MAX_TOKEN_REPLY (1 << 20)

static const char *skip_value(const char *p)
{
	if (*p != '"')
		return p + strcspn(p, ",");
	for (p++; *p && *p != '"'; p++) {
		if (*p == '\\' && p[1])
			p++;
	}
	return *p ? p + 1 : p;
}

static char *copy_value(const char *p)
{
	struct strbuf out = { 0 };

	if (*p != '"')
		return xstrndup(p, strcspn(p, ", \t"));
	for (p++; *p && *p != '"'; p++) {
		if (*p == '\\' && p[1])
			p++;
		strbuf_putc(&out, *p);
	}
	return strbuf_steal(&out);
}

char *auth_parameter(const char *challenge, const char *name)
{
	const char *p = challenge + strcspn(challenge, " ");
	size_t n = strlen(name);

	while (*p) {
		const char *start;
		size_t len;

		p += strspn(p, " ,\t");
		start = p;
		len = strcspn(p, "=,");
		p += len;
		if (*p != '=')
			continue;
		p++;
		if (len == n && strncasecmp(start, name, n) == 0)
			return copy_value(p);
		p = skip_value(p);
	}
	return NULL;
}

static char *basic(const struct request *r)
{
	char *pair cleanup_free = NULL, *code cleanup_free = NULL;

	if (str_empty(r->username))
		return NULL;
	pair = xasprintf("%s:%s", r->username, str_or(r->password, ""));
	code = str_base64_encode(pair, strlen(pair));
	explicit_bzero(pair, strlen(pair));
	return xasprintf("Basic %s", code);
}

static void add_escaped(CURL *curl, struct strbuf *out, const char *name, const char *value)
{
	char *escaped = curl_easy_escape(curl, value, 0);

	strbuf_printf(out, "%s%s=%s", out->len ? "&" : "", name, escaped ? escaped : "");
	curl_free(escaped);
}

static int take_token(const struct http_exchange *x, char **ret, struct error *err)
{
	struct arena a cleanup_arena = { 0 };
	struct json *j;
	const char *token;

	if (json_parse(&a, (x->body.data ?: ""), x->body.len, 0, &j, NULL) < 0)
		return error_set(err, EIO, "%s: the token server's answer is not JSON", x->url);
	token = json_get_string(j, "token", NULL);
	if (str_empty(token))
		token = json_get_string(j, "access_token", NULL);
	if (str_empty(token) || strpbrk(token, "\r\n"))
		return error_set(err, EACCES, "%s: the token server gave no token", x->url);
	*ret = xasprintf("Bearer %s", token);
	return 0;
}

static int ask_token(CURL *curl, struct http_exchange *x, char **ret, struct error *err)
{
	int rc = http_exchange(curl, x, err);

	if (rc == 0 && x->status == 200)
		rc = take_token(x, ret, err);
	else if (rc == 0 && (x->status == 401 || x->status == 403 || x->status == 400))
		rc = error_set(err, EACCES, "%s: the token server refused (status %ld)", x->url,
			       x->status);
	else if (rc == 0)
		rc = error_set(err, EIO, "%s: the token server answered with status %ld", x->url,
			       x->status);
	http_reset(x);
	return rc;
}

static int check_realm(const char *realm, const struct request_endpoint *e, struct error *err)
{
	if (!realm || (!str_has_prefix(realm, "https://") && !str_has_prefix(realm, "http://")))
		return error_set(err, EACCES, "the registry's challenge has no usable realm");
	if (str_has_prefix(e->url, "https://") && !str_has_prefix(realm, "https://"))
		return error_set(err, EACCES,
				 "the registry asks for credentials over plain http at %.200s",
				 realm);
	return 0;
}

static int bearer(CURL *curl, const struct request *r, const struct request_endpoint *e,
		  const char *challenge, char **ret, struct error *err)
{
	char *realm cleanup_free = auth_parameter(challenge, "realm");
	char *service cleanup_free = auth_parameter(challenge, "service");
	char *scope cleanup_free = xasprintf("repository:%s:pull", r->path);
	char *authorization cleanup_free = NULL, *url cleanup_free = NULL;
	struct strbuf query cleanup_strbuf = { 0 };
	struct request_endpoint tls = *e;
	struct http_exchange x = { .endpoint = &tls, .max_body_bytes = MAX_TOKEN_REPLY };
	int rc = check_realm(realm, e, err);

	if (rc < 0)
		return rc;
	tls.headers = (struct strlist){ 0 };
	tls.cert = tls.key = NULL;
	if (service)
		add_escaped(curl, &query, "service", service);
	add_escaped(curl, &query, "scope", scope);
	if (!str_empty(r->identity_token)) {
		add_escaped(curl, &query, "grant_type", "refresh_token");
		add_escaped(curl, &query, "client_id", "bulkhead");
		add_escaped(curl, &query, "refresh_token", r->identity_token);
		x.form = query.data;
		x.url = realm;
		return ask_token(curl, &x, ret, err);
	}
	url = xasprintf("%s%c%s", realm, strchr(realm, '?') ? '&' : '?', query.data);
	authorization = basic(r);
	x.url = url;
	x.authorization = authorization;
	return ask_token(curl, &x, ret, err);
}

int auth_answer(CURL *curl, const struct request *r, const struct request_endpoint *endpoint,
		const char *challenge, char **ret, struct error *err)
{
	if (strncasecmp(challenge, "Bearer", 6) == 0)
		return bearer(curl, r, endpoint, challenge, ret, err);
	if (strncasecmp(challenge, "Basic", 5) == 0) {
		*ret = basic(r);
		if (*ret)
			return 0;
		return error_set(err, EACCES, "the registry wants a user name and password");
	}
	return error_set(err, EACCES, "the registry's challenge '%.60s' is not Basic nor Bearer",
			 challenge);
}
