/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of images and its records.
 *
 * Records: kind "image", id = config digest, {"tags", "digests", "config"}; kind "layer", id =
 * diff_id, {"bytes", "inodes", "unsynced"}.  Memory mirrors them; reads never touch the disk.  An
 * image is immutable: a change of its names puts a new object in its place.
 */
#include "image/store.h"

#include <fnmatch.h>

#include "base/digest.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "image/manifest.h"
#include "image/ref.h"

#define MIN_ID_PREFIX 8

/* --- objects ---------------------------------------------------------------------------------- */

static struct image *image_ref(struct image *image)
{
	__atomic_add_fetch(&image->refs, 1, __ATOMIC_RELAXED);
	return image;
}

void image_put(struct image *image)
{
	if (!image || __atomic_sub_fetch(&image->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	free(image->id);
	strlist_finish(&image->repo_tags);
	strlist_finish(&image->repo_digests);
	free(image->user);
	free(image->working_dir);
	free(image->stop_signal);
	strlist_finish(&image->env);
	strlist_finish(&image->entrypoint);
	strlist_finish(&image->cmd);
	strlist_finish(&image->volumes);
	strlist_finish(&image->layers);
	free(image->config_json);
	free(image);
}

int store_make_image(const char *id, const char *config, size_t len, struct image **ret,
		     struct error *err)
{
	struct manifest_config c;
	struct image *image;
	int rc = manifest_config_parse(config, len, &c, err);

	if (rc < 0)
		return rc;
	image = xnew(struct image);
	*image = (struct image){
		.refs = 1,
		.id = xstrdup(id),
		.user = c.user,
		.working_dir = c.working_dir,
		.stop_signal = c.stop_signal,
		.env = c.env,
		.entrypoint = c.entrypoint,
		.cmd = c.cmd,
		.volumes = c.volumes,
		.layers = c.diff_ids,
		.config_json = xstrndup(config, len),
	};
	*ret = image;
	return 0;
}

static void copy_names(const struct strlist *from, struct strlist *to, const char *except)
{
	for (size_t i = 0; i < from->count; i++) {
		if (!str_eq(from->items[i], except) && !strlist_has(to, from->items[i]))
			strlist_add(to, from->items[i]);
	}
}

/* A copy of @image without the name @tag. */
static struct image *without_tag(const struct image *image, const char *tag)
{
	struct image *copy = NULL;

	/* Its config was parsed before, so this can't fail. */
	if (store_make_image(image->id, image->config_json, strlen(image->config_json), &copy,
			     NULL) < 0)
		abort();
	copy->size_bytes = image->size_bytes;
	copy_names(&image->repo_tags, &copy->repo_tags, tag);
	copy_names(&image->repo_digests, &copy->repo_digests, NULL);
	return copy;
}

static char *image_record(const struct image *image)
{
	struct strbuf out = { 0 };
	struct json_writer w = { .out = &out };

	json_begin_object(&w);
	json_put_strings(&w, "tags", image->repo_tags.items, image->repo_tags.count);
	json_put_strings(&w, "digests", image->repo_digests.items, image->repo_digests.count);
	json_put_string(&w, "config", image->config_json);
	json_end_object(&w);
	return strbuf_steal(&out);
}

/* --- memory; lock is held
 * ------------------------------------------------------------------------- */

/* Count @image's layers in or out; repeats count each time. */
static void count_layers(struct image_store *s, const struct image *image, int by)
{
	for (size_t i = 0; i < image->layers.count; i++) {
		struct layer *l = map_get(&s->layers, image->layers.items[i]);

		if (l)
			l->image_refs += (unsigned int)by;
	}
}

static uint64_t size_of(struct image_store *s, const struct image *image)
{
	struct strlist seen cleanup_strlist = { 0 };
	uint64_t size = strlen(image->config_json);

	for (size_t i = 0; i < image->layers.count; i++) {
		struct layer *l = map_get(&s->layers, image->layers.items[i]);

		if (!l || strlist_has(&seen, l->diff_id))
			continue;
		size += l->bytes;
		strlist_add(&seen, l->diff_id);
	}
	return size;
}

static bool is_pinned(const struct image_store *s, const struct image *image)
{
	for (size_t i = 0; i < s->pinned.count; i++) {
		for (size_t k = 0; k < image->repo_tags.count; k++) {
			if (fnmatch(s->pinned.items[i], image->repo_tags.items[k], 0) == 0)
				return true;
		}
	}
	return false;
}

/* Put @image (its reference is taken over) in the place of one with the same id. */
static void replace(struct image_store *s, struct image *image)
{
	struct image *old;

	image->pinned = is_pinned(s, image);
	count_layers(s, image, 1);
	old = map_put(&s->images, image->id, image);
	if (old) {
		count_layers(s, old, -1);
		image_put(old);
	}
}

static struct image *find_name(struct image_store *s, const char *name)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_at(&s->images, &i));) {
		struct image *image = e->value;

		if (strlist_has(&image->repo_tags, name) || strlist_has(&image->repo_digests, name))
			return image;
	}
	return NULL;
}

static bool is_hex(const char *s)
{
	return s[strspn(s, "0123456789abcdef")] == '\0';
}

static struct image *find(struct image_store *s, const char *name, const char *full)
{
	const char *hex = str_after(name, "sha256:");
	bool ambiguous;
	struct image *image;
	char *id cleanup_free = NULL;

	if (!hex)
		hex = name;
	if (!is_hex(hex) || strlen(hex) < MIN_ID_PREFIX)
		return full ? find_name(s, full) : NULL;
	id = xasprintf("sha256:%s", hex);
	image = map_get(&s->images, id);
	if (!image && full)
		image = find_name(s, full);
	return image ? image : map_find_prefix(&s->images, id, &ambiguous);
}

/* --- looking up
 * ----------------------------------------------------------------------------------- */

int image_normalize(const char *name, char **ret, struct error *err)
{
	struct image_ref ref cleanup_image_ref = { 0 };
	int rc = image_ref_parse(name, &ref, err);

	if (rc == 0)
		*ret = image_ref_format(&ref);
	return rc;
}

struct image *image_get(struct image_store *s, const char *name)
{
	char *full cleanup_free = NULL;
	struct image *image;

	if (str_empty(name))
		return NULL;
	image_normalize(name, &full, NULL);
	pthread_mutex_lock(&s->lock);
	image = find(s, name, full);
	if (image)
		image_ref(image);
	pthread_mutex_unlock(&s->lock);
	return image;
}

struct image **image_list(struct image_store *s, size_t *ret_count)
{
	struct map_entry *e;
	struct image **list;
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	list = xcalloc(s->images.count + 1, sizeof(*list));
	for (size_t i = 0; (e = map_at(&s->images, &i));)
		list[n++] = image_ref(e->value);
	pthread_mutex_unlock(&s->lock);
	*ret_count = n;
	return list;
}

/* --- changes
 * -------------------------------------------------------------------------------------- */

/* Records of one change; texts and ids are owned here. */
struct batch {
	struct db_change list[MANIFEST_MAX_LAYERS + 2];
	char *owned[MANIFEST_MAX_LAYERS + 2];
	size_t count;
};

static void batch_add(struct batch *b, const char *kind, const char *id, char *text)
{
	b->list[b->count] = (struct db_change){ kind, id, text };
	b->owned[b->count++] = text;
}

static void batch_destroy(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++)
		free(b->owned[i]);
	free(b);
}

/* Records of @image's layers that have none yet.  Preconditions: holds lock. */
static void add_layer_records(struct image_store *s, const struct image *image, struct batch *b)
{
	struct strlist seen cleanup_strlist = { 0 };

	for (size_t i = 0; i < image->layers.count; i++) {
		struct layer *l = map_get(&s->layers, image->layers.items[i]);

		if (!l || l->recorded || strlist_has(&seen, l->diff_id))
			continue;
		strlist_add(&seen, l->diff_id);
		batch_add(b, "layer", l->diff_id, layer_record(l));
	}
}

static void mark_recorded(struct image_store *s, const struct image *image)
{
	for (size_t i = 0; i < image->layers.count; i++) {
		struct layer *l = map_get(&s->layers, image->layers.items[i]);

		if (l)
			l->recorded = true;
	}
}

int store_commit(struct image_store *s, struct image *image, const char *tag, struct image **ret,
		 struct error *err)
{
	struct batch *b = xnew(struct batch);
	struct image *same, *loser, *moved = NULL;
	int rc;

	pthread_mutex_lock(&s->change_lock);
	pthread_mutex_lock(&s->lock);
	same = map_get(&s->images, image->id);
	if (same) {
		copy_names(&same->repo_tags, &image->repo_tags, NULL);
		copy_names(&same->repo_digests, &image->repo_digests, NULL);
	}
	loser = tag ? find_name(s, tag) : NULL;
	if (loser && loser != same)
		moved = without_tag(loser, tag);
	image->size_bytes = size_of(s, image);
	add_layer_records(s, image, b);
	pthread_mutex_unlock(&s->lock);
	batch_add(b, "image", image->id, image_record(image));
	if (moved)
		batch_add(b, "image", moved->id, image_record(moved));
	rc = db_apply(s->db, b->list, b->count, 0, err);
	pthread_mutex_lock(&s->lock);
	if (rc == 0) {
		mark_recorded(s, image);
		*ret = image_ref(image);
		replace(s, image);
		if (moved)
			replace(s, moved);
	}
	pthread_mutex_unlock(&s->lock);
	pthread_mutex_unlock(&s->change_lock);
	if (rc < 0) {
		image_put(image);
		image_put(moved);
	} else {
		layers_kick_sync(s);
	}
	batch_destroy(b);
	return rc;
}

int image_tag(struct image_store *s, const char *name, const char *tag, struct error *err)
{
	struct image_ref ref cleanup_image_ref = { 0 };
	struct image *image = image_get(s, name), *copy, *result;
	char *full cleanup_free = NULL;
	int rc;

	if (!image)
		return error_set(err, ENOENT, "no image '%s' on this node", name);
	rc = image_ref_parse(tag, &ref, err);
	if (rc == 0 && !ref.tag)
		rc = error_set(err, EINVAL, "'%s' has a digest: give a tag", tag);
	if (rc == 0)
		rc = image_hold(s, &image->layers, err); /* it may be removed meanwhile */
	if (rc < 0) {
		image_put(image);
		return rc;
	}
	full = image_ref_format(&ref);
	copy = without_tag(image, full);
	strlist_add(&copy->repo_tags, full);
	rc = store_commit(s, copy, full, &result, err);
	if (rc == 0)
		image_put(result);
	image_release(s, &image->layers);
	image_put(image);
	return rc;
}

int image_remove(struct image_store *s, const char *name, struct error *err)
{
	struct image *image;
	int rc = 0;

	pthread_mutex_lock(&s->change_lock);
	image = image_get(s, name);
	if (image)
		rc = db_delete(s->db, "image", image->id, 0, err);
	if (image && rc == 0) {
		pthread_mutex_lock(&s->lock);
		count_layers(s, image, -1);
		image_put(map_remove(&s->images, image->id));
		pthread_mutex_unlock(&s->lock);
		layers_collect(s);
	}
	pthread_mutex_unlock(&s->change_lock);
	image_put(image);
	return rc;
}

/* --- open and close
 * --------------------------------------------------------------------------------- */

static int load_layer(void *data, const char *id, const char *text, bool same_boot)
{
	struct image_store *s = data;
	struct arena a cleanup_arena = { 0 };
	char *dir cleanup_free = NULL;
	bool unsynced;
	struct json *j;

	if (!digest_valid(id) || json_parse(&a, text, strlen(text), 0, &j, NULL) < 0)
		return 0;
	unsynced = json_get_bool(j, "unsynced", false);
	if (unsynced && !same_boot) {
		log_info("layer %s: the machine stopped before it was on the disk", id);
		return 0;
	}
	dir = layer_dir(s, id);
	if (path_exists(dir))
		layer_load(s, id, (uint64_t)json_get_int(j, "bytes", 0),
			   (uint64_t)json_get_int(j, "inodes", 0), !unsynced);
	return 0;
}

static bool has_layers(struct image_store *s, const struct image *image)
{
	for (size_t i = 0; i < image->layers.count; i++) {
		if (!map_get(&s->layers, image->layers.items[i]))
			return false;
	}
	return true;
}

struct loading {
	struct image_store *store;
	struct strlist gone; /* images */
};

/* An image whose layers went away (a power cut) is not there: it will be pulled again. */
static int load_image(void *data, const char *id, const char *text, bool same_boot)
{
	struct loading *l = data;
	struct image_store *s = l->store;
	struct arena a cleanup_arena = { 0 };
	struct image *image = NULL;
	const char *config;
	struct json *j;

	(void)same_boot;
	if (json_parse(&a, text, strlen(text), 0, &j, NULL) < 0)
		return 0;
	config = json_get_string(j, "config", "");
	if (store_make_image(id, config, strlen(config), &image, NULL) < 0)
		return 0;
	if (!has_layers(s, image) || json_get_strings(j, "tags", &image->repo_tags) < 0 ||
	    json_get_strings(j, "digests", &image->repo_digests) < 0) {
		log_info("image %s: its layers are gone", id);
		strlist_add(&l->gone, id);
		image_put(image);
		return 0;
	}
	image->size_bytes = size_of(s, image);
	replace(s, image);
	return 0;
}

/* Their names may be another image's by the next start. */
static int load_images(struct image_store *s, struct error *err)
{
	struct loading l = { .store = s };
	int rc = db_each(s->db, "image", load_image, &l, err);

	for (size_t i = 0; i < l.gone.count && rc == 0; i++)
		rc = db_delete(s->db, "image", l.gone.items[i], 0, err);
	strlist_finish(&l.gone);
	return rc;
}

static int load(struct image_store *s, struct error *err)
{
	int rc = path_mkdirs(s->layers_dir, 0700, err);

	if (rc == 0)
		rc = path_mkdirs(s->trash_dir, 0700, err);
	if (rc == 0)
		rc = db_each(s->db, "layer", load_layer, s, err);
	if (rc == 0)
		rc = load_images(s, err);
	return rc;
}

int image_store_open(const struct image_store_config *c, struct image_store **ret,
		     struct error *err)
{
	struct image_store *s = xnew(struct image_store);
	int rc;

	s->root = xstrdup(c->root);
	s->layers_dir = path_join(c->root, "layers");
	s->trash_dir = path_join(c->root, "trash");
	s->certs_dir = c->certs_dir ? xstrdup(c->certs_dir) : NULL;
	for (size_t i = 0; c->pinned && i < c->pinned->count; i++)
		strlist_add(&s->pinned, c->pinned->items[i]);
	s->fetch_program = xstrdup(c->fetch_program);
	s->unpack_program = xstrdup(c->unpack_program);
	s->verify_program = c->verify_program ? xstrdup(c->verify_program) : NULL;
	s->db = c->db;
	pthread_mutex_init(&s->change_lock, NULL);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->idle, NULL);
	list_init(&s->pulls);
	rc = load(s, err);
	if (rc < 0) {
		image_store_close(s);
		return rc;
	}
	layers_kick_sync(s);
	*ret = s;
	return 0;
}

static void finish_images(struct image_store *s)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_at(&s->images, &i));)
		image_put(e->value);
	map_finish(&s->images);
}

void image_store_close(struct image_store *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->closing = true;
	pulls_stop(s);
	while (s->threads > 0)
		pthread_cond_wait(&s->idle, &s->lock);
	pthread_mutex_unlock(&s->lock);
	finish_images(s);
	layers_finish(s);
	pthread_mutex_destroy(&s->change_lock);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->idle);
	free(s->root);
	free(s->layers_dir);
	free(s->trash_dir);
	free(s->certs_dir);
	free(s->fetch_program);
	free(s->unpack_program);
	free(s->verify_program);
	strlist_finish(&s->pinned);
	free(s);
}
