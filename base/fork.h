/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that are born in a cgroup.
 *
 * A process that is moved into a cgroup waits until the kernel has stopped all forks, which takes
 * milliseconds: an RCU grace period.  Two ways have no such wait: to be born there (version 2), and
 * to move itself as a single thread (the file "tasks" of version 1).
 */
#ifndef BASE_FORK_H
#define BASE_FORK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FORK_CGROUPS_MAX 32

/* Where a new process is to be: descriptors of one cgroup in each hierarchy.  cgroup_open(). */
struct fork_cgroups {
	int born_in;		    /* its directory of version 2; -1: none */
	int join[FORK_CGROUPS_MAX]; /* "tasks" of version 1 */
	size_t n_join;
};

#define FORK_CGROUPS_INIT     \
	{                     \
		.born_in = -1 \
	}

void fork_cgroups_close(struct fork_cgroups *g);

/*
 * fork_into() - as fork(2), for a child that makes system calls only; @flags: of clone(2), such as
 * CLONE_FILES.  @g may be NULL; else the child calls fork_join().  Return: as fork(2).
 */
pid_t fork_into(const struct fork_cgroups *g, uint64_t flags);
/*
 * fork_call_into() - a child that runs @fn(@data) on the stack of @size bytes at @stack, and ends
 * with what that returns.  With CLONE_VM the memory is the caller's.
 */
pid_t fork_call_into(const struct fork_cgroups *g, uint64_t flags, void *stack, size_t size,
		     int (*fn)(void *data), void *data);
/*
 * fork_join() - in the child, while it has one thread: enter what it was not born in.  Makes system
 * calls only.  @g may be NULL.  Return: 0, or -1 with errno.
 */
int fork_join(const struct fork_cgroups *g);

#endif
