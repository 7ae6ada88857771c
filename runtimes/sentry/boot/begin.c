/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The beginning of a process that comes from outside: from a bundle's words to process_start().
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "runtimes/sentry/boot/pod.h"
#include "runtimes/sentry/fs/hostfd.h"
#include "runtimes/sentry/fs/tty.h"

#define DEFAULT_PATH  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define DEFAULT_UMASK 0022

/* --- credentials ------------------------------------------------------------------------------ */

static int compare_gids(const void *a, const void *b)
{
	gid_t x = *(const gid_t *)a, y = *(const gid_t *)b;

	return x < y ? -1 : x > y;
}

struct cred *begin_cred(const struct spec_process *p)
{
	struct cred *c = cred_create();

	c->uid = c->euid = c->suid = c->fsuid = p->uid;
	c->gid = c->egid = c->sgid = c->fsgid = p->gid;
	c->bounding = p->bounding;
	c->effective = p->effective;
	c->permitted = p->permitted;
	c->inheritable = p->inheritable;
	c->ambient = p->ambient & p->permitted & p->inheritable;
	c->no_new_privs = p->no_new_privs;
	if (p->n_groups > 0) {
		c->groups = xmemdup(p->groups, p->n_groups * sizeof(gid_t));
		c->n_groups = p->n_groups;
		qsort(c->groups, c->n_groups, sizeof(gid_t), compare_gids);
	}
	return c;
}

/* all_powerful() - who sets a container up. */
static struct cred *all_powerful(void)
{
	struct cred *c = cred_create();

	c->effective = ~UINT64_C(0);
	return c;
}

static struct fs_context *root_context(struct member *m)
{
	struct fs_context *fs;
	struct path root;

	mount_root(m->container->mounts, &root);
	fs = fs_context_create(&root);
	path_put(&root);
	return fs;
}

/* --- descriptors ------------------------------------------------------------------------------ */

int begin_stdio(int *fds, struct cred *c, struct fdtable **ret, struct error *err)
{
	struct fdtable *t = fdtable_create();

	for (int i = 0; i < 3; i++) {
		struct file *f;
		int fd = steal_fd(&fds[i]);
		int rc = hostfd_create(fd, c, &f);

		if (rc == 0 && (rc = fdtable_install(t, f, i, 3, false)) < 0)
			file_put(f);
		if (rc < 0) {
			fdtable_put(t);
			return error_errno(err, -rc, "descriptor %d", i);
		}
	}
	*ret = t;
	return 0;
}

/* open_terminal() - the host's terminal @fd (taken over) as a name in /dev/pts of @m. */
static int open_terminal(struct member *m, int fd, const struct spec_process *p, struct file **ret)
{
	struct attr owner = { .uid = p->uid };
	struct cred *root = all_powerful();
	struct fs_context *fs = root_context(m);
	char name[32];
	struct walk w;
	int n = 0, rc = path_walk(fs, NULL, "/dev/pts", 0, root, &w);

	if (rc == 0 && strcmp(w.path.mount->fs->type, "devpts") != 0) {
		path_put(&w.path);
		rc = -ENODEV;
	}
	if (rc < 0) {
		close(fd);
	} else {
		rc = n = tty_host_add(w.path.mount->fs, fd);
		path_put(&w.path);
	}
	if (rc >= 0) {
		snprintf(name, sizeof(name), "/dev/pts/%d", n);
		rc = vfs_open(fs, NULL, name, O_RDWR | O_NOCTTY, 0, 0, root, ret);
	}
	if (rc == 0)
		inode_setattr((*ret)->inode, ATTR_UID, &owner, root);
	fs_context_put(fs);
	cred_put(root);
	return rc;
}

int begin_terminal(struct member *m, const struct spec_process *p, int *fds, struct fdtable **ret,
		   struct file **ret_tty, struct error *err)
{
	int rc = open_terminal(m, steal_fd(&fds[0]), p, ret_tty);
	struct fdtable *t;

	if (rc < 0)
		return error_errno(err, -rc, "open the terminal");
	t = fdtable_create();
	for (int i = 0; i < 3; i++)
		fdtable_install(t, file_get(*ret_tty), i, 3, false);
	*ret = t;
	return 0;
}

/* --- where it stands -------------------------------------------------------------------------- */

/* enter_cwd() - process.cwd, made when it is not there, as other runtimes do. */
static int enter_cwd(struct fs_context *fs, const char *cwd, const struct cred *c,
		     struct error *err)
{
	struct cred *root = all_powerful();
	struct walk w;
	int rc;

	rc = path_walk(fs, NULL, cwd, WALK_DIRECTORY, c, &w);
	if (rc == -ENOENT && mounts_make_directory(fs, cwd, root) == 0)
		rc = path_walk(fs, NULL, cwd, WALK_DIRECTORY, c, &w);
	if (rc == -EACCES) /* entered before the user changes, as other runtimes do */
		rc = path_walk(fs, NULL, cwd, WALK_DIRECTORY, root, &w);
	cred_put(root);
	if (rc < 0)
		return error_errno(err, -rc, "process.cwd: %s", cwd);
	fs_context_set_cwd(fs, &w.path);
	path_put(&w.path);
	return 0;
}

static int make_context(struct member *m, const struct spec_process *p, const struct cred *c,
			struct fs_context **ret, struct error *err)
{
	struct fs_context *fs = root_context(m);
	int rc;

	fs->umask = p->umask >= 0 ? (mode_t)p->umask : DEFAULT_UMASK;
	rc = enter_cwd(fs, p->cwd, c, err);
	if (rc < 0)
		fs_context_put(fs);
	else
		*ret = fs;
	return rc;
}

/* --- the program ------------------------------------------------------------------------------ */

static const char *path_of(char *const *env)
{
	for (; *env; env++)
		if (strncmp(*env, "PATH=", 5) == 0)
			return *env + 5;
	return DEFAULT_PATH;
}

/* check_program() - as execve(2) would begin. */
static int check_program(struct fs_context *fs, const char *name, const struct cred *c)
{
	struct walk w;
	struct inode *i;
	int rc = path_walk(fs, NULL, name, 0, c, &w);

	if (rc < 0)
		return rc;
	i = w.path.dentry->inode;
	rc = S_ISREG(i->attr.mode) ? inode_permission(i, MAY_EXEC, c) : -EACCES;
	path_put(&w.path);
	return rc;
}

static int find_program(struct fs_context *fs, const struct spec_process *p, const struct cred *c)
{
	const char *name = p->args[0], *at = path_of(p->env);
	int rc = -ENOENT, one;

	if (strchr(name, '/'))
		return check_program(fs, name, c);
	while (*at) {
		size_t len = strcspn(at, ":");
		char *full cleanup_free = xasprintf("%.*s/%s", (int)len, len ? at : ".", name);

		one = check_program(fs, full, c);
		if (one == 0)
			return 0;
		if (one != -ENOENT && one != -ENOTDIR)
			rc = one;
		at += len + (at[len] == ':');
	}
	return rc;
}

int begin_check(struct member *m, const struct spec_process *p, struct error *err)
{
	struct cred *c = begin_cred(p);
	struct fs_context *fs = NULL;
	int rc = make_context(m, p, c, &fs, err);

	if (rc == 0) {
		rc = find_program(fs, p, c);
		if (rc == -ENOENT && !strchr(p->args[0], '/'))
			rc = error_set(err, ENOENT,
				       "exec: \"%s\": executable file not found in $PATH",
				       p->args[0]);
		else if (rc < 0)
			rc = error_errno(err, -rc, "exec: \"%s\"", p->args[0]);
	}
	fs_context_put(fs);
	cred_put(c);
	return rc;
}

/* limits_of() - the defaults of Linux, and over them what the bundle says. */
static void limits_of(const struct spec_process *p, struct rlimit ret[RLIM_NLIMITS])
{
	process_default_limits(ret);
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (p->has_limit[i])
			ret[i] = p->limits[i];
}

int begin_process(struct member *m, const struct spec_process *p, struct fdtable *fds,
		  struct guest *g, struct error *err)
{
	struct cred *c = begin_cred(p);
	struct fs_context *fs = NULL;
	struct rlimit limits[RLIM_NLIMITS];
	struct process *started;
	int rc = make_context(m, p, c, &fs, err);

	limits_of(p, limits);
	if (rc == 0) {
		struct process_start s = {
			.container = m->container,
			.cred = c,
			.fs = fs,
			.fds = fds,
			.path = p->args[0],
			.argv = p->args,
			.envp = p->env,
			.limits = limits,
			.tty = g->tty ? tty_control_of_file(g->tty) : NULL,
			.exited = guest_exited,
			.data = g,
		};

		rc = process_start(&s, &started);
		if (rc < 0)
			error_errno(err, -rc, "exec: \"%s\"", p->args[0]);
		else
			rc = guest_started(g, started);
	}
	fs_context_put(fs);
	cred_put(c);
	return rc;
}
