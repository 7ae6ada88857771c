/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line discipline of terminals (termios(3)): editing, echo, signals, output processing.
 *
 * The in ring holds what was typed, with marks where lines end.  In canonical mode only whole
 * lines can be read (the first in_ready bytes), and erasing stops at the line before.
 */
#include <signal.h>
#include <termios.h>

#include "base/mem.h"
#include "runtimes/sentry/fs/tty_internal.h"

#define TAB_WIDTH 8u

struct tty_settings tty_default_settings(void)
{
	return (struct tty_settings){
		.iflag = ICRNL | IXON,
		.oflag = OPOST | ONLCR,
		.cflag = B38400 | CS8 | CREAD | HUPCL,
		.lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
		.cc = { [VINTR] = 'C' - 64,
			[VQUIT] = '\\' - 64,
			[VERASE] = 0177,
			[VKILL] = 'U' - 64,
			[VEOF] = 'D' - 64,
			[VMIN] = 1,
			[VSTART] = 'Q' - 64,
			[VSTOP] = 'S' - 64,
			[VSUSP] = 'Z' - 64,
			[VREPRINT] = 'R' - 64,
			[VDISCARD] = 'O' - 64,
			[VWERASE] = 'W' - 64,
			[VLNEXT] = 'V' - 64 },
		.ispeed = 38400,
		.ospeed = 38400,
	};
}

static bool iflag(const struct tty *t, uint32_t f)
{
	return t->set.iflag & f;
}

static bool lflag(const struct tty *t, uint32_t f)
{
	return t->set.lflag & f;
}

/* is_cc() - @c is the control character @which, which is not switched off (0). */
static bool is_cc(const struct tty *t, int which, uint8_t c)
{
	return t->set.cc[which] && t->set.cc[which] == c;
}

/* --- output --- */

static uint32_t out_room(const struct tty *t)
{
	return TTY_OUT_BYTES - t->out_used;
}

static void put(struct tty *t, uint8_t c)
{
	if (!out_room(t))
		return;
	t->out[(t->out_head + t->out_used++) % TTY_OUT_BYTES] = c;
}

static void put_spaces(struct tty *t, uint32_t n)
{
	while (n--)
		put(t, ' ');
}

static void count_column(struct tty *t, uint8_t c)
{
	if (c == '\n' || c == '\r')
		t->column = 0;
	else if (c == '\b')
		t->column -= t->column != 0;
	else if (c == '\t')
		t->column += TAB_WIDTH - t->column % TAB_WIDTH;
	else if (c >= ' ' && (c & 0xc0) != 0x80)
		t->column++; /* the later bytes of a UTF-8 character take no room */
}

/* put_processed() - one byte of a program or of an echo. */
static void put_processed(struct tty *t, uint8_t c)
{
	uint32_t o = t->set.oflag;

	if (!(o & OPOST)) {
		put(t, c);
		return;
	}
	if (c == '\n' && (o & ONLCR)) {
		put(t, '\r');
	} else if (c == '\r' && (o & ONOCR) && t->column == 0) {
		return;
	} else if (c == '\r' && (o & OCRNL)) {
		c = '\n';
	} else if (c == '\t' && (o & TABDLY) == XTABS) {
		uint32_t n = TAB_WIDTH - t->column % TAB_WIDTH;

		t->column += n;
		put_spaces(t, n);
		return;
	}
	put(t, c);
	count_column(t, c);
}

size_t tty_output(struct tty *t, const uint8_t *bytes, size_t n)
{
	size_t k = 0;

	if (t->stopped)
		return 0;
	while (k < n && out_room(t) >= TAB_WIDTH)
		put_processed(t, bytes[k++]);
	return k;
}

size_t tty_out_take(struct tty *t, uint8_t *to, size_t n)
{
	size_t k = 0;

	while (k < n && t->out_used) {
		uint32_t run = MIN(t->out_used, TTY_OUT_BYTES - t->out_head);

		run = (uint32_t)MIN(run, n - k);
		memcpy(to + k, t->out + t->out_head, run);
		t->out_head = (t->out_head + run) % TTY_OUT_BYTES;
		t->out_used -= run;
		k += run;
	}
	return k;
}

void tty_flush_output(struct tty *t)
{
	t->out_used = 0;
}

/* --- echo --- */

static bool shows_as_control(const struct tty *t, uint8_t c)
{
	return lflag(t, ECHOCTL) && (c < ' ' || c == 0177) && c != '\t' && c != '\n';
}

static void echo(struct tty *t, uint8_t c)
{
	if (!lflag(t, ECHO) && !(c == '\n' && lflag(t, ECHONL) && lflag(t, ICANON)))
		return;
	if (shows_as_control(t, c)) {
		put_processed(t, '^');
		put_processed(t, c ^ 0100);
	} else {
		put_processed(t, c);
	}
}

/* --- the in ring --- */

static uint32_t at(const struct tty *t, uint32_t offset)
{
	return (t->in_head + offset) % TTY_IN_BYTES;
}

/* store() - Return: false when there is no room. */
static bool store(struct tty *t, uint8_t c, enum tty_mark mark)
{
	uint32_t tail = at(t, t->in_used);

	/* One byte is kept for the end of the line. */
	if (t->in_used >= TTY_IN_BYTES - (mark == MARK_NONE && lflag(t, ICANON)))
		return false;
	t->in[tail] = c;
	t->mark[tail] = (uint8_t)mark;
	t->in_used++;
	if (mark != MARK_NONE || !lflag(t, ICANON))
		t->in_ready = t->in_used;
	if (mark != MARK_NONE)
		t->line_begin_column = t->column;
	return true;
}

void tty_flush_input(struct tty *t)
{
	t->in_used = t->in_ready = 0;
	t->literal = false;
}

size_t tty_readable(const struct tty *t)
{
	return lflag(t, ICANON) ? t->in_ready : t->in_used;
}

size_t tty_take(struct tty *t, uint8_t *to, size_t n, bool *ret_end)
{
	size_t k = 0;

	*ret_end = false;
	while (k < n && tty_readable(t)) {
		uint8_t c = t->in[t->in_head], mark = t->mark[t->in_head];

		t->in_head = at(t, 1);
		t->in_used--;
		t->in_ready -= t->in_ready != 0;
		if (mark != MARK_EOF)
			to[k++] = c;
		if (mark != MARK_NONE && lflag(t, ICANON)) {
			*ret_end = true;
			break;
		}
	}
	return k;
}

void tty_set(struct tty *t, const struct tty_settings *s)
{
	bool was_canonical = lflag(t, ICANON);

	t->set = *s;
	t->set.cc[VMIN] = s->cc[VMIN];
	if (!was_canonical && lflag(t, ICANON) && t->in_used) {
		/* What was typed before is a line of its own. */
		t->mark[at(t, t->in_used - 1)] = MARK_END;
		t->in_ready = t->in_used;
	} else if (!lflag(t, ICANON)) {
		t->in_ready = t->in_used;
	}
	if (!iflag(t, IXON))
		t->stopped = false;
}

/* --- editing --- */

/* width() - columns that the last bytes of the line take on the screen. */
static uint32_t width_of(const struct tty *t, uint8_t c)
{
	if (shows_as_control(t, c))
		return 2;
	return c >= ' ' && (c & 0xc0) != 0x80 ? 1 : 0;
}

static void erase_on_screen(struct tty *t, uint32_t columns)
{
	if (!lflag(t, ECHO))
		return;
	if (!lflag(t, ECHOE)) {
		echo(t, t->set.cc[VERASE]);
		return;
	}
	while (columns--) {
		put(t, '\b');
		put(t, ' ');
		put(t, '\b');
		t->column -= t->column != 0;
	}
}

/* tab_width() - columns of the tab that ends the line: what stands before it decides. */
static uint32_t tab_width(const struct tty *t)
{
	uint32_t column = t->line_begin_column;

	for (uint32_t k = t->in_ready; k + 1 < t->in_used; k++) {
		uint8_t c = t->in[at(t, k)];

		column += c == '\t' ? TAB_WIDTH - column % TAB_WIDTH : width_of(t, c);
	}
	return TAB_WIDTH - column % TAB_WIDTH;
}

/* erase_char() - one character, of several bytes where IUTF8 says so. Return: whether any. */
static bool erase_char(struct tty *t)
{
	uint8_t c;

	if (t->in_used == t->in_ready)
		return false;
	c = t->in[at(t, t->in_used - 1)];
	if (c == '\t' && lflag(t, ECHO) && lflag(t, ECHOE)) {
		for (uint32_t n = tab_width(t); n; n--) {
			put(t, '\b');
			t->column -= t->column != 0;
		}
		t->in_used--;
		return true;
	}
	while (iflag(t, IUTF8) && (c & 0xc0) == 0x80 && t->in_used - 1 > t->in_ready) {
		t->in_used--;
		c = t->in[at(t, t->in_used - 1)];
	}
	t->in_used--;
	erase_on_screen(t, c >= 0xc0 && iflag(t, IUTF8) ? 1 : width_of(t, c));
	return true;
}

static bool is_word(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || c >= 0x80;
}

static uint8_t last_byte(const struct tty *t)
{
	return t->in[at(t, t->in_used - 1)];
}

static void erase_word(struct tty *t)
{
	while (t->in_used > t->in_ready && !is_word(last_byte(t)))
		erase_char(t);
	while (t->in_used > t->in_ready && is_word(last_byte(t)))
		erase_char(t);
}

static void kill_line(struct tty *t)
{
	if (lflag(t, ECHOKE) && lflag(t, ECHOE)) {
		while (erase_char(t))
			continue;
		return;
	}
	t->in_used = t->in_ready;
	echo(t, t->set.cc[VKILL]);
	if (lflag(t, ECHOK))
		echo(t, '\n');
}

static void reprint(struct tty *t)
{
	echo(t, t->set.cc[VREPRINT]);
	echo(t, '\n');
	for (uint32_t k = t->in_ready; k < t->in_used; k++)
		echo(t, t->in[at(t, k)]);
}

/* edit() - canonical mode: is @c a command? */
static bool edit(struct tty *t, uint8_t c)
{
	if (is_cc(t, VERASE, c))
		erase_char(t);
	else if (is_cc(t, VKILL, c))
		kill_line(t);
	else if (lflag(t, IEXTEN) && is_cc(t, VWERASE, c))
		erase_word(t);
	else if (lflag(t, IEXTEN) && lflag(t, ECHO) && is_cc(t, VREPRINT, c))
		reprint(t);
	else
		return false;
	return true;
}

/* end_line() - canonical mode: does @c end a line? */
static bool end_line(struct tty *t, uint8_t c)
{
	if (is_cc(t, VEOF, c)) {
		store(t, c, MARK_EOF);
		return true;
	}
	if (c == '\n' || is_cc(t, VEOL, c) || (lflag(t, IEXTEN) && is_cc(t, VEOL2, c))) {
		echo(t, c);
		store(t, c, MARK_END);
		return true;
	}
	return false;
}

/* --- input --- */

static int signal_of(const struct tty *t, uint8_t c)
{
	if (!lflag(t, ISIG))
		return 0;
	if (is_cc(t, VINTR, c))
		return SIGINT;
	if (is_cc(t, VQUIT, c))
		return SIGQUIT;
	return is_cc(t, VSUSP, c) ? SIGTSTP : 0;
}

static bool flow_control(struct tty *t, uint8_t c)
{
	if (!iflag(t, IXON))
		return false;
	if (is_cc(t, VSTOP, c)) {
		t->stopped = true;
		return true;
	}
	if (is_cc(t, VSTART, c)) {
		t->stopped = false;
		return true;
	}
	if (iflag(t, IXANY))
		t->stopped = false;
	return false;
}

/* translate() - IGNCR, ICRNL, INLCR. Return: false: the byte is dropped. */
static bool translate(const struct tty *t, uint8_t *c)
{
	if (*c == '\r') {
		if (iflag(t, IGNCR))
			return false;
		if (iflag(t, ICRNL))
			*c = '\n';
	} else if (*c == '\n' && iflag(t, INLCR)) {
		*c = '\r';
	}
	return true;
}

static void take_signal(struct tty *t, uint8_t c, int signo, uint64_t *signals)
{
	if (!lflag(t, NOFLSH)) {
		tty_flush_input(t);
		tty_flush_output(t);
	}
	t->stopped = false;
	echo(t, c);
	*signals |= SIGNAL_BIT(signo);
}

static void receive(struct tty *t, uint8_t c, uint64_t *signals)
{
	int signo;

	if (iflag(t, ISTRIP))
		c &= 0x7f;
	if (t->literal) {
		t->literal = false;
		echo(t, c);
		store(t, c, MARK_NONE);
		return;
	}
	if (flow_control(t, c))
		return;
	signo = signal_of(t, c);
	if (signo) {
		take_signal(t, c, signo, signals);
		return;
	}
	if (!translate(t, &c))
		return;
	if (lflag(t, ICANON)) {
		if (edit(t, c) || end_line(t, c))
			return;
		if (lflag(t, IEXTEN) && is_cc(t, VLNEXT, c)) {
			t->literal = true;
			if (lflag(t, ECHO) && lflag(t, ECHOCTL)) {
				put(t, '^');
				put(t, '\b');
			}
			return;
		}
	}
	if (store(t, c, MARK_NONE))
		echo(t, c);
	else if (iflag(t, IMAXBEL))
		put(t, '\a');
}

size_t tty_input(struct tty *t, const uint8_t *bytes, size_t n, uint64_t *signals)
{
	size_t k;

	for (k = 0; k < n; k++) {
		/* Without lines, what finds no room waits; in a line it is lost, as on Linux. */
		if (t->in_used >= TTY_IN_BYTES - 1 && (!lflag(t, ICANON) || t->in_ready))
			break;
		receive(t, bytes[k], signals);
	}
	return k;
}
