/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `bulkhead-sentry socket-helper`: the start of the socket helper.
 */
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "runtimes/sentry/boot/boot.h"
#include "runtimes/sentry/net/helper.h"

/* own_network() - a namespace of its own, in which 127.0.0.1 answers. */
static int own_network(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int sock cleanup_close = -1;

	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0 || ioctl(sock, SIOCSIFFLAGS, &r) < 0)
		return -errno;
	return 0;
}

int boot_helper_main(int argc, char **argv)
{
	bool raw = false, own = false;
	int rc;

	for (int i = 1; i < argc; i++) {
		raw |= strcmp(argv[i], "--raw") == 0;
		own |= strcmp(argv[i], "--own") == 0;
	}
	rc = own ? own_network() : 0;
	if (rc < 0) {
		fprintf(stderr, "bulkhead-sentry: socket helper: %s\n", strerror(-rc));
		return 1;
	}
	return helper_main(raw);
}
