/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads with small stacks and all signals blocked.
 */
#include "base/thread.h"

#include <signal.h>

static int start(pthread_t *ret, int detach_state, void *(*fn)(void *data), void *data)
{
	sigset_t all, before;
	pthread_attr_t attr;
	int rc;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, detach_state);
	pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	rc = pthread_create(ret, &attr, fn, data);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -rc;
}

int thread_start(void *(*fn)(void *data), void *data)
{
	pthread_t thread;

	return start(&thread, PTHREAD_CREATE_DETACHED, fn, data);
}

int thread_start_joinable(pthread_t *ret, void *(*fn)(void *data), void *data)
{
	return start(ret, PTHREAD_CREATE_JOINABLE, fn, data);
}

void thread_detach(void *(*fn)(void *data), void *data)
{
	if (thread_start(fn, data) != 0)
		fn(data);
}
