/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/PID/mounts, mountinfo, mountstats.
 */
#include <errno.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "runtimes/sentry/fs/proc_node.h"

typedef void line_fn(struct strbuf *out, const struct mount_info *i);

struct listing {
	struct strbuf *out;
	line_fn *line;
};

/* put_escaped() - blanks and backslashes as octal: fields are told apart by blanks. */
static void put_escaped(struct strbuf *out, const char *text)
{
	for (; *text; text++) {
		if (strchr(" \t\n\\#", *text))
			strbuf_printf(out, "\\%03o", *text);
		else
			strbuf_putc(out, *text);
	}
}

static void put_flags(struct strbuf *out, unsigned long flags)
{
	static const struct {
		unsigned long flag;
		const char *name;
	} names[] = { { MS_NOSUID, ",nosuid" },		{ MS_NODEV, ",nodev" },
		      { MS_NOEXEC, ",noexec" },		{ MS_NOATIME, ",noatime" },
		      { MS_NODIRATIME, ",nodiratime" }, { MS_RELATIME, ",relatime" } };

	strbuf_puts(out, flags & MS_RDONLY ? "ro" : "rw");
	for (size_t n = 0; n < ARRAY_LEN(names); n++)
		if (flags & names[n].flag)
			strbuf_puts(out, names[n].name);
}

static void put_options(struct strbuf *out, const struct filesystem *fs)
{
	if (!str_empty(fs->options))
		strbuf_printf(out, ",%s", fs->options);
}

static void mounts_line(struct strbuf *out, const struct mount_info *i)
{
	const struct filesystem *fs = i->mount->fs;

	put_escaped(out, str_or(fs->source, "none"));
	strbuf_putc(out, ' ');
	put_escaped(out, i->point);
	strbuf_printf(out, " %s ", fs->type);
	put_flags(out, i->mount->flags);
	put_options(out, fs);
	strbuf_puts(out, " 0 0\n");
}

static void mountinfo_line(struct strbuf *out, const struct mount_info *i)
{
	const struct filesystem *fs = i->mount->fs;

	strbuf_printf(out, "%d %d %u:%u ", i->id, i->parent_id, major(fs->dev), minor(fs->dev));
	put_escaped(out, i->root);
	strbuf_putc(out, ' ');
	put_escaped(out, i->point);
	strbuf_putc(out, ' ');
	put_flags(out, i->mount->flags);
	strbuf_printf(out, " - %s ", fs->type);
	put_escaped(out, str_or(fs->source, "none"));
	strbuf_puts(out, " rw");
	put_options(out, fs);
	strbuf_putc(out, '\n');
}

static void mountstats_line(struct strbuf *out, const struct mount_info *i)
{
	strbuf_puts(out, "device ");
	put_escaped(out, str_or(i->mount->fs->source, "none"));
	strbuf_puts(out, " mounted on ");
	put_escaped(out, i->point);
	strbuf_printf(out, " with fstype %s\n", i->mount->fs->type);
}

static int each(void *data, const struct mount_info *i)
{
	struct listing *l = data;

	l->line(l->out, i);
	return 0;
}

static int list(const struct proc_target *t, struct strbuf *out, line_fn *line)
{
	struct listing l = { .out = out, .line = line };
	struct fs_context *fs = t->task ? task_fs(t->task) : NULL;
	struct path root;

	if (!fs)
		return -EINVAL;
	fs_context_root(fs, &root);
	if (root.mount->ns)
		mount_for_each(root.mount->ns, &root, each, &l);
	path_put(&root);
	fs_context_put(fs);
	return 0;
}

int proc_mounts(const struct proc_target *t, struct strbuf *out)
{
	return list(t, out, mounts_line);
}

int proc_mountinfo(const struct proc_target *t, struct strbuf *out)
{
	return list(t, out, mountinfo_line);
}

int proc_mountstats(const struct proc_target *t, struct strbuf *out)
{
	return list(t, out, mountstats_line);
}

static struct mount_namespace *namespace_of_reader(void)
{
	return task_current()->process->container->mounts;
}

struct wait_queue *proc_mounts_queue(void)
{
	return mount_changed(namespace_of_reader());
}

uint64_t proc_mounts_changes(void)
{
	return namespace_of_reader()->changes;
}
