/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image references: host/path:tag@digest, as Docker and containerd read them.
 */
#ifndef IMAGE_REF_H
#define IMAGE_REF_H

#include <stdbool.h>

#include "base/error.h"

#define IMAGE_REF_HUB "docker.io"

struct image_ref {
	char *host;   /* "docker.io", "localhost:5000" */
	char *path;   /* "library/nginx" */
	char *tag;    /* NULL when a digest was given */
	char *digest; /* may be NULL */
};

/*
 * image_ref_parse() - check @name and fill in what it leaves out: the hub's host, "library/",
 * ":latest".  A digest wins over a tag.  *ret is untouched on failure.
 * Return: 0, or -EINVAL saying what is wrong with it.
 */
int image_ref_parse(const char *name, struct image_ref *ret, struct error *err);
void image_ref_finish(struct image_ref *ref);
#define cleanup_image_ref __attribute__((__cleanup__(image_ref_finish)))

/* image_ref_format() - the whole reference, fully qualified.  Caller frees. */
char *image_ref_format(const struct image_ref *ref);
/* image_ref_with_digest() - "host/path@digest".  Caller frees. */
char *image_ref_with_digest(const struct image_ref *ref, const char *digest);
/* image_ref_is_local() - the host is this machine, where plain HTTP is tried too. */
bool image_ref_is_local(const char *host);

#endif
