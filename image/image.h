/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images of this node: pulled, listed, resolved, removed.
 *
 * An image id is its config digest ("sha256:<hex>"), one value everywhere (CRI 1.36).
 * Thread-safe.  List and find answer from memory, never from disk or network.
 */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "storage/db.h"

struct image_store;

struct image_store_config {
	const char *root;      /* layers live in root/layers, trash in root/trash */
	const char *certs_dir; /* containerd's hosts.toml layout; may be NULL */
	struct db *db;
	const char *fetch_program, *unpack_program;
	const struct strlist
		*pinned; /* names that the kubelet is to keep, "*" as in shells; may be NULL */
	const char *verify_program; /* NULL, or what may refuse an image: image/verify.c */
};

/* One image. Immutable and counted: a changed image is a new object. */
struct image {
	unsigned int refs;
	char *id;
	struct strlist repo_tags;    /* "host/repo:tag", fully qualified */
	struct strlist repo_digests; /* "host/repo@sha256:..." */
	uint64_t size_bytes;	     /* > 0: unpacked layers and config */
	bool pinned;		     /* one of its tags is in the configuration */
	/* From the config (image-spec config.md), empty when absent: */
	char *user, *working_dir, *stop_signal;
	struct strlist env, entrypoint, cmd, volumes;
	struct strlist layers; /* diff ids, bottom first */
	char *config_json;     /* the config blob as it came */
};

int image_store_open(const struct image_store_config *config, struct image_store **ret,
		     struct error *err);
void image_store_close(struct image_store *store);

/* image_get() - by id (with or without "sha256:", unique prefix of >= 8), tag, digest or short
 * name; NULL. */
struct image *image_get(struct image_store *store, const char *name);
void image_put(struct image *image); /* may be NULL */
/* image_list() - all, each with a reference for the caller.  Caller frees the array. */
struct image **image_list(struct image_store *store, size_t *ret_count);

/* Credentials of one pull (CRI AuthConfig); empty strings or NULL where unset. Never logged. */
struct image_auth {
	const char *username, *password, *auth, *server_address, *identity_token, *registry_token;
};

/*
 * image_pull() - resolve, fetch, verify and unpack @name; blocks the calling (job) thread.
 * Equal pulls under way at once are one pull; it stops when its last waiter has left.
 * @cancel_fd: readable means this waiter leaves (-ECANCELED).
 * The same image again moves the tag.  Return: 0 with a reference in *ret.
 */
int image_pull(struct image_store *store, const char *name, const struct image_auth *auth,
	       int cancel_fd, struct image **ret, struct error *err);

/* A layer of a pull under way. */
struct image_progress {
	char digest[160];
	uint64_t size, bytes; /* compressed: in all, and fetched so far */
	bool done;	      /* unpacked, or here before */
};

/*
 * image_pull_progress() - copy how far pulls of @name are.  Return: layers, to be freed by the
 * caller in *ret (NULL when nothing is known: no such pull, or not yet).
 */
size_t image_pull_progress(struct image_store *store, const char *name,
			   struct image_progress **ret);

/*
 * image_import() - all images of the archive @fd (a regular file: an OCI layout, or what docker
 * saves), verified and unpacked as those of a pull.  @name is what messages call it.
 * Return: 0 with the images' ids added to @ret_ids; what was imported before an error stays.
 */
int image_import(struct image_store *store, int fd, const char *name, int cancel_fd,
		 struct strlist *ret_ids, struct error *err);

/* image_tag() - give the image called @name the tag @tag too, wherever that was before. */
int image_tag(struct image_store *store, const char *name, const char *tag, struct error *err);

/*
 * image_remove() - forget the image with all its names, whichever of them is given; absent is 0.
 * Layers that no image and no hold uses are deleted in the background.
 */
int image_remove(struct image_store *store, const char *name, struct error *err);

/*
 * image_hold() / image_release() - keep @layers (diff ids) for a container while it exists.
 * Holds are in memory: whoever records containers takes them again after a restart, then calls
 * image_sweep() once, which deletes layers that nothing uses and unfinished ones.
 * Return: 0 or -ENOENT naming a layer that is not here.
 */
int image_hold(struct image_store *store, const struct strlist *layers, struct error *err);
void image_release(struct image_store *store, const struct strlist *layers);
void image_sweep(struct image_store *store);

/* image_layer_dirs() - the directories of @layers for overlay_mount(), bottom first. */
int image_layer_dirs(struct image_store *store, const struct strlist *layers,
		     struct strlist *ret_dirs, struct error *err);

/* image_fs_info() - from the records, never by walking: bytes and inodes that layers use. */
void image_fs_info(struct image_store *store, uint64_t *ret_bytes, uint64_t *ret_inodes);

/* image_normalize() - "nginx" -> "docker.io/library/nginx:latest". Caller frees *ret. */
int image_normalize(const char *name, char **ret, struct error *err);

#endif
