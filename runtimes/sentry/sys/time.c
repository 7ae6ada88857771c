/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks, sleeping, timers.
 */
#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

#include "runtimes/sentry/sys/calls.h"
#include "runtimes/sentry/task/alarm.h"
#include "runtimes/sentry/task/internal.h"
#include "runtimes/sentry/task/itimer.h"

#define CAP_SYS_TIME_NUMBER 25

/* host_clock() - whether the host's clock of this number is the guest's too. */
static bool host_clock(clockid_t clock)
{
	return clock >= 0 && clock <= CLOCK_TAI && clock != CLOCK_PROCESS_CPUTIME_ID &&
	       clock != CLOCK_THREAD_CPUTIME_ID && clock != 10 /* was SGI's */;
}

/* cpu_clock_ns() - clocks of CPU time, also by number of a process; -1: no such clock. */
static int64_t cpu_clock_ns(struct task *t, clockid_t clock)
{
	struct process *p;
	int64_t ns = -1;

	if (clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID)
		return process_cpu_ns(t->process);
	if (clock >= 0 || (clock & 3) == 3)
		return -1;
	p = ~(clock >> 3) ? process_find(t->process->pids, ~(clock >> 3)) : process_get(t->process);
	if (p)
		ns = process_cpu_ns(p);
	process_put(p);
	return ns;
}

long sys_clock_gettime(struct task *t, const uint64_t a[6])
{
	clockid_t clock = (clockid_t)a[0];
	struct timespec ts;
	int64_t ns;

	if (host_clock(clock)) {
		if (clock_gettime(clock, &ts))
			return -errno;
	} else {
		ns = cpu_clock_ns(t, clock);
		if (ns < 0)
			return -EINVAL;
		ts = (struct timespec){ ns / 1000000000, ns % 1000000000 };
	}
	return sys_copy_out(t, a[1], &ts, sizeof(ts));
}

long sys_clock_getres(struct task *t, const uint64_t a[6])
{
	clockid_t clock = (clockid_t)a[0];
	struct timespec ts = { 0, 1 };

	if (host_clock(clock)) {
		if (clock_getres(clock, &ts))
			return -errno;
	} else if (cpu_clock_ns(t, clock) < 0) {
		return -EINVAL;
	}
	return a[1] ? sys_copy_out(t, a[1], &ts, sizeof(ts)) : 0;
}

/* The pod's clock is the host's: nobody sets it from in here. */
long sys_clock_settime(struct task *t, const uint64_t a[6])
{
	struct timespec ts;
	int rc;

	if ((clockid_t)a[0] != CLOCK_REALTIME)
		return -EINVAL;
	rc = sys_copy_in(t, &ts, a[1], sizeof(ts));
	return rc ? rc : -EPERM;
}

long sys_gettimeofday(struct task *t, const uint64_t a[6])
{
	struct timezone tz = { 0 };
	struct timeval tv;
	int rc = 0;

	gettimeofday(&tv, NULL);
	if (a[0])
		rc = sys_copy_out(t, a[0], &tv, sizeof(tv));
	if (!rc && a[1])
		rc = sys_copy_out(t, a[1], &tz, sizeof(tz));
	return rc;
}

long sys_time(struct task *t, const uint64_t a[6])
{
	time_t now = time(NULL);
	int rc = a[0] ? sys_copy_out(t, a[0], &now, sizeof(now)) : 0;

	return rc ? rc : now;
}

/* Reading is everybody's; setting would need the host's clock, whose discipline is not ours. */
static long read_timex(struct task *t, uint64_t at)
{
	struct timex tx;
	int rc = sys_copy_in(t, &tx, at, sizeof(tx));

	if (rc)
		return rc;
	if (tx.modes & ~(unsigned int)ADJ_NANO)
		return -EPERM;
	tx = (struct timex){ .tick = 10000, .precision = 1, .tolerance = 32768000, .constant = 2 };
	gettimeofday(&tx.time, NULL);
	return sys_copy_out(t, at, &tx, sizeof(tx)) ?: TIME_OK;
}

long sys_adjtimex(struct task *t, const uint64_t a[6])
{
	return read_timex(t, a[0]);
}

long sys_clock_adjtime(struct task *t, const uint64_t a[6])
{
	if ((clockid_t)a[0] != CLOCK_REALTIME)
		return -EINVAL;
	return read_timex(t, a[1]);
}

/* --- sleeping -------------------------------------------------------------------------------- */

static int64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* sleep_until() - CLOCK_MONOTONIC @deadline. Return: 0 or -ERESTARTSYS. */
static int sleep_until(int64_t deadline)
{
	int rc;

	do
		rc = wait_sleep(deadline);
	while (rc == 0);
	return rc == -ETIMEDOUT ? 0 : rc;
}

static long write_left(struct task *t, uint64_t at, int64_t deadline)
{
	int64_t left = MAX(deadline - alarm_now_ns(), 0);
	struct timespec ts = { left / 1000000000, left % 1000000000 };

	return at ? sys_copy_out(t, at, &ts, sizeof(ts)) : 0;
}

static long sleep_again(struct task *t)
{
	int rc = sleep_until(t->restart.deadline_ns);
	long fault;

	if (!rc)
		return 0;
	fault = write_left(t, t->restart.args[0], t->restart.deadline_ns);
	return fault ? fault : -ERESTART_RESTARTBLOCK;
}

static long sleep_relative(struct task *t, uint64_t request, uint64_t remain)
{
	int64_t deadline;
	int rc;

	if (!request)
		return -EFAULT;
	rc = sys_deadline(t, request, &deadline);
	if (rc)
		return rc;
	t->restart.fn = sleep_again;
	t->restart.args[0] = remain;
	t->restart.deadline_ns = deadline;
	return sleep_again(t);
}

long sys_nanosleep(struct task *t, const uint64_t a[6])
{
	return sleep_relative(t, a[0], a[1]);
}

long sys_clock_nanosleep(struct task *t, const uint64_t a[6])
{
	clockid_t clock = (clockid_t)a[0];
	struct timespec ts;
	int64_t ns;
	int rc;

	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME &&
	    clock != CLOCK_TAI)
		return clock >= 0 && clock < 12 ? -EOPNOTSUPP : -EINVAL;
	if (!((int)a[1] & TIMER_ABSTIME))
		return sleep_relative(t, a[2], a[3]);
	rc = sys_copy_in(t, &ts, a[2], sizeof(ts));
	if (rc)
		return rc;
	if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= 1000000000)
		return -EINVAL;
	if (__builtin_mul_overflow(ts.tv_sec, 1000000000LL, &ns) ||
	    __builtin_add_overflow(ns, ts.tv_nsec, &ns))
		return sleep_until(WAIT_FOREVER) ? -ERESTARTNOHAND : 0;
	rc = sleep_until(alarm_now_ns() + (ns - now_ns(clock)));
	return rc ? -ERESTARTNOHAND : 0;
}

/* --- timers ------------------------------------------------------------------------------------
 */

long sys_getitimer(struct task *t, const uint64_t a[6])
{
	struct itimerval v;
	int rc = itimer_get(t->process, (int)a[0], &v);

	return rc ? rc : sys_copy_out(t, a[1], &v, sizeof(v));
}

long sys_setitimer(struct task *t, const uint64_t a[6])
{
	struct itimerval v = { 0 }, old;
	int rc = a[1] ? sys_copy_in(t, &v, a[1], sizeof(v)) : 0;

	if (!rc)
		rc = itimer_set(t->process, (int)a[0], &v, &old);
	if (!rc && a[2])
		rc = sys_copy_out(t, a[2], &old, sizeof(old));
	return rc;
}

long sys_alarm(struct task *t, const uint64_t a[6])
{
	struct itimerval v = { .it_value.tv_sec = (unsigned int)a[0] }, old;
	long left;

	itimer_set(t->process, ITIMER_REAL, &v, &old);
	/* Seconds that are left, rounded; never 0 while it is set. */
	left = old.it_value.tv_sec + (old.it_value.tv_usec >= 500000);
	return left ? left : old.it_value.tv_usec > 0;
}

long sys_timer_create(struct task *t, const uint64_t a[6])
{
	struct sigevent e;
	int32_t id;
	int rc = a[1] ? sys_copy_in(t, &e, a[1], sizeof(e)) : 0;

	if (rc)
		return rc;
	id = itimer_create(t, (clockid_t)a[0], a[1] ? &e : NULL);
	if (id < 0)
		return id;
	rc = sys_copy_out(t, a[2], &id, sizeof(id));
	if (rc)
		itimer_delete(t->process, id);
	return rc;
}

long sys_timer_settime(struct task *t, const uint64_t a[6])
{
	struct itimerspec to, old;
	int rc;

	if (!a[2])
		return -EINVAL;
	rc = sys_copy_in(t, &to, a[2], sizeof(to));
	if (!rc)
		rc = itimer_settime(t->process, (int)a[0], (int)a[1], &to, &old);
	if (!rc && a[3])
		rc = sys_copy_out(t, a[3], &old, sizeof(old));
	return rc;
}

long sys_timer_gettime(struct task *t, const uint64_t a[6])
{
	struct itimerspec now;
	int rc = itimer_gettime(t->process, (int)a[0], &now);

	return rc ? rc : sys_copy_out(t, a[1], &now, sizeof(now));
}

long sys_timer_getoverrun(struct task *t, const uint64_t a[6])
{
	return itimer_getoverrun(t->process, (int)a[0]);
}

long sys_timer_delete(struct task *t, const uint64_t a[6])
{
	return itimer_delete(t->process, (int)a[0]);
}
