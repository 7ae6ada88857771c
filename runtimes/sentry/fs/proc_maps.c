/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/PID/maps, smaps and smaps_rollup: the host's, without the stub's part, with the guest's
 * names.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "runtimes/sentry/fs/proc_node.h"
#include "runtimes/sentry/vfs/mapped.h"

/* One mapping as the host tells it. */
struct mapping {
	unsigned long start, end, offset, ino;
	unsigned int dev_major, dev_minor;
	char perms[5];
	const char *host_name; /* in the line */
};

/* Where the guest's own areas are. */
struct areas {
	uint64_t stub_start, stub_end, brk_start, stack;
	bool has_heap;
};

static bool parse(const char *line, struct mapping *m)
{
	int at = 0;

	if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu %n", &m->start, &m->end, m->perms, &m->offset,
		   &m->dev_major, &m->dev_minor, &m->ino, &at) < 7 ||
	    !at)
		return false;
	m->host_name = line + at;
	return true;
}

static void put_line(struct strbuf *out, const struct mapping *m, dev_t dev, uint64_t ino,
		     const char *name)
{
	size_t begin = out->len;

	strbuf_printf(out, "%08lx-%08lx %s %08lx %02x:%02x %llu ", m->start, m->end, m->perms,
		      m->offset, major(dev), minor(dev), (unsigned long long)ino);
	if (*name) {
		while (out->len - begin < 73)
			strbuf_putc(out, ' ');
		strbuf_puts(out, name);
	}
	strbuf_putc(out, '\n');
}

/* area_name() - of memory that is no file's. */
static const char *area_name(const struct mapping *m, struct areas *a)
{
	if (str_has_prefix(m->host_name, "[v"))
		return m->host_name; /* vdso, vvar, vsyscall */
	if (a->stack >= m->start && a->stack < m->end)
		return "[stack]";
	if (m->start == a->brk_start && !a->has_heap) {
		a->has_heap = true;
		return "[heap]";
	}
	return "";
}

static void put_mapping(struct strbuf *out, const struct mapping *m, struct areas *a)
{
	struct mapped named;

	if (!m->ino) {
		put_line(out, m, 0, 0, area_name(m, a));
	} else if (mapped_find(makedev(m->dev_major, m->dev_minor), m->ino, &named)) {
		put_line(out, m, named.dev, named.ino, named.name);
		free(named.name);
	} else {
		/* Shared anonymous memory, and files whose names are forgotten. */
		put_line(out, m, makedev(0, 1), m->ino,
			 strstr(m->host_name, "memfd:dev/zero") ? "/dev/zero (deleted)" : "");
	}
}

static bool is_stubs(const struct mapping *m, const struct areas *a)
{
	return m->start < a->stub_end && m->end > a->stub_start;
}

static void find_areas(const struct proc_target *t, struct areas *a)
{
	struct process *p = t->process;

	*a = (struct areas){ .brk_start = p->brk_start, .stack = p->stack_start };
	LOCKED(&p->signal_lock);
	if (p->stub)
		stub_area(p->stub, &a->stub_start, &a->stub_end);
}

static int translate(const struct proc_target *t, const char *file, struct strbuf *out)
{
	cleanup_strbuf struct strbuf text = { 0 };
	bool hidden = false;
	char *line, *rest;
	struct areas a;
	int rc;

	if (!proc_may_look(t))
		return -EACCES;
	rc = proc_host_text(t, file, &text);
	if (rc < 0 || !text.data)
		return rc == -ESRCH ? 0 : rc;
	find_areas(t, &a);
	for (line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		struct mapping m;

		if (parse(line, &m)) {
			hidden = is_stubs(&m, &a);
			if (!hidden)
				put_mapping(out, &m, &a);
		} else if (!hidden) {
			strbuf_printf(out, "%s\n", line);
		}
	}
	return 0;
}

int proc_maps(const struct proc_target *t, struct strbuf *out)
{
	return translate(t, "maps", out);
}

int proc_smaps(const struct proc_target *t, struct strbuf *out)
{
	return translate(t, "smaps", out);
}

/* --- smaps_rollup: the host's own would count the stub ------------------------------------------
 */

#define FIELDS_MAX 32

struct rollup {
	unsigned long start, end;
	struct {
		char name[24];
		unsigned long kib;
	} fields[FIELDS_MAX];
	size_t n_fields;
};

/* is_summed() - other numbers of smaps say what kind of mapping one is. */
static bool is_summed(const char *name)
{
	return !str_eq(name, "Size") && !str_eq(name, "KernelPageSize") &&
	       !str_eq(name, "MMUPageSize");
}

static void add_field(struct rollup *r, const char *name, unsigned long kib)
{
	size_t n = 0;

	while (n < r->n_fields && !str_eq(r->fields[n].name, name))
		n++;
	if (n == FIELDS_MAX)
		return;
	if (n == r->n_fields) {
		snprintf(r->fields[n].name, sizeof(r->fields[n].name), "%s", name);
		r->n_fields++;
	}
	r->fields[n].kib += kib;
}

static void add_line(struct rollup *r, const char *line)
{
	struct mapping m;
	char name[24], unit[3];
	unsigned long kib;

	if (parse(line, &m)) {
		if (m.start >= STUB_GUEST_TOP)
			return; /* [vsyscall] is everybody's */
		r->start = r->end ? r->start : m.start;
		r->end = m.end;
	} else if (sscanf(line, "%23[A-Za-z_]: %lu %2s", name, &kib, unit) == 3 &&
		   is_summed(name)) {
		add_field(r, name, kib);
	}
}

int proc_smaps_rollup(const struct proc_target *t, struct strbuf *out)
{
	cleanup_strbuf struct strbuf text = { 0 };
	struct rollup r = { 0 };
	char *line, *rest;
	int rc = translate(t, "smaps", &text);

	if (rc < 0 || !text.data)
		return rc;
	for (line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		add_line(&r, line);
	strbuf_printf(out, "%08lx-%08lx ---p 00000000 00:00 0                          [rollup]\n",
		      r.start, r.end);
	for (size_t n = 0; n < r.n_fields; n++) {
		size_t len = strlen(r.fields[n].name);

		strbuf_printf(out, "%s:%*lu kB\n", r.fields[n].name, (int)(23 - len),
			      r.fields[n].kib);
	}
	return 0;
}
