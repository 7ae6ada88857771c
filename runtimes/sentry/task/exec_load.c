/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading a program: "#!" lines, ELF headers, interpreters, addresses.
 *
 * Nothing here touches a stub: the outcome is a stub_image, and every error leaves the old image
 * as it was.
 *
 *	0x400000..        programs that are linked to a place
 *	PROGRAM_BASE      position-independent ones, and their heap after them
 *	INTERP_BASE       the dynamic linker (and a static PIE has none)
 *	STACK_TOP         see stack.c; the host's own mmap area begins above
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "runtimes/sentry/task/exec.h"
#include "runtimes/sentry/vfs/mapped.h"
#include "runtimes/sentry/vfs/uio.h"

#define PROGRAM_BASE 0x555555554000ull
#define INTERP_BASE  0x7d0000000000ull
#define SCRIPT_BYTES 256 /* of the first line that count, as Linux's BINPRM_BUF_SIZE */

int exec_open(struct fs_context *fs, const struct path *start, const char *name,
	      unsigned int walk_flags, struct cred *c, struct file **ret)
{
	struct walk w = { 0 };
	struct inode *i;
	int rc = path_walk(fs, start, name, walk_flags, c, &w);

	if (rc)
		return rc;
	i = w.path.dentry->inode;
	if (!i)
		rc = -ENOENT;
	else if (!S_ISREG(i->attr.mode) || w.trailing_slash ||
		 (w.path.mount && w.path.mount->flags & MS_NOEXEC))
		rc = S_ISLNK(i->attr.mode) ? -ELOOP : -EACCES;
	else
		rc = inode_permission(i, MAY_EXEC, c);
	if (!rc) {
		/* It may be executable and not readable: the kernel reads it all the same. */
		struct cred *kernel = cred_copy(c);

		kernel->effective |= 1ull << 1; /* CAP_DAC_OVERRIDE */
		rc = vfs_open_path(&w.path, O_RDONLY | O_LARGEFILE, kernel, ret);
		cred_put(kernel);
	}
	path_put(&w.path);
	return rc;
}

/* read_at() - @len bytes at @pos, or -ENOEXEC. */
static int read_at(struct file *f, void *buf, size_t len, uint64_t pos)
{
	struct iovec iov;
	struct uio u = uio_of_buffer(&iov, buf, len);

	while (uio_left(&u)) {
		ssize_t n = file_pread(f, &u, (int64_t)(pos + u.done));

		if (n <= 0)
			return n < 0 ? (int)n : -ENOEXEC;
	}
	return 0;
}

/* read_some() - as much of the first @len bytes as there is. Return: how much, or -errno. */
static ssize_t read_some(struct file *f, void *buf, size_t len)
{
	struct iovec iov;
	struct uio u = uio_of_buffer(&iov, buf, len);

	while (uio_left(&u)) {
		ssize_t n = file_pread(f, &u, (int64_t)u.done);

		if (n < 0)
			return n;
		if (n == 0)
			break;
	}
	return (ssize_t)u.done;
}

/* --- "#!" ----------------------------------------------------------------------------------- */

/* split_script() - "#! program [one argument]". Return: 0 or -ENOEXEC. */
static int split_script(char *line, char **ret_program, char **ret_arg)
{
	char *end, *p = line + 2 + strspn(line + 2, " \t");

	*ret_program = p;
	p += strcspn(p, " \t");
	if (p == *ret_program)
		return -ENOEXEC;
	*ret_arg = NULL;
	if (!*p)
		return 0;
	*p++ = '\0';
	p += strspn(p, " \t");
	end = p + strlen(p);
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	if (*p)
		*ret_arg = p;
	return 0;
}

/* first_line() - cut @buf after the line. Return: 0, or -ENOEXEC when it is cut in its program. */
static int first_line(char *buf, size_t len)
{
	char *end = memchr(buf, '\n', len);

	if (end) {
		*end = '\0';
		return 0;
	}
	buf[len] = '\0';
	if (len < SCRIPT_BYTES)
		return 0;
	/* A long line is cut; fine in the argument, not in the program's name. */
	return strpbrk(buf + 2 + strspn(buf + 2, " \t"), " \t") ? 0 : -ENOEXEC;
}

/* push_front() - @first, and @second unless NULL, instead of argv[0]; then the script's name. */
static void script_argv(struct exec *e, const char *program, const char *arg)
{
	size_t n = 0, at = 0;
	char **argv;

	while (e->argv[n])
		n++;
	argv = xcalloc(n + 4, sizeof(*argv));
	argv[at++] = xstrdup(program);
	if (arg)
		argv[at++] = xstrdup(arg);
	argv[at++] = xstrdup(e->name);
	for (size_t i = 1; i < n; i++)
		argv[at++] = e->argv[i];
	if (n)
		free(e->argv[0]);
	free(e->argv);
	e->argv = argv;
}

static int follow_script(struct exec *e, char *line, size_t len)
{
	char *program, *arg;
	struct file *f;
	int rc = first_line(line, len);

	if (!rc)
		rc = split_script(line, &program, &arg);
	if (!rc)
		rc = exec_open(e->fs, NULL, program, 0, e->cred, &f);
	if (rc)
		return rc;
	script_argv(e, program, arg);
	file_put(e->program);
	e->program = f;
	return 0;
}

static int follow_scripts(struct exec *e)
{
	char line[SCRIPT_BYTES + 1];

	for (int i = 0;; i++) {
		ssize_t n = read_some(e->program, line, SCRIPT_BYTES);
		int rc;

		if (n < 0)
			return (int)n;
		if (n < 2 || line[0] != '#' || line[1] != '!')
			return 0;
		if (i == EXEC_SCRIPTS_MAX)
			return -ELOOP;
		rc = follow_script(e, line, (size_t)n);
		if (rc)
			return rc;
	}
}

/* --- ELF ------------------------------------------------------------------------------------- */

static int read_elf(struct file *f, struct elf_file *ret)
{
	char header[ELF_HEADER_BYTES];
	cleanup_free char *phdrs = NULL;
	int rc = read_at(f, header, sizeof(header), 0);

	if (!rc)
		rc = elf_header(header, sizeof(header), ret);
	if (rc)
		return rc;
	phdrs = xmalloc(elf_phdrs_bytes(ret));
	rc = read_at(f, phdrs, elf_phdrs_bytes(ret), ret->phoff);
	return rc ? rc : elf_segments(ret, phdrs, elf_phdrs_bytes(ret));
}

static int open_interpreter(struct exec *e)
{
	char name[PATH_MAX + 1];
	int rc;

	if (!e->elf.interp_len)
		return 0;
	rc = read_at(e->program, name, e->elf.interp_len, e->elf.interp_offset);
	if (rc)
		return rc;
	if (name[e->elf.interp_len - 1])
		return -ENOEXEC;
	return exec_open(e->fs, NULL, name, 0, e->cred, &e->interpreter);
}

/* host_fd() - what the stub maps of @f; kept by the file. */
static int host_fd(struct file *f)
{
	int64_t offset = 0;
	int fd = f->ops->mmap ? f->ops->mmap(f, false, false, &offset) : -ENODEV;

	if (fd >= 0)
		mapped_note(f, fd);
	/* Offsets in the program must be those of the descriptor. */
	return fd >= 0 && offset ? -ENOEXEC : fd;
}

/* base_for() - how far up to move @f: aligned as its segments ask. */
static uint64_t base_for(const struct elf_file *f, uint64_t from)
{
	uint64_t at = (from + exec_random(22) + f->align - 1) & ~(f->align - 1);

	return f->is_dyn ? at - (f->start & ~(f->align - 1)) : 0;
}

static int place_interpreter(struct exec *e, uint64_t *ret_base, uint64_t *ret_entry)
{
	struct elf_file f;
	int rc = read_elf(e->interpreter, &f), fd;

	if (rc)
		return rc == -ENOEXEC ? -ELIBBAD : rc;
	fd = host_fd(e->interpreter);
	if (fd < 0)
		return fd;
	*ret_base = base_for(&f, INTERP_BASE);
	*ret_entry = f.entry + *ret_base;
	return elf_place(&f, *ret_base, fd, &e->interp_placed);
}

static void append(struct exec *e, const struct elf_placed *p)
{
	memcpy(e->maps + e->image.n_maps, p->maps, p->n_maps * sizeof(p->maps[0]));
	memcpy(e->pokes + e->image.n_pokes, p->pokes, p->n_pokes * sizeof(p->pokes[0]));
	e->image.n_maps += p->n_maps;
	e->image.n_pokes += p->n_pokes;
}

static int place(struct exec *e)
{
	int rc, fd = host_fd(e->program);
	uint64_t interp_base = 0, base;

	if (fd < 0)
		return fd == -ENODEV ? -EACCES : fd;
	base = base_for(&e->elf, PROGRAM_BASE);
	e->image.entry = e->elf.entry + base;
	/* Linux leaves a gap of at most 32 MiB before the heap. */
	e->image.brk_start = e->elf.end + base + exec_random(13);
	rc = elf_place(&e->elf, base, fd, &e->placed);
	if (!rc && e->interpreter)
		rc = place_interpreter(e, &interp_base, &e->image.entry);
	if (rc)
		return rc;
	append(e, &e->placed);
	append(e, &e->interp_placed);
	rc = exec_stack(e, interp_base, base, &e->maps[e->image.n_maps],
			&e->pokes[e->image.n_pokes]);
	if (rc)
		return rc;
	e->image.n_maps++;
	e->image.n_pokes++;
	e->image.maps = e->maps;
	e->image.pokes = e->pokes;
	return 0;
}

int exec_load(struct exec *e)
{
	int rc = follow_scripts(e);

	if (!rc)
		rc = read_elf(e->program, &e->elf);
	if (!rc)
		rc = open_interpreter(e);
	if (!rc)
		rc = exec_credentials(e);
	return rc ? rc : place(e);
}

static void free_vector(char **v)
{
	for (size_t i = 0; v && v[i]; i++)
		free(v[i]);
	free(v);
}

void exec_finish(struct exec *e)
{
	free_vector(e->argv);
	free_vector(e->envp);
	free(e->name);
	free(e->stack);
	file_put(e->program);
	file_put(e->interpreter);
	cred_put(e->new_cred);
}
