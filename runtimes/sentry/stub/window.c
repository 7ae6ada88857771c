/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What calls read and write, copied along with them.
 *
 * A path, a structure or a small buffer costs some nanoseconds here and a system call in the
 * sentry.  The table holds calls that programs make often; what it says is only a help: the sentry
 * reads by itself what it does not find.
 */
#include "runtimes/sentry/stub/stub.h"

#define PATH_BYTES  256u
#define STAT_BYTES  144u
#define EPOLL_BYTES 12u

/* OUT: written by the sentry; RESULT: as many bytes of it as the call returns. */
enum direction { IN = CHANNEL_WINDOW_FILLED, RESULT = CHANNEL_WINDOW_RESULT, OUT = 4 };

static void add(struct slot *s, uint64_t addr, uint64_t len, enum direction how)
{
	struct channel_control *c = s->control;
	struct channel_window *w = &c->windows[c->n_windows];
	uint32_t offset = CHANNEL_WINDOWS_START + c->n_windows * CHANNEL_WINDOW_BYTES;

	if (!addr || !len || len > CHANNEL_WINDOW_BYTES || addr >= STUB_GUEST_TOP)
		return;
	if (how & IN && guest_copy(s->data + offset, (void *)addr, len))
		return;
	*w = (struct channel_window){
		.addr = addr, .len = (uint32_t)len, .offset = offset, .flags = how & (IN | RESULT)
	};
	c->n_windows++;
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
	case __NR_recvfrom:
	case __NR_getdents64:
		add(s, a[1], a[2], RESULT);
		return true;
	case __NR_write:
	case __NR_pwrite64:
	case __NR_sendto:
		add(s, a[1], a[2], IN);
		return true;
	case __NR_readv:
	case __NR_writev:
		add(s, a[1], (a[2] & 0xffff) * 16, IN);
		return true;
	case __NR_fstat:
		add(s, a[1], STAT_BYTES, OUT);
		return true;
	default:
		return false;
	}
}

static void of_events(struct slot *s, uint32_t nr, const uint64_t a[6])
{
	switch (nr) {
	case __NR_poll:
	case __NR_ppoll:
		add(s, a[0], (a[1] & 0xffff) * 8, IN | OUT);
		if (nr == __NR_ppoll)
			add(s, a[2], sizeof(struct timespec64), IN);
		break;
	case __NR_epoll_wait:
	case __NR_epoll_pwait:
		add(s, a[1], (a[2] & 0xffff) * EPOLL_BYTES, OUT);
		break;
	case __NR_epoll_ctl:
		add(s, a[3], EPOLL_BYTES, IN);
		break;
	}
}

void window_prepare(struct slot *s, uint32_t nr, const uint64_t a[6])
{
	if (!of_data(s, nr, a) && !of_names(s, nr, a))
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
			       s->data + w->offset + w->dirty_from, w->dirty_to - w->dirty_from))
			good = false;
	}
	return good;
}
