/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals: what tty.c, tty_discipline.c, devpts.c and tty_host.c share.
 *
 *   guest program --write--> tty_output() --> out ring --> master's reader, or the host
 *   guest program <--read--- in ring <-- tty_input() <---- master's writer, or the host
 *                               ^------ echo ------> out ring
 *
 * Signals are sent after the terminal's lock is given back: tty_input() tells which.
 */
#ifndef SENTRY_FS_TTY_INTERNAL_H
#define SENTRY_FS_TTY_INTERNAL_H

#include <sys/ioctl.h>

#include "runtimes/sentry/fs/tty.h"
#include "runtimes/sentry/task/pgroup.h"

#define TTY_IN_BYTES  4096u /* a line at most, as Linux */
#define TTY_OUT_BYTES 8192u
#define TTY_CCS	      19

/* As the kernel's struct termios2; TCGETS has all but the speeds. */
struct tty_settings {
	uint32_t iflag, oflag, cflag, lflag;
	uint8_t line, cc[TTY_CCS];
	uint32_t ispeed, ospeed;
};

enum tty_mark {
	MARK_NONE,
	MARK_END, /* a line ends here */
	MARK_EOF, /* a line ends here, and the byte is not given out */
};

struct tty;

/* Who takes what a terminal puts out. */
struct tty_backend {
	/* flush: bytes wait in the out ring; holds no lock */
	void (*flush)(struct tty *t);
	/* more: there is room in the in ring; may be NULL; holds no lock */
	void (*more)(struct tty *t);
	/* closed: the last descriptor of the guest's side is closed; holds no lock */
	void (*closed)(struct tty *t);
	/* resized: the guest has set another window size */
	void (*resized)(struct tty *t, const struct winsize *ws);
	void (*free)(struct tty *t);
};

struct tty {
	uint32_t refs;
	int index; /* pts/N */
	struct tty_control control;
	const struct tty_backend *backend;
	void *object;		 /* the backend's */
	struct wait_queue queue; /* of the guest's side */

	struct lock lock; /* LOCK_OBJECT: all that follows */
	struct tty_settings set;
	struct winsize ws;
	int opens; /* of the guest's side */
	bool was_open, hung_up, stopped, literal, locked;
	/* input: bytes from `in_head` on; those before `in_ready` can be read in canonical mode */
	uint8_t in[TTY_IN_BYTES], mark[TTY_IN_BYTES];
	uint32_t in_head, in_used, in_ready;
	uint32_t column, line_begin_column;
	/* output */
	uint8_t out[TTY_OUT_BYTES];
	uint32_t out_head, out_used;
};

struct tty *tty_create(const struct tty_backend *b, void *object);
struct tty *tty_get(struct tty *t);
void tty_put(struct tty *t);
/* tty_open() - @f is a descriptor of the guest's side. Return: 0 or -EIO. */
int tty_open(struct tty *t, struct file *f);
/* tty_hangup() - the other side is gone. */
void tty_hangup(struct tty *t);
/* tty_ioctl() - what both sides know. */
long tty_ioctl(struct tty *t, unsigned int cmd, uint64_t arg, struct ioctl_memory *m);
/* tty_of_file() - of a descriptor of the guest's side; NULL. */
struct tty *tty_of_file(struct file *f);

/* --- tty_discipline.c; callers hold t->lock --- */

/*
 * tty_input() - bytes from the keyboard. Return: how many were taken; *signals gets
 * SIGNAL_BIT()s for the foreground.
 */
size_t tty_input(struct tty *t, const uint8_t *bytes, size_t n, uint64_t *signals);
/* tty_output() - bytes of a program, as OPOST wants them. Return: how many were taken. */
size_t tty_output(struct tty *t, const uint8_t *bytes, size_t n);
/* tty_readable() - bytes that a read gives now. */
size_t tty_readable(const struct tty *t);
/* tty_take() - of the next line, or of all. Return: bytes; *ret_end: a line ended. */
size_t tty_take(struct tty *t, uint8_t *to, size_t n, bool *ret_end);
void tty_flush_input(struct tty *t);
void tty_flush_output(struct tty *t);
/* tty_out_take() - up to @n bytes off the out ring. */
size_t tty_out_take(struct tty *t, uint8_t *to, size_t n);
/* tty_set() - new settings; what was a line may not be one any more. */
void tty_set(struct tty *t, const struct tty_settings *s);
struct tty_settings tty_default_settings(void);
/* tty_send_signals() - what tty_input() has told; holds no lock. */
void tty_send_signals(struct tty *t, uint64_t signals);

/* devpts.c: devpts_add() - a number for @t, which is referenced. -ENOSPC */
int devpts_add(struct filesystem *fs, struct tty *t);
void devpts_remove(struct filesystem *fs, struct tty *t);

#endif
