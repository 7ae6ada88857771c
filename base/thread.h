/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads with small stacks and all signals blocked.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

#define THREAD_STACK_BYTES (256 << 10)

/*
 * thread_detach() - run @fn(@data) on a detached thread with a small stack and all signals
 * blocked; without one (out of threads), run it here and now.
 */
void thread_detach(void *(*fn)(void *data), void *data);

/* thread_start() - as thread_detach(), but never runs @fn here.  Return: 0 or -errno. */
int thread_start(void *(*fn)(void *data), void *data);

/* thread_start_joinable() - as thread_start(), for pthread_join(). */
int thread_start_joinable(pthread_t *ret, void *(*fn)(void *data), void *data);

#endif
