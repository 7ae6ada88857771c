/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread for all alarms: a list in order of time, and a condition to wait on.
 *
 * The thread is started with the first alarm.  Its lock is not one of kern/lock.h: it is held for
 * a few instructions and nothing is called under it, so alarms may be set under any lock.
 */
#include <pthread.h>
#include <time.h>

#include "base/log.h"
#include "base/thread.h"
#include "runtimes/sentry/task/alarm.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t earlier, done;
static struct list alarms;
static bool started;

int64_t alarm_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* wait_until() - or until an earlier alarm is set. Mutex held. */
static void wait_until(int64_t when_ns)
{
	struct timespec ts = { .tv_sec = when_ns / 1000000000, .tv_nsec = when_ns % 1000000000 };

	pthread_cond_timedwait(&earlier, &mutex, &ts);
}

static void run_first(void)
{
	struct alarm *a = list_first(&alarms, struct alarm, in_alarms);

	list_remove(&a->in_alarms);
	a->set = false;
	a->running = true;
	pthread_mutex_unlock(&mutex);
	a->fn(a);
	pthread_mutex_lock(&mutex);
	a->running = false;
	pthread_cond_broadcast(&done);
}

static void *alarm_thread(void *data)
{
	(void)data;
	pthread_mutex_lock(&mutex);
	for (;;) {
		if (list_empty(&alarms))
			pthread_cond_wait(&earlier, &mutex);
		else if (list_first(&alarms, struct alarm, in_alarms)->when_ns > alarm_now_ns())
			wait_until(list_first(&alarms, struct alarm, in_alarms)->when_ns);
		else
			run_first();
	}
	return NULL;
}

static void start(void)
{
	pthread_condattr_t attr;
	int rc;

	list_init(&alarms);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&earlier, &attr);
	pthread_cond_init(&done, &attr);
	pthread_condattr_destroy(&attr);
	rc = thread_start(alarm_thread, NULL);
	if (rc)
		log_error("no thread for timers: errno %d", -rc);
	started = !rc;
}

static void insert(struct alarm *a)
{
	struct alarm *at;

	list_for_each(at, &alarms, in_alarms)
		if (at->when_ns > a->when_ns)
			break;
	/* Before @at, which is the head when all others are earlier. */
	list_add(&at->in_alarms, &a->in_alarms);
	if (alarms.next == &a->in_alarms)
		pthread_cond_signal(&earlier);
}

void alarm_set(struct alarm *a, int64_t when_ns)
{
	pthread_mutex_lock(&mutex);
	if (!started)
		start();
	list_remove(&a->in_alarms);
	a->when_ns = when_ns;
	a->set = true;
	insert(a);
	pthread_mutex_unlock(&mutex);
}

void alarm_clear(struct alarm *a)
{
	pthread_mutex_lock(&mutex);
	list_remove(&a->in_alarms);
	a->set = false;
	while (a->running)
		pthread_cond_wait(&done, &mutex);
	/* fn may have set it again. */
	list_remove(&a->in_alarms);
	a->set = false;
	pthread_mutex_unlock(&mutex);
}

int64_t alarm_left_ns(struct alarm *a)
{
	int64_t left = 0;

	pthread_mutex_lock(&mutex);
	if (a->set)
		left = a->when_ns - alarm_now_ns();
	if (a->set && left <= 0)
		left = 1;
	pthread_mutex_unlock(&mutex);
	return left;
}
