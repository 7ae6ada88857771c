/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image volumes: found and held at create, mounted at start.
 *
 * A sub path is resolved once, inside the image: images do not change, so the path that comes out
 * is free of symlinks and the bind mount of it cannot lead anywhere else.
 */
#include "cri/pods/volumes.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "storage/overlay.h"

#define NOTE_MAX (64 << 10)
#define FAILED	 "ImageVolumeMountFailed"

int volumes_mount(const struct container *c, size_t first, size_t count, const char *upper,
		  const char *work, int *ret_fd, struct error *err)
{
	const struct pods *pods = c->pod->pods;
	struct strlist layers cleanup_strlist = { 0 };
	struct strlist dirs cleanup_strlist = { 0 };
	int userns cleanup_close = -1;
	struct overlay o = { .upper = upper, .work = work };
	int rc;

	for (size_t i = first; i < first + count && i < c->layers.count; i++)
		strlist_add(&layers, c->layers.items[i]);
	rc = image_layer_dirs(pods->config.images, &layers, &dirs, err);
	if (rc < 0)
		return rc;
	if (dirs.count == 0) /* an image without layers: an empty directory stands for them */
		strlist_addf(&dirs, "%s/proc", pods->pause_dir);
	if (c->pod->userns) {
		userns = open(c->pod->userns, O_RDONLY | O_CLOEXEC);
		if (userns < 0)
			return error_errno(err, errno, "open %s", c->pod->userns);
	}
	o.lower = dirs.items;
	o.n_lower = dirs.count;
	o.userns_fd = userns;
	return overlay_mount(&o, ret_fd, err);
}

/* --- the note --------------------------------------------------------------------------------- */

static char *note_path(const struct container *c)
{
	return path_join(c->dir, "volumes.json");
}

static int write_note(const struct container *c, const size_t *counts, size_t n, struct error *err)
{
	struct strbuf out cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &out };
	char *path cleanup_free = note_path(c);

	json_begin_object(&w);
	json_put_array(&w, "layers");
	for (size_t i = 0; i < n; i++)
		json_u64(&w, counts[i]);
	json_end_array(&w);
	json_end_object(&w);
	return fd_replace_file(AT_FDCWD, path, out.data, out.len, 0600, false, err);
}

int volumes_read(const struct container *c, size_t counts[CONTAINER_MAX_MOUNTS], size_t *ret_count,
		 struct error *err)
{
	struct strbuf text cleanup_strbuf = { 0 };
	struct arena arena cleanup_arena = { 0 };
	char *path cleanup_free = note_path(c);
	const struct json *it;
	struct json *note;
	size_t n = 0, sum = 0;

	if (fd_read_file(AT_FDCWD, path, NOTE_MAX, &text, err) < 0)
		return err ? err->code : -EIO;
	if (json_parse(&arena, text.data ? text.data : "", text.len, 0, &note, err) < 0)
		return error_wrap(err, "%s", path);
	json_for_each(it, json_get(note, "layers")) {
		int64_t value;

		if (n == CONTAINER_MAX_MOUNTS || json_int(it, &value) < 0 || value < 0 ||
		    (size_t)value > c->layers.count - sum)
			return error_set(err, EINVAL, "%s is damaged", path);
		sum += (size_t)value;
		counts[n++] = (size_t)value;
	}
	if (n == 0)
		return error_set(err, EINVAL, "%s is damaged", path);
	*ret_count = n;
	return 0;
}

/* --- create ----------------------------------------------------------------------------------- */

static bool is_volume(const Runtime__V1__Mount *m)
{
	return m->image && !str_empty(m->image->image);
}

static int check(const Runtime__V1__Mount *m, struct error *err)
{
	if (!m->readonly)
		return error_set(err, EINVAL, "an image volume must be readonly");
	if (!str_empty(m->host_path))
		return error_set(err, EINVAL, "host_path and image exclude each other");
	if (m->propagation != RUNTIME__V1__MOUNT_PROPAGATION__PROPAGATION_PRIVATE)
		return error_set(err, EINVAL, "an image volume has private propagation only");
	if (m->image_sub_path[0] == '/' || strlen(m->image_sub_path) >= PATH_MAX)
		return error_set(err, EINVAL, "sub path '%.200s' is not relative",
				 m->image_sub_path);
	for (const char *s = m->image_sub_path; (s = strstr(s, "..")); s += 2)
		if ((s == m->image_sub_path || s[-1] == '/') && (s[2] == '/' || s[2] == '\0'))
			return error_set(err, EINVAL, "sub path '%s' leaves the image",
					 m->image_sub_path);
	return 0;
}

/* The path of @fd inside its mount, which is attached nowhere: "/" is the mount's root. */
static int path_in_mount(int fd, char out[PATH_MAX], struct error *err)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, out, PATH_MAX - 1);
	if (n < 1 || out[0] != '/')
		return error_errno(err, n < 0 ? errno : EIO, "find a path in the image");
	out[n] = '\0';
	return 0;
}

static int resolve(const struct container *c, size_t first, size_t count, const char *sub_path,
		   char out[PATH_MAX], struct error *err)
{
	int mount cleanup_close = -1;
	int fd cleanup_close = -1;

	if (volumes_mount(c, first, count, NULL, NULL, &mount, err) < 0)
		return err ? err->code : -EIO;
	fd = path_open_in_root(mount, str_or(sub_path, "."), O_PATH | O_CLOEXEC, 0);
	if (fd < 0)
		return error_errno(err, -fd, "sub path '%s'", sub_path);
	return path_in_mount(fd, out, err);
}

static int hold_one(struct container *c, const Runtime__V1__Mount *m, size_t *ret_layers,
		    struct error *err)
{
	struct image_store *store = c->pod->pods->config.images;
	struct image *image = image_get(store, m->image->image);
	int rc;

	if (!image)
		return error_set(err, ENOENT, "image '%s' not found: pull it first",
				 m->image->image);
	rc = image_hold(store, &image->layers, err);
	for (size_t i = 0; i < image->layers.count && rc == 0; i++)
		strlist_add(&c->layers, image->layers.items[i]);
	*ret_layers = image->layers.count;
	image_put(image);
	return rc;
}

static int hold_and_resolve(struct container *c, const Runtime__V1__Mount *m, size_t index,
			    size_t *ret_layers, struct arena *arena, char **ret_source,
			    struct error *err)
{
	char inside[PATH_MAX];
	size_t first = c->layers.count;
	int rc = check(m, err);

	if (rc == 0)
		rc = hold_one(c, m, ret_layers, err);
	if (rc == 0)
		rc = resolve(c, first, *ret_layers, m->image_sub_path, inside, err);
	if (rc == 0)
		*ret_source = arena_printf(arena, "%s/volumes/%zu%s", c->dir, index,
					   strcmp(inside, "/") == 0 ? "" : inside);
	return rc;
}

int volumes_hold(struct container *c, struct arena *arena, char ***ret_sources, struct error *err)
{
	size_t counts[CONTAINER_MAX_MOUNTS] = { c->layers.count };
	size_t n = 1;
	char **sources = arena_alloc(arena, (c->config->n_mounts + 1) * sizeof(char *));

	for (size_t i = 0; i < c->config->n_mounts; i++) {
		const Runtime__V1__Mount *m = c->config->mounts[i];

		if (!is_volume(m))
			continue;
		if (n == CONTAINER_MAX_MOUNTS)
			return error_set(err, EINVAL, FAILED ": more than %d image volumes",
					 CONTAINER_MAX_MOUNTS - 1);
		if (hold_and_resolve(c, m, n - 1, &counts[n], arena, &sources[i], err) < 0)
			return error_wrap(err, FAILED ": %s", m->container_path);
		n++;
	}
	*ret_sources = sources;
	return write_note(c, counts, n, err);
}
