/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing exit files.  (They are read by monitor_read_exit().)
 */
#include "runtimes/monitor/exitfile.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/mem.h"

int exitfile_write(const char *dir, const struct monitor_exit *e, struct error *err)
{
	char *path cleanup_free = xasprintf("%s/exits/%s", dir, e->container_id);
	char text[128];
	int n = snprintf(text, sizeof(text),
			 "{\"exit_code\":%d,\"finished_ns\":%lld,\"oom_killed\":%s}\n",
			 e->exit_code, (long long)e->finished_ns, e->oom_killed ? "true" : "false");

	return fd_replace_file(AT_FDCWD, path, text, (size_t)n, 0600, false, err);
}

void exitfile_remove(const char *dir, const char *container_id)
{
	char *path cleanup_free = xasprintf("%s/exits/%s", dir, container_id);

	unlink(path);
}
