/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry API: manifests and blobs from the first endpoint that has them.
 */
#ifndef IMAGE_FETCH_REGISTRY_H
#define IMAGE_FETCH_REGISTRY_H

#include <curl/curl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "image/fetch/request.h"

/* Shared by the threads of one fetch. */
struct registry {
	const struct request *request;
	pthread_mutex_t lock;
	char *authorization[REQUEST_MAX_ENDPOINTS]; /* guarded by lock */
	bool dead[REQUEST_MAX_ENDPOINTS];	    /* could not be spoken to; guarded by lock */
};

void registry_init(struct registry *r, const struct request *request);

/* What the name was resolved to. */
struct registry_image {
	char digest[160];		/* of what was asked */
	struct strbuf manifest, config; /* verified bytes */
};

/*
 * registry_resolve() - manifest and config for the request's platform.
 * @ret_unavailable: the last endpoint could not be spoken to, or said so itself.
 */
int registry_resolve(struct registry *r, CURL *curl, struct registry_image *ret,
		     bool *ret_unavailable, struct error *err);
void registry_image_finish(struct registry_image *image);

/* One blob to be streamed into a pipe. */
struct registry_blob {
	const char *digest;
	uint64_t size_bytes;
	const struct strlist *urls; /* tried last; may be NULL */
	int out;
	void (*progress)(void *data, uint64_t bytes); /* so far; may be NULL */
	void *progress_data;
};

/*
 * registry_blob() - stream and verify it; a cut connection resumes at the byte where the hash
 * stands.  When the reader of the pipe goes away the rest is still verified, so that a bad blob
 * is told from a bad reader.
 */
int registry_blob(struct registry *r, CURL *curl, const struct registry_blob *blob,
		  bool *ret_unavailable, struct error *err);

#endif
