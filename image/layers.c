/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers: who uses them, where they are, how they go.
 *
 * A layer is a directory root/layers/<hex of diff_id>.  It stays while an image has it or
 * someone holds it.  What nothing uses loses its record, is renamed into root/trash and deleted
 * by a background thread, so that removal is quick however large it was.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/thread.h"
#include "image/store.h"

static const char *hex_of(const char *diff_id)
{
	const char *hex = str_after(diff_id, "sha256:");

	return hex ? hex : diff_id;
}

char *layer_dir(const struct image_store *s, const char *diff_id)
{
	return path_join(s->layers_dir, hex_of(diff_id));
}

char *layer_record(const struct layer *l)
{
	struct strbuf out = { 0 };
	struct json_writer w = { .out = &out };

	json_begin_object(&w);
	json_put_u64(&w, "bytes", l->bytes);
	json_put_u64(&w, "inodes", l->inodes);
	if (!l->synced)
		json_put_bool(&w, "unsynced", true);
	json_end_object(&w);
	return strbuf_steal(&out);
}

static struct layer *add_layer(struct image_store *s, const char *diff_id)
{
	struct layer *l = xnew(struct layer);

	l->diff_id = xstrdup(diff_id);
	map_put(&s->layers, diff_id, l);
	return l;
}

static void layer_free(struct layer *l)
{
	free(l->diff_id);
	free(l);
}

void layer_load(struct image_store *s, const char *diff_id, uint64_t bytes, uint64_t inodes,
		bool synced)
{
	struct layer *l = add_layer(s, diff_id);

	l->bytes = bytes;
	l->inodes = inodes;
	l->recorded = true;
	l->synced = synced;
}

void layers_finish(struct image_store *s)
{
	struct map_entry *e;

	for (size_t i = 0; (e = map_at(&s->layers, &i));)
		layer_free(e->value);
	map_finish(&s->layers);
}

/* --- claims of pulls
 * ------------------------------------------------------------------------------ */

enum layer_claim layer_claim(struct image_store *s, const char *diff_id)
{
	enum layer_claim claim = LAYER_READY;
	struct layer *l;

	pthread_mutex_lock(&s->lock);
	l = map_get(&s->layers, diff_id);
	if (l && l->busy) {
		claim = LAYER_OTHERS;
	} else {
		if (!l) {
			l = add_layer(s, diff_id);
			l->busy = true;
			claim = LAYER_MINE;
		}
		l->holds++;
	}
	pthread_mutex_unlock(&s->lock);
	return claim;
}

void layer_made(struct image_store *s, const char *diff_id, uint64_t bytes, uint64_t inodes)
{
	struct layer *l;

	pthread_mutex_lock(&s->lock);
	l = map_get(&s->layers, diff_id);
	l->busy = false;
	l->bytes = bytes;
	l->inodes = inodes;
	store_wake_pulls(s);
	pthread_mutex_unlock(&s->lock);
}

void layer_abandon(struct image_store *s, const char *diff_id)
{
	pthread_mutex_lock(&s->lock);
	layer_free(map_remove(&s->layers, diff_id));
	store_wake_pulls(s);
	pthread_mutex_unlock(&s->lock);
}

/* --- holds ------------------------------------------------------------------------------------ */

int image_hold(struct image_store *s, const struct strlist *layers, struct error *err)
{
	const char *missing = NULL;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < layers->count && !missing; i++) {
		struct layer *l = map_get(&s->layers, layers->items[i]);

		if (!l || l->busy)
			missing = layers->items[i];
	}
	for (size_t i = 0; i < layers->count && !missing; i++)
		((struct layer *)map_get(&s->layers, layers->items[i]))->holds++;
	pthread_mutex_unlock(&s->lock);
	if (missing)
		return error_set(err, ENOENT, "layer %s is not on this node: pull the image again",
				 missing);
	return 0;
}

void image_release(struct image_store *s, const struct strlist *layers)
{
	bool unused = false;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < layers->count; i++) {
		struct layer *l = map_get(&s->layers, layers->items[i]);

		if (l && l->holds > 0)
			l->holds--;
		unused |= l && l->holds == 0 && l->image_refs == 0;
	}
	pthread_mutex_unlock(&s->lock);
	if (!unused)
		return;
	pthread_mutex_lock(&s->change_lock);
	layers_collect(s);
	pthread_mutex_unlock(&s->change_lock);
}

int image_layer_dirs(struct image_store *s, const struct strlist *layers, struct strlist *ret_dirs,
		     struct error *err)
{
	struct strlist seen cleanup_strlist = { 0 };
	struct strlist dirs = { 0 };
	const char *missing = NULL;

	/* A layer that comes twice counts where it is topmost: overlayfs refuses repeats. */
	pthread_mutex_lock(&s->lock);
	for (size_t i = layers->count; i > 0 && !missing; i--) {
		const char *id = layers->items[i - 1];
		struct layer *l = map_get(&s->layers, id);

		if (!l || l->busy)
			missing = id;
		else if (!strlist_has(&seen, id))
			strlist_add(&seen, id);
	}
	pthread_mutex_unlock(&s->lock);
	if (missing)
		return error_set(err, ENOENT, "layer %s is not on this node: pull the image again",
				 missing);
	for (size_t i = seen.count; i > 0; i--)
		strlist_add_owned(&dirs, layer_dir(s, seen.items[i - 1]));
	*ret_dirs = dirs;
	return 0;
}

void image_fs_info(struct image_store *s, uint64_t *ret_bytes, uint64_t *ret_inodes)
{
	struct map_entry *e;

	*ret_bytes = *ret_inodes = 0;
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; (e = map_at(&s->layers, &i));) {
		struct layer *l = e->value;

		*ret_bytes += l->bytes;
		*ret_inodes += l->inodes;
	}
	pthread_mutex_unlock(&s->lock);
}

/* --- trash ------------------------------------------------------------------------------------ */

/* One name in the trash, or false when it is empty. */
static bool trash_next(int dir, char name[256])
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	bool found = false;

	if (!d) {
		close_fd(&fd);
		return false;
	}
	while (!found && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(name, 256, "%s", e->d_name);
		found = true;
	}
	closedir(d);
	return found;
}

static void trash_empty(struct image_store *s)
{
	int dir cleanup_close = open(s->trash_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error err = ERROR_INIT;
	char name[256];
	bool stop = false;

	while (dir >= 0 && !stop && trash_next(dir, name)) {
		if (path_remove_tree(dir, name, &err) < 0) {
			log_warn("%s: what is left there keeps its room: %s", s->trash_dir,
				 err.text);
			return;
		}
		pthread_mutex_lock(&s->lock);
		stop = s->closing;
		pthread_mutex_unlock(&s->lock);
	}
}

static void *trash_thread(void *data)
{
	struct image_store *s = data;
	bool again = true;

	while (again) {
		trash_empty(s);
		pthread_mutex_lock(&s->lock);
		again = s->trash_again && !s->closing;
		s->trash_again = false;
		if (!again) {
			s->trash_running = false;
			s->threads--;
			pthread_cond_broadcast(&s->idle);
		}
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

void layers_kick_trash(struct image_store *s)
{
	bool start;

	pthread_mutex_lock(&s->lock);
	start = !s->trash_running && !s->closing;
	s->trash_again = true;
	if (start) {
		s->trash_running = true;
		s->trash_again = false;
		s->threads++;
	}
	pthread_mutex_unlock(&s->lock);
	if (start)
		thread_detach(trash_thread, s);
}

static void move_to_trash(struct image_store *s, const char *path)
{
	char suffix[17];
	char *to cleanup_free = NULL;

	str_random_hex(suffix, 8);
	to = xasprintf("%s/%s", s->trash_dir, suffix);
	if (rename(path, to) < 0 && errno != ENOENT)
		log_warn("move %s to %s: %s", path, s->trash_dir, strerror(errno));
}

void layers_trash(struct image_store *s, const char *path)
{
	move_to_trash(s, path);
	layers_kick_trash(s);
}

/* --- collection ------------------------------------------------------------------------------- */

static bool is_unused(const struct layer *l)
{
	return !l->busy && l->holds == 0 && l->image_refs == 0;
}

/*
 * The record goes first: a directory without a record is swept at the next start, a record
 * without a directory would be a lie.  The rename is under the lock, so that a pull that makes
 * the same layer anew can't have its directory taken away.
 */
void layers_collect(struct image_store *s)
{
	struct strlist gone cleanup_strlist = { 0 };
	struct map_entry *e;
	bool moved = false;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; (e = map_at(&s->layers, &i));) {
		if (is_unused(e->value))
			strlist_add(&gone, e->key);
	}
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < gone.count; i++) {
		char *dir cleanup_free = layer_dir(s, gone.items[i]);
		char *again cleanup_free = NULL;
		struct error err = ERROR_INIT;
		struct layer *l;

		if (db_delete(s->db, "layer", gone.items[i], 0, &err) < 0)
			log_debug("layer %s: %s", gone.items[i], err.text);
		pthread_mutex_lock(&s->lock);
		l = map_get(&s->layers, gone.items[i]);
		if (l && is_unused(l)) {
			move_to_trash(s, dir);
			layer_free(map_remove(&s->layers, gone.items[i]));
			moved = true;
		} else if (l) {
			again = layer_record(l); /* taken again meanwhile */
		}
		pthread_mutex_unlock(&s->lock);
		if (again && db_put(s->db, "layer", gone.items[i], again, 0, &err) < 0)
			log_debug("layer %s: %s", gone.items[i], err.text);
	}
	if (moved)
		layers_kick_trash(s);
}

/* "<hex>" of a layer, or "<hex>.tmp-..." while a pull makes it. */
static bool is_known(struct image_store *s, const char *name)
{
	size_t n = strcspn(name, ".");
	char *diff_id cleanup_free = xasprintf("sha256:%.*s", (int)n, name);
	struct layer *l;
	bool known;

	pthread_mutex_lock(&s->lock);
	l = map_get(&s->layers, diff_id);
	known = l && (l->busy || !name[n]);
	pthread_mutex_unlock(&s->lock);
	return known;
}

/* Directories of no layer: unfinished ones, or left by a crash. */
static void sweep_dirs(struct image_store *s)
{
	DIR *d = opendir(s->layers_dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char *path cleanup_free = NULL;

		if (e->d_name[0] == '.' || is_known(s, e->d_name))
			continue;
		path = path_join(s->layers_dir, e->d_name);
		move_to_trash(s, path);
	}
	if (d)
		closedir(d);
}

void image_sweep(struct image_store *s)
{
	pthread_mutex_lock(&s->change_lock);
	layers_collect(s);
	pthread_mutex_unlock(&s->change_lock);
	sweep_dirs(s);
	layers_kick_trash(s);
}
