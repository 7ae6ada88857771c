/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings up a pod's loopback without a plugin.
 *
 * A socket belongs for good to the namespace it was made in, so this thread is in the pod's only
 * for the socket(2) call.
 */
#include "network/lo.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

/* socket_in() - a socket of the namespace @netns.  Return: descriptor or -errno. */
static int socket_in(int netns)
{
	int home cleanup_close = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int sock;

	if (home < 0)
		return -errno;
	if (setns(netns, CLONE_NEWNET) < 0)
		return -errno;
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		sock = -errno;
	if (setns(home, CLONE_NEWNET) < 0) {
		/* this thread would go on to act on the pod's network in the host's name */
		log_error("cannot return from a pod's network namespace");
		abort();
	}
	return sock;
}

int lo_up(const char *netns, struct error *err)
{
	struct ifreq lo = { .ifr_name = "lo" };
	int fd cleanup_close = open(netns, O_RDONLY | O_CLOEXEC);
	int sock cleanup_close = -1;

	if (fd < 0)
		return error_errno(err, errno, "open %s", netns);
	sock = socket_in(fd);
	if (sock < 0)
		return error_errno(err, -sock, "enter network namespace %s", netns);
	if (ioctl(sock, SIOCGIFFLAGS, &lo) < 0)
		return error_errno(err, errno, "read flags of lo in %s", netns);
	lo.ifr_flags |= IFF_UP;
	if (ioctl(sock, SIOCSIFFLAGS, &lo) < 0)
		return error_errno(err, errno, "bring up lo in %s", netns);
	return 0;
}
