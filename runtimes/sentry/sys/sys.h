/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls: the table, and what handlers share.
 *
 * A handler fetches and checks all arguments first, then lets the subsystem work.  It returns
 * what the guest gets in rax: a value or -errno, or -ERESTART* (kern/wait.h).
 */
#ifndef SENTRY_SYS_SYS_H
#define SENTRY_SYS_SYS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "runtimes/sentry/task/task.h"

#define SYS_CALLS 468 /* x86-64 numbers 0 to 467 */

typedef long sys_fn(struct task *t, const uint64_t a[6]);

enum sys_state {
	SYS_FULL,
	SYS_PARTIAL, /* note says what lacks */
	SYS_REFUSED, /* answers -errnum; note says why */
};

struct sys_entry {
	const char *name;
	sys_fn *fn; /* NULL: refused */
	enum sys_state state;
	int errnum;
	const char *note;
	const char *args; /* for traces, one letter each: see sys/trace.h */
};

extern const struct sys_entry sys_table[SYS_CALLS];

/* sys_print_table() - a line a call: number, name, state, and what lacks or why it is refused. */
void sys_print_table(FILE *to);
/* sys_check() - platform_ops.check: the guest's filters. */
bool sys_check(struct stub_thread *t, const struct stub_call *c, long *ret);
/* sys_call() - platform_ops.call. */
long sys_call(struct stub_thread *t, const struct stub_call *c);

/* Fetching arguments. Each returns 0 or more, or -errno. */
int sys_copy_in(struct task *t, void *to, uint64_t from, size_t len);
/*
 * sys_copy_sized() - a struct that may grow: at most @known bytes of @size; what we do not know
 * must be 0, or it is -E2BIG.
 */
int sys_copy_sized(struct task *t, void *to, size_t known, uint64_t from, uint64_t size);
int sys_copy_out(struct task *t, uint64_t to, const void *from, size_t len);
/* sys_path() - a path name of at most PATH_MAX bytes with its 0. */
int sys_path(struct task *t, uint64_t from, char buf[4096]);
/* sys_iov() - readv(2)'s vector, checked; @ret must be freed by sys_iov_free(). */
struct sys_iov {
	struct iovec fast[8], *iov;
	struct uio uio;
};
int sys_iov(struct task *t, uint64_t iov, uint64_t count, struct sys_iov *ret);
void sys_iov_one(struct task *t, uint64_t addr, uint64_t len, struct sys_iov *ret);
void sys_iov_free(struct sys_iov *v);
/* sys_iov_readable() - how many bytes of @u there are before a bad address. */
size_t sys_iov_readable(struct uio *u);
/*
 * sys_file() - of descriptor @fd, with a reference; NULL: -EBADF.  One that is only a place
 * (O_PATH) is none: the few calls that take those ask fdtable_find().
 */
struct file *sys_file(struct task *t, int fd);
/* sys_start() - where a *at() call begins: NULL with *ret 0 for AT_FDCWD. */
int sys_start(struct task *t, int dirfd, struct path *ret, bool *ret_has);
/* sys_deadline() - of a struct timespec of the guest; WAIT_FOREVER for a null pointer. */
int sys_deadline(struct task *t, uint64_t timespec, int64_t *ret_ns);
/* sys_deadline_or_now() - 0 for no time at all: do not even sleep. */
int sys_deadline_or_now(struct task *t, uint64_t timespec, int64_t *ret_ns);
/* sys_deadline_of_ms() - the same, of milliseconds; below 0: WAIT_FOREVER. */
int64_t sys_deadline_of_ms(int ms);
/* sys_mask_for_call() - the guest's signal mask at @mask (0: none), while the call runs. */
int sys_mask_for_call(struct task *t, uint64_t mask, uint64_t size);

#endif
