/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors of a process: numbers to open files.
 */
#ifndef SENTRY_VFS_FDTABLE_H
#define SENTRY_VFS_FDTABLE_H

#include "runtimes/sentry/vfs/file.h"

#define FDTABLE_MAX (1 << 20) /* as fs.nr_open */

struct fdtable;

struct fdtable *fdtable_create(void);
struct fdtable *fdtable_copy(struct fdtable *t);
struct fdtable *fdtable_get(struct fdtable *t);
void fdtable_put(struct fdtable *t); /* closes all with the last reference; t may be NULL */

/* fdtable_find() - with a reference; NULL: -EBADF. */
struct file *fdtable_find(struct fdtable *t, int fd);
/*
 * fdtable_room() - whether one more would find a number below @limit, for calls that must not begin
 * what they cannot end.  Return: 0, -EMFILE or -ENFILE.
 */
int fdtable_room(struct fdtable *t, uint64_t limit);
/*
 * fdtable_install() - the lowest free number >= @from and < @limit (RLIMIT_NOFILE) gets @f, whose
 * reference it takes.  Return: the number, or -EMFILE, -ENFILE (the reference stays the caller's).
 */
int fdtable_install(struct fdtable *t, struct file *f, int from, uint64_t limit, bool cloexec);
/* fdtable_replace() - dup2: @fd becomes @f (reference taken), what was there is closed. */
int fdtable_replace(struct fdtable *t, int fd, struct file *f, bool cloexec);
/* fdtable_close() - Return: what flush says, or -EBADF. */
int fdtable_close(struct fdtable *t, int fd);
int fdtable_close_range(struct fdtable *t, unsigned int first, unsigned int last,
			bool cloexec_only);
int fdtable_get_cloexec(struct fdtable *t, int fd); /* 0, 1 or -EBADF */
int fdtable_set_cloexec(struct fdtable *t, int fd, bool on);
/* fdtable_close_on_exec() - those marked. */
void fdtable_close_on_exec(struct fdtable *t);
/* fdtable_slots() - all numbers in use are below it. */
int fdtable_slots(struct fdtable *t);
/* fdtable_next() - the lowest number >= @fd in use, for /proc/self/fd; -1: none. */
int fdtable_next(struct fdtable *t, int fd);

#endif
