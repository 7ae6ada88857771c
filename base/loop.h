/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event loop: descriptors, timers, signals, and posts from other threads.
 *
 * One loop belongs to one thread; only loop_post() and loop_stop() may be called from others.
 * A callback may add and remove anything, itself included.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

#include "base/error.h"

struct loop;
struct loop_fd;
struct loop_timer;

typedef void loop_fd_fn(void *data, uint32_t events);
typedef void loop_fn(void *data);
typedef void loop_signal_fn(void *data, int signo);

int loop_create(struct loop **ret_loop, struct error *err);
void loop_destroy(struct loop *loop); /* may be NULL */

/* loop_add_fd() - call @fn when @fd has @events (EPOLLIN, EPOLLOUT, ...).  @fd stays the caller's.
 */
struct loop_fd *loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_fn *fn, void *data);
void loop_fd_set_events(struct loop_fd *watch, uint32_t events);
void loop_fd_remove(struct loop_fd *watch); /* may be NULL; before closing the descriptor */

/* loop_add_timer() - a timer, not armed. loop_timer_arm() - fire once after @delay_ms; < 0 disarms.
 */
struct loop_timer *loop_add_timer(struct loop *loop, loop_fn *fn, void *data);
void loop_timer_arm(struct loop_timer *timer, int64_t delay_ms);
void loop_timer_remove(struct loop_timer *timer); /* may be NULL */

/* loop_add_signal() - block @signo in this thread and deliver it to @fn by signalfd. */
int loop_add_signal(struct loop *loop, int signo, loop_signal_fn *fn, void *data,
		    struct error *err);

/* loop_post() - run @fn(@data) on the loop's thread, in order.  Any thread. */
void loop_post(struct loop *loop, loop_fn *fn, void *data);

void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Clocks in nanoseconds: monotonic for intervals, wall for what the CRI shows. */
int64_t clock_monotonic_ns(void);
int64_t clock_wall_ns(void);

#endif
