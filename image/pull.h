/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pull under way: what its waiters and its thread share.  An import is one without waiters.
 */
#ifndef IMAGE_PULL_H
#define IMAGE_PULL_H

#include "base/digest.h"
#include "image/ref.h"
#include "image/store.h"

#define PULL_UNSIGNED "SignatureValidationFailed" /* the kubelet matches it */

/* Decoded credentials, only those that may go to this registry. NULL: none. */
struct pull_auth {
	char *username, *password, *identity_token, *registry_token;
};

struct pull {
	struct list link; /* in store->pulls while it can be joined */
	struct image_store *store;
	char *name;	      /* fully qualified; of an import what messages are to call it */
	struct image_ref ref; /* not of an import */
	int archive_fd;	      /* -1, or where the image is instead of a registry */
	size_t archive_index;
	bool archive_more; /* set by pull_run(): another image follows in the archive */
	struct pull_auth auth;
	char auth_key[DIGEST_MAX]; /* equal credentials, equal key */
	int cancel_fd;		   /* eventfd: the last waiter left */
	int wake_fd;		   /* eventfd: a layer changed */
	int done_fd;		   /* eventfd: result and err are set */

	/* Guarded by store->lock: */
	unsigned int waiters, refs;
	bool done;
	struct image *result;
	struct error err;
	struct image_progress *layers; /* of the image, once they are known */
	size_t n_layers;
};

/* pull_progress_add() - a layer of @p's image that is on its way, or was here already. */
void pull_progress_add(struct pull *p, const char *digest, uint64_t size);
/* pull_progress_set() - how much of layer @index is here; that it is @done. */
void pull_progress_set(struct pull *p, size_t index, uint64_t bytes, bool done);

/*
 * pull_verify() - ask the verifier, if there is one, whether @digest may be used (verify.c).
 * Return: 0, or -EACCES with the text that the kubelet matches.
 */
int pull_verify(const struct pull *p, const char *digest, struct error *err);

/* pull_run() - do it (pull_job.c).  Return: 0 with a reference in *ret. */
int pull_run(struct pull *p, struct image **ret, struct error *err);

#endif
