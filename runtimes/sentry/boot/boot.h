/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `bulkhead-sentry boot`: the process that is the kernel of a pod.
 */
#ifndef SENTRY_BOOT_BOOT_H
#define SENTRY_BOOT_BOOT_H

#include <stddef.h>

#include "base/error.h"

/* Descriptors that the launcher starts it with. */
enum boot_fd {
	BOOT_FD_CONTROL = 3, /* listening control socket */
	BOOT_FD_SYNC,	     /* to the launcher: see below */
	BOOT_FD_HELPER,	     /* to the socket helper */
	BOOT_FD_GOFER,	     /* GOFER_CONNECTIONS of them */
};

/*
 * Said over BOOT_FD_SYNC, a byte each: the sentry has made its user namespace; the launcher has
 * written its id maps; the sentry serves.  The socket closes without the last when it failed.  A
 * sentry without a container ends with its launcher's end of it: who would know of it else?
 */
enum { BOOT_SYNC_NAMESPACE = 'n', BOOT_SYNC_MAPPED = 'm', BOOT_SYNC_READY = 'r' };

/* Numbers in the sentry's user namespace; root does not exist there. */
enum { BOOT_SENTRY_ID = 1, BOOT_STUB_ID = 2 };

/* boot_main() - the process from its exec on. Return: exit code. */
int boot_main(int argc, char **argv);

/* boot_enter_namespaces(), boot_confine() - confine.c; the second after the maps are written. */
int boot_enter_namespaces(struct error *err);
int boot_confine(struct error *err);
/* boot_filter_name() - the allowed calls, for `features`; NULL past the last. */
const char *boot_filter_name(size_t i);

#endif
