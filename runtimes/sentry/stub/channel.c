/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stub's end of the channel: exchanges, commands, adoption.
 *
 * The sentry's serving thread is pinned to the CPU that we say we run on, so waking it and going to
 * sleep is a plain switch between two threads of one CPU.
 */
#include <linux/futex.h>
#include <linux/mman.h>

#include "runtimes/sentry/stub/stub.h"

#define NS_PER_SECOND	1000000000ull
#define PER_CPU_SEGMENT 0x7b /* its limit holds node and CPU on x86-64 */

static uint32_t current_cpu(void)
{
	uint32_t limit;

	__asm__ volatile("lsl %1, %0" : "=r"(limit) : "r"(PER_CPU_SEGMENT));
	return limit & 0xfff;
}

static void *channel_address(uint32_t index)
{
	return (void *)(stub_area_start + STUB_CHANNEL_OFFSET +
			(uint64_t)index * CHANNEL_SLOT_BYTES);
}

void channel_attach(struct slot *s)
{
	char *base = channel_address(s->index);

	s->control = (struct channel_control *)base;
	s->data = (uint8_t *)base + CHANNEL_DATA_OFFSET;
	s->ahead = (struct channel_ahead *)(base + CHANNEL_AHEAD_OFFSET);
	s->sequence = 0;
}

void channel_adopt(struct slot *s, uint64_t cookie, bool shares_memory)
{
	uint64_t at = (uint64_t)channel_address(0);

	if (host_call(STUB_RESERVED_CALL, STUB_RESERVED_ADOPT, cookie, current_cpu(), 0, 0, 0) != 0)
		stub_fail();
	if (!shares_memory) {
		if (host_call(__NR_mmap, at, CHANNEL_BYTES, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_FIXED, STUB_FD_FIRST, 0) != (long)at)
			stub_fail();
		/* Before any child can be made: it must never see its parent's channel. */
		if (host_call(__NR_madvise, at, CHANNEL_BYTES, MADV_DONTFORK, 0, 0, 0) ||
		    host_call(__NR_close, STUB_FD_FIRST, 0, 0, 0, 0, 0))
			stub_fail();
	}
	channel_attach(s);
	s->shared = (struct channel_process *)((char *)s->control + CHANNEL_CONTROL_BYTES);
}

static void post(struct slot *s, enum channel_kind kind)
{
	struct channel_control *c = s->control;

	c->kind = kind;
	c->cpu = current_cpu();
	__atomic_store_n(&c->request, ++s->sequence, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&c->sentry_sleeps, __ATOMIC_SEQ_CST))
		host_call(__NR_futex, (uint64_t)&c->request, FUTEX_WAKE, 1, 0, 0, 0);
}

/* Kicks do not end this: the sentry wakes whoever serves us, and its answer comes soon. */
static void await(struct slot *s)
{
	struct channel_control *c = s->control;
	uint32_t seen;

	__atomic_store_n(&c->stub_sleeps, 1, __ATOMIC_SEQ_CST);
	while ((seen = __atomic_load_n(&c->answer, __ATOMIC_SEQ_CST)) != s->sequence)
		host_call(__NR_futex, (uint64_t)&c->answer, FUTEX_WAIT, seen, 0, 0, 0);
	__atomic_store_n(&c->stub_sleeps, 0, __ATOMIC_RELAXED);
}

static bool is_error(long rc)
{
	return (unsigned long)rc > -4096ul;
}

static void run_commands(struct slot *s)
{
	const struct channel_command *commands = (const void *)s->data;
	uint32_t n = s->control->n_commands;
	bool fetched = s->control->token != 0;
	long rc = 0;

	if (fetched)
		rc = host_call(STUB_RESERVED_CALL, STUB_RESERVED_FETCH, s->control->token, 0, 0, 0,
			       0);
	for (uint32_t i = 0; i < n && i < CHANNEL_MAX_COMMANDS && !is_error(rc); i++) {
		const struct channel_command *c = &commands[i];

		rc = host_call(c->nr, c->args[0], c->args[1], c->args[2], c->args[3], c->args[4],
			       c->args[5]);
	}
	for (int fd = STUB_FD_FIRST; fetched && fd < STUB_FD_FIRST + STUB_FD_COUNT; fd++)
		host_call(__NR_close, fd, 0, 0, 0, 0, 0);
	s->control->result = rc;
}

static void end_thread(struct slot *s)
{
	robust_walk(s);
	host_exit(&s->control->exited);
}

void channel_end(struct slot *s)
{
	struct timespec64 t = { 0 };

	/* Who is told of the end must find all words set. */
	robust_walk(s);
	host_call(__NR_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, (uint64_t)&t, 0, 0, 0, 0);
	s->control->args[1] = (uint64_t)t.tv_sec * NS_PER_SECOND + (uint64_t)t.tv_nsec;
	post(s, CHANNEL_LAST_CALL);
	for (;;)
		host_call(__NR_exit_group, 0, 0, 0, 0, 0, 0);
}

void channel_leave(struct slot *s)
{
	post(s, CHANNEL_CALL);
	end_thread(s);
	stub_fail();
}

enum channel_answer channel_exchange(struct slot *s, enum channel_kind kind)
{
	for (;;) {
		post(s, kind);
		await(s);
		if (s->control->answer_flags & CHANNEL_LOOK)
			s->pending = 1;
		switch (s->control->answer_kind) {
		case CHANNEL_COMMANDS:
			run_commands(s);
			kind = CHANNEL_COMMANDS_DONE;
			break;
		case CHANNEL_EXIT:
			end_thread(s);
			break;
		case CHANNEL_RETURN:
			/* Nothing is asked before it has been taken, so it stays where it is. */
			if (s->control->answer_flags & CHANNEL_WITH_SIGNAL) {
				s->answered = true;
				s->pending = 1;
			}
			return CHANNEL_RETURN;
		default:
			return s->control->answer_kind;
		}
	}
}
