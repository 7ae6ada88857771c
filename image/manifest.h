/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Indexes, manifests and configs of images: OCI's and Docker's JSON.
 *
 * All of it is foreign: sizes, counts, digests and types are checked here, and nothing that
 * comes out points into the input.
 */
#ifndef IMAGE_MANIFEST_H
#define IMAGE_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define MANIFEST_MAX_BYTES  (8 << 20)
#define MANIFEST_MAX_LAYERS 500 /* what one overlay mount takes */

/* What registries are asked for, as one Accept header's value. */
#define MANIFEST_ACCEPT                                               \
	"application/vnd.oci.image.index.v1+json, "                   \
	"application/vnd.oci.image.manifest.v1+json, "                \
	"application/vnd.docker.distribution.manifest.list.v2+json, " \
	"application/vnd.docker.distribution.manifest.v2+json"

struct manifest_blob {
	char *media_type, *digest;
	uint64_t size_bytes;
	struct strlist urls; /* http(s) places of layers that registries don't distribute */
};

struct manifest {
	struct manifest_blob config;
	struct manifest_blob *layers; /* bottom first */
	size_t n_layers;
};

enum manifest_kind { MANIFEST_INDEX, MANIFEST_IMAGE };

/*
 * manifest_kind() - what @text is, by its own mediaType, else by @content_type, else its shape.
 * Errors: -EINVAL not JSON or of no known type, -ENOTSUP schema 1; they name the type.
 */
int manifest_kind(const char *text, size_t len, const char *content_type,
		  enum manifest_kind *ret_kind, struct error *err);

/*
 * manifest_choose() - the digest of the manifest for @os/@arch in an index.  Caller frees.
 * Return: 0, or -ENOENT naming the platforms there are.
 */
int manifest_choose(const char *text, size_t len, const char *os, const char *arch,
		    char **ret_digest, struct error *err);

/* manifest_parse() - an image manifest; unknown layer types and > 500 layers are refused. */
int manifest_parse(const char *text, size_t len, struct manifest *ret, struct error *err);
void manifest_finish(struct manifest *m);

/* What the runtime needs of an image's config. */
struct manifest_config {
	char *user, *working_dir, *stop_signal; /* "" when absent */
	struct strlist env, entrypoint, cmd, volumes, diff_ids;
};

int manifest_config_parse(const char *text, size_t len, struct manifest_config *ret,
			  struct error *err);
void manifest_config_finish(struct manifest_config *c);

/* manifest_host_arch() - this machine as OCI names it: "amd64", "arm64". */
const char *manifest_host_arch(void);

#endif
