/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tracing of guest calls.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"
#include "runtimes/sentry/sys/trace.h"

#define STRING_SHOWN 64

static int trace_fd = -1;

void sys_trace_to(int fd)
{
	__atomic_store_n(&trace_fd, fd, __ATOMIC_RELAXED);
}

bool sys_trace_on(void)
{
	return __atomic_load_n(&trace_fd, __ATOMIC_RELAXED) >= 0;
}

static void add_string(struct strbuf *b, struct task *t, uint64_t at)
{
	char text[STRING_SHOWN + 1];
	ssize_t len;

	if (!at) {
		strbuf_puts(b, "NULL");
		return;
	}
	len = stub_read_string(t->stub, text, sizeof(text), at);
	if (len == -EFAULT) {
		strbuf_printf(b, "0x%lx", at);
		return;
	}
	if (len < 0)
		len = STRING_SHOWN;
	strbuf_putc(b, '"');
	for (ssize_t i = 0; i < len && text[i]; i++)
		if (isprint((unsigned char)text[i]) && text[i] != '"' && text[i] != '\\')
			strbuf_putc(b, text[i]);
		else
			strbuf_printf(b, "\\x%02x", (unsigned char)text[i]);
	strbuf_putc(b, '"');
	if (len == STRING_SHOWN)
		strbuf_puts(b, "...");
}

static void add_argument(struct strbuf *b, struct task *t, char kind, uint64_t v)
{
	switch (kind) {
	case 'd':
	case 'P':
	case 'c':
		strbuf_printf(b, "%d", (int)v);
		break;
	case 'f':
		if ((int)v == -100)
			strbuf_puts(b, "AT_FDCWD");
		else
			strbuf_printf(b, "%d", (int)v);
		break;
	case 'u':
		strbuf_printf(b, "%lu", v);
		break;
	case 'o':
		strbuf_printf(b, "0%o", (unsigned int)v);
		break;
	case 'S': {
		const char *name = v < 65 ? sigabbrev_np((int)v) : NULL;

		if (name)
			strbuf_printf(b, "SIG%s", name);
		else
			strbuf_printf(b, "%d", (int)v);
		break;
	}
	case 's':
		add_string(b, t, v);
		break;
	default:
		if (v)
			strbuf_printf(b, "0x%lx", v);
		else
			strbuf_puts(b, kind == 'p' ? "NULL" : "0");
	}
}

static void add_call(struct strbuf *b, struct task *t, const struct stub_call *c)
{
	const struct sys_entry *e = c->nr < SYS_CALLS ? &sys_table[c->nr] : NULL;
	const char *args = e && e->args ? e->args : "xxxxxx";

	strbuf_printf(b, "[%d/%d] %s ", t->process->pid, t->tid, t->name);
	if (e && e->name)
		strbuf_puts(b, e->name);
	else
		strbuf_printf(b, "call_%u", c->nr);
	strbuf_putc(b, '(');
	for (int i = 0; i < 6 && args[i]; i++) {
		if (i)
			strbuf_puts(b, ", ");
		add_argument(b, t, args[i], c->args[i]);
	}
	strbuf_putc(b, ')');
}

static void emit(struct strbuf *b)
{
	int fd = __atomic_load_n(&trace_fd, __ATOMIC_RELAXED);

	strbuf_putc(b, '\n');
	/* One write a line; a reader that is gone or slow costs the trace, not the guest. */
	if (fd >= 0 && write(fd, b->data, b->len) < 0)
		return;
}

/* A process ends, or its image: calls that came by a signal, and what became of their sites. */
static void add_sites(struct strbuf *b, struct task *t)
{
	struct stub_patch_counts n = stub_patched(stub_process_of(t->stub));

	strbuf_printf(b,
		      "[%d/%d] %s +++ %u calls trapped; of %u busy call sites %u are patched +++",
		      t->process->pid, t->tid, t->name, n.traps, n.patched + n.refused, n.patched);
}

void sys_trace_begin(struct task *t, const struct stub_call *c)
{
	cleanup_strbuf struct strbuf b = { 0 };

	if (c->nr != SYS_exit && c->nr != SYS_exit_group && c->nr != SYS_execve &&
	    c->nr != SYS_execveat)
		return;
	if (c->nr != SYS_exit) {
		add_sites(&b, t);
		strbuf_putc(&b, '\n');
	}
	add_call(&b, t, c);
	strbuf_puts(&b, " ...");
	emit(&b);
}

void sys_trace_passed(struct task *t, const struct stub_call *c)
{
	cleanup_strbuf struct strbuf b = { 0 };

	add_call(&b, t, c);
	strbuf_puts(&b, " by the stub");
	emit(&b);
}

void sys_trace_end(struct task *t, const struct stub_call *c, long result)
{
	cleanup_strbuf struct strbuf b = { 0 };

	add_call(&b, t, c);
	if (result < 0 && result >= -4095) {
		const char *name = strerrorname_np((int)-result);

		if (result <= -ERESTARTSYS)
			strbuf_printf(&b, " = ? (interrupted, %ld)", -result);
		else
			strbuf_printf(&b, " = -1 %s", name ? name : "?");
	} else if ((unsigned long)result > 0xffff) {
		strbuf_printf(&b, " = 0x%lx", (unsigned long)result);
	} else {
		strbuf_printf(&b, " = %ld", result);
	}
	emit(&b);
}
