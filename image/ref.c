/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reference parser.
 *
 *   [host[:port]/]component[/component...][:tag][@algorithm:hex]
 *
 * The first component is a host when it has a '.', a ':' or an upper-case letter, or is
 * "localhost"; otherwise the whole is a path on the hub.  Every byte is checked against the
 * grammar, so a host or path that came out of here is safe in a URL and as a file name.
 */
#include "image/ref.h"

#include <ctype.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"

#define MAX_NAME 255
#define MAX_TAG	 128

void image_ref_finish(struct image_ref *ref)
{
	free(ref->host);
	free(ref->path);
	free(ref->tag);
	free(ref->digest);
	*ref = (struct image_ref){ 0 };
}

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Between letters: one '.', one or two '_', or any number of '-'. */
static const char *skip_separator(const char *s)
{
	if (*s == '.')
		return s + 1;
	if (*s == '_')
		return s[1] == '_' ? s + 2 : s + 1;
	while (*s == '-')
		s++;
	return s;
}

static bool path_valid(const char *s)
{
	for (;;) {
		if (!is_lower_alnum(*s))
			return false;
		while (is_lower_alnum(*s))
			s++;
		if (!*s)
			return true;
		if (*s == '/') {
			s++;
			continue;
		}
		if (skip_separator(s) == s)
			return false;
		s = skip_separator(s);
	}
}

static bool port_valid(const char *s)
{
	uint64_t port;

	return strlen(s) <= 5 && str_parse_u64(s, &port) == 0 && port > 0 && port < 65536;
}

/* "[::1]" with its port, if any. */
static bool ipv6_host_valid(const char *s)
{
	size_t n = strspn(s + 1, "0123456789abcdefABCDEF:.");

	if (n < 2 || s[n + 1] != ']')
		return false;
	return !s[n + 2] || (s[n + 2] == ':' && port_valid(s + n + 3));
}

static bool host_valid(const char *s)
{
	char before = '.';

	if (*s == '[')
		return ipv6_host_valid(s);
	for (; *s && *s != ':'; s++) {
		if (!isalnum((unsigned char)*s) && *s != '.' && *s != '-')
			return false;
		if (!isalnum((unsigned char)*s) && !isalnum((unsigned char)before))
			return false;
		before = *s;
	}
	if (!isalnum((unsigned char)before))
		return false;
	return !*s || port_valid(s + 1);
}

static bool tag_valid(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > MAX_TAG || *s == '.' || *s == '-')
		return false;
	for (; *s; s++) {
		if (!isalnum((unsigned char)*s) && !strchr("_.-", *s))
			return false;
	}
	return true;
}

static bool is_host(const char *s, size_t len)
{
	if (len == 9 && strncmp(s, "localhost", 9) == 0)
		return true;
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '.' || s[i] == ':' || isupper((unsigned char)s[i]))
			return true;
	}
	return false;
}

/* Split @rest at its first slash into host and path; imply the hub's. */
static void take_host(const char *rest, struct image_ref *ref)
{
	const char *slash = strchr(rest, '/');

	if (slash && is_host(rest, slash - rest)) {
		ref->host = xstrndup(rest, slash - rest);
		ref->path = xstrdup(slash + 1);
		if (str_eq(ref->host, "index.docker.io") ||
		    str_eq(ref->host, "registry-1.docker.io")) {
			free(ref->host);
			ref->host = xstrdup(IMAGE_REF_HUB);
		}
	} else {
		ref->host = xstrdup(IMAGE_REF_HUB);
		ref->path = xstrdup(rest);
	}
	if (str_eq(ref->host, IMAGE_REF_HUB) && !strchr(ref->path, '/')) {
		char *path = xasprintf("library/%s", ref->path);

		free(ref->path);
		ref->path = path;
	}
}

static int take_digest(char *text, struct image_ref *ref, const char *name, struct error *err)
{
	char *at = strchr(text, '@');

	if (!at)
		return 0;
	if (!digest_valid(at + 1))
		return error_set(err, EINVAL,
				 "image name '%s': '%s' is not a digest (sha256:<64 hex>)", name,
				 at + 1);
	ref->digest = xstrdup(at + 1);
	*at = '\0';
	return 0;
}

static int take_tag(char *text, struct image_ref *ref, const char *name, struct error *err)
{
	char *slash = strrchr(text, '/');
	char *colon = strrchr(slash ? slash : text, ':');

	if (!colon)
		return 0;
	if (!tag_valid(colon + 1))
		return error_set(err, EINVAL,
				 "image name '%s': the tag may have letters, digits, '_', '.' and "
				 "'-', 128 at most",
				 name);
	ref->tag = xstrdup(colon + 1);
	*colon = '\0';
	return 0;
}

static int check(const struct image_ref *ref, const char *name, struct error *err)
{
	if (!host_valid(ref->host))
		return error_set(err, EINVAL, "image name '%s': '%s' is not a host name", name,
				 ref->host);
	if (strlen(ref->host) + 1 + strlen(ref->path) > MAX_NAME)
		return error_set(err, EINVAL, "image name '%.60s...' is longer than %d", name,
				 MAX_NAME);
	if (!path_valid(ref->path))
		return error_set(err, EINVAL,
				 "image name '%s': the path may have lower-case letters, digits "
				 "and '.', '_', '-' between them",
				 name);
	return 0;
}

int image_ref_parse(const char *name, struct image_ref *ret, struct error *err)
{
	struct image_ref ref cleanup_image_ref = { 0 };
	char *text cleanup_free = NULL;
	int rc;

	if (str_empty(name))
		return error_set(err, EINVAL, "the image name is empty");
	if (strlen(name) > 1024)
		return error_set(err, EINVAL, "image name '%.60s...' is longer than 1024", name);
	text = xstrdup(name);
	rc = take_digest(text, &ref, name, err);
	if (rc == 0)
		rc = take_tag(text, &ref, name, err);
	if (rc < 0)
		return rc;
	take_host(text, &ref);
	rc = check(&ref, name, err);
	if (rc < 0)
		return rc;
	if (ref.digest) {
		free(ref.tag);
		ref.tag = NULL;
	} else if (!ref.tag) {
		ref.tag = xstrdup("latest");
	}
	*ret = ref;
	ref = (struct image_ref){ 0 };
	return 0;
}

char *image_ref_format(const struct image_ref *ref)
{
	if (ref->digest)
		return image_ref_with_digest(ref, ref->digest);
	return xasprintf("%s/%s:%s", ref->host, ref->path, ref->tag);
}

char *image_ref_with_digest(const struct image_ref *ref, const char *digest)
{
	return xasprintf("%s/%s@%s", ref->host, ref->path, digest);
}

bool image_ref_is_local(const char *host)
{
	size_t n = strcspn(host, ":");

	if (*host == '[')
		return str_has_prefix(host, "[::1]");
	return (n == 9 && strncmp(host, "localhost", 9) == 0) ||
	       (str_has_prefix(host, "127.") && strspn(host, "0123456789.") == n);
}
