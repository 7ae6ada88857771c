/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoll(7): sets of files, and those of them that are ready.
 */
#ifndef SENTRY_VFS_EPOLL_H
#define SENTRY_VFS_EPOLL_H

#include <sys/epoll.h>

#include "runtimes/sentry/vfs/file.h"

int epoll_create_file(struct cred *c, struct file **ret);
/* epoll_control() - epoll_ctl(2). @fd: its number, part of the key. Return: as the call. */
int epoll_control(struct file *ep, int op, struct file *f, int fd, const struct epoll_event *event);
/* Called for each that is reported, while nothing is held: @f under number @fd has @events. */
typedef void epoll_report_fn(void *data, struct file *f, int fd, uint32_t events);
/*
 * epoll_collect() - up to @max ready ones to @out; waits for the first of them.
 * @report may be NULL.
 * Return: how many, 0 at the deadline, -EINVAL: @ep is no epoll, or as wait_sleep().
 */
int epoll_collect(struct file *ep, struct epoll_event *out, int max, int64_t deadline_ns,
		  epoll_report_fn *report, void *data);
/* epoll_file_gone() - the last reference of @f has gone: it leaves every set. */
void epoll_file_gone(struct file *f);
bool epoll_is(const struct file *f);
/* epoll_for_each() - what is watched, for /proc/self/fdinfo. */
typedef void epoll_item_fn(void *data, int fd, uint32_t events, uint64_t value, struct file *f);
void epoll_for_each(struct file *ep, epoll_item_fn *fn, void *data);

#endif
