/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Indexes, manifests and configs: both dialects, and what must be refused.
 */
#include "base/mem.h"
#include "image/manifest.h"
#include "tests/unit/tap.h"

#define D1   "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2   "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define GZIP "application/vnd.oci.image.layer.v1.tar+gzip"

static int kind(const char *text, const char *type)
{
	enum manifest_kind k;
	int rc = manifest_kind(text, strlen(text), type, &k, NULL);

	return rc < 0 ? rc : (int)k;
}

static void test_kinds(void)
{
	is_int(kind("{\"mediaType\":\"application/vnd.oci.image.index.v1+json\"}", NULL),
	       MANIFEST_INDEX, "an index by its own type");
	is_int(kind("{\"schemaVersion\":2}",
		    "application/vnd.docker.distribution.manifest.v2+json; charset=utf-8"),
	       MANIFEST_IMAGE, "a manifest by its header");
	is_int(kind("{\"manifests\":[]}", "text/plain"), MANIFEST_INDEX, "an index by shape");
	is_int(kind("{\"config\":{},\"layers\":[]}", NULL), MANIFEST_IMAGE, "a manifest by shape");
	is_int(kind("{\"schemaVersion\":1,\"layers\":[],\"config\":{}}", NULL), -ENOTSUP,
	       "schema 1 is refused");
	is_int(kind("{\"mediaType\":\"text/x\",\"manifests\":[]}", NULL), -ENOTSUP,
	       "another type is refused");
	is_int(kind("[]", NULL), -EINVAL, "a list is refused");
	is_int(kind("", NULL), -EINVAL, "nothing is refused");
}

static void chooses(const char *entries, int want_rc, const char *want, const char *what)
{
	char *text cleanup_free = xasprintf("{\"manifests\":[%s]}", entries);
	char *got cleanup_free = NULL;
	int rc = manifest_choose(text, strlen(text), "linux", "arm64", &got, NULL);

	ok(rc == want_rc && str_eq(got, want), "%s", what);
}

#define ENTRY(digest, platform) "{\"digest\":\"" digest "\",\"platform\":{" platform "}}"
#define OTHER			ENTRY(D1, "\"os\":\"linux\",\"architecture\":\"amd64\"")

static void test_choice(void)
{
	chooses(OTHER "," ENTRY(D2, "\"os\":\"linux\",\"architecture\":\"arm64\""), 0, D2,
		"our architecture");
	chooses(ENTRY(D1, "\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v9\"") "," ENTRY(
			D2, "\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\""),
		0, D2, "a variant that runs here");
	chooses(OTHER "," ENTRY(D2, "\"os\":\"windows\",\"architecture\":\"arm64\""), -ENOENT, NULL,
		"none for another system");
	chooses(OTHER ",{\"digest\":\"" D2 "\"}", 0, D2, "one without a platform as a last resort");
	chooses(ENTRY("sha256:12", "\"os\":\"linux\",\"architecture\":\"arm64\""), -EINVAL, NULL,
		"a bad digest is refused");
}

static int parse(const char *config, const char *layers, struct error *err)
{
	char *text cleanup_free = xasprintf("{\"config\":%s,\"layers\":%s}", config, layers);
	struct manifest m;
	int rc;

	*err = (struct error)ERROR_INIT;
	rc = manifest_parse(text, strlen(text), &m, err);
	if (rc == 0)
		manifest_finish(&m);
	return rc;
}

#define BLOB(digest, size, type) \
	"{\"digest\":\"" digest "\",\"size\":" size ",\"mediaType\":\"" type "\"}"
#define CONFIG BLOB(D1, "5", "application/vnd.oci.image.config.v1+json")

static void test_manifests(void)
{
	struct error err;

	is_int(parse(CONFIG, "[" BLOB(D2, "7", GZIP) "]", &err), 0, "a manifest");
	is_int(parse(CONFIG, "[]", &err), 0, "no layers at all");
	is_int(parse(CONFIG, "[" BLOB(D2, "7", "x/erofs") "]", &err), -ENOTSUP, "a strange layer");
	ok(strstr(err.text, D2) && strstr(err.text, "x/erofs"), "is named");
	is_int(parse(CONFIG, "[" BLOB("../x", "7", GZIP) "]", &err), -EINVAL,
	       "a path for a digest");
	is_int(parse(CONFIG, "[" BLOB(D2, "-7", GZIP) "]", &err), -EINVAL, "a negative size");
	is_int(parse(CONFIG, "[" BLOB(D2, "1e3", GZIP) "]", &err), -EINVAL, "a broken size");
	is_int(parse(CONFIG, "{}", &err), -EINVAL, "layers that are no list");
	is_int(parse(BLOB(D1, "5", "x/helm"), "[]", &err), -ENOTSUP, "an artifact");
	is_int(parse(BLOB(D1, "99999999", ""), "[]", &err), -EINVAL, "a huge config");
	is_int(parse("5", "[]", &err), -EINVAL, "a config that is a number");
}

static int config(const char *text, struct manifest_config *c)
{
	*c = (struct manifest_config){ 0 };
	return manifest_config_parse(text, strlen(text), c, NULL);
}

static void test_configs(void)
{
	struct manifest_config c;

	is_int(config("{\"config\":{\"User\":\"u\",\"Env\":[\"A=b\"],\"Cmd\":null,"
		      "\"Volumes\":{\"/v\":{}}},\"rootfs\":{\"diff_ids\":[\"" D1 "\"]}}",
		      &c),
	       0, "a config");
	is_str(c.user, "u", "user");
	is_str(c.working_dir, "", "no working directory");
	is_int(c.env.count, 1, "environment");
	is_int(c.cmd.count, 0, "no command");
	is_str(c.volumes.items[0], "/v", "volume");
	is_str(c.diff_ids.items[0], D1, "diff_id");
	manifest_config_finish(&c);
	is_int(config("{}", &c), 0, "an empty config");
	manifest_config_finish(&c);
	is_int(config("{\"config\":{\"Env\":[5]}}", &c), -EINVAL, "a number in Env");
	is_int(config("{\"config\":{\"Cmd\":\"x\"}}", &c), -EINVAL, "a string for Cmd");
	is_int(config("{\"config\":{\"User\":[]}}", &c), -EINVAL, "a list for User");
	is_int(config("{\"config\":{\"User\":\"a\\u0000b\"}}", &c), -EINVAL, "a NUL in User");
	is_int(config("{\"rootfs\":{\"diff_ids\":[\"sha256:../../x\"]}}", &c), -EINVAL,
	       "a path for a diff_id");
}

int main(void)
{
	test_kinds();
	test_choice();
	test_manifests();
	test_configs();
	return tap_done();
}
