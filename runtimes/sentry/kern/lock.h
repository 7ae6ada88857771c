/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks of the sentry, each with a rank.
 *
 * A thread takes locks in growing rank only; a debug build (make LOCK_DEBUG=1) aborts on disorder.
 * No lock is held while a host call may sleep, while guest memory is copied, or while a thread
 * waits on a queue.  LOCK_DIRECTORY, LOCK_INODE and LOCK_FILE may be held over host calls on that
 * one file.
 *
 *   shown        position of an open file of /proc and the like: what it shows is looked up in all
 *                of the below, so its locks come before theirs
 *   shown_names  the names in such a directory
 *   shown_text   the text of such a file
 *   tasks        the tree of processes: parents, groups, sessions, exits
 *   process      one process: its threads, signals shared by them, limits
 *   fdtable      one table of descriptors
 *   directory    the names in one directory, over the file system's work on them
 *   mounts       the mount tree and the names (dentries) below it
 *   file         position and state of one open file description
 *   inode        attributes and contents of one inode
 *   object       pipes, sockets, ttys, timers: what an open file stands for
 *   signal       the queue of pending signals of one thread or process
 *   name         a bucket of the cache of names
 *   dentry       the children of one cached name
 *   wait         one wait queue: always last
 */
#ifndef SENTRY_KERN_LOCK_H
#define SENTRY_KERN_LOCK_H

#include <stdbool.h>
#include <stdint.h>

enum lock_rank {
	LOCK_SHOWN = 1,
	LOCK_SHOWN_NAMES,
	LOCK_SHOWN_TEXT,
	LOCK_TASKS,
	LOCK_PROCESS,
	LOCK_FDTABLE,
	LOCK_DIRECTORY,
	LOCK_MOUNTS,
	LOCK_FILE,
	LOCK_INODE,
	LOCK_OBJECT,
	LOCK_SIGNAL,
	LOCK_NAME,
	LOCK_DENTRY,
	LOCK_WAIT,
};

/* Four bytes of state: 0 free, 1 held, 2 held and waited for. */
struct lock {
	uint32_t word;
	uint8_t rank;
};

/* LOCK_INIT() - for static ones; others by lock_init(). */
#define LOCK_INIT(r)        \
	{                   \
		.rank = (r) \
	}

void lock_init(struct lock *l, enum lock_rank rank);
/* lock_acquire() - spins for less than the cost of one sleep, then sleeps. */
void lock_acquire(struct lock *l);
void lock_release(struct lock *l);
/* lock_acquire_two() - two of the same rank, in the order of their addresses; may be the same. */
void lock_acquire_two(struct lock *a, struct lock *b);
void lock_release_two(struct lock *a, struct lock *b);
/* lock_is_held() - by anybody: for assertions. */
bool lock_is_held(const struct lock *l);

static inline void lock_scope_end(struct lock **l)
{
	if (*l)
		lock_release(*l);
}

static inline struct lock *lock_scope_begin(struct lock *l)
{
	lock_acquire(l);
	return l;
}

/* LOCKED() - hold @l until the end of the enclosing block. */
#define LOCKED_NAME_(line) locked_##line
#define LOCKED_NAME(line)  LOCKED_NAME_(line)
#define LOCKED(l)                                                                                 \
	struct lock *LOCKED_NAME(__LINE__) __attribute__((__cleanup__(lock_scope_end), unused)) = \
		lock_scope_begin(l)

#endif
