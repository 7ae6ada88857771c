/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Insides of the image store, shared by store.c, layers.c and pull.c.
 *
 * Lock order: change_lock, then lock.  change_lock is held over a change of records and of the
 * memory that mirrors them; lock guards the memory and is never held over disk or network.
 *
 *   images   id -> struct image (immutable, counted)
 *   layers   diff_id -> struct layer
 *
 * A layer's life:  busy (a pull makes it)  ->  ready  ->  unused: trash, gone.
 * Ready, it is first unsynced: good as long as the machine runs, but not yet on the disk.
 */
#ifndef IMAGE_STORE_H
#define IMAGE_STORE_H

#include <pthread.h>

#include "base/list.h"
#include "base/map.h"
#include "image/image.h"

struct layer {
	char *diff_id;
	uint64_t bytes, inodes;
	unsigned int image_refs; /* images that have it */
	unsigned int holds;	 /* containers and pulls under way */
	bool busy;		 /* a pull is unpacking it; its directory is not there yet */
	bool recorded;		 /* has a record */
	bool synced, syncing;	 /* all of it is on the disk; on the way there */
};

struct image_store {
	char *root, *layers_dir, *trash_dir, *certs_dir;
	char *fetch_program, *unpack_program, *verify_program;
	struct strlist pinned; /* patterns */
	struct db *db;

	pthread_mutex_t change_lock;
	pthread_mutex_t lock;
	pthread_cond_t idle; /* a thread ended */
	struct map images, layers;
	struct list pulls;    /* struct pull */
	unsigned int threads; /* pulls, the trash thread, the sync thread */
	bool trash_running, trash_again, sync_running, sync_again, closing;
};

/* --- images (store.c) --- */

/*
 * store_commit() - record @image (a reference is taken over) with its layers' records, moving
 * @tag (may be NULL) to it from whichever image had it; what is known of the same id is merged.
 * All its layers are ready and held by the caller.  Return: 0 with a reference in *ret.
 */
int store_commit(struct image_store *s, struct image *image, const char *tag, struct image **ret,
		 struct error *err);
/* store_make_image() - from a config's bytes, without names.  Refuses what can't be run. */
int store_make_image(const char *id, const char *config, size_t len, struct image **ret,
		     struct error *err);

/* --- layers (layers.c) --- */

enum layer_claim { LAYER_READY, LAYER_MINE, LAYER_OTHERS };

/*
 * layer_claim() - for a pull: take a hold on @diff_id if it is ready, or the duty to make it.
 * LAYER_OTHERS: another pull makes it; ask again when store_wake_pulls() was called.
 */
enum layer_claim layer_claim(struct image_store *s, const char *diff_id);
/* layer_made() - a claimed layer's directory is in place; the caller holds it now. */
void layer_made(struct image_store *s, const char *diff_id, uint64_t bytes, uint64_t inodes);
/* layer_abandon() - a claimed layer will not come; others may claim it. */
void layer_abandon(struct image_store *s, const char *diff_id);
/* layer_load() - a recorded layer, at start. */
void layer_load(struct image_store *s, const char *diff_id, uint64_t bytes, uint64_t inodes,
		bool synced);
/* layer_dir() - root/layers/<hex>.  Caller frees. */
char *layer_dir(const struct image_store *s, const char *diff_id);
/* layer_record() - the JSON of its record.  Caller frees. */
char *layer_record(const struct layer *l);
/* layers_collect() - drop layers that nothing uses.  Preconditions: holds change_lock. */
void layers_collect(struct image_store *s);
/* layers_trash() - move @path to the trash and delete it in the background. */
void layers_trash(struct image_store *s, const char *path);
void layers_kick_trash(struct image_store *s);
void layers_finish(struct image_store *s);

/* layers_kick_sync() - bring unsynced layers to the disk in the background (sync.c). */
void layers_kick_sync(struct image_store *s);

/* --- pulls (pull.c) --- */

/* store_wake_pulls() - a layer changed.  Preconditions: holds lock. */
void store_wake_pulls(struct image_store *s);
/* pulls_stop() - cancel all; store_close waits for their threads.  Preconditions: holds lock. */
void pulls_stop(struct image_store *s);

#endif
