/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a program's file to the image of a fresh stub.
 */
#ifndef SENTRY_TASK_EXEC_H
#define SENTRY_TASK_EXEC_H

#include "runtimes/sentry/task/elf.h"
#include "runtimes/sentry/task/task.h"

#define EXEC_SCRIPTS_MAX 4	     /* "#!" in a row */
#define EXEC_STRING_MAX	 (128 << 10) /* one argument, with its NUL, as Linux */
#define EXEC_STRINGS_MAX (2 << 20)   /* all of them: a quarter of the usual stack */

/* What is being loaded. */
struct exec {
	struct fs_context *fs;	  /* where interpreters are looked for; not a reference */
	struct cred *cred;	  /* who does it; not a reference */
	struct file *program;	  /* references */
	struct file *interpreter; /* NULL: none */
	char *name;		  /* AT_EXECFN */
	char **argv, **envp;	  /* owned, as each string is */
	struct cred *new_cred;	  /* a reference; what the new image runs with */
	bool secure;		  /* it has more rights than its caller */
	uint64_t stack_limit;	  /* RLIMIT_STACK, bytes */

	/* filled in by exec_load() */
	struct elf_file elf;
	struct elf_placed placed, interp_placed;
	struct stub_map maps[2 * ELF_MAPS_MAX + 1];
	struct stub_poke pokes[2 * ELF_SEGMENTS_MAX + 1];
	struct stub_image image;
	char *stack; /* the bytes at the top of the stack */
	uint64_t arg_start, arg_end, env_start, env_end, stack_start;
	uint64_t auxv[44];
	size_t auxv_len; /* bytes */
	size_t auxv_at;	 /* in stack */
};

/*
 * exec_open() - a program's file, for reading: must be regular and executable for @c.
 * Return: 0 or -errno (-EACCES, -ENOENT, ..).
 */
int exec_open(struct fs_context *fs, const struct path *start, const char *name,
	      unsigned int walk_flags, struct cred *c, struct file **ret);
/*
 * exec_load() - follow "#!", read the headers, decide credentials and addresses, lay the stack.
 * Return: 0 or -errno; in both cases exec_finish() frees what @e holds.
 */
int exec_load(struct exec *e);
void exec_finish(struct exec *e);
/* exec_publish() - what /proc tells of @p is of the new image from now on. */
void exec_publish(struct exec *e, struct process *p, struct task *t);
/* exec_limits() - RLIMIT_AS, DATA, MEMLOCK, STACK of @p hold for its host process; @fresh: which
 * has those of its zygote still. */
void exec_limits(struct process *p, bool fresh);

/* stack.c: exec_stack() - the bytes on top of the stack, and its mapping. Return: 0, -E2BIG. */
int exec_stack(struct exec *e, uint64_t interp_base, uint64_t program_base,
	       struct stub_map *ret_map, struct stub_poke *ret_poke);
/* exec_set_vdso() - where the vDSO is; 0: there is none. */
void exec_set_vdso(struct exec *e, uint64_t addr);
/* exec_random() - @bits random bits, of pages. */
uint64_t exec_random(unsigned int bits);
/* exec_cred.c: exec_credentials() - new_cred and secure. */
int exec_credentials(struct exec *e);

#endif
