/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals: pseudo-terminals, and terminals of the host.
 */
#ifndef SENTRY_FS_TTY_H
#define SENTRY_FS_TTY_H

#include "runtimes/sentry/task/container.h"
#include "runtimes/sentry/vfs/file.h"

struct tty_control; /* task/pgroup.h */

/* tty_number() - the device that proc(5)'s tty_nr shows. */
int tty_number(const struct tty_control *c);
/* tty_control_of_file() - for a process that gets it as its controlling terminal; NULL: no tty. */
struct tty_control *tty_control_of_file(struct file *f);

/* devpts_create() - a file system of pseudo-terminals of its own, with ptmx in it. */
int devpts_create(const char *source, const char *options, struct container *c,
		  struct filesystem **ret);
/* ptmx_open(), pts_open(), tty_open_current() - for the device table: /dev/ptmx, pts/N, tty. */
int ptmx_open(struct inode *i, struct file *f);
int pts_open(struct inode *i, struct file *f);
int tty_open_current(struct inode *i, struct file *f);

/*
 * tty_host_add() - a terminal of the host (taken over, also on failure) becomes pts/N of @devpts
 * (a file system of devpts_create()), to be opened by that name; it goes when its last descriptor
 * is closed.  It is put into raw mode: the guest's settings and signals are ours.  @fd needs an
 * open description of its own.  Return: N or -errno.
 */
int tty_host_add(struct filesystem *devpts, int fd);
/*
 * tty_host_resized() - the window of the host's terminal has another size, as whoever holds it on
 * the host was told by SIGWINCH.  Harmless for other files.
 */
void tty_host_resized(struct file *f);

#endif
