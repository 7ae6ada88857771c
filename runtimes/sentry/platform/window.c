/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows: guest memory that the stub has copied into the channel with the call.
 *
 * They save the sentry a system call for each path, structure or small buffer.  Their contents
 * are as hostile as guest memory itself: bytes are copied once and then looked at.  A window's
 * written part is one range; what does not touch it goes to the guest's memory directly.
 */
#include <string.h>
#include <sys/uio.h>

#include "base/mem.h"
#include "runtimes/sentry/platform/internal.h"

static void add(struct stub_thread *t, const struct channel_window *w)
{
	struct window *to = &t->windows[t->n_windows];

	if (w->len == 0 || w->len > CHANNEL_DATA_BYTES || w->addr > STUB_GUEST_TOP - w->len)
		return;
	if (w->offset < CHANNEL_WINDOWS_START || w->offset > CHANNEL_DATA_BYTES - w->len)
		return;
	*to = (struct window){
		.addr = w->addr,
		.len = w->len,
		.flags = w->flags,
		.data = t->data + w->offset,
	};
	t->n_windows++;
}

void window_open(struct stub_thread *t)
{
	uint32_t n = __atomic_load_n(&t->control->n_windows, __ATOMIC_RELAXED);
	struct channel_window copy;

	t->n_windows = 0;
	for (uint32_t i = 0; i < n && i < CHANNEL_MAX_WINDOWS; i++) {
		memcpy(&copy, &t->control->windows[i], sizeof(copy));
		__asm__ volatile("" ::: "memory"); /* what is checked is what is used */
		add(t, &copy);
	}
}

void window_close(struct stub_thread *t)
{
	for (uint32_t i = 0; i < t->n_windows; i++) {
		t->control->windows[i].dirty_from = t->windows[i].dirty_from;
		t->control->windows[i].dirty_to = t->windows[i].dirty_to;
	}
	t->n_windows = 0;
}

/* find() - the window that holds all of the range, as seen by its own serving thread. */
static struct window *find(struct stub_thread *t, uint64_t addr, size_t len)
{
	if (stub_current() != t)
		return NULL;
	for (uint32_t i = 0; i < t->n_windows; i++) {
		struct window *w = &t->windows[i];

		if (addr >= w->addr && len <= w->len && addr - w->addr <= w->len - len)
			return w;
	}
	return NULL;
}

/* flush() - what was written so far, so that memory is what a direct access must see. */
static void flush(struct stub_thread *t, uint64_t addr, size_t len)
{
	for (uint32_t i = 0; i < t->n_windows && stub_current() == t; i++) {
		struct window *w = &t->windows[i];
		struct iovec from = { w->data + w->dirty_from, w->dirty_to - w->dirty_from };
		struct iovec to = { (void *)(uintptr_t)(w->addr + w->dirty_from), from.iov_len };

		if (!from.iov_len || addr >= w->addr + w->len || addr + len <= w->addr)
			continue;
		/* What cannot be written the stub will fail to copy, and so will the call. */
		if (process_vm_writev(t->process->host_pid, &from, 1, &to, 1, 0) ==
		    (ssize_t)from.iov_len)
			w->dirty_from = w->dirty_to = 0;
	}
}

bool window_read(struct stub_thread *t, void *to, uint64_t from, size_t len)
{
	struct window *w = find(t, from, len);
	uint64_t start = w ? from - w->addr : 0;

	if (w && (w->flags & CHANNEL_WINDOW_FILLED ||
		  (start >= w->dirty_from && start + len <= w->dirty_to))) {
		memcpy(to, w->data + start, len);
		return true;
	}
	flush(t, from, len);
	return false;
}

size_t window_known(struct stub_thread *t, uint64_t from)
{
	struct window *w = t->n_windows ? find(t, from, 1) : NULL;

	return w && w->flags & CHANNEL_WINDOW_FILLED ? w->len - (size_t)(from - w->addr) : 0;
}

/* make_dirty() - Return: false: it would not be one range any more. */
static bool make_dirty(struct window *w, uint32_t start, uint32_t end)
{
	bool clean = w->dirty_from == w->dirty_to;

	if (!clean && (start > w->dirty_to || end < w->dirty_from))
		return false;
	w->dirty_from = clean ? start : MIN(w->dirty_from, start);
	w->dirty_to = clean ? end : MAX(w->dirty_to, end);
	return true;
}

bool window_write(struct stub_thread *t, uint64_t to, const void *from, size_t len)
{
	struct window *w = find(t, to, len);
	uint32_t start = w ? (uint32_t)(to - w->addr) : 0;

	if (w && make_dirty(w, start, start + (uint32_t)len)) {
		memcpy(w->data + start, from, len);
		return true;
	}
	flush(t, to, len);
	/* The copy is old now. */
	for (uint32_t i = 0; i < t->n_windows && stub_current() == t; i++)
		if (to < t->windows[i].addr + t->windows[i].len && to + len > t->windows[i].addr)
			t->windows[i].flags &= ~CHANNEL_WINDOW_FILLED;
	return false;
}

void *stub_window(struct stub_thread *t, uint64_t addr, size_t len, bool for_writing)
{
	struct window *w = t->n_windows && len ? find(t, addr, len) : NULL;
	uint32_t start = w ? (uint32_t)(addr - w->addr) : 0;

	if (!w || !(w->flags & (for_writing ? CHANNEL_WINDOW_RESULT : CHANNEL_WINDOW_FILLED)))
		return NULL;
	if (for_writing && !make_dirty(w, start, start + (uint32_t)len))
		return NULL;
	return w->data + start;
}
