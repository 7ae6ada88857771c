/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that are born in a cgroup.
 */
#include "base/fork.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

void fork_cgroups_close(struct fork_cgroups *g)
{
	close_fd(&g->born_in);
	for (size_t i = 0; i < g->n_join; i++)
		close_fd(&g->join[i]);
	g->n_join = 0;
}

/* call_clone3() - libc has no clone3(2), because a child on another stack cannot return. */
static long call_clone3(struct clone_args *args, int (*fn)(void *data), void *data)
{
	register int (*r8)(void *) __asm__("r8") = fn;
	register void *r9 __asm__("r9") = data;
	long ret;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "test %%r8, %%r8\n\t"
			 "jz 1f\n\t" /* a fork: both go on here */
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r9, %%rdi\n\t"
			 "call *%%r8\n\t"
			 "mov %%eax, %%edi\n\t"
			 "mov %[exit], %%eax\n\t"
			 "syscall\n"
			 "1:"
			 : "=a"(ret)
			 : "0"(SYS_clone3), "D"(args), "S"(sizeof(*args)), "r"(r8),
			   "r"(r9), [exit] "i"(SYS_exit)
			 : "rcx", "r11", "memory");
	return ret;
}

static pid_t start(const struct fork_cgroups *g, struct clone_args *args, int (*fn)(void *data),
		   void *data)
{
	long ret;

	args->exit_signal = SIGCHLD;
	if (g && g->born_in >= 0) {
		args->flags |= CLONE_INTO_CGROUP;
		args->cgroup = (uint64_t)g->born_in;
	}
	ret = call_clone3(args, fn, data);
	if (ret < 0)
		errno = (int)-ret;
	return ret < 0 ? -1 : (pid_t)ret;
}

pid_t fork_into(const struct fork_cgroups *g, uint64_t flags)
{
	struct clone_args args = { .flags = flags };

	return start(g, &args, NULL, NULL);
}

pid_t fork_call_into(const struct fork_cgroups *g, uint64_t flags, void *stack, size_t size,
		     int (*fn)(void *data), void *data)
{
	struct clone_args args = { .flags = flags,
				   .stack = (uint64_t)(uintptr_t)stack,
				   .stack_size = size };

	return start(g, &args, fn, data);
}

/* "0" means the writer itself (cgroups(7)). */
int fork_join(const struct fork_cgroups *g)
{
	for (size_t i = 0; g && i < g->n_join; i++)
		if (write(g->join[i], "0", 1) != 1)
			return -1;
	return 0;
}
