/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory from the sentry, and the words that stub and sentry share.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtimes/sentry/platform/filter.h"
#include "runtimes/sentry/platform/internal.h"

#define PAGE_BYTES 4096u
#define TID_TRIES  32

typedef ssize_t vm_fn(pid_t, const struct iovec *, unsigned long, const struct iovec *,
		      unsigned long, unsigned long);

static int transfer(struct stub_thread *t, vm_fn *fn, void *ours, uint64_t theirs, size_t len)
{
	struct iovec local = { ours, len }, remote = { (void *)(uintptr_t)theirs, len };

	if (!len)
		return 0;
	/* A number of a dead process may be another's by now. */
	if (atomic_load(&t->process->dead) || theirs >= STUB_GUEST_TOP ||
	    len > STUB_GUEST_TOP - theirs)
		return -EFAULT;
	return fn(t->process->host_pid, &local, 1, &remote, 1, 0) == (ssize_t)len ? 0 : -EFAULT;
}

int stub_read(struct stub_thread *t, void *to, uint64_t from, size_t len)
{
	if (t->n_windows && window_read(t, to, from, len))
		return 0;
	return transfer(t, process_vm_readv, to, from, len);
}

int stub_write(struct stub_thread *t, uint64_t to, const void *from, size_t len)
{
	if (t->n_windows && window_write(t, to, from, len))
		return 0;
	return transfer(t, process_vm_writev, (void *)(uintptr_t)from, to, len);
}

/* Page by page, because the string may end just before a page that is not there. */
ssize_t stub_read_string(struct stub_thread *t, char *to, size_t size, uint64_t from)
{
	size_t done = 0;

	while (done < size) {
		size_t n = MIN(size - done, PAGE_BYTES - (from + done) % PAGE_BYTES);
		size_t known = window_known(t, from + done);
		char *end;

		if (known)
			n = MIN(n, known);
		if (stub_read(t, to + done, from + done, n) < 0)
			return -EFAULT;
		end = memchr(to + done, 0, n);
		if (end)
			return end - to;
		done += n;
	}
	return -ENAMETOOLONG;
}

/* --- words of the channel -----------------------------------------------------------------------
 */

uint64_t stub_signal_mask(struct stub_thread *t)
{
	return __atomic_load_n(&t->control->mask, __ATOMIC_SEQ_CST);
}

void stub_set_signal_mask(struct stub_thread *t, uint64_t mask)
{
	__atomic_store_n(&t->control->mask, mask, __ATOMIC_SEQ_CST);
}

void stub_set_pending(struct stub_thread *t, uint64_t set)
{
	__atomic_store_n(&t->control->pending, set, __ATOMIC_SEQ_CST);
}

void stub_set_ids(struct stub_thread *t, const struct stub_ids *ids)
{
	t->control->ids = *ids;
	__atomic_store_n(&t->control->ids_valid, 1, __ATOMIC_RELEASE);
}

void stub_set_ask(struct stub_thread *t, const uint64_t ask[STUB_ASK_WORDS])
{
	uint32_t asks = STUB_ASKS_NOTHING;

	for (uint32_t nr = 0; nr < STUB_ASK_WORDS * 64; nr++) {
		if (!(ask[nr / 64] & 1ull << nr % 64))
			continue;
		if (asks == STUB_ASKS_NOTHING)
			asks = STUB_ASKS;
		if (filter_has(FILTER_DEFAULT, FILTER_GUEST, nr))
			asks = STUB_ASKS_DIRECT;
	}
	memcpy(t->control->ask, ask, sizeof(t->control->ask));
	__atomic_store_n(&t->control->asks, asks, __ATOMIC_RELEASE);
}

uint64_t stub_vdso(struct stub_thread *t)
{
	return t->control->vdso;
}

static struct stub_action *action_of(struct stub_process *p, int signo)
{
	struct channel_process *c = channel_process_of(p->channel, p->leader_slot);

	return &c->actions[(unsigned int)(signo - 1) % STUB_N_SIGNALS];
}

struct stub_action stub_action_get(struct stub_process *p, int signo)
{
	return *action_of(p, signo);
}

void stub_action_set(struct stub_process *p, int signo, const struct stub_action *a)
{
	*action_of(p, signo) = *a;
}

struct stub_patch_counts stub_patched(struct stub_process *p)
{
	return channel_control_of(p->channel, p->leader_slot)->patch;
}

void stub_area(struct stub_process *p, uint64_t *ret_start, uint64_t *ret_end)
{
	uint64_t start = channel_control_of(p->channel, p->leader_slot)->area;

	/* Only a place that a stub may have: it is used to hide ranges. */
	if (start < STUB_GUEST_TOP || start > UINT64_MAX - STUB_AREA_BYTES)
		start = STUB_GUEST_TOP;
	*ret_start = start;
	*ret_end = start + STUB_AREA_BYTES;
}

/* --- kicks --------------------------------------------------------------------------------------
 */

/* own_pid() - of a status file: the last number of NSpid, which is the one that its owner sees. */
static pid_t own_pid(int task_dir, const char *name)
{
	char path[32], text[2048];
	cleanup_close int fd = -1;
	const char *p;
	ssize_t n;
	pid_t pid = 0;

	snprintf(path, sizeof(path), "%.10s/status", name);
	fd = openat(task_dir, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = 0;
	p = strstr(text, "\nNSpid:");
	for (p = p ? p + 7 : ""; *p && *p != '\n';) {
		char *end;

		pid = (pid_t)strtol(p, &end, 10);
		if (end == p)
			break;
		p = end;
	}
	return pid;
}

/*
 * find_tid() - the stub says its number in its own pid namespace; ours stands in /proc.  A lie
 * finds another thread of the same process, or none.
 */
static pid_t find_tid(struct stub_process *p, pid_t wanted)
{
	char path[32];
	struct dirent *d;
	pid_t found = 0;
	DIR *dir;
	int fd;

	snprintf(path, sizeof(path), "%d/task", p->host_pid);
	fd = openat(p->zygote->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	while (dir && !found && (d = readdir(dir)))
		if (d->d_name[0] != '.' && own_pid(dirfd(dir), d->d_name) == wanted)
			found = (pid_t)atoi(d->d_name);
	if (dir)
		closedir(dir);
	return found;
}

static bool has_left(struct stub_thread *t)
{
	return __atomic_load_n(&t->control->exited, __ATOMIC_ACQUIRE) != 0;
}

static pid_t host_tid(struct stub_thread *t)
{
	pid_t theirs;

	if (t->slot == t->process->leader_slot)
		return stub_host_pid(t->process);
	if (t->host_tid)
		return t->host_tid;
	theirs = __atomic_load_n(&t->control->host_tid, __ATOMIC_SEQ_CST);
	/* A list that threads leave while it is read may end early. */
	for (int i = 0; i < TID_TRIES && theirs > 0 && !t->host_tid && !has_left(t); i++)
		t->host_tid = find_tid(t->process, theirs);
	return t->host_tid;
}

void stub_kick(struct stub_thread *t)
{
	pid_t tid;

	atomic_store(&t->kick, 1);
	__atomic_store_n(&t->control->kick, 1, __ATOMIC_SEQ_CST);
	if (atomic_load(&t->busy) || atomic_load(&t->process->dead))
		return; /* its answer will say so */
	tid = host_tid(t);
	/* Without a number it has not started yet, and looks at the word before it does. */
	if (tid > 0)
		syscall(SYS_tgkill, stub_host_pid(t->process), tid, STUB_KICK_SIGNAL);
}
