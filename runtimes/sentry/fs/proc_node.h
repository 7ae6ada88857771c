/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are made up when they are read: what the parts of /proc and /sys share.
 *
 * A directory is a table of entries; besides, names may come and go in it (processes, threads,
 * descriptors).  An inode knows its entry and a key: the numbers of process, thread and descriptor
 * that it is about.  They are looked up at each use, so that an inode keeps nothing alive.
 */
#ifndef SENTRY_FS_PROC_NODE_H
#define SENTRY_FS_PROC_NODE_H

#include "base/str.h"
#include "runtimes/sentry/task/task.h"

struct proc_key {
	pid_t pid; /* 0: about no process */
	pid_t tid; /* 0: the process and not a thread of it */
	int fd;
	int64_t start_ns; /* of the process: tells it from a later one with its number */
};

/* What a file is about, for as long as an operation lasts. */
struct proc_target {
	struct pid_namespace *pids;
	struct proc_key key;
	struct process *process; /* a reference; NULL: key.pid is 0 */
	struct task *task;	 /* of a key with tid, else any thread; NULL: a zombie */
};

struct proc_entry;

/* Names that come and go. */
struct proc_names {
	/* find: the key of @name below @t; Return: 0 or -ENOENT */
	int (*find)(const struct proc_target *t, const char *name, struct proc_key *ret);
	/* next: the lowest number >= @from that is a name; -1: none */
	int64_t (*next)(const struct proc_target *t, int64_t from);
	/* is_there: a key that was found once still is */
	bool (*is_there)(const struct proc_target *t, const struct proc_key *k);
	const struct proc_entry *entry; /* what they are; its name is not looked at */
};

struct proc_entry {
	const char *name;
	mode_t mode;	  /* with type */
	const char *text; /* contents that never change */
	int (*show)(const struct proc_target *t, struct strbuf *out);
	/* store: a write; @text is terminated */
	int (*store)(const struct proc_target *t, const char *text, size_t len);
	const struct proc_entry *children; /* ends with an empty one */
	const struct proc_names *names;
	ssize_t (*link)(const struct proc_target *t, char *buf, size_t size);
	int (*follow)(const struct proc_target *t, struct path *ret);
	/* queue: what poll() waits on; changes: a number that changes with it; both NULL: no poll
	 */
	struct wait_queue *(*queue)(void);
	uint64_t (*changes)(void);
	const void *data; /* for show and store, by proc_target of their own making */
	int (*show_data)(const void *data, struct strbuf *out);
	int (*store_data)(const void *data, const char *text, size_t len);
};

#define PROC_DIR(n, c)                                               \
	{                                                            \
		.name = (n), .mode = S_IFDIR | 0555, .children = (c) \
	}
#define PROC_FILE(n, s)                                          \
	{                                                        \
		.name = (n), .mode = S_IFREG | 0444, .show = (s) \
	}
#define PROC_SECRET(n, s)                                        \
	{                                                        \
		.name = (n), .mode = S_IFREG | 0400, .show = (s) \
	}
#define PROC_TEXT(n, t)                                          \
	{                                                        \
		.name = (n), .mode = S_IFREG | 0444, .text = (t) \
	}
#define PROC_END             \
	{                    \
		.name = NULL \
	}

/* proc_filesystem() - with @root as its root directory. @pids: a reference is taken. */
struct filesystem *proc_filesystem(const char *type, const char *source,
				   const struct proc_entry *root, struct pid_namespace *pids,
				   long magic);

/* proc_may_look() - may the caller see into @t: the same user, or CAP_SYS_PTRACE. */
bool proc_may_look(const struct proc_target *t);
/* proc_host_open() - a file of the host's /proc about the process; "" of none. fd or -errno. */
int proc_host_open(const struct proc_target *t, const char *file);
/* proc_host_text() - the whole of it. */
int proc_host_text(const struct proc_target *t, const char *file, struct strbuf *out);

/* The tables, each in the file of its name. */
extern const struct proc_entry proc_root_entry;	   /* proc_root.c */
extern const struct proc_entry proc_pid_entry;	   /* proc_pid.c: /proc/PID */
extern const struct proc_entry proc_task_entry;	   /* proc_pid.c: /proc/PID/task/TID */
extern const struct proc_entry proc_sys_entries[]; /* proc_sys.c */
extern const struct proc_entry proc_net_entries[]; /* proc_net.c */
extern const struct proc_names proc_fd_names, proc_fdinfo_names; /* proc_fd.c */
extern const struct proc_names proc_task_names;			 /* proc_pid.c */

/* Files that are long enough for a file of their own. */
int proc_maps(const struct proc_target *t, struct strbuf *out);	 /* proc_maps.c */
int proc_smaps(const struct proc_target *t, struct strbuf *out); /* proc_maps.c */
int proc_smaps_rollup(const struct proc_target *t, struct strbuf *out);
int proc_stat(const struct proc_target *t, struct strbuf *out);	     /* proc_stat.c */
int proc_statm(const struct proc_target *t, struct strbuf *out);     /* proc_stat.c */
int proc_status(const struct proc_target *t, struct strbuf *out);    /* proc_stat.c */
int proc_mounts(const struct proc_target *t, struct strbuf *out);    /* proc_mounts.c */
int proc_mountinfo(const struct proc_target *t, struct strbuf *out); /* proc_mounts.c */
int proc_mountstats(const struct proc_target *t, struct strbuf *out);
struct wait_queue *proc_mounts_queue(void);
uint64_t proc_mounts_changes(void);

#endif
