/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pseudo terminal for a container, handed to whoever asked or joined to our own stdio.
 */
#include "runtimes/sentry/cli/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

#include "base/fd.h"
#include "base/mem.h"

static int open_pair(struct host_console *ret, char name[32], struct error *err)
{
	int unlock = 0;
	unsigned int number;

	ret->master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ret->master < 0)
		return error_errno(err, errno, "open /dev/ptmx");
	if (ioctl(ret->master, TIOCSPTLCK, &unlock) < 0 ||
	    ioctl(ret->master, TIOCGPTN, &number) < 0)
		return error_errno(err, errno, "unlock a terminal");
	ret->slave = ioctl(ret->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ret->slave < 0)
		return error_errno(err, errno, "open the terminal's other end");
	snprintf(name, 32, "/dev/pts/%u", number);
	return 0;
}

int console_open(unsigned int rows, unsigned int columns, struct host_console *ret,
		 struct error *err)
{
	struct winsize size = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns };
	char name[32];
	int rc = open_pair(ret, name, err);

	if (rc < 0) {
		console_close(ret);
		return rc;
	}
	if (rows && columns)
		ioctl(ret->master, TIOCSWINSZ, &size);
	return 0;
}

void console_close(struct host_console *t)
{
	close_fd(&t->master);
	close_fd(&t->slave);
}

int console_send(const char *path, const struct host_console *t, struct error *err)
{
	int sock cleanup_close = fd_connect_unix(path, SOCK_STREAM, err);
	char name[32] = "/dev/ptmx";
	unsigned int number;
	int rc;

	if (sock < 0)
		return error_wrap(err, "--console-socket");
	if (ioctl(t->master, TIOCGPTN, &number) == 0)
		snprintf(name, sizeof(name), "/dev/pts/%u", number);
	rc = fd_send(sock, name, strlen(name), &t->master, 1);
	return rc < 0 ? error_errno(err, -rc, "--console-socket: send the terminal") : 0;
}

/* --- our own stdio at a terminal -------------------------------------------------------------- */

static struct {
	int master;
	bool raw;
	struct termios saved;
	pthread_t thread;
} attached = { .master = -1 };

static void copy_size(int signo)
{
	struct winsize size;
	int saved = errno;

	(void)signo;
	if (ioctl(0, TIOCGWINSZ, &size) == 0)
		ioctl(attached.master, TIOCSWINSZ, &size);
	errno = saved;
}

/* move() - what is there. Return: false at the end. */
static bool move(int from, int to)
{
	char buf[4096];
	ssize_t n = read(from, buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	return n > 0 && fd_write_all(to, buf, (size_t)n) == 0;
}

static void *pump(void *unused)
{
	struct pollfd p[2] = { { .fd = 0, .events = POLLIN },
			       { .fd = attached.master, .events = POLLIN } };

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return unused;
		if (p[0].revents && !move(0, attached.master))
			p[0].fd = -1;
		if (p[1].revents && !move(attached.master, 1))
			return unused;
	}
}

int console_attach(struct host_console *t, struct error *err)
{
	struct sigaction a = { .sa_handler = copy_size, .sa_flags = SA_RESTART };
	struct termios raw;
	int rc;

	attached.master = steal_fd(&t->master);
	close_fd(&t->slave);
	if (tcgetattr(0, &attached.saved) == 0) {
		raw = attached.saved;
		cfmakeraw(&raw);
		attached.raw = tcsetattr(0, TCSANOW, &raw) == 0;
		sigaction(SIGWINCH, &a, NULL);
		copy_size(0);
	}
	rc = pthread_create(&attached.thread, NULL, pump, NULL);
	return rc ? error_errno(err, rc, "start a thread for the terminal") : 0;
}

void console_detach(void)
{
	if (attached.master < 0)
		return;
	/* the other ends are closed: what is left is read, then there is an error */
	pthread_join(attached.thread, NULL);
	if (attached.raw)
		tcsetattr(0, TCSANOW, &attached.saved);
	close_fd(&attached.master);
}

bool console_is_attached(void)
{
	return attached.master >= 0;
}
