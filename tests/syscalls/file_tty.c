/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pseudo-terminals: lines, editing, echo, signals, job control, sizes, hang-up.
 */
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "tests/syscalls/file_dirs.h"

static int master, slave;
static char name[32];

static void open_pair(void)
{
	int n, zero = 0;

	master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	ioctl(master, TIOCGPTN, &n);
	ioctl(master, TIOCSPTLCK, &zero);
	snprintf(name, sizeof(name), "/dev/pts/%d", n);
	slave = open(name, O_RDWR | O_NOCTTY);
}

static void close_pair(void)
{
	close(slave);
	close(master);
}

static void type(const char *keys)
{
	write(master, keys, strlen(keys));
}

/* gets_text() - what is there now, as a string. */
static const char *gets_text(int fd)
{
	static char buf[512];
	struct pollfd p = { fd, POLLIN, 0 };
	ssize_t n = 0;

	if (poll(&p, 1, 50) == 1)
		n = read(fd, buf, sizeof(buf) - 1);
	buf[n > 0 ? n : 0] = 0;
	return buf;
}

#define is_text(got, want, what)                       \
	({                                             \
		const char *g_ = (got);                \
		if (!ok(strcmp(g_, want) == 0, what))  \
			printf("#  got \"%s\"\n", g_); \
	})

static void set_flags(tcflag_t off, tcflag_t on, int min, int time)
{
	struct termios t;

	tcgetattr(slave, &t);
	t.c_lflag = (t.c_lflag & ~off) | on;
	t.c_cc[VMIN] = (cc_t)min;
	t.c_cc[VTIME] = (cc_t)time;
	tcsetattr(slave, TCSANOW, &t);
}

static void test_lines(void)
{
	struct stat st;
	char big[5000];
	int n;

	open_pair();
	ok(master >= 0 && slave >= 0, "a pair");
	ok(isatty(slave) && isatty(master), "of terminals");
	fstat(slave, &st);
	ok(S_ISCHR(st.st_mode) && st.st_rdev >> 8 == 136, "a device 136");
	type("abc");
	is_text(gets_text(slave), "", "no line yet");
	is_text(gets_text(master), "abc", "but an echo");
	type("\r");
	is_text(gets_text(slave), "abc\n", "a line, with newline for return");
	is_text(gets_text(master), "\r\n", "and its echo");
	type("one\ntwo\n");
	usleep(50000); /* Linux takes what is typed in a thread of its own */
	is(ioctl(slave, FIONREAD, &n), 0, "FIONREAD");
	is(n, 8, "two lines");
	is_text(gets_text(slave), "one\n", "one at a time");
	is_text(gets_text(slave), "two\n", "the other");
	type("abd\177c\n");
	is_text(gets_text(slave), "abc\n", "erase");
	type("wrong\025right\n");
	is_text(gets_text(slave), "right\n", "kill");
	type("some word\027thing\n");
	is_text(gets_text(slave), "some thing\n", "erase a word");
	type("\026\003\n");
	is_text(gets_text(slave), "\003\n", "a literal control character");
	type("part\004");
	is_text(gets_text(slave), "part", "^D ends without a newline");
	type("\004");
	is(read(slave, big, 10), 0, "alone it is the end of file");
	while (*gets_text(master))
		continue;
	write(slave, "a\nb\tc", 5);
	is_text(gets_text(master), "a\r\nb\tc", "output: newline becomes two");
	fcntl(slave, F_SETFL, O_NONBLOCK);
	is(CALL(SYS_read, slave, big, 10), -EAGAIN, "nothing: EAGAIN");
	fcntl(slave, F_SETFL, 0);
	interrupted(CALL(SYS_read, slave, big, 10), -EINTR, "a read that waits: EINTR");
	close_pair();
}

static void test_raw(void)
{
	struct termios t;
	char buf[10];
	int64_t t0;

	open_pair();
	set_flags(ICANON | ECHO, 0, 1, 0);
	type("x");
	is_text(gets_text(slave), "x", "without lines: at once");
	is_text(gets_text(master), "", "without echo: none");
	set_flags(0, 0, 0, 0);
	is(read(slave, buf, 10), 0, "VMIN 0: nothing is nothing");
	set_flags(0, 0, 0, 1);
	t0 = now_ms();
	is(read(slave, buf, 10), 0, "VTIME: still nothing");
	ok(now_ms() - t0 >= 100, "after a tenth of a second");
	tcgetattr(slave, &t);
	t.c_oflag &= ~(tcflag_t)OPOST;
	tcsetattr(slave, TCSANOW, &t);
	write(slave, "\n", 1);
	is_text(gets_text(master), "\n", "without OPOST: as it is");
	is(CALL(SYS_ioctl, slave, TCGETS, BAD), -EFAULT, "TCGETS: EFAULT");
	close_pair();
}

static void test_size(void)
{
	struct winsize ws = { 24, 80, 0, 0 }, got;

	open_pair();
	is(ioctl(master, TIOCSWINSZ, &ws), 0, "TIOCSWINSZ");
	is(ioctl(slave, TIOCGWINSZ, &got), 0, "TIOCGWINSZ");
	ok(got.ws_row == 24 && got.ws_col == 80, "is the same on both sides");
	is(CALL(SYS_ioctl, slave, TIOCGPGRP, &ws), -ENOTTY, "not our terminal: ENOTTY");
	close_pair();
}

static volatile int got_signal;

static void note(int signo)
{
	got_signal = signo;
}

/* session() - a child with the slave as its controlling terminal. */
static int session(int (*fn)(void))
{
	return in_child(setsid(); if (ioctl(slave, TIOCSCTTY, 0)) _exit(90); _exit(fn()));
}

static int sees_signals(void)
{
	static const char keys[] = { 3, 28, 26 };
	static const int want[] = { SIGINT, SIGQUIT, SIGTSTP };

	for (int n = 0; n < 3; n++) {
		on(want[n], note, 0);
		got_signal = 0;
		write(master, &keys[n], 1);
		for (int k = 0; k < 100 && !got_signal; k++)
			usleep(10000);
		if (got_signal != want[n])
			return n + 1;
	}
	return 0;
}

static int sees_resize(void)
{
	struct winsize ws = { 50, 132, 0, 0 };

	on(SIGWINCH, note, 0);
	ioctl(master, TIOCSWINSZ, &ws);
	for (int k = 0; k < 100 && !got_signal; k++)
		usleep(10000);
	return got_signal != SIGWINCH;
}

static int controls(void)
{
	int tty = open("/dev/tty", O_RDWR);
	pid_t pid, fg;
	int status;

	if (tty < 0)
		return 1;
	if (tcgetpgrp(tty) != getpgrp() || tcgetsid(tty) != getsid(0))
		return 2;
	pid = fork();
	if (!pid) {
		char c;

		setpgid(0, 0);
		read(tty, &c, 1); /* from the background: stops */
		_exit(5);
	}
	setpgid(pid, pid);
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status) ||
	    WSTOPSIG(status) != SIGTTIN)
		return 3;
	signal(SIGTTOU, SIG_IGN);
	if (tcsetpgrp(tty, pid))
		return 4;
	ioctl(tty, TIOCGPGRP, &fg);
	if (fg != pid)
		return 5;
	type("x\n");
	kill(pid, SIGCONT);
	if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 5)
		return 6;
	return 0;
}

static int hangs_up(void)
{
	char c;

	on(SIGHUP, note, 0);
	close(master);
	for (int k = 0; k < 100 && !got_signal; k++)
		usleep(10000);
	if (got_signal != SIGHUP)
		return 1;
	if (read(slave, &c, 1) != 0)
		return 2;
	return CALL(SYS_write, slave, "x", 1) == -EIO ? 0 : 3;
}

static void test_control(void)
{
	struct pollfd p;
	char c;

	open_pair();
	is(session(sees_signals) >> 8, 0, "^C, ^\\ and ^Z are signals");
	is(session(sees_resize) >> 8, 0, "a new size is SIGWINCH");
	is(session(controls) >> 8, 0, "job control");
	close(slave);
	is(CALL(SYS_read, master, &c, 1) > 0 || errno == EIO, 1, "what was written, or EIO");
	while (read(master, &c, 1) > 0)
		continue;
	is(CALL(SYS_read, master, &c, 1), -EIO, "all closed: EIO");
	p = (struct pollfd){ master, POLLIN, 0 };
	poll(&p, 1, 0);
	ok(p.revents & POLLHUP, "and a hang-up");
	slave = open(name, O_RDWR | O_NOCTTY);
	ok(slave >= 0, "until it is opened again");
	close_pair();
	is(access(name, F_OK) ? -errno : 0, -ENOENT, "the name goes with the master");
	open_pair();
	fflush(stdout);
	if (fork() == 0) {
		setsid();
		ioctl(slave, TIOCSCTTY, 0);
		_exit(hangs_up());
	}
	close(master);
	{
		int status;

		wait(&status);
		is(status >> 8, 0, "the last close of the master is SIGHUP and the end");
	}
	close(slave);
	is(CALL(SYS_open, "/dev/tty", O_RDWR) >= 0 ? 0 : -errno,
	   CALL(SYS_open, "/dev/tty", O_RDWR) >= 0 ? 0 : -ENXIO, "no terminal: ENXIO");
}

int main(void)
{
	test_lines();
	test_raw();
	test_size();
	test_control();
	return tap_done();
}
