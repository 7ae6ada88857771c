/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Terminals on the host's side.
 */
#ifndef SENTRY_CLI_CONSOLE_H
#define SENTRY_CLI_CONSOLE_H

#include <stdbool.h>

#include "base/error.h"

struct host_console {
	int master, slave;
};

#define HOST_CONSOLE_INIT                 \
	{                                 \
		.master = -1, .slave = -1 \
	}

/* console_open() - a new terminal; @rows, @columns 0: not said. Both ends are the caller's. */
int console_open(unsigned int rows, unsigned int columns, struct host_console *ret,
		 struct error *err);
/* console_send() - its master to whoever listens at @path, as runc's --console-socket. */
int console_send(const char *path, const struct host_console *t, struct error *err);
void console_close(struct host_console *t);
/*
 * console_attach() - from now on a thread moves bytes between our own stdio and @t, and tells it
 * the size of ours; console_detach() sets our terminal back.
 */
int console_attach(struct host_console *t, struct error *err);
void console_detach(void);
/* console_is_attached() - SIGWINCH is then console.c's. */
bool console_is_attached(void);

#endif
