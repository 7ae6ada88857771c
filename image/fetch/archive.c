/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images in a tar archive.
 *
 *   OCI layout   index.json -> blobs/sha256/<hex>: indexes, manifests, configs, layers
 *   docker save  manifest.json: [{"Config": path, "RepoTags": [..], "Layers": [path, ..]}]
 *
 * The archive is read where it lies: one pass over its headers remembers where each file is.  Of
 * docker's form an OCI manifest is made, whose digests come from reading the layers once.  Newer
 * versions of docker write both forms; the layout has the digests, so it is preferred.
 */
#include "image/fetch/archive.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "image/manifest.h"

#define BLOCK	    512
#define MAX_FILES   20000
#define MAX_INDEXES 2
#define PIECE	    (256 << 10)

/* One regular file in the archive. */
struct file {
	char *name; /* without "./" */
	uint64_t offset, size;
	char digest[DIGEST_MAX]; /* "" until it is known */
};

struct archive {
	int fd;
	uint64_t size;
	struct file *files;
	size_t count;
};

/* --- tar -------------------------------------------------------------------------------------- */

/* The fields of a header that matter here (ustar). */
struct header {
	char name[100], unused1[24], size[12], unused2[12], checksum[8], type, link[100], magic[6],
		unused3[82], prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a tar header is a block");

/* Octal, or base 256 with its first bit set.  Return: -EINVAL when it is neither. */
static int parse_number(const char *field, size_t len, uint64_t *ret)
{
	uint64_t n = 0;
	size_t i = 0;

	if ((unsigned char)field[0] & 0x80) {
		for (i = len - 8; i < len; i++)
			n = n << 8 | (unsigned char)field[i];
		*ret = n;
		return n >> 63 ? -EINVAL : 0;
	}
	while (i < len && field[i] == ' ')
		i++;
	for (; i < len && field[i] >= '0' && field[i] <= '7'; i++)
		n = n << 3 | (uint64_t)(field[i] - '0');
	*ret = n;
	return i < len && field[i] && field[i] != ' ' ? -EINVAL : 0;
}

static bool checksum_good(const struct header *h)
{
	const unsigned char *p = (const unsigned char *)h;
	uint64_t want, sum = 0;

	for (size_t i = 0; i < BLOCK; i++)
		sum += i >= 148 && i < 156 ? ' ' : p[i];
	return parse_number(h->checksum, sizeof(h->checksum), &want) == 0 && want == sum;
}

static char *name_of(const struct header *h)
{
	char *name = NULL, *at;

	if (memcmp(h->magic, "ustar", 5) == 0 && h->prefix[0] && memcmp(h->magic, "ustar ", 6) != 0)
		name = xasprintf("%.155s/%.100s", h->prefix, h->name);
	else
		name = xasprintf("%.100s", h->name);
	for (at = name; str_has_prefix(at, "./");)
		at += 2;
	memmove(name, at, strlen(at) + 1);
	return name;
}

static int add_file(struct archive *a, const struct header *h, uint64_t offset, uint64_t size,
		    struct error *err)
{
	if (a->count == MAX_FILES)
		return error_set(err, E2BIG, "more than %d files", MAX_FILES);
	a->files = xrealloc(a->files, a->count + 1, sizeof(*a->files));
	a->files[a->count++] = (struct file){
		.name = name_of(h),
		.offset = offset,
		.size = size,
	};
	return 0;
}

static int read_at(const struct archive *a, uint64_t offset, void *to, size_t len,
		   struct error *err)
{
	char *p = to;

	while (len > 0) {
		ssize_t n = pread(a->fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, errno, "read the archive");
		if (n == 0)
			return error_set(err, EBADMSG, "the archive is cut off");
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int refuse(const struct header *h, struct error *err)
{
	const unsigned char *p = (const unsigned char *)h;

	if ((p[0] == 0x1f && p[1] == 0x8b) || memcmp(p, "\x28\xb5\x2f\xfd", 4) == 0)
		return error_set(err, EINVAL,
				 "the archive is compressed: unpack it first "
				 "(gunzip, unzstd)");
	return error_set(err, EBADMSG, "not a tar archive");
}

static int read_headers(struct archive *a, struct error *err)
{
	uint64_t at = 0, size;
	struct header h;

	while (at + BLOCK <= a->size) {
		int rc = read_at(a, at, &h, sizeof(h), err);

		if (rc < 0)
			return rc;
		if (h.name[0] == '\0' && h.checksum[0] == '\0')
			return 0; /* the end mark */
		if (!checksum_good(&h))
			return refuse(&h, err);
		at += BLOCK;
		if (parse_number(h.size, sizeof(h.size), &size) < 0 || size > a->size - at)
			return error_set(err, EBADMSG, "the archive is cut off");
		if (h.type == '0' || h.type == '\0')
			rc = add_file(a, &h, at, size, err);
		if (rc < 0)
			return rc;
		at += (size + BLOCK - 1) / BLOCK * BLOCK;
	}
	return at == 0 ? error_set(err, EBADMSG, "not a tar archive") : 0;
}

int archive_open(int fd, struct archive **ret, struct error *err)
{
	struct archive *a;
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(err, EINVAL, "the archive is not a regular file");
	a = xnew(struct archive);
	a->fd = fd;
	a->size = (uint64_t)st.st_size;
	rc = read_headers(a, err);
	if (rc < 0)
		archive_close(a);
	else
		*ret = a;
	return rc;
}

void archive_close(struct archive *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->count; i++)
		free(a->files[i].name);
	free(a->files);
	free(a);
}

/* --- files ------------------------------------------------------------------------------------ */

static struct file *find(const struct archive *a, const char *name)
{
	for (size_t i = a->count; i > 0; i--) { /* the last of equal names counts */
		if (strcmp(a->files[i - 1].name, name) == 0)
			return &a->files[i - 1];
	}
	return NULL;
}

static struct file *find_digest(const struct archive *a, const char *digest)
{
	const char *colon = strchr(digest, ':');
	char *path cleanup_free =
		xasprintf("blobs/%.*s/%s", (int)(colon - digest), digest, colon + 1);
	struct file *f = find(a, path);

	for (size_t i = 0; i < a->count && !f; i++) {
		if (strcmp(a->files[i].digest, digest) == 0)
			f = &a->files[i];
	}
	return f;
}

static int read_whole(const struct archive *a, const struct file *f, struct strbuf *ret,
		      struct error *err)
{
	char *text cleanup_free = NULL;
	int rc;

	if (f->size > MANIFEST_MAX_BYTES)
		return error_set(err, EFBIG, "%s is larger than %d bytes", f->name,
				 MANIFEST_MAX_BYTES);
	text = xmalloc(f->size + 1);
	rc = read_at(a, f->offset, text, f->size, err);
	if (rc == 0)
		strbuf_append(ret, text, f->size);
	return rc;
}

/* Blob @digest as a whole, verified. */
static int read_blob(const struct archive *a, const char *digest, struct strbuf *ret,
		     struct error *err)
{
	const struct file *f = find_digest(a, digest);
	char found[DIGEST_MAX];
	int rc;

	if (!f)
		return error_set(err, ENOENT, "the archive has no blob %s", digest);
	rc = read_whole(a, f, ret, err);
	if (rc < 0)
		return rc;
	digest_of((ret->data ?: ""), ret->len, found);
	if (strcmp(found, digest) != 0)
		return error_set(err, EBADMSG, "blob %s: digest mismatch: the bytes are %s", digest,
				 found);
	return 0;
}

/* stream() - the file's bytes through @d and, unless @out is -1 or its reader has left, there. */
static int stream(const struct archive *a, const struct file *f, int out, struct digest *d,
		  struct error *err)
{
	char *piece cleanup_free = xmalloc(PIECE);
	uint64_t done = 0;
	int rc = 0;

	while (rc == 0 && done < f->size) {
		size_t n = MIN(f->size - done, (uint64_t)PIECE);

		rc = read_at(a, f->offset + done, piece, n, err);
		if (rc < 0)
			break;
		digest_update(d, piece, n);
		if (out >= 0 && fd_write_all(out, piece, n) < 0)
			out = -1;
		done += n;
	}
	return rc;
}

int archive_blob(const struct archive *a, const struct registry_blob *blob, struct error *err)
{
	const struct file *f = find_digest(a, blob->digest);
	char algorithm[8] = { 0 }, found[DIGEST_MAX];
	struct digest d cleanup_digest = { 0 };
	int rc;

	if (!f)
		return error_set(err, ENOENT, "it is not in the archive");
	if (f->size != blob->size_bytes)
		return error_set(err, EBADMSG, "it has %llu bytes, not %llu",
				 (unsigned long long)f->size, (unsigned long long)blob->size_bytes);
	memcpy(algorithm, blob->digest, strcspn(blob->digest, ":"));
	rc = digest_start(&d, algorithm, err);
	if (rc == 0)
		rc = stream(a, f, blob->out, &d, err);
	if (rc < 0)
		return rc;
	digest_text(&d, found);
	if (strcmp(found, blob->digest) != 0)
		return error_set(err, EBADMSG, "digest mismatch: the bytes are %s", found);
	return 0;
}

/* --- OCI layout ------------------------------------------------------------------------------- */

/* From an index or a manifest down to this platform's manifest. */
static int walk(const struct archive *a, const char *digest, const char *os, const char *arch,
		struct strbuf *ret, struct error *err)
{
	char *chosen cleanup_free = xstrdup(digest);
	enum manifest_kind kind;

	for (int i = 0; i <= MAX_INDEXES; i++) {
		char *next = NULL;
		int rc;

		strbuf_reset(ret);
		rc = read_blob(a, chosen, ret, err);
		if (rc == 0)
			rc = manifest_kind((ret->data ?: ""), ret->len, NULL, &kind, err);
		if (rc < 0 || kind == MANIFEST_IMAGE)
			return rc;
		rc = manifest_choose(ret->data, ret->len, os, arch, &next, err);
		if (rc < 0)
			return rc;
		free(chosen);
		chosen = next;
	}
	return error_set(err, EINVAL, "indexes nest more than %d deep", MAX_INDEXES);
}

/* Names: what containerd writes is whole, the standard's own may be a tag alone. */
static void take_names(const struct json *entry, struct strlist *ret)
{
	const struct json *notes = json_get(entry, "annotations");
	const char *name = json_get_string(notes, "io.containerd.image.name", NULL);

	if (str_empty(name))
		name = json_get_string(notes, "org.opencontainers.image.ref.name", NULL);
	if (!str_empty(name) && strpbrk(name, "/:"))
		strlist_add(ret, name);
}

static int resolve_layout(const struct archive *a, const struct json *index, size_t n,
			  const char *os, const char *arch, struct registry_image *ret,
			  struct strlist *ret_names, bool *ret_more, struct error *err)
{
	const struct json *e = json_get(index, "manifests");
	struct manifest m = { 0 };
	const char *digest;
	int rc;

	e = e && e->type == JSON_ARRAY ? e->child : NULL;
	for (; e && n > 0; n--)
		e = e->next;
	if (!e)
		return error_set(err, ENOENT, "the archive's index.json names no image");
	digest = json_get_string(e, "digest", "");
	if (!digest_valid(digest))
		return error_set(err, EINVAL, "index.json has a bad digest '%.100s'", digest);
	rc = walk(a, digest, os, arch, &ret->manifest, err);
	if (rc == 0)
		rc = manifest_parse(ret->manifest.data, ret->manifest.len, &m, err);
	if (rc == 0)
		rc = read_blob(a, m.config.digest, &ret->config, err);
	manifest_finish(&m);
	snprintf(ret->digest, sizeof(ret->digest), "%s", digest);
	take_names(e, ret_names);
	*ret_more = e->next != NULL;
	return rc;
}

/* --- docker save ------------------------------------------------------------------------------ */

static const char *layer_type(const unsigned char magic[4])
{
	if (magic[0] == 0x1f && magic[1] == 0x8b)
		return "application/vnd.oci.image.layer.v1.tar+gzip";
	if (memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0)
		return "application/vnd.oci.image.layer.v1.tar+zstd";
	return "application/vnd.oci.image.layer.v1.tar";
}

static int put_layer(const struct archive *a, const char *path, struct json_writer *w,
		     struct error *err)
{
	struct file *f = find(a, path);
	struct digest d cleanup_digest = { 0 };
	unsigned char magic[4] = { 0 };
	int rc;

	if (!f)
		return error_set(err, ENOENT, "the archive has no layer '%.200s'", path);
	rc = read_at(a, f->offset, magic, MIN(f->size, sizeof(magic)), err);
	if (rc == 0 && !*f->digest) {
		rc = digest_start(&d, "sha256", err);
		if (rc == 0)
			rc = stream(a, f, -1, &d, err);
		if (rc == 0)
			digest_text(&d, f->digest);
	}
	if (rc < 0)
		return rc;
	json_begin_object(w);
	json_put_string(w, "mediaType", layer_type(magic));
	json_put_string(w, "digest", f->digest);
	json_put_u64(w, "size", f->size);
	json_end_object(w);
	return 0;
}

static int put_layers(const struct archive *a, const struct json *entry, struct json_writer *w,
		      struct error *err)
{
	struct strlist paths cleanup_strlist = { 0 };
	int rc = 0;

	if (json_get_strings(entry, "Layers", &paths) < 0 || paths.count > MANIFEST_MAX_LAYERS)
		return error_set(err, EINVAL, "manifest.json has no list of at most %d layers",
				 MANIFEST_MAX_LAYERS);
	json_put_array(w, "layers");
	for (size_t i = 0; i < paths.count && rc == 0; i++)
		rc = put_layer(a, paths.items[i], w, err);
	json_end_array(w);
	return rc;
}

static int resolve_docker(const struct archive *a, const struct json *list, size_t n,
			  struct registry_image *ret, struct strlist *ret_names, bool *ret_more,
			  struct error *err)
{
	const struct json *e = list->type == JSON_ARRAY ? list->child : NULL;
	struct json_writer w = { .out = &ret->manifest };
	const struct file *config;
	char digest[DIGEST_MAX];
	int rc;

	for (; e && n > 0; n--)
		e = e->next;
	if (!e)
		return error_set(err, ENOENT, "the archive's manifest.json names no image");
	config = find(a, json_get_string(e, "Config", ""));
	if (!config)
		return error_set(err, ENOENT, "the archive has no config '%.200s'",
				 json_get_string(e, "Config", ""));
	rc = read_whole(a, config, &ret->config, err);
	if (rc < 0)
		return rc;
	digest_of((ret->config.data ?: ""), ret->config.len, digest);
	json_begin_object(&w);
	json_put_i64(&w, "schemaVersion", 2);
	json_put_object(&w, "config");
	json_put_string(&w, "mediaType", "application/vnd.oci.image.config.v1+json");
	json_put_string(&w, "digest", digest);
	json_put_u64(&w, "size", ret->config.len);
	json_end_object(&w);
	rc = put_layers(a, e, &w, err);
	json_end_object(&w);
	if (rc == 0 && json_get(e, "RepoTags") && json_get(e, "RepoTags")->type == JSON_ARRAY)
		rc = json_get_strings(e, "RepoTags", ret_names) < 0
			     ? error_set(err, EINVAL, "manifest.json has tags that are no names")
			     : 0;
	digest_of((ret->manifest.data ?: ""), ret->manifest.len, ret->digest);
	*ret_more = e->next != NULL;
	return rc;
}

int archive_resolve(struct archive *a, size_t index, const char *os, const char *arch,
		    struct registry_image *ret, struct strlist *ret_names, bool *ret_more,
		    struct error *err)
{
	const struct file *layout = find(a, "index.json"), *docker = find(a, "manifest.json");
	const struct file *f = layout ? layout : docker;
	struct strbuf text cleanup_strbuf = { 0 };
	struct arena arena cleanup_arena = { 0 };
	struct json *j;
	int rc;

	if (!f)
		return error_set(err, EINVAL,
				 "the archive has neither index.json nor "
				 "manifest.json: it holds no images");
	rc = read_whole(a, f, &text, err);
	if (rc == 0 && json_parse(&arena, (text.data ?: ""), text.len, 0, &j, err) < 0)
		return error_wrap(err, "%s", f->name);
	if (rc < 0)
		return rc;
	if (f == layout)
		return resolve_layout(a, j, index, os, arch, ret, ret_names, ret_more, err);
	return resolve_docker(a, j, index, ret, ret_names, ret_more, err);
}
