/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes by number: the only place that kills.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/spawn.h"

int process_kill(pid_t pid, int signo)
{
	if (pid <= 1)
		return -EINVAL;
	return kill(pid, signo) < 0 ? -errno : 0;
}

int process_kill_group(pid_t pgid, int signo)
{
	if (pgid <= 1 || pgid == getpgrp())
		return -EINVAL;
	return kill(-pgid, signo) < 0 ? -errno : 0;
}

int process_exit_code(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}

/* The name in field 2 may hold anything, so fields are counted from its last ')'. */
int process_start_time(pid_t pid, unsigned long long *ret_ticks)
{
	struct strbuf text cleanup_strbuf = { 0 };
	char path[32];
	const char *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (fd_read_file(AT_FDCWD, path, 4096, &text, NULL) < 0 || !text.data)
		return -ESRCH;
	p = strrchr(text.data, ')');
	for (int field = 2; p && field < 22; field++) {
		p = strchr(p, ' ');
		if (p)
			p++;
	}
	if (!p || sscanf(p, "%llu", ret_ticks) != 1)
		return -EIO;
	return 0;
}
