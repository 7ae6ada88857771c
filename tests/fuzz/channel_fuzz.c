/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sentry's end of a channel, whose other end writes what it likes.
 *
 * Each input is a row of requests: a byte says how much of the control page the next bytes
 * overwrite, then the bell is rung.  A real serving thread answers; no host process is behind it.
 */
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/mem.h"
#include "runtimes/sentry/platform/internal.h"

static struct stub_process *process;	/* NULL: none yet, or its thread has ended */
static struct channel_control *control; /* of that thread; ours as long as the process is */
static struct zygote *zygote;
static atomic_bool gone;

static long on_call(struct stub_thread *t, const struct stub_call *c)
{
	struct stub_map m = { c->args[0], c->args[1], 0, 3, MAP_PRIVATE, -1 };
	struct stub_thread *child;
	char text[64] = "";

	switch (c->nr % 6) {
	case 0:
		return stub_mmap(t, &m);
	case 1:
		stub_write(t, c->args[1], text, c->args[2] % sizeof(text));
		stub_read(t, text, c->args[3], c->args[4] % sizeof(text));
		return stub_read_string(t, text, sizeof(text), c->args[0]);
	case 2:
		stub_kick(t);
		return -512;
	case 3:
		if (stub_clone_prepare(t, CLONE_THREAD | CLONE_VM, NULL, &child) == 0)
			stub_clone_cancel(child);
		return -11;
	case 4:
		return stub_munmap(t, c->args[0], c->args[1]);
	default:
		return (long)c->args[0];
	}
}

static bool on_check(struct stub_thread *t, const struct stub_call *c, long *ret)
{
	(void)t;
	*ret = (long)c->args[1];
	return c->nr & 1;
}

static int on_signal(struct stub_thread *t, siginfo_t *info, struct stub_action *action,
		     uint64_t *mask)
{
	*mask = stub_signal_mask(t);
	*action = stub_action_get(stub_process_of(t), (int)(*mask % 65));
	info->si_signo = (int)(*mask % 65);
	return info->si_signo;
}

static void on_fault(struct stub_thread *t, const siginfo_t *info)
{
	struct stub_action a = stub_action_get(stub_process_of(t), info->si_signo);
	uint64_t start, end;

	stub_action_set(stub_process_of(t), info->si_signo, &a);
	stub_area(stub_process_of(t), &start, &end);
	if (end - start != STUB_AREA_BYTES)
		abort();
}

static void on_owner(void *owner)
{
	(void)owner;
}

static void on_gone(void *owner)
{
	if (owner == &process)
		atomic_store(&gone, true);
}

static const struct platform_ops ops = {
	.call = on_call,
	.check = on_check,
	.take_signal = on_signal,
	.fatal_fault = on_fault,
	.clone_failed = on_owner,
	.thread_gone = on_gone,
};

static void begin(void)
{
	struct channel *c = channel_create();
	struct stub_thread *thread;

	platform_ops = &ops;
	if (!zygote) {
		zygote = xnew(struct zygote);
		zygote->refs = 1;
		zygote->pidfd = zygote->listener = zygote->proc = -1;
	}
	if (!c)
		abort();
	atomic_store(&gone, false);
	process = process_new(zygote, c, (uint32_t)channel_slot_take(c, 0));
	channel_put(c);
	thread = thread_new(process, 0, &process);
	control = thread->control;
	if (server_assign(thread) < 0)
		abort();
}

/*
 * request() - as a stub does it: any command that comes back counts as an answer too.  A thread
 * that said its last word gets none: the next request is another's.
 */
static void request(const uint8_t *data, size_t size)
{
	static uint32_t sequence;
	struct channel_control *c;

	if (!process)
		begin();
	c = control;
	sequence++;
	memcpy(c, data, size);
	c->answer = sequence - 1;
	c->stub_sleeps = 1;
	__atomic_store_n(&c->request, sequence, __ATOMIC_SEQ_CST);
	host_futex_wake(&c->request);
	while (__atomic_load_n(&c->answer, __ATOMIC_SEQ_CST) != sequence) {
		if (atomic_load(&gone)) {
			process_unref(steal_ptr(process));
			return;
		}
		host_futex_wait_ms(&c->answer, sequence - 1, 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	while (size > 1) {
		size_t n = MIN((size_t)data[0] * 4, size - 1);

		request(data + 1, n);
		data += 1 + n;
		size -= 1 + n;
	}
	return 0;
}
