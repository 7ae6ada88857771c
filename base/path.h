/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths and directory trees.
 */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/* path_join() - "a/b" of @a and @b with one slash between.  Caller frees. */
char *path_join(const char *a, const char *b);
bool path_exists(const char *path);
/* path_mkdirs() - make @path and its parents; existing ones are fine. */
int path_mkdirs(const char *path, mode_t mode, struct error *err);
/*
 * path_remove_tree() - delete @name below @dirfd and all under it, never following symlinks
 * nor crossing into another file system.  Absent is fine.
 */
int path_remove_tree(int dirfd, const char *name, struct error *err);
/* path_open_in_root() - openat2(RESOLVE_IN_ROOT): symlinks stay inside @rootfd.  fd or -errno. */
int path_open_in_root(int rootfd, const char *path, int flags, mode_t mode);
/*
 * path_open_below() - openat2(RESOLVE_BENEATH): never out of @dirfd and through no symlink; always
 * close-on-exec.  System calls only, so that a child before its exec may call it.
 * Return: descriptor or -errno.
 */
int path_open_below(int dirfd, const char *path, int flags, mode_t mode);
/* path_is_clean() - absolute, no "." or ".." component, no empty component. */
bool path_is_clean(const char *path);
/* path_find_program() - @name on PATH, or itself when it has a slash and can be run. May be NULL.
 */
char *path_find_program(const char *name);
/*
 * path_sibling_program() - a program of ours: beside this executable first, then in
 * ../libexec/bulkhead, then on PATH.  May be NULL.  Caller frees.
 */
char *path_sibling_program(const char *name);

#endif
