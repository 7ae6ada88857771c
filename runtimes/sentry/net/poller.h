/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readiness of host descriptors as wake-ups of the sentry.
 *
 * One thread at a time waits for all of them, edge-triggered, and wakes the queue of each: a
 * sleeper, or a thread that is started by the first.  What a descriptor is ready for now its user
 * asks the host itself.
 */
#ifndef SENTRY_NET_POLLER_H
#define SENTRY_NET_POLLER_H

#include <stdbool.h>
#include <stdint.h>

#include "runtimes/sentry/kern/wait.h"

struct poller_watch {
	int fd;
	struct wait_queue *queue; /* woken with EPOLL* */
	bool added;
	uint32_t slot; /* the poller's */
	/* called with the events; may be NULL, may not sleep, may remove the watch */
	void (*fn)(struct poller_watch *w, uint32_t events);
};

/* poller_init() - before the sentry gives rights up. Return: 0 or -errno. */
int poller_init(void);
/*
 * poller_add() - @w->fd and @w->queue are set.  Return: 0; -EPERM: files of this kind are always
 * ready, and nothing was added.
 */
int poller_add(struct poller_watch *w);
/*
 * poller_remove() - before the descriptor is closed.  After it neither fn nor the queue is
 * touched; harmless when it was not added.
 */
void poller_remove(struct poller_watch *w);

#endif
