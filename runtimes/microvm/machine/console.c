/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard input for the guest's serial port.
 *
 * When the port is full, input is not read for a moment, so nothing is lost and nobody spins.
 */
#include "runtimes/microvm/machine/console.h"

#include <sys/stat.h>
#include <termios.h>

#include "base/mem.h"

#define RETRY_MS 5

static struct termios saved;

static void restore_terminal(void)
{
	tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}

static void set_raw(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &saved))
		return;
	raw = saved;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST;
	if (!tcsetattr(STDIN_FILENO, TCSANOW, &raw))
		atexit(restore_terminal);
}

static void console_readable(void *data, uint32_t events)
{
	struct machine *m = data;
	size_t room = serial_room(&m->serial);
	uint8_t bytes[SERIAL_RX_ROOM];
	ssize_t n;

	(void)events;
	if (!room) {
		loop_fd_set_events(m->input, 0);
		loop_timer_arm(m->input_retry, RETRY_MS);
		return;
	}
	n = read(STDIN_FILENO, bytes, room);
	if (n > 0) {
		serial_input(&m->serial, bytes, (size_t)n);
	} else if (n == 0 || errno != EINTR) {
		loop_fd_remove(m->input);
		m->input = NULL;
	}
}

static void console_retry(void *data)
{
	struct machine *m = data;

	if (m->input)
		loop_fd_set_events(m->input, EPOLLIN);
}

void machine_console_open(struct machine *m)
{
	struct stat st;

	if (fstat(STDIN_FILENO, &st) || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return;
	if (S_ISCHR(st.st_mode) && !isatty(STDIN_FILENO))
		return;
	if (isatty(STDIN_FILENO))
		set_raw();
	m->input_retry = loop_add_timer(m->loop, console_retry, m);
	m->input = loop_add_fd(m->loop, STDIN_FILENO, EPOLLIN, console_readable, m);
}
