/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places that calls name: a descriptor, a name, or both (the *at() family).
 */
#ifndef SENTRY_SYS_FILE_AT_H
#define SENTRY_SYS_FILE_AT_H

#include "runtimes/sentry/sys/sys.h"

/* A name and where it begins. Not initialized: at_fetch() does that. */
struct at {
	bool has_start;
	struct path start;
	char name[4096];
};
#define AT_UNSET __attribute__((uninitialized))

/* at_fetch() - Return: 0 or -errno; with 0 at_end() must follow. */
int at_fetch(struct task *t, uint64_t dirfd, uint64_t name, struct at *ret);
void at_end(struct at *a);
static inline const struct path *at_start(const struct at *a)
{
	return a->has_start ? &a->start : NULL;
}

/* An existing file that a call works on. */
struct place {
	struct inode *inode; /* a reference unless the path has it */
	struct path path;    /* references; both NULL for a file without a name */
};

/*
 * place_find() - @flags: AT_SYMLINK_NOFOLLOW, AT_SYMLINK_FOLLOW are not looked at but by @follow;
 * AT_EMPTY_PATH: an empty name is the descriptor itself.
 */
int place_find(struct task *t, uint64_t dirfd, uint64_t name, bool follow, bool empty,
	       struct place *ret);
/* place_of_fd() - of an open descriptor; @path_too: O_PATH ones count. Return: 0 or -EBADF. */
int place_of_fd(struct task *t, uint64_t fd, bool path_too, struct place *ret);
void place_end(struct place *p);
/* place_may_write() - its mount is writable. */
int place_may_write(const struct place *p);

#endif
