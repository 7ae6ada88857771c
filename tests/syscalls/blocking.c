/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that wait: what ends them.
 *
 * One row a call.  A handler without SA_RESTART ends it with EINTR; after one with SA_RESTART it
 * waits on, where Linux restarts it, and comes to its end; SIGKILL ends it; a stop does not.  An
 * interval timer ticks: what the call waits for is brought by the handler of the second tick, so
 * that the first one finds the call waiting.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "tests/syscalls/check.h"

#define TICK_US 30000

static int empty[2], full[2], pair[2], file, other, ep, ear, caller, sem, msg, fifo = -1;
static pid_t child;
static uint32_t word;
static char buf[70000];
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static volatile int ticks;
static void (*bring)(void);

static void on_tick(int signo)
{
	(void)signo;
	if (++ticks == 2 && bring)
		bring();
}

static void start_ticks(int flags)
{
	struct itimerval v = { { 0, TICK_US }, { 0, TICK_US } };

	ticks = 0;
	on(SIGALRM, on_tick, flags);
	setitimer(ITIMER_REAL, &v, NULL);
}

static void stop_ticks(void)
{
	struct itimerval v = { 0 };

	setitimer(ITIMER_REAL, &v, NULL);
}

/* --- what is waited for ----------------------------------------------------------------------- */

static void nothing(void)
{
}

static void fill(int fd)
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (write(fd, buf, sizeof(buf)) > 0 || write(fd, buf, 1) > 0)
		continue;
	fcntl(fd, F_SETFL, 0);
}

static void drain(int fd)
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (read(fd, buf, sizeof(buf)) > 0)
		continue;
	fcntl(fd, F_SETFL, 0);
}

static void pipe_empty(void)
{
	drain(empty[0]);
}

static void pipe_put(void)
{
	write(empty[1], "x", 1);
}

static void pipe_full(void)
{
	fill(full[1]);
}

static void pipe_take(void)
{
	drain(full[0]);
}

static void pipes(void)
{
	pipe_empty();
	pipe_full();
}

static void stream_full(void)
{
	drain(pair[0]);
	fill(pair[0]);
}

static void stream_take(void)
{
	drain(pair[1]);
}

static void stream_empty(void)
{
	drain(pair[0]);
	drain(pair[1]);
}

static void stream_put(void)
{
	write(pair[1], "x", 1);
}

static void fifo_alone(void)
{
	if (fifo >= 0)
		close(fifo);
	fifo = -1;
}

static void fifo_meet(void)
{
	fifo = open("fifo", O_RDWR | O_NONBLOCK);
}

static void locked(void)
{
	flock(file, LOCK_UN);
	flock(other, LOCK_EX);
}

static void unlock(void)
{
	flock(other, LOCK_UN);
}

static void lock_range(int fd, short type)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_len = 1 };

	fcntl(fd, F_OFD_SETLK, &l);
}

static void range_locked(void)
{
	lock_range(file, F_UNLCK);
	lock_range(other, F_WRLCK);
}

static void range_unlock(void)
{
	lock_range(other, F_UNLCK);
}

static void with_child(void)
{
	if (child && kill(child, 0) == 0)
		return;
	child = fork();
	if (child == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (child == 0)
		pause();
}

static void end_child(void)
{
	kill(child, SIGKILL);
	child = 0;
}

static void listening(void)
{
	if (caller >= 0)
		close(caller);
	close(ear);
	unlink(address.sun_path);
	ear = socket(AF_UNIX, SOCK_STREAM, 0);
	bind(ear, (struct sockaddr *)&address, sizeof(address));
	listen(ear, 0);
	caller = socket(AF_UNIX, SOCK_STREAM, 0);
}

static void ear_call(void)
{
	connect(caller, (struct sockaddr *)&address, sizeof(address));
}

/* One connection waits to be accepted, and there is room for no other. */
static void ear_busy(void)
{
	listening();
	ear_call();
	close(caller);
	caller = socket(AF_UNIX, SOCK_STREAM, 0);
}

static void ear_accept(void)
{
	close(accept(ear, NULL, NULL));
}

static void futex_held(void)
{
	word = 1;
}

static void futex_give(void)
{
	word = 0;
	syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void queue_full(void)
{
	struct {
		long type;
		char text[1024];
	} m = { .type = 1 };

	while (msgsnd(msg, &m, sizeof(m.text), IPC_NOWAIT) == 0)
		continue;
}

static void queue_empty(void)
{
	while (msgrcv(msg, buf, 2000, 0, IPC_NOWAIT) >= 0)
		continue;
}

/* --- the calls -------------------------------------------------------------------------------- */

#define ONE(id, ...)                      \
	static long do_##id(void)         \
	{                                 \
		return CALL(__VA_ARGS__); \
	}
#define IOV	  (&(struct iovec){ buf, 1 })
#define LONG_TIME (&(struct timespec){ 100, 0 })

static struct msghdr *message(void)
{
	static struct iovec v = { buf, 1 };
	static struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	return &m;
}

static fd_set *readable(void)
{
	static fd_set set;

	FD_ZERO(&set);
	FD_SET(empty[0], &set);
	return &set;
}

ONE(read, SYS_read, empty[0], buf, 1)
ONE(readv, SYS_readv, empty[0], IOV, 1)
ONE(preadv2, SYS_preadv2, empty[0], IOV, 1, -1L, -1L, 0)
ONE(write, SYS_write, full[1], buf, 1)
ONE(writev, SYS_writev, full[1], IOV, 1)
ONE(pwritev2, SYS_pwritev2, full[1], IOV, 1, -1L, -1L, 0)
ONE(open, SYS_open, "fifo", O_RDONLY)
ONE(openat, SYS_openat, AT_FDCWD, "fifo", O_WRONLY)
ONE(openat2, SYS_openat2, AT_FDCWD, "fifo", (&(struct open_how){ .flags = O_RDONLY }), 24)
ONE(creat, SYS_creat, "fifo", 0600)
ONE(poll, SYS_poll, (&(struct pollfd){ empty[0], POLLIN, 0 }), 1, -1)
ONE(ppoll, SYS_ppoll, (&(struct pollfd){ empty[0], POLLIN, 0 }), 1, NULL, NULL, 8)
ONE(select, SYS_select, empty[0] + 1, readable(), NULL, NULL, NULL)
ONE(pselect6, SYS_pselect6, empty[0] + 1, readable(), NULL, NULL, NULL, NULL)
ONE(epoll_wait, SYS_epoll_wait, ep, buf, 1, -1)
ONE(epoll_pwait, SYS_epoll_pwait, ep, buf, 1, -1, NULL, 8)
ONE(epoll_pwait2, SYS_epoll_pwait2, ep, buf, 1, NULL, NULL, 8)
ONE(pause, SYS_pause)
ONE(rt_sigsuspend, SYS_rt_sigsuspend, (&(uint64_t){ 0 }), 8)
ONE(rt_sigtimedwait, SYS_rt_sigtimedwait, (&(uint64_t){ 1 << (SIGUSR2 - 1) }), NULL, NULL, 8)
ONE(nanosleep, SYS_nanosleep, LONG_TIME, NULL)
ONE(clock_nanosleep, SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, LONG_TIME, NULL)
ONE(wait4, SYS_wait4, child, NULL, 0, NULL)
ONE(waitid, SYS_waitid, P_PID, child, NULL, WEXITED, NULL)
ONE(accept, SYS_accept, ear, NULL, NULL)
ONE(accept4, SYS_accept4, ear, NULL, NULL, 0)
ONE(connect, SYS_connect, caller, &address, sizeof(address))
ONE(recvfrom, SYS_recvfrom, pair[0], buf, 1, 0, NULL, NULL)
ONE(recvmsg, SYS_recvmsg, pair[0], message(), 0)
ONE(sendto, SYS_sendto, pair[0], buf, 1, 0, NULL, 0)
ONE(sendmsg, SYS_sendmsg, pair[0], message(), 0)
ONE(flock, SYS_flock, file, LOCK_EX)
ONE(fcntl, SYS_fcntl, file, F_OFD_SETLKW,
    (&(struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 }))
ONE(semop, SYS_semop, sem, (&(struct sembuf){ 0, -1, 0 }), 1)
ONE(semtimedop, SYS_semtimedop, sem, (&(struct sembuf){ 0, -1, 0 }), 1, LONG_TIME)
ONE(msgsnd, SYS_msgsnd, msg, (&(struct { long t[200]; }){ { 1 } }), 1024, 0)
ONE(msgrcv, SYS_msgrcv, msg, buf, 100, 0, 0)
ONE(futex, SYS_futex, &word, FUTEX_WAIT, 1, NULL, NULL, 0)
ONE(splice, SYS_splice, empty[0], NULL, file, NULL, 1, 0)
ONE(tee, SYS_tee, empty[0], full[1], 1, 0)
ONE(vmsplice, SYS_vmsplice, full[1], IOV, 1, 0)
ONE(sendfile, SYS_sendfile, full[1], file, (&(off_t){ 0 }), 1)

enum {
	RESTARTS = 1 << 0, /* with SA_RESTART */
	STOPS = 1 << 1,	   /* goes on after a stop, though not after a handler */
};

static const struct row {
	const char *name;
	long (*fn)(void);
	void (*prepare)(void), (*bring)(void);
	unsigned int how;
} rows[] = {
	{ "read", do_read, pipe_empty, pipe_put, RESTARTS },
	{ "readv", do_readv, pipe_empty, pipe_put, RESTARTS },
	{ "preadv2", do_preadv2, pipe_empty, pipe_put, RESTARTS },
	{ "write", do_write, pipe_full, pipe_take, RESTARTS },
	{ "writev", do_writev, pipe_full, pipe_take, RESTARTS },
	{ "pwritev2", do_pwritev2, pipe_full, pipe_take, RESTARTS },
	{ "open", do_open, fifo_alone, fifo_meet, RESTARTS },
	{ "openat", do_openat, fifo_alone, fifo_meet, RESTARTS },
	{ "openat2", do_openat2, fifo_alone, fifo_meet, RESTARTS },
	{ "creat", do_creat, fifo_alone, fifo_meet, RESTARTS },
	{ "poll", do_poll, pipe_empty, pipe_put, STOPS },
	{ "ppoll", do_ppoll, pipe_empty, pipe_put, STOPS },
	{ "select", do_select, pipe_empty, pipe_put, STOPS },
	{ "pselect6", do_pselect6, pipe_empty, pipe_put, STOPS },
	{ "epoll_wait", do_epoll_wait, pipe_empty, pipe_put, 0 },
	{ "epoll_pwait", do_epoll_pwait, pipe_empty, pipe_put, 0 },
	{ "epoll_pwait2", do_epoll_pwait2, pipe_empty, pipe_put, 0 },
	{ "pause", do_pause, nothing, NULL, 0 },
	{ "rt_sigsuspend", do_rt_sigsuspend, nothing, NULL, 0 },
	{ "rt_sigtimedwait", do_rt_sigtimedwait, nothing, NULL, 0 },
	{ "nanosleep", do_nanosleep, nothing, NULL, 0 },
	{ "clock_nanosleep", do_clock_nanosleep, nothing, NULL, 0 },
	{ "wait4", do_wait4, with_child, end_child, RESTARTS },
	{ "waitid", do_waitid, with_child, end_child, RESTARTS },
	{ "accept", do_accept, listening, ear_call, RESTARTS },
	{ "accept4", do_accept4, listening, ear_call, RESTARTS },
	{ "connect", do_connect, ear_busy, ear_accept, RESTARTS },
	{ "recvfrom", do_recvfrom, stream_empty, stream_put, RESTARTS },
	{ "recvmsg", do_recvmsg, stream_empty, stream_put, RESTARTS },
	{ "sendto", do_sendto, stream_full, stream_take, RESTARTS },
	{ "sendmsg", do_sendmsg, stream_full, stream_take, RESTARTS },
	{ "flock", do_flock, locked, unlock, RESTARTS },
	{ "fcntl", do_fcntl, range_locked, range_unlock, RESTARTS },
	{ "semop", do_semop, nothing, NULL, 0 },
	{ "semtimedop", do_semtimedop, nothing, NULL, 0 },
	{ "msgsnd", do_msgsnd, queue_full, queue_empty, STOPS },
	{ "msgrcv", do_msgrcv, queue_empty, NULL, 0 },
	{ "futex", do_futex, futex_held, futex_give, RESTARTS },
	{ "splice", do_splice, pipe_empty, pipe_put, RESTARTS },
	{ "tee", do_tee, pipes, NULL, RESTARTS },
	{ "vmsplice", do_vmsplice, pipe_full, pipe_take, RESTARTS },
	{ "sendfile", do_sendfile, pipe_full, pipe_take, RESTARTS },
};

static long ended_by_handler(const struct row *r, int flags)
{
	long rc;

	r->prepare();
	bring = NULL;
	start_ticks(flags);
	rc = r->fn();
	stop_ticks();
	return rc;
}

static void test_restart(const struct row *r)
{
	long rc;

	r->prepare();
	bring = r->bring;
	start_ticks(SA_RESTART);
	rc = r->fn();
	stop_ticks();
	ok((rc >= 0 || (r->fn == do_futex && rc == -EAGAIN)) && ticks >= 2,
	   "%s: restarted, and then %s", r->name, rc >= 0 ? "done" : strerror((int)-rc));
	if (rc > 0 && r->bring == fifo_meet)
		close((int)rc);
}

/* A stop is no handler: whoever waits does not hear of it. */
static void test_stop(const struct row *r)
{
	int status;
	pid_t pid;

	r->prepare();
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(r->fn() >= 0 ? 7 : 8);
	usleep(TICK_US);
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	kill(pid, SIGCONT);
	usleep(TICK_US);
	r->bring();
	waitpid(pid, &status, 0);
	is(status >> 8, 7, "%s: goes on after a stop", r->name);
}

static void test_row(const struct row *r)
{
	is(ended_by_handler(r, 0), -EINTR, "%s: EINTR", r->name);
	if (!(r->how & RESTARTS))
		is(ended_by_handler(r, SA_RESTART), -EINTR, "%s: also with SA_RESTART", r->name);
	else if (r->bring)
		test_restart(r);
	if (r->how & STOPS)
		test_stop(r);
	if (r->prepare != with_child)
		r->prepare();
	is(killed_while({
		   child = 0;
		   if (r->prepare == with_child)
			   with_child();
		   r->fn();
	   }),
	   SIGKILL, "%s: killed", r->name);
}

/* Sleeps that a stop does not shorten, and that end by themselves. */
static void test_sleeps(void)
{
	struct timespec t = { 0, 300000000 };
	int64_t before = now_ms();
	pid_t pid;
	int status;

	fflush(stdout);
	for (int n = 0; n < 2; n++) {
		pid = fork();
		if (pid == 0)
			_exit((int)-(n ? CALL(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &t, NULL)
				       : CALL(SYS_nanosleep, &t, NULL)));
		usleep(TICK_US);
		kill(pid, SIGSTOP);
		waitpid(pid, &status, WUNTRACED);
		kill(pid, SIGCONT);
		waitpid(pid, &status, 0);
		is(status, 0, "%s goes on after a stop", n ? "clock_nanosleep" : "nanosleep");
	}
	ok(now_ms() - before >= 600, "and sleeps all its time");
}

static void test_limits(void)
{
	struct timespec t = { 0, 20000000 };
	struct timeval v = { 0, 20000 };
	struct sembuf take = { 0, -1, 0 };

	pipe_empty();
	is(CALL(SYS_poll, (&(struct pollfd){ empty[0], POLLIN, 0 }), 1, 20), 0,
	   "poll: its time is up");
	is(CALL(SYS_ppoll, (&(struct pollfd){ empty[0], POLLIN, 0 }), 1, &t, NULL, 8), 0,
	   "ppoll: its time is up");
	is(CALL(SYS_select, empty[0] + 1, readable(), NULL, NULL, &v), 0, "select: its time is up");
	t.tv_nsec = 20000000; /* ppoll says what was left */
	is(CALL(SYS_pselect6, empty[0] + 1, readable(), NULL, NULL, &t, NULL), 0,
	   "pselect6: its time is up");
	t.tv_nsec = 20000000;
	is(CALL(SYS_pselect6, -1, NULL, NULL, NULL, NULL, NULL), -EINVAL, "pselect6: EINVAL");
	is(CALL(SYS_pselect6, 64, (&(uint64_t){ 1ull << 63 }), NULL, NULL, NULL, NULL), -EBADF,
	   "pselect6: EBADF");
	is(CALL(SYS_epoll_pwait, ep, buf, 1, 20, NULL, 8), 0, "epoll_pwait: its time is up");
	is(CALL(SYS_epoll_pwait2, ep, buf, 1, &t, NULL, 8), 0, "epoll_pwait2: its time is up");
	is(CALL(SYS_semtimedop, sem, &take, 1, &t), -EAGAIN, "semtimedop: its time is up");
	word = 1;
	is(CALL(SYS_futex, &word, FUTEX_WAIT, 1, &t, NULL, 0), -ETIMEDOUT, "futex: its time is up");
	listening();
	v = (struct timeval){ 0, 20000 };
	setsockopt(ear, SOL_SOCKET, SO_RCVTIMEO, &v, sizeof(v));
	is(CALL(SYS_accept, ear, NULL, NULL), -EAGAIN, "accept: its time is up");
	is(CALL(SYS_accept4, ear, NULL, NULL, 0), -EAGAIN, "accept4: its time is up");
	stream_empty();
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &v, sizeof(v));
	is(CALL(SYS_recvfrom, pair[0], buf, 1, 0, NULL, NULL), -EAGAIN, "recvfrom: its time is up");
	is(CALL(SYS_recvmsg, pair[0], message(), 0), -EAGAIN, "recvmsg: its time is up");
}

/* tee to a full pipe: what it waits for is room. */
static void tee_ready(void)
{
	pipe_empty();
	pipe_put();
	pipe_full();
}

static void test_tee(void)
{
	static const struct row r = { "tee", do_tee, tee_ready, pipe_take, RESTARTS };

	test_restart(&r);
}

static char where[] = "/tmp/blocking-XXXXXX";

static void prepare(void)
{
	struct epoll_event e = { .events = EPOLLIN };

	if (!mkdtemp(where) || chdir(where) || pipe(empty) || pipe(full) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || mkfifo("fifo", 0600))
		abort();
	file = open("file", O_RDWR | O_CREAT, 0600);
	other = open("file", O_RDWR);
	write(file, "text", 4);
	ep = epoll_create1(0);
	epoll_ctl(ep, EPOLL_CTL_ADD, empty[0], &e);
	snprintf(address.sun_path, sizeof(address.sun_path), "socket");
	ear = caller = -1;
	sem = semget(IPC_PRIVATE, 1, 0600);
	msg = msgget(IPC_PRIVATE, 0600);
}

static void clear(void)
{
	if (child)
		kill(child, SIGKILL);
	semctl(sem, 0, IPC_RMID);
	msgctl(msg, IPC_RMID, NULL);
	unlink("fifo");
	unlink("file");
	unlink("socket");
	rmdir(where);
}

int main(void)
{
	prepare();
	for (size_t n = 0; n < ARRAY_LEN(rows); n++)
		test_row(&rows[n]);
	test_sleeps();
	test_limits();
	test_tee();
	clear();
	return tap_done();
}
