/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parser of image JSON.
 *
 * OCI and Docker differ only in their media types, so one reader serves both (image-spec
 * manifest.md, image-index.md, config.md).  Trees live in an arena that ends with the call.
 */
#include "image/manifest.h"

#include <string.h>
#include <sys/utsname.h>

#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"

#define MAX_STRING  (64 << 10) /* of one value: environments, paths, types */
#define MAX_STRINGS 4096       /* of one list */
#define MAX_ENTRIES 1024       /* of an index */
#define MAX_URLS    16

static int parse(struct arena *a, const char *what, const char *text, size_t len, struct json **ret,
		 struct error *err)
{
	if (len > MANIFEST_MAX_BYTES)
		return error_set(err, EINVAL, "%s is larger than %d bytes", what,
				 MANIFEST_MAX_BYTES);
	if (json_parse(a, text, len, 0, ret, err) < 0) {
		error_wrap(err, "%s", what);
		return err ? err->code : -EINVAL;
	}
	if ((*ret)->type != JSON_OBJECT)
		return error_set(err, EINVAL, "%s is %s, not an object", what,
				 json_type_name((*ret)->type));
	return 0;
}

/* --- kinds ------------------------------------------------------------------------------------ */

static int kind_of_type(const char *type, enum manifest_kind *ret)
{
	static const struct {
		const char *type;
		enum manifest_kind kind;
	} known[] = {
		{ "application/vnd.oci.image.index.v1+json", MANIFEST_INDEX },
		{ "application/vnd.docker.distribution.manifest.list.v2+json", MANIFEST_INDEX },
		{ "application/vnd.oci.image.manifest.v1+json", MANIFEST_IMAGE },
		{ "application/vnd.docker.distribution.manifest.v2+json", MANIFEST_IMAGE },
	};
	size_t n = strcspn(type, "; ");

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strlen(known[i].type) == n && strncmp(known[i].type, type, n) == 0) {
			*ret = known[i].kind;
			return 0;
		}
	}
	return -EINVAL;
}

static int refuse_schema1(struct error *err)
{
	return error_set(err, ENOTSUP,
			 "its manifest is of Docker's schema 1, which is not supported: push the "
			 "image again with a current tool");
}

/* Many manifests carry no mediaType of their own, and some registries send a useless header. */
static int kind_of_shape(const struct json *j, const char *content_type, enum manifest_kind *ret,
			 struct error *err)
{
	const struct json *list = json_get(j, "manifests");

	if (list && list->type == JSON_ARRAY)
		*ret = MANIFEST_INDEX;
	else if (json_get(j, "config") && json_get(j, "layers"))
		*ret = MANIFEST_IMAGE;
	else
		return error_set(err, ENOTSUP, "media type '%.100s' is not an image's",
				 str_or(content_type, "(none)"));
	return 0;
}

int manifest_kind(const char *text, size_t len, const char *content_type,
		  enum manifest_kind *ret_kind, struct error *err)
{
	struct arena a cleanup_arena = { 0 };
	const char *type;
	struct json *j;
	int rc = parse(&a, "the manifest", text, len, &j, err);

	if (rc < 0)
		return rc;
	if (json_get_int(j, "schemaVersion", 2) == 1)
		return refuse_schema1(err);
	type = json_get_string(j, "mediaType", NULL);
	if (type) {
		if (kind_of_type(type, ret_kind) == 0)
			return 0;
		return error_set(err, ENOTSUP, "media type '%.100s' is not an image's", type);
	}
	if (content_type && kind_of_type(content_type, ret_kind) == 0)
		return 0;
	return kind_of_shape(j, content_type, ret_kind, err);
}

/* --- indexes ---------------------------------------------------------------------------------- */

const char *manifest_host_arch(void)
{
	static const char *const names[][2] = {
		{ "x86_64", "amd64" },	      { "aarch64", "arm64" },	{ "armv7l", "arm" },
		{ "riscv64", "riscv64" },     { "ppc64le", "ppc64le" }, { "s390x", "s390x" },
		{ "loongarch64", "loong64" },
	};
	struct utsname u;

	uname(&u);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(u.machine, names[i][0]) == 0)
			return names[i][1];
	}
	return "unknown";
}

/* Variants that any machine of the architecture runs come first; newer ones not at all. */
static bool variant_runs(const char *arch, const char *variant)
{
	if (!*variant)
		return true;
	if (strcmp(arch, "amd64") == 0)
		return strcmp(variant, "v1") == 0;
	if (strcmp(arch, "arm64") == 0)
		return strcmp(variant, "v8") == 0;
	return strcmp(arch, "arm") == 0 &&
	       (strcmp(variant, "v6") == 0 || strcmp(variant, "v7") == 0);
}

static bool entry_matches(const struct json *platform, const char *os, const char *arch)
{
	return str_eq(json_get_string(platform, "os", NULL), os) &&
	       str_eq(json_get_string(platform, "architecture", NULL), arch) &&
	       variant_runs(arch, json_get_string(platform, "variant", ""));
}

static int refuse_index(const struct json *list, const char *os, const char *arch,
			struct error *err)
{
	struct strbuf there cleanup_strbuf = { 0 };
	const struct json *e;

	json_for_each(e, list) {
		const struct json *p = json_get(e, "platform");

		if (there.len < 200)
			strbuf_printf(&there, "%s%.20s/%.20s", there.len ? ", " : "",
				      json_get_string(p, "os", "?"),
				      json_get_string(p, "architecture", "?"));
	}
	return error_set(err, ENOENT, "it has no image for %s/%s, only for: %s", os, arch,
			 there.len ? there.data : "nothing");
}

int manifest_choose(const char *text, size_t len, const char *os, const char *arch,
		    char **ret_digest, struct error *err)
{
	struct arena a cleanup_arena = { 0 };
	const struct json *list, *e, *chosen = NULL, *unmarked = NULL;
	struct json *j;
	const char *digest;
	int rc = parse(&a, "the index", text, len, &j, err);

	if (rc < 0)
		return rc;
	list = json_get(j, "manifests");
	if (!list || list->type != JSON_ARRAY || list->len > MAX_ENTRIES)
		return error_set(err, EINVAL, "the index has no list of at most %d manifests",
				 MAX_ENTRIES);
	json_for_each(e, list) {
		const struct json *p = json_get(e, "platform");

		if (!p && !unmarked)
			unmarked = e;
		if (!chosen && entry_matches(p, os, arch))
			chosen = e;
	}
	if (!chosen)
		chosen = unmarked;
	if (!chosen)
		return refuse_index(list, os, arch, err);
	digest = json_get_string(chosen, "digest", "");
	if (!digest_valid(digest))
		return error_set(err, EINVAL, "the index has a bad digest '%.100s'", digest);
	*ret_digest = xstrdup(digest);
	return 0;
}

/* --- manifests -------------------------------------------------------------------------------- */

static void blob_finish(struct manifest_blob *b)
{
	free(b->media_type);
	free(b->digest);
	strlist_finish(&b->urls);
}

void manifest_finish(struct manifest *m)
{
	blob_finish(&m->config);
	for (size_t i = 0; i < m->n_layers; i++)
		blob_finish(&m->layers[i]);
	free(m->layers);
	*m = (struct manifest){ 0 };
}

static int take_urls(const struct json *j, struct manifest_blob *b, struct error *err)
{
	if (json_get_strings(j, "urls", &b->urls) < 0 || b->urls.count > MAX_URLS)
		return error_set(err, EINVAL, "blob %s: urls is not a list of at most %d",
				 b->digest, MAX_URLS);
	for (size_t i = 0; i < b->urls.count; i++) {
		if (strlen(b->urls.items[i]) > 2048 ||
		    (!str_has_prefix(b->urls.items[i], "https://") &&
		     !str_has_prefix(b->urls.items[i], "http://")))
			return error_set(err, EINVAL, "blob %s: '%.100s' is not an http(s) URL",
					 b->digest, b->urls.items[i]);
	}
	return 0;
}

static int take_blob(const struct json *j, const char *what, struct manifest_blob *b,
		     struct error *err)
{
	const char *digest = json_get_string(j, "digest", "");
	const char *type = json_get_string(j, "mediaType", "");
	int64_t size = json_get_int(j, "size", -1);

	if (!digest_valid(digest))
		return error_set(err, EINVAL, "the %s has a bad digest '%.100s'", what, digest);
	if (size < 0)
		return error_set(err, EINVAL, "%s %s has no size", what, digest);
	if (strlen(type) > 200)
		return error_set(err, EINVAL, "%s %s has a media type of %zu bytes", what, digest,
				 strlen(type));
	b->digest = xstrdup(digest);
	b->media_type = xstrdup(type);
	b->size_bytes = (uint64_t)size;
	return take_urls(j, b, err);
}

static int check_layer_type(const struct manifest_blob *b, struct error *err)
{
	static const char *const known[] = {
		"application/vnd.oci.image.layer.v1.tar",
		"application/vnd.oci.image.layer.v1.tar+gzip",
		"application/vnd.oci.image.layer.v1.tar+zstd",
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
		"application/vnd.docker.image.rootfs.diff.tar",
		"application/vnd.docker.image.rootfs.diff.tar.gzip",
		"application/vnd.docker.image.rootfs.diff.tar.zstd",
		"application/vnd.docker.image.rootfs.foreign.diff.tar",
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(b->media_type, known[i]) == 0)
			return 0;
	}
	return error_set(err, ENOTSUP, "layer %s: media type '%s' is not one that can be unpacked",
			 b->digest, b->media_type);
}

static int check_config_type(const struct manifest_blob *b, struct error *err)
{
	if (!*b->media_type ||
	    strcmp(b->media_type, "application/vnd.oci.image.config.v1+json") == 0 ||
	    strcmp(b->media_type, "application/vnd.docker.container.image.v1+json") == 0)
		return 0;
	return error_set(err, ENOTSUP,
			 "its config is of media type '%s': an artifact, not an image to run",
			 b->media_type);
}

static int take_layers(const struct json *list, struct manifest *m, struct error *err)
{
	const struct json *l;

	if (!list || list->type != JSON_ARRAY)
		return error_set(err, EINVAL, "the manifest has no list of layers");
	if (list->len > MANIFEST_MAX_LAYERS)
		return error_set(err, ENOTSUP,
				 "it has %zu layers: too many lower directories, limit is %d",
				 list->len, MANIFEST_MAX_LAYERS);
	m->layers = xcalloc(list->len + 1, sizeof(*m->layers));
	json_for_each(l, list) {
		struct manifest_blob *b = &m->layers[m->n_layers++];
		int rc = take_blob(l, "layer", b, err);

		if (rc == 0)
			rc = check_layer_type(b, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int manifest_parse(const char *text, size_t len, struct manifest *ret, struct error *err)
{
	struct arena a cleanup_arena = { 0 };
	struct manifest m = { 0 };
	struct json *j;
	int rc = parse(&a, "the manifest", text, len, &j, err);

	if (rc == 0 && json_get_int(j, "schemaVersion", 2) == 1)
		rc = refuse_schema1(err);
	if (rc == 0)
		rc = take_blob(json_get(j, "config"), "config", &m.config, err);
	if (rc == 0)
		rc = check_config_type(&m.config, err);
	if (rc == 0 && m.config.size_bytes > MANIFEST_MAX_BYTES)
		rc = error_set(err, EINVAL, "config %s is larger than %d bytes", m.config.digest,
			       MANIFEST_MAX_BYTES);
	if (rc == 0)
		rc = take_layers(json_get(j, "layers"), &m, err);
	if (rc < 0)
		manifest_finish(&m);
	else
		*ret = m;
	return rc;
}

/* --- configs ---------------------------------------------------------------------------------- */

void manifest_config_finish(struct manifest_config *c)
{
	free(c->user);
	free(c->working_dir);
	free(c->stop_signal);
	strlist_finish(&c->env);
	strlist_finish(&c->entrypoint);
	strlist_finish(&c->cmd);
	strlist_finish(&c->volumes);
	strlist_finish(&c->diff_ids);
	*c = (struct manifest_config){ 0 };
}

static int take_string(const struct json *j, const char *key, char **ret, struct error *err)
{
	const struct json *v = json_get(j, key);

	if (v && v->type != JSON_STRING && v->type != JSON_NULL)
		return error_set(err, EINVAL, "the config's %s is %s, not a string", key,
				 json_type_name(v->type));
	if (v && v->type == JSON_STRING && (v->len > MAX_STRING || strlen(v->text) != v->len))
		return error_set(err, EINVAL, "the config's %s is too long or has a NUL", key);
	*ret = xstrdup(v && v->type == JSON_STRING ? v->text : "");
	return 0;
}

static int take_strings(const struct json *j, const char *key, struct strlist *ret,
			struct error *err)
{
	const struct json *list = json_get(j, key), *v;

	if (!list || list->type == JSON_NULL)
		return 0;
	if (list->type != JSON_ARRAY || list->len > MAX_STRINGS)
		return error_set(err, EINVAL, "the config's %s is not a list of at most %d", key,
				 MAX_STRINGS);
	json_for_each(v, list) {
		if (v->type != JSON_STRING || v->len > MAX_STRING || strlen(v->text) != v->len)
			return error_set(err, EINVAL,
					 "the config's %s has an entry that is no plain string",
					 key);
		strlist_add(ret, v->text);
	}
	return 0;
}

/* Volumes are the keys of an object. */
static int take_volumes(const struct json *j, struct strlist *ret, struct error *err)
{
	const struct json *set = json_get(j, "Volumes"), *v;

	if (!set || set->type == JSON_NULL)
		return 0;
	if (set->type != JSON_OBJECT || set->len > MAX_STRINGS)
		return error_set(err, EINVAL, "the config's Volumes is not an object of at most %d",
				 MAX_STRINGS);
	json_for_each(v, set)
		strlist_add(ret, v->key);
	return 0;
}

static int take_diff_ids(const struct json *j, struct strlist *ret, struct error *err)
{
	const struct json *rootfs = json_get(j, "rootfs");
	int rc = take_strings(rootfs, "diff_ids", ret, err);

	for (size_t i = 0; rc == 0 && i < ret->count; i++) {
		if (!digest_valid(ret->items[i]) || !str_has_prefix(ret->items[i], "sha256:"))
			rc = error_set(err, EINVAL, "the config has a bad diff_id '%.100s'",
				       ret->items[i]);
	}
	if (rc == 0 && ret->count > MANIFEST_MAX_LAYERS)
		rc = error_set(err, ENOTSUP,
			       "it has %zu layers: too many lower directories, limit is %d",
			       ret->count, MANIFEST_MAX_LAYERS);
	return rc;
}

int manifest_config_parse(const char *text, size_t len, struct manifest_config *ret,
			  struct error *err)
{
	struct arena a cleanup_arena = { 0 };
	struct manifest_config c = { 0 };
	const struct json *run;
	struct json *j;
	int rc = parse(&a, "the config", text, len, &j, err);

	if (rc < 0)
		return rc;
	run = json_get(j, "config");
	rc = take_string(run, "User", &c.user, err);
	if (rc == 0)
		rc = take_string(run, "WorkingDir", &c.working_dir, err);
	if (rc == 0)
		rc = take_string(run, "StopSignal", &c.stop_signal, err);
	if (rc == 0)
		rc = take_strings(run, "Env", &c.env, err);
	if (rc == 0)
		rc = take_strings(run, "Entrypoint", &c.entrypoint, err);
	if (rc == 0)
		rc = take_strings(run, "Cmd", &c.cmd, err);
	if (rc == 0)
		rc = take_volumes(run, &c.volumes, err);
	if (rc == 0)
		rc = take_diff_ids(j, &c.diff_ids, err);
	if (rc < 0)
		manifest_config_finish(&c);
	else
		*ret = c;
	return rc;
}
