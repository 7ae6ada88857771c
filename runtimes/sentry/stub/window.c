/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What calls read and write, copied along with them.
 *
 * A path, a structure or a small buffer costs some nanoseconds here and a system call in the
 * sentry.  The table holds calls that programs make often; what it says is only a help: the sentry
 * reads by itself what it does not find.
 */
#include "runtimes/sentry/stub/stub.h"

#define PATH_BYTES     256u
#define CLONE3_BYTES   88u /* that Linux has */
#define RUSAGE_BYTES   144u
#define STAT_BYTES     144u
#define EPOLL_BYTES    12u
#define EPOLL_EVENTS   64u /* the sentry gives no more at once */
#define SOCKADDR_BYTES 128u
#define MSGHDR_BYTES   56u

/* OUT: written by the sentry; RESULT: as many bytes of it as the call returns. */
enum direction { IN = CHANNEL_WINDOW_FILLED, RESULT = CHANNEL_WINDOW_RESULT, OUT = 4 };

/* A word is exchanged for itself, which no other thread can notice. */
static bool is_writable(uint64_t addr)
{
	uint32_t *word = (uint32_t *)(addr & ~3ull), value;

	return !guest_copy(&value, word, sizeof(value)) && guest_exchange(word, value, value) != 2;
}

/*
 * can_hold() - all of it can be written.  Where not, the sentry writes by itself and knows how far
 * it came; what it has taken from a pipe to fill a window would be lost.
 */
static bool can_hold(uint64_t addr, uint64_t len)
{
	for (uint64_t at = addr; at < addr + len; at = (at | (PAGE_BYTES - 1)) + 1)
		if (!is_writable(at))
			return false;
	return true;
}

static void add(struct slot *s, uint64_t addr, uint64_t len, enum direction how)
{
	struct channel_control *c = s->control;
	uint32_t n = c->n_windows, offset = CHANNEL_WINDOWS_START;
	struct channel_window *w = &c->windows[n];

	if (n >= CHANNEL_MAX_WINDOWS)
		return;
	if (n) /* our own of this call; wherever they are, the sentry checks them */
		offset = (w[-1].offset + w[-1].len + 63) & ~63u;
	if (offset > CHANNEL_DATA_BYTES || len > CHANNEL_DATA_BYTES - offset)
		return;
	if (!addr || !len || addr > STUB_GUEST_TOP - len)
		return;
	if (how & IN ? guest_copy(s->data + offset, (void *)addr, len) != 0 : !can_hold(addr, len))
		return;
	*w = (struct channel_window){
		.addr = addr, .len = (uint32_t)len, .offset = offset, .flags = how & (IN | RESULT)
	};
	c->n_windows++;
}

/* vector() - an iovec and what it points to. What of a result is in which part, only the sentry
 * knows. */
static void vector(struct slot *s, uint64_t addr, uint64_t n, enum direction how)
{
	uint32_t at = s->control->n_windows;
	const struct channel_window *w = &s->control->windows[at];
	uint64_t part[2]; /* address, length */

	n &= 0xffff;
	add(s, addr, n * sizeof(part), IN);
	if (s->control->n_windows == at)
		return;
	if (how == RESULT && n != 1)
		how = OUT;
	for (uint64_t i = 0; i < n && s->control->n_windows < CHANNEL_MAX_WINDOWS; i++) {
		memcpy(part, s->data + w->offset + i * sizeof(part), sizeof(part));
		add(s, part[0], part[1], how);
	}
}

/* message() - a struct msghdr, its vector and data. */
static void message(struct slot *s, uint64_t addr, enum direction how)
{
	uint64_t head[MSGHDR_BYTES / 8];

	add(s, addr, sizeof(head), IN);
	if (s->control->n_windows == 0)
		return;
	memcpy(head, s->data + CHANNEL_WINDOWS_START, sizeof(head));
	vector(s, head[2], head[3], how);
}

/* Not over the end of a page: the string may end before it. */
static void path(struct slot *s, uint64_t addr)
{
	uint64_t left = PAGE_BYTES - addr % PAGE_BYTES;

	add(s, addr, left < PATH_BYTES ? left : PATH_BYTES, IN);
}

static bool of_names(struct slot *s, uint32_t nr, const uint64_t a[6])
{
	switch (nr) {
	case __NR_open:
	case __NR_access:
	case __NR_chdir:
	case __NR_mkdir:
	case __NR_rmdir:
	case __NR_unlink:
	case __NR_chmod:
		path(s, a[0]);
		return true;
	case __NR_openat:
	case __NR_faccessat:
	case __NR_faccessat2:
	case __NR_unlinkat:
	case __NR_mkdirat:
		path(s, a[1]);
		return true;
	case __NR_stat:
	case __NR_lstat:
		path(s, a[0]);
		add(s, a[1], STAT_BYTES, OUT);
		return true;
	case __NR_newfstatat:
		path(s, a[1]);
		add(s, a[2], STAT_BYTES, OUT);
		return true;
	case __NR_readlink:
		path(s, a[0]);
		add(s, a[1], a[2], OUT);
		return true;
	case __NR_readlinkat:
		path(s, a[1]);
		add(s, a[2], a[3], OUT);
		return true;
	default:
		return false;
	}
}

static bool of_data(struct slot *s, uint32_t nr, const uint64_t a[6])
{
	switch (nr) {
	case __NR_read:
	case __NR_pread64:
	case __NR_getdents64:
		add(s, a[1], a[2], RESULT);
		return true;
	case __NR_write:
	case __NR_pwrite64:
		add(s, a[1], a[2], IN);
		return true;
	case __NR_readv:
	case __NR_preadv:
	case __NR_preadv2:
		vector(s, a[1], a[2], RESULT);
		return true;
	case __NR_writev:
	case __NR_pwritev:
	case __NR_pwritev2:
		vector(s, a[1], a[2], IN);
		return true;
	case __NR_fstat:
		add(s, a[1], STAT_BYTES, OUT);
		return true;
	default:
		return false;
	}
}

/* peer() - where the address of somebody else goes, and its length. */
static void peer(struct slot *s, uint64_t addr, uint64_t len)
{
	if (!addr)
		return;
	add(s, addr, SOCKADDR_BYTES, OUT);
	add(s, len, sizeof(uint32_t), IN);
}

static bool of_sockets(struct slot *s, uint32_t nr, const uint64_t a[6])
{
	switch (nr) {
	case __NR_recvfrom:
		add(s, a[1], a[2], RESULT);
		peer(s, a[4], a[5]);
		return true;
	case __NR_sendto:
		add(s, a[1], a[2], IN);
		add(s, a[4], a[5], IN);
		return true;
	case __NR_sendmsg:
	case __NR_recvmsg:
		message(s, a[1], nr == __NR_sendmsg ? IN : RESULT);
		return true;
	case __NR_accept:
	case __NR_accept4:
	case __NR_getsockname:
	case __NR_getpeername:
		peer(s, a[1], a[2]);
		return true;
	case __NR_bind:
	case __NR_connect:
		add(s, a[1], a[2], IN);
		return true;
	case __NR_setsockopt:
		add(s, a[3], a[4], IN);
		return true;
	default:
		return false;
	}
}

/* time_left() - of a wait: it is written too, but where it cannot be that is no error. */
static void time_left(struct slot *s, uint64_t addr)
{
	if (addr && can_hold(addr, sizeof(struct timespec64)))
		add(s, addr, sizeof(struct timespec64), IN);
}

static void of_events(struct slot *s, uint32_t nr, const uint64_t a[6])
{
	switch (nr) {
	case __NR_poll:
	case __NR_ppoll:
		add(s, a[0], (a[1] & 0xffff) * 8, IN | OUT);
		if (nr == __NR_ppoll)
			time_left(s, a[2]);
		break;
	case __NR_select:
	case __NR_pselect6:
		for (int i = 1; i <= 3; i++)
			add(s, a[i], ((a[0] & 0xffff) + 63) / 64 * 8, IN | OUT);
		time_left(s, a[4]);
		break;
	case __NR_epoll_wait:
	case __NR_epoll_pwait:
		add(s, a[1], (a[2] < EPOLL_EVENTS ? a[2] : EPOLL_EVENTS) * EPOLL_BYTES, OUT);
		break;
	case __NR_epoll_ctl:
		add(s, a[3], EPOLL_BYTES, IN);
		break;
	}
}

static bool of_processes(struct slot *s, uint32_t nr, const uint64_t a[6])
{
	switch (nr) {
	case __NR_clone3:
		add(s, a[0], a[1] < CLONE3_BYTES ? a[1] : CLONE3_BYTES, IN);
		return true;
	case __NR_wait4:
		add(s, a[1], sizeof(uint32_t), OUT);
		add(s, a[3], RUSAGE_BYTES, OUT);
		return true;
	default:
		return false;
	}
}

void window_prepare(struct slot *s, uint32_t nr, const uint64_t a[6])
{
	if (!of_data(s, nr, a) && !of_names(s, nr, a) && !of_sockets(s, nr, a) &&
	    !of_processes(s, nr, a))
		of_events(s, nr, a);
}

bool window_finish(struct slot *s, int64_t result)
{
	const struct channel_control *c = s->control;
	bool good = true;

	for (uint32_t i = 0; i < c->n_windows && i < CHANNEL_MAX_WINDOWS; i++) {
		const struct channel_window *w = &c->windows[i];
		uint64_t to = w->dirty_to;

		if (w->flags & CHANNEL_WINDOW_RESULT)
			to = result < 0 ? 0 : (uint64_t)result < to ? (uint64_t)result : to;
		if (to > w->dirty_from &&
		    guest_copy((void *)(w->addr + w->dirty_from),
			       s->data + w->offset + w->dirty_from, to - w->dirty_from))
			good = false;
	}
	return good;
}
