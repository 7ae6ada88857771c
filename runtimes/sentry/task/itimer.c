/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interval timers and POSIX timers.
 *
 * Each is an alarm (task/alarm.h).  Timers of CPU time look at the CPU clock of the host process
 * when as much real time has passed as is left: never early, and late by at most a tick.
 *
 * The lock is never held over alarm_clear(), which waits for the function that takes it.
 */
#include <errno.h>
#include <string.h>

#include "runtimes/sentry/task/alarm.h"
#include "runtimes/sentry/task/internal.h"
#include "runtimes/sentry/task/itimer.h"
#include "runtimes/sentry/task/signal.h"

#define TIMERS_MAX 1024 /* of timer_create, a process */
#define TICK_NS	   4000000

struct one_timer {
	struct alarm alarm;
	struct process *process;      /* not a reference: stopped before it goes */
	bool cpu;		      /* times are of CPU time */
	int64_t next_ns, interval_ns; /* of its clock; next 0: not set */
	clockid_t clock;
	int id, overrun;
	int notify, signo;
	union sigval value;
	struct task *target; /* SIGEV_THREAD_ID: a reference */
};

struct itimers {
	struct lock lock; /* LOCK_OBJECT */
	struct one_timer interval[3];
	struct one_timer *timers[TIMERS_MAX];
	bool stopped;
};

static const int interval_signals[3] = { SIGALRM, SIGVTALRM, SIGPROF };

static int64_t clock_now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int64_t now_of(const struct one_timer *o)
{
	return o->cpu ? process_cpu_ns(o->process) : clock_now_ns(o->clock);
}

/* arm() - the alarm for next_ns. */
static void arm(struct one_timer *o)
{
	int64_t left = o->next_ns - now_of(o);

	if (o->cpu && left < TICK_NS)
		left = TICK_NS;
	alarm_set(&o->alarm, alarm_now_ns() + MAX(left, 0));
}

/* advance() - after it has run out. Return: how many more times it did meanwhile. */
static int64_t advance(struct one_timer *o, int64_t now)
{
	int64_t missed;

	if (!o->interval_ns) {
		o->next_ns = 0;
		return 0;
	}
	missed = (now - o->next_ns) / o->interval_ns;
	o->next_ns += (missed + 1) * o->interval_ns;
	return missed;
}

static void send(struct one_timer *o, int64_t missed)
{
	siginfo_t info = { .si_signo = o->signo, .si_code = o->id < 0 ? SI_KERNEL : SI_TIMER };
	int rc;

	if (o->notify == SIGEV_NONE)
		return;
	if (o->id < 0) {
		signal_send_process(o->process, &info);
		return;
	}
	info.si_timerid = o->id;
	info.si_value = o->value;
	info.si_overrun = (int)MIN(missed, INT32_MAX);
	rc = signal_send_timer(o->process, o->target, &info, o);
	if (rc == 1)
		missed += 1 + o->overrun;
	o->overrun = (int)MIN(missed, INT32_MAX);
}

static void run_out(struct alarm *a)
{
	struct one_timer *o = CONTAINER_OF(a, struct one_timer, alarm);
	struct itimers *i = __atomic_load_n(&o->process->itimers, __ATOMIC_ACQUIRE);
	int64_t now = now_of(o), missed;

	lock_acquire(&i->lock);
	if (!o->next_ns || i->stopped) {
		lock_release(&i->lock);
		return;
	}
	if (now < o->next_ns) {
		arm(o);
		lock_release(&i->lock);
		return;
	}
	missed = advance(o, now);
	if (o->next_ns)
		arm(o);
	lock_release(&i->lock);
	send(o, missed);
}

static void init_one(struct one_timer *o, struct process *p, clockid_t clock, bool cpu, int signo)
{
	o->alarm.fn = run_out;
	o->process = p;
	o->clock = clock;
	o->cpu = cpu;
	o->id = -1;
	o->signo = signo;
	o->notify = SIGEV_SIGNAL;
}

/* timers_of() - made at the first use. */
static struct itimers *timers_of(struct process *p)
{
	struct itimers *i = __atomic_load_n(&p->itimers, __ATOMIC_ACQUIRE), *other = NULL;

	if (i)
		return i;
	i = xnew(struct itimers);
	lock_init(&i->lock, LOCK_OBJECT);
	for (int n = 0; n < 3; n++)
		init_one(&i->interval[n], p, CLOCK_MONOTONIC, n != ITIMER_REAL,
			 interval_signals[n]);
	if (__atomic_compare_exchange_n(&p->itimers, &other, i, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return i;
	free(i);
	return other;
}

static void get_locked(const struct one_timer *o, struct itimerspec *ret)
{
	int64_t left = o->next_ns ? MAX(o->next_ns - now_of(o), 1) : 0;

	ret->it_value = (struct timespec){ left / 1000000000, left % 1000000000 };
	ret->it_interval =
		(struct timespec){ o->interval_ns / 1000000000, o->interval_ns % 1000000000 };
}

static int64_t ns_of(const struct timespec *ts)
{
	int64_t ns;

	if (__builtin_mul_overflow(ts->tv_sec, 1000000000LL, &ns) ||
	    __builtin_add_overflow(ns, ts->tv_nsec, &ns))
		return INT64_MAX / 2;
	return MIN(ns, INT64_MAX / 2);
}

static bool is_time(const struct timespec *ts)
{
	return ts->tv_sec >= 0 && ts->tv_nsec >= 0 && ts->tv_nsec < 1000000000;
}

static void set(struct itimers *i, struct one_timer *o, bool absolute, const struct itimerspec *to,
		struct itimerspec *ret_old)
{
	int64_t value = ns_of(&to->it_value);

	lock_acquire(&i->lock);
	if (ret_old)
		get_locked(o, ret_old);
	o->interval_ns = value ? ns_of(&to->it_interval) : 0;
	o->next_ns = value ? (absolute ? value : now_of(o) + value) : 0;
	o->overrun = 0;
	if (o->next_ns)
		arm(o);
	lock_release(&i->lock);
	if (!value)
		alarm_clear(&o->alarm);
}

int itimer_set(struct process *p, int which, const struct itimerval *to, struct itimerval *ret_old)
{
	struct itimerspec spec, old;

	if (which < 0 || which > 2)
		return -EINVAL;
	spec.it_value = (struct timespec){ to->it_value.tv_sec, to->it_value.tv_usec * 1000 };
	spec.it_interval =
		(struct timespec){ to->it_interval.tv_sec, to->it_interval.tv_usec * 1000 };
	if (!is_time(&spec.it_value) || !is_time(&spec.it_interval))
		return -EINVAL;
	set(timers_of(p), &timers_of(p)->interval[which], false, &spec, &old);
	if (ret_old) {
		ret_old->it_value = (struct timeval){ old.it_value.tv_sec,
						      (old.it_value.tv_nsec + 999) / 1000 };
		ret_old->it_interval =
			(struct timeval){ old.it_interval.tv_sec, old.it_interval.tv_nsec / 1000 };
	}
	return 0;
}

int itimer_get(struct process *p, int which, struct itimerval *ret)
{
	struct itimers *i = timers_of(p);
	struct itimerspec now;

	if (which < 0 || which > 2)
		return -EINVAL;
	lock_acquire(&i->lock);
	get_locked(&i->interval[which], &now);
	lock_release(&i->lock);
	ret->it_value =
		(struct timeval){ now.it_value.tv_sec, (now.it_value.tv_nsec + 999) / 1000 };
	ret->it_interval =
		(struct timeval){ now.it_interval.tv_sec, now.it_interval.tv_nsec / 1000 };
	return 0;
}

/* --- timer_create ---------------------------------------------------------------------------- */

static int check_clock(clockid_t clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_THREAD_CPUTIME_ID:
		return 0;
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}

static int apply_event(struct one_timer *o, struct task *t, const struct sigevent *e)
{
	if (!e) {
		o->value.sival_int = o->id;
		return 0;
	}
	o->notify = e->sigev_notify;
	o->signo = e->sigev_signo;
	o->value = e->sigev_value;
	if (o->notify != SIGEV_NONE && (o->signo < 1 || o->signo > N_SIGNALS))
		return -EINVAL;
	switch (o->notify) {
	case SIGEV_NONE:
	case SIGEV_SIGNAL:
		return 0;
	case SIGEV_THREAD_ID:
		o->target = task_find(t->process->pids, e->_sigev_un._tid);
		return o->target && o->target->process == t->process ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

static int take_slot(struct itimers *i, struct one_timer *o)
{
	LOCKED(&i->lock);
	for (int id = 0; id < TIMERS_MAX; id++) {
		if (i->timers[id])
			continue;
		o->id = id;
		i->timers[id] = o;
		return id;
	}
	return -EAGAIN;
}

static void free_one(struct one_timer *o)
{
	alarm_clear(&o->alarm);
	signal_forget_source(o->process, o);
	task_put(o->target);
	free(o);
}

int itimer_create(struct task *t, clockid_t clock, const struct sigevent *e)
{
	struct itimers *i = timers_of(t->process);
	bool cpu = clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID;
	struct one_timer *o;
	int rc = check_clock(clock);

	if (rc)
		return rc;
	o = xnew(struct one_timer);
	init_one(o, t->process, cpu ? CLOCK_MONOTONIC : clock, cpu, SIGALRM);
	rc = apply_event(o, t, e);
	if (!rc)
		rc = take_slot(i, o);
	if (rc < 0) {
		task_put(o->target);
		free(o);
		return rc;
	}
	if (!e)
		o->value.sival_int = o->id;
	return rc;
}

static struct one_timer *find(struct process *p, int id)
{
	struct itimers *i = timers_of(p);

	LOCKED(&i->lock);
	return id >= 0 && id < TIMERS_MAX ? i->timers[id] : NULL;
}

int itimer_settime(struct process *p, int id, int flags, const struct itimerspec *to,
		   struct itimerspec *ret_old)
{
	struct one_timer *o = find(p, id);

	if (!o || !is_time(&to->it_value) || !is_time(&to->it_interval))
		return -EINVAL;
	set(timers_of(p), o, flags & TIMER_ABSTIME, to, ret_old);
	return 0;
}

int itimer_gettime(struct process *p, int id, struct itimerspec *ret)
{
	struct itimers *i = timers_of(p);
	struct one_timer *o = find(p, id);

	if (!o)
		return -EINVAL;
	LOCKED(&i->lock);
	get_locked(o, ret);
	return 0;
}

int itimer_getoverrun(struct process *p, int id)
{
	struct one_timer *o = find(p, id);

	return o ? o->overrun : -EINVAL;
}

int itimer_delete(struct process *p, int id)
{
	struct itimers *i = timers_of(p);
	struct one_timer *o;

	lock_acquire(&i->lock);
	o = id >= 0 && id < TIMERS_MAX ? i->timers[id] : NULL;
	if (o) {
		i->timers[id] = NULL;
		o->next_ns = 0;
	}
	lock_release(&i->lock);
	if (!o)
		return -EINVAL;
	free_one(o);
	return 0;
}

void itimers_exec(struct process *p)
{
	if (!p->itimers)
		return;
	for (int id = 0; id < TIMERS_MAX; id++)
		itimer_delete(p, id);
}

void itimers_stop(struct process *p)
{
	struct itimers *i = __atomic_load_n(&p->itimers, __ATOMIC_ACQUIRE);

	if (!i)
		return;
	lock_acquire(&i->lock);
	i->stopped = true;
	lock_release(&i->lock);
	for (int n = 0; n < 3; n++)
		alarm_clear(&i->interval[n].alarm);
	itimers_exec(p);
}

void itimers_destroy(struct itimers *i)
{
	free(i);
}
