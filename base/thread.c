/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that nobody waits for.
 */
#include "base/thread.h"

#include <pthread.h>
#include <signal.h>

int thread_start(void *(*fn)(void *data), void *data)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	rc = pthread_create(&thread, &attr, fn, data);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -rc;
}

void thread_detach(void *(*fn)(void *data), void *data)
{
	if (thread_start(fn, data) != 0)
		fn(data);
}
