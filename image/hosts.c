/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts.toml reader.
 *
 *   server = "https://registry-1.docker.io"
 *   [host."https://mirror.example"]
 *     capabilities = ["pull", "resolve"]
 *     ca = "ca.pem"   client = [["cert.pem", "key.pem"]]   skip_verify = false
 *
 * Directories are looked for as containerd does: "host_port_", "host:port", "_default".  Keys
 * that are not ours (push, dial_timeout) are passed over, as a file is shared with other tools.
 * Certificates are read here and travel as text: the process that fetches can't open them.
 */
#include "image/hosts.h"

#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "image/ref.h"
#include "image/toml.h"

#define MAX_PEM_BYTES (512 << 10)

static void endpoint_finish(struct hosts_endpoint *e)
{
	free(e->url);
	free(e->ca);
	free(e->cert);
	free(e->key);
	strlist_finish(&e->headers);
}

void hosts_finish(struct hosts *hosts)
{
	for (size_t i = 0; i < hosts->count; i++)
		endpoint_finish(&hosts->list[i]);
	free(hosts->list);
	*hosts = (struct hosts){ 0 };
}

/* --- one file --------------------------------------------------------------------------------- */

/* What is known while a file is read. @asked: the URL as written, to find its table again. */
struct reader {
	const char *dir;
	struct hosts_endpoint server;
	struct {
		const char *asked;
		bool override_path;
		struct hosts_endpoint e;
	} mirrors[HOSTS_MAX];
	size_t n_mirrors;
	bool server_override;
};

static int url_valid(const char *url, struct error *err)
{
	const char *rest = str_after(url, "https://");

	if (!rest)
		rest = str_after(url, "http://");
	if (str_empty(rest) || *rest == '/' || strpbrk(url, "@?# \t\r\n\\\""))
		return error_set(err, EINVAL, "'%.200s' is not a plain http:// or https:// URL",
				 url);
	return 0;
}

/* The API's root: "/v2" is appended unless it is there, or the path is to be kept as it is. */
static char *api_url(const char *url, bool override_path)
{
	size_t n = strlen(url);

	while (n > 0 && url[n - 1] == '/')
		n--;
	if (override_path || (n > 3 && strncmp(url + n - 3, "/v2", 3) == 0))
		return xstrndup(url, n);
	return xasprintf("%.*s/v2", (int)n, url);
}

static int read_pem(struct reader *r, const char *name, char **pem, struct error *err)
{
	char *path cleanup_free = *name == '/' ? xstrdup(name) : path_join(r->dir, name);
	struct strbuf text cleanup_strbuf = { 0 };
	int rc = 0;

	if (*pem)
		strbuf_puts(&text, *pem);
	rc = fd_read_file(AT_FDCWD, path, MAX_PEM_BYTES, &text, err);
	if (rc < 0)
		return rc;
	strbuf_putc(&text, '\n');
	free(*pem);
	*pem = strbuf_steal(&text);
	return 0;
}

static int take_bool(const struct toml_value *v, const char *key, bool *ret, struct error *err)
{
	if (v->type != TOML_BOOL)
		return error_set(err, EINVAL, "%s is not true or false", key);
	*ret = strcmp(v->text, "true") == 0;
	return 0;
}

static int take_capabilities(const struct toml_value *v, struct hosts_endpoint *e,
			     struct error *err)
{
	if (v->type != TOML_ARRAY)
		return error_set(err, EINVAL, "capabilities is not an array of strings");
	e->pull = e->resolve = false;
	for (const struct toml_value *i = v->child; i; i = i->next) {
		if (i->type != TOML_STRING)
			return error_set(err, EINVAL, "capabilities is not an array of strings");
		if (strcmp(i->text, "pull") == 0)
			e->pull = true;
		else if (strcmp(i->text, "resolve") == 0)
			e->resolve = true;
	}
	return 0;
}

static int take_ca(struct reader *r, const struct toml_value *v, struct hosts_endpoint *e,
		   struct error *err)
{
	int rc = 0;

	if (v->type == TOML_STRING)
		return read_pem(r, v->text, &e->ca, err);
	if (v->type != TOML_ARRAY)
		return error_set(err, EINVAL, "ca is not a file name or an array of them");
	for (v = v->child; v && rc == 0; v = v->next) {
		if (v->type != TOML_STRING)
			return error_set(err, EINVAL, "ca has an entry that is not a file name");
		rc = read_pem(r, v->text, &e->ca, err);
	}
	return rc;
}

/* "both.pem", ["both.pem"], [["cert.pem", "key.pem"]]: the first pair is used. */
static int take_client(struct reader *r, const struct toml_value *v, struct hosts_endpoint *e,
		       struct error *err)
{
	const char *cert, *key;
	int rc;

	if (v->type == TOML_ARRAY && v->child)
		v = v->child;
	if (v->type == TOML_ARRAY) {
		if (!v->child || v->child->type != TOML_STRING || !v->child->next ||
		    v->child->next->type != TOML_STRING)
			return error_set(err, EINVAL, "client is not [[\"cert\", \"key\"]]");
		cert = v->child->text;
		key = v->child->next->text;
	} else if (v->type == TOML_STRING) {
		cert = key = v->text;
	} else {
		return error_set(err, EINVAL, "client is not [[\"cert\", \"key\"]]");
	}
	rc = read_pem(r, cert, &e->cert, err);
	return rc < 0 ? rc : read_pem(r, key, &e->key, err);
}

static int take_header(const struct toml_value *v, const char *key, struct hosts_endpoint *e,
		       struct error *err)
{
	const struct toml_value *i = v->type == TOML_ARRAY ? v->child : v;

	for (; i; i = v->type == TOML_ARRAY ? i->next : NULL) {
		if (i->type != TOML_STRING || strpbrk(i->text, "\r\n") || strpbrk(key, ":\r\n") ||
		    e->headers.count >= 32)
			return error_set(err, EINVAL, "header '%.100s' is not a line of text", key);
		strlist_addf(&e->headers, "%s: %s", key, i->text);
	}
	return 0;
}

static int take_key(struct reader *r, struct hosts_endpoint *e, bool *override_path,
		    const char *key, const struct toml_value *v, struct error *err)
{
	if (strcmp(key, "skip_verify") == 0)
		return take_bool(v, key, &e->skip_verify, err);
	if (strcmp(key, "override_path") == 0)
		return take_bool(v, key, override_path, err);
	if (strcmp(key, "capabilities") == 0)
		return take_capabilities(v, e, err);
	if (strcmp(key, "ca") == 0)
		return take_ca(r, v, e, err);
	if (strcmp(key, "client") == 0)
		return take_client(r, v, e, err);
	return 0;
}

static int find_mirror(struct reader *r, const char *url, size_t *ret, struct error *err)
{
	struct hosts_endpoint *e;
	int rc;

	for (*ret = 0; *ret < r->n_mirrors; ++*ret) {
		if (strcmp(r->mirrors[*ret].asked, url) == 0)
			return 0;
	}
	rc = url_valid(url, err);
	if (rc < 0)
		return rc;
	if (r->n_mirrors == HOSTS_MAX - 2)
		return error_set(err, E2BIG, "more than %d hosts", HOSTS_MAX - 2);
	r->mirrors[r->n_mirrors].asked = url;
	e = &r->mirrors[r->n_mirrors++].e;
	e->pull = e->resolve = true;
	return 0;
}

static int take_pair(void *data, const char *const *path, size_t depth, const char *key,
		     const struct toml_value *v, struct error *err)
{
	struct reader *r = data;
	size_t i;
	int rc;

	if (!key)
		return depth == 2 && strcmp(path[0], "host") == 0 ? find_mirror(r, path[1], &i, err)
								  : 0;
	if (depth == 0 && strcmp(key, "server") == 0) {
		if (v->type != TOML_STRING)
			return error_set(err, EINVAL, "server is not a string");
		free(r->server.url);
		r->server.url = xstrdup(v->text);
		return url_valid(v->text, err);
	}
	if (depth == 0)
		return take_key(r, &r->server, &r->server_override, key, v, err);
	if (depth == 1 && strcmp(path[0], "header") == 0)
		return take_header(v, key, &r->server, err);
	if (depth < 2 || strcmp(path[0], "host") != 0)
		return 0;
	rc = find_mirror(r, path[1], &i, err);
	if (rc < 0)
		return rc;
	if (depth == 3 && strcmp(path[2], "header") == 0)
		return take_header(v, key, &r->mirrors[i].e, err);
	if (depth != 2)
		return 0;
	return take_key(r, &r->mirrors[i].e, &r->mirrors[i].override_path, key, v, err);
}

/* --- the list --------------------------------------------------------------------------------- */

static bool url_is_of(const char *url, const char *host)
{
	const char *at = strstr(url, "://");
	size_t n = strlen(host);

	return at && strncmp(at + 3, host, n) == 0 && (!at[3 + n] || at[3 + n] == '/');
}

static const char *server_of(const char *host)
{
	return strcmp(host, IMAGE_REF_HUB) == 0 ? "registry-1.docker.io" : host;
}

static struct hosts_endpoint *append(struct hosts *hosts, struct hosts_endpoint *e)
{
	hosts->list = xrealloc(hosts->list, hosts->count + 1, sizeof(*hosts->list));
	hosts->list[hosts->count] = *e;
	*e = (struct hosts_endpoint){ 0 };
	return &hosts->list[hosts->count++];
}

/* The registry itself; on this machine it may speak plain HTTP. */
static void append_server(struct hosts *hosts, struct hosts_endpoint *server, bool override_path,
			  const char *host)
{
	char *given cleanup_free = steal_ptr(server->url);
	struct hosts_endpoint plain = { .resolve = server->resolve, .pull = server->pull };

	server->url =
		given ? api_url(given, override_path) : xasprintf("https://%s/v2", server_of(host));
	server->proxy = given && !url_is_of(given, server_of(host));
	append(hosts, server);
	if (given || !image_ref_is_local(host))
		return;
	plain.url = xasprintf("http://%s/v2", host);
	plain.fallback = true;
	append(hosts, &plain);
}

static void reader_finish(struct reader *r)
{
	endpoint_finish(&r->server);
	for (size_t i = 0; i < r->n_mirrors; i++)
		endpoint_finish(&r->mirrors[i].e);
}

int hosts_parse(const char *text, size_t len, const char *dir, const char *host, struct hosts *ret,
		struct error *err)
{
	struct arena a cleanup_arena = { 0 };
	struct reader r = { .dir = dir, .server = { .resolve = true, .pull = true } };
	struct hosts hosts = { 0 };
	int rc = toml_parse(&a, text, len, take_pair, &r, err);

	if (rc == 0) {
		for (size_t i = 0; i < r.n_mirrors; i++) {
			struct hosts_endpoint *e = &r.mirrors[i].e;

			e->url = api_url(r.mirrors[i].asked, r.mirrors[i].override_path);
			e->proxy = !url_is_of(e->url, server_of(host));
			append(&hosts, e);
		}
		append_server(&hosts, &r.server, r.server_override, host);
		*ret = hosts;
	}
	reader_finish(&r);
	return rc;
}

static char *find_file(const char *certs_dir, const char *host)
{
	const char *colon = strrchr(host, ':');
	char *names[3] = {
		colon ? xasprintf("%.*s_%s_", (int)(colon - host), host, colon + 1) : xstrdup(host),
		xstrdup(host),
		xstrdup("_default"),
	};
	char *found = NULL;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *path = xasprintf("%s/%s/hosts.toml", certs_dir, names[i]);

		if (!found && path_exists(path))
			found = steal_ptr(path);
		free(path);
		free(names[i]);
	}
	return found;
}

int hosts_load(const char *certs_dir, const char *host, struct hosts *ret, struct error *err)
{
	char *path cleanup_free = certs_dir ? find_file(certs_dir, host) : NULL;
	char *dir cleanup_free = NULL;
	struct strbuf text cleanup_strbuf = { 0 };
	int rc;

	if (!path)
		return hosts_parse("", 0, "/", host, ret, err);
	rc = fd_read_file(AT_FDCWD, path, TOML_MAX_BYTES, &text, err);
	if (rc < 0)
		return rc;
	dir = xstrndup(path, strrchr(path, '/') - path);
	rc = hosts_parse((text.data ?: ""), text.len, dir, host, ret, err);
	if (rc < 0)
		error_wrap(err, "%s", path);
	return rc;
}
