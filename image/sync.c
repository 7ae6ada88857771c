/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers onto the disk, after the pull that made them.
 *
 *   pull: directory, record {"unsynced": true}   -->  the image is there, containers start
 *   here: syncfs                                 -->  record without the mark, synced
 *
 * A killed server loses nothing: the pages are the kernel's.  A power cut before the second record
 * leaves one of an earlier boot with the mark: store.c drops that layer and the images that have
 * it, and they are pulled again.  So no layer counts that may be half written, and no pull waits
 * for the disk.
 */
#include <fcntl.h>

#include "base/log.h"
#include "base/path.h"
#include "base/thread.h"
#include "image/store.h"

/* What a syncfs that begins now will have covered.  Return: false when there is nothing. */
static bool begin(struct image_store *s, struct strlist *ret)
{
	struct map_entry *e;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; (e = map_at(&s->layers, &i));) {
		struct layer *l = e->value;

		if (!l->recorded || l->synced)
			continue;
		l->syncing = true; /* one that goes and comes back meanwhile is not */
		strlist_add(ret, l->diff_id);
	}
	pthread_mutex_unlock(&s->lock);
	return ret->count > 0;
}

/* Its record without the mark, or NULL.  Preconditions: holds change_lock. */
static char *end(struct image_store *s, const char *diff_id)
{
	char *text = NULL;
	struct layer *l;

	pthread_mutex_lock(&s->lock);
	l = map_get(&s->layers, diff_id);
	if (l && l->syncing) {
		l->syncing = false;
		l->synced = true;
		text = layer_record(l);
	}
	pthread_mutex_unlock(&s->lock);
	return text;
}

static void sync_layers(struct image_store *s)
{
	int dir cleanup_close = open(s->layers_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct strlist layers cleanup_strlist = { 0 };
	struct error err = ERROR_INIT;
	int rc = 0;

	if (!begin(s, &layers))
		return;
	if (dir < 0 || syncfs(dir) < 0) {
		log_warn("syncfs %s: %s: a power cut would cost the last pulled images",
			 s->layers_dir, strerror(errno));
		return;
	}
	pthread_mutex_lock(&s->change_lock);
	for (size_t i = 0; i < layers.count && rc == 0; i++) {
		char *text cleanup_free = end(s, layers.items[i]);

		if (text)
			rc = db_put(s->db, "layer", layers.items[i], text,
				    i + 1 == layers.count ? DB_SYNC : 0, &err);
	}
	pthread_mutex_unlock(&s->change_lock);
	if (rc < 0)
		log_warn("recording that layers are on the disk: %s", err.text);
}

static void *sync_thread(void *data)
{
	struct image_store *s = data;
	bool again = true;

	while (again) {
		sync_layers(s);
		pthread_mutex_lock(&s->lock);
		again = s->sync_again && !s->closing;
		s->sync_again = false;
		if (!again) {
			s->sync_running = false;
			s->threads--;
			pthread_cond_broadcast(&s->idle);
		}
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

void layers_kick_sync(struct image_store *s)
{
	bool start;

	pthread_mutex_lock(&s->lock);
	start = !s->sync_running && !s->closing;
	s->sync_again = s->sync_running;
	if (start) {
		s->sync_running = true;
		s->threads++;
	}
	pthread_mutex_unlock(&s->lock);
	if (start)
		thread_detach(sync_thread, s);
}
