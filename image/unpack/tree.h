/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names inside the layer's directory, never outside it.
 */
#ifndef IMAGE_UNPACK_TREE_H
#define IMAGE_UNPACK_TREE_H

#include <limits.h>
#include <stdbool.h>

#include "base/error.h"

#define TREE_OPAQUE "user.overlay.opaque"
#define TREE_ORIGIN "user.overlay.origin"

struct tree {
	int root;   /* the layer's directory; the caller's */
	int parent; /* -1, or the directory cached is the path of */
	char cached[PATH_MAX];
};

void tree_init(struct tree *t, int root);
void tree_finish(struct tree *t);

/*
 * tree_clean() - @raw from an archive as "a/b/c" into @out; "" is the layer's directory itself.
 * Errors: "..", a name or path that is too long, too deep.
 */
int tree_clean(const char *raw, char out[PATH_MAX], struct error *err);

/*
 * tree_parent() - the directory that holds @path (clean, not ""), made 0755 where missing.
 * Return: a descriptor that belongs to @t, valid until the next call; *ret_name: last component.
 */
int tree_parent(struct tree *t, const char *path, const char **ret_name, struct error *err);
/* tree_find() - as tree_parent(), but a missing directory is -ENOENT. */
int tree_find(struct tree *t, const char *path, const char **ret_name, struct error *err);
/* tree_open_dir() - directory @path ("" is the root).  Return: the caller's descriptor. */
int tree_open_dir(struct tree *t, const char *path, struct error *err);

/* tree_remove() - @name in @dirfd with everything below; *ret_whiteout: it was a whiteout. */
int tree_remove(struct tree *t, int dirfd, const char *name, bool *ret_whiteout, struct error *err);
/* tree_mkdir() - directory @name; one that is there stays.  In a whiteout's place: opaque. */
int tree_mkdir(struct tree *t, int dirfd, const char *name, struct error *err);
/* tree_whiteout() - @name of the lower layers is gone. */
int tree_whiteout(int dirfd, const char *name, struct error *err);
/* tree_opaque() - nothing of the lower layers shows in directory @dirfd. */
int tree_opaque(int dirfd, struct error *err);

#endif
