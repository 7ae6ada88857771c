/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks, sleeping, interval timers, POSIX timers.
 */
#include <sys/resource.h>
#include <sys/times.h>
#include <sys/timex.h>

#include "tests/syscalls/check.h"

static volatile int ticks, last_code, last_value;

static void tick(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	ticks++;
	last_code = info->si_code;
	last_value = info->si_int;
}

static void count_ticks(int signo)
{
	struct sigaction a = { .sa_sigaction = tick, .sa_flags = SA_SIGINFO | SA_RESTART };

	sigaction(signo, &a, NULL);
	ticks = 0;
}

static void test_clocks(void)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME,	      CLOCK_MONOTONIC,
					    CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
					    CLOCK_MONOTONIC_RAW,      CLOCK_REALTIME_COARSE,
					    CLOCK_MONOTONIC_COARSE,   CLOCK_BOOTTIME };
	struct timespec a, b;
	struct timeval tv;
	time_t t, u;
	int good = 0;

	for (size_t i = 0; i < ARRAY_LEN(clocks); i++)
		good += CALL(SYS_clock_gettime, clocks[i], &a) == 0 &&
			CALL(SYS_clock_getres, clocks[i], &b) == 0 &&
			(b.tv_nsec > 0 || b.tv_sec > 0);
	is(good, ARRAY_LEN(clocks), "all clocks answer");
	CALL(SYS_clock_gettime, CLOCK_MONOTONIC, &a);
	clock_gettime(CLOCK_MONOTONIC, &b);
	ok(b.tv_sec * 1000000000 + b.tv_nsec >= a.tv_sec * 1000000000 + a.tv_nsec,
	   "the vDSO and the call agree");
	is(CALL(SYS_gettimeofday, &tv, NULL), 0, "gettimeofday");
	is(CALL(SYS_clock_gettime, CLOCK_REALTIME, &a), 0, "clock_gettime");
	ok(a.tv_sec - tv.tv_sec <= 1, "tell the same");
	t = CALL(SYS_time, &u);
	ok(t == u && t - tv.tv_sec <= 1, "time too");
	is(CALL(SYS_clock_gettime, 77, &a), -EINVAL, "no such clock");
	is(CALL(SYS_clock_getres, 77, &a), -EINVAL, "nor its resolution");
	is(CALL(SYS_clock_getres, CLOCK_MONOTONIC, NULL), 0, "a resolution for nobody");
	is(CALL(SYS_clock_gettime, CLOCK_REALTIME, edge(8)), -EFAULT, "bad address");
	is(CALL(SYS_gettimeofday, edge(8), NULL), -EFAULT, "for gettimeofday");
	is(CALL(SYS_clock_settime, 77, &a), -EINVAL, "set no such clock");
	is(CALL(SYS_clock_settime, CLOCK_REALTIME, edge(4)), -EFAULT, "set from a bad address");
}

static void test_sleep(void)
{
	struct timespec ts = { 0, 30000000 }, left = { 0 }, bad = { 0, -1 };
	int64_t start = now_ms();

	is(CALL(SYS_nanosleep, &ts, NULL), 0, "sleep");
	ok(now_ms() - start >= 29, "as long as asked");
	is(CALL(SYS_nanosleep, &bad, NULL), -EINVAL, "bad time");
	is(CALL(SYS_nanosleep, edge(8), NULL), -EFAULT, "bad address");
	ts = (struct timespec){ 10, 0 };
	interrupted(CALL(SYS_nanosleep, &ts, &left), -EINTR, "a signal ends it");
	ok(left.tv_sec == 9 && left.tv_nsec > 0, "and it tells what is left");
	interrupted(CALL(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &ts, &left), -EINTR,
		    "clock_nanosleep too");
	ok(left.tv_sec == 9, "with what is left");
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_nsec += 30000000;
	if (ts.tv_nsec >= 1000000000)
		ts = (struct timespec){ ts.tv_sec + 1, ts.tv_nsec - 1000000000 };
	start = now_ms();
	is(CALL(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL), 0,
	   "until a moment");
	ok(now_ms() - start >= 28, "not before");
	is(CALL(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL), 0,
	   "a moment in the past");
	is(CALL(SYS_clock_nanosleep, 77, 0, &ts, NULL), -EINVAL, "no such clock");
	is(CALL(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL), -EOPNOTSUPP,
	   "not one's own CPU time");
	is(killed_while(sleep(100)), SIGKILL, "a sleeper can be killed");
	is(in_child({
		   pid_t me = getpid();

		   if (!fork()) {
			   usleep(20000);
			   kill(me, SIGSTOP);
			   usleep(20000);
			   kill(me, SIGCONT);
			   _exit(0);
		   }
		   start = now_ms();
		   ts = (struct timespec){ 0, 100000000 };
		   if (nanosleep(&ts, NULL))
			   _exit(1);
		   _exit(now_ms() - start < 95);
	   }),
	   0, "stopped and continued, it sleeps to the end");
}

static void test_itimer(void)
{
	struct itimerval v = { .it_value = { 0, 20000 }, .it_interval = { 0, 20000 } }, old;

	count_ticks(SIGALRM);
	is(CALL(SYS_setitimer, ITIMER_REAL, &v, NULL), 0, "a timer that repeats");
	while (ticks < 3)
		usleep(5000);
	ok(true, "ticks three times");
	is(CALL(SYS_getitimer, ITIMER_REAL, &old), 0, "ask for it");
	ok(old.it_interval.tv_usec == 20000 && old.it_value.tv_usec <= 20000, "it is what was set");
	v = (struct itimerval){ 0 };
	is(CALL(SYS_setitimer, ITIMER_REAL, &v, &old), 0, "stop it");
	is(old.it_interval.tv_usec, 20000, "what it was");
	ticks = 0;
	usleep(50000);
	is(ticks, 0, "it ticks no more");
	is(CALL(SYS_setitimer, 5, &v, NULL), -EINVAL, "no such timer");
	is(CALL(SYS_getitimer, 5, &old), -EINVAL, "nor to ask for");
	v.it_value.tv_usec = 2000000;
	is(CALL(SYS_setitimer, ITIMER_REAL, &v, NULL), -EINVAL, "bad time");
	is(CALL(SYS_setitimer, ITIMER_REAL, edge(8), NULL), -EFAULT, "bad address");
	is(CALL(SYS_getitimer, ITIMER_REAL, edge(8)), -EFAULT, "bad address to write");
	is(CALL(SYS_alarm, 100), 0, "alarm");
	is(CALL(SYS_alarm, 0), 100, "tells what was left");
	is(in_child({
		   alarm(1);
		   pause();
	   }),
	   0, "a handler is inherited");
	on(SIGALRM, SIG_DFL, 0);
	is(in_child({
		   after_ms(10);
		   for (;;)
			   pause();
	   }),
	   SIGALRM, "without one it is deadly");
}

static void test_cpu_timer(void)
{
	struct itimerval v = { .it_value = { 0, 20000 } };
	struct timespec before, after;

	count_ticks(SIGPROF);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	setitimer(ITIMER_PROF, &v, NULL);
	while (!ticks)
		;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	ok((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec >= 15000000,
	   "a timer of CPU time ticks after CPU time");
	usleep(40000);
	setitimer(ITIMER_VIRTUAL, &v, NULL);
	usleep(60000);
	is(ticks, 1, "sleeping does not count");
	v = (struct itimerval){ 0 };
	setitimer(ITIMER_VIRTUAL, &v, NULL);
}

static void test_posix_timer(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL,
			      .sigev_signo = SIGUSR1,
			      .sigev_value.sival_int = 77 };
	struct itimerspec v = { .it_value = { 0, 10000000 } }, now;
	uint64_t mask = 1ull << (SIGUSR1 - 1);
	int id = -1, other = -1;

	count_ticks(SIGUSR1);
	is(CALL(SYS_timer_create, CLOCK_MONOTONIC, &e, &id), 0, "make a timer");
	is(CALL(SYS_timer_create, CLOCK_REALTIME, NULL, &other), 0, "and another one");
	ok(id != other, "with another number");
	is(CALL(SYS_timer_delete, other), 0, "which goes again");
	is(CALL(SYS_timer_delete, other), -EINVAL, "once");
	is(CALL(SYS_timer_settime, id, 0, &v, NULL), 0, "set it");
	while (!ticks)
		usleep(5000);
	ok(last_code == SI_TIMER && last_value == 77, "it sends its signal with its value");
	is(CALL(SYS_timer_gettime, id, &now), 0, "ask for it");
	is(now.it_value.tv_nsec + now.it_value.tv_sec, 0, "it has run out");
	v.it_interval.tv_nsec = 2000000;
	CALL(SYS_rt_sigprocmask, SIG_BLOCK, &mask, NULL, 8);
	CALL(SYS_timer_settime, id, 0, &v, NULL);
	usleep(60000);
	ticks = 0;
	CALL(SYS_rt_sigprocmask, SIG_UNBLOCK, &mask, NULL, 8);
	ok(ticks >= 1, "blocked, one signal waits");
	ok(CALL(SYS_timer_getoverrun, id) >= 5, "and the others are counted");
	clock_gettime(CLOCK_MONOTONIC, &v.it_value);
	v.it_interval.tv_nsec = 0;
	is(CALL(SYS_timer_settime, id, TIMER_ABSTIME, &v, &now), 0, "a moment that is past");
	is(now.it_interval.tv_nsec, 2000000, "what it was");
	usleep(10000);
	is(CALL(SYS_timer_delete, id), 0, "delete it");
	is(CALL(SYS_timer_settime, id, 0, &v, NULL), -EINVAL, "no such timer");
	is(CALL(SYS_timer_gettime, id, &now), -EINVAL, "to ask for");
	is(CALL(SYS_timer_getoverrun, id), -EINVAL, "to count");
	is(CALL(SYS_timer_create, 77, &e, &id), -EINVAL, "no such clock");
	e.sigev_signo = 99;
	is(CALL(SYS_timer_create, CLOCK_MONOTONIC, &e, &id), -EINVAL, "no such signal");
	is(CALL(SYS_timer_create, CLOCK_MONOTONIC, NULL, edge(2)), -EFAULT, "bad address");
}

static void test_usage(void)
{
	clockid_t clock;
	long before;
	pid_t pid;
	struct rusage u, v;
	struct timespec ts;
	struct tms tms;
	struct timex tx = { 0 };

	while (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts),
	       ts.tv_sec == 0 && ts.tv_nsec < 30000000)
		;
	is(CALL(SYS_getrusage, RUSAGE_SELF, &u), 0, "getrusage");
	ok(u.ru_utime.tv_sec * 1000000 + u.ru_utime.tv_usec + u.ru_stime.tv_sec * 1000000 +
			   u.ru_stime.tv_usec >=
		   10000,
	   "CPU time counts");
	in_child({
		while (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts), ts.tv_nsec < 30000000)
			;
	});
	is(CALL(SYS_getrusage, RUSAGE_CHILDREN, &v), 0, "of children");
	ok(v.ru_utime.tv_usec + v.ru_utime.tv_sec + v.ru_stime.tv_usec > 10000,
	   "that were waited for");
	before = v.ru_utime.tv_usec + v.ru_utime.tv_sec * 1000000 + v.ru_stime.tv_usec;
	pid = fork();
	if (!pid)
		for (;;)
			;
	clock_getcpuclockid(pid, &clock);
	do
		usleep(5000);
	while (!clock_gettime(clock, &ts) && ts.tv_sec == 0 && ts.tv_nsec < 30000000);
	kill(pid, SIGKILL);
	is(CALL(SYS_wait4, pid, NULL, 0, &v), pid, "one that is killed while it works");
	ok(v.ru_utime.tv_usec + v.ru_utime.tv_sec * 1000000 + v.ru_stime.tv_usec >= 10000,
	   "has used its time");
	CALL(SYS_getrusage, RUSAGE_CHILDREN, &v);
	ok(v.ru_utime.tv_usec + v.ru_utime.tv_sec * 1000000 + v.ru_stime.tv_usec - before >= 10000,
	   "which its parent's children have then");
	is(CALL(SYS_getrusage, 7, &u), -EINVAL, "of nobody");
	is(CALL(SYS_getrusage, RUSAGE_SELF, edge(8)), -EFAULT, "bad address");
	ok(CALL(SYS_times, &tms) > 0, "times");
	ok(tms.tms_utime + tms.tms_stime >= 1, "in ticks");
	is(CALL(SYS_times, edge(8)), -EFAULT, "times to a bad address");
	ok(CALL(SYS_adjtimex, &tx) >= 0, "adjtimex reads");
	is(CALL(SYS_adjtimex, edge(8)), -EFAULT, "not to a bad address");
}

int main(void)
{
	test_clocks();
	test_sleep();
	test_itimer();
	test_cpu_timer();
	test_posix_timer();
	test_usage();
	return tap_done();
}
