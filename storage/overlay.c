/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Detached overlay and tmpfs mounts (fsopen, fsmount).
 *
 * Theory of operation.  Every overlay is mounted userxattr, as layers are unpacked with
 * user.overlay.* marks.  Layers go to the kernel one by one ("lowerdir+", Linux 6.8), by path
 * where the path is plain and short, else as /proc/self/fd/N: a mount option has 256 bytes.  An
 * older kernel gets one "lowerdir" of such names, which holds about fifteen.
 *
 * A user namespace: mount_setattr() refuses an overlay, so the *layers* are idmapped: one
 * detached, idmapped clone of the directory that holds them all, each layer opened below it.
 * Upper and work stay plain (owned by the namespace's root on the host): below the clone the
 * host's root has no id, and the overlay would silently be read-only.
 *
 * The kernel refuses a single lower directory without an upper one: an empty tmpfs goes below.
 *
 * Linux before 6.15 takes no layer of a detached mount, as the clone and the tmpfs are.  When it
 * refuses, all is tried once more in a thread with a mount namespace of its own, where they are
 * attached; that ends with the thread, and the overlay keeps what it needs.
 */
#include "storage/overlay.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"

#define OPTION_MAX 255 /* strndup_user(value, 256) in fsconfig(2) */

/* What a mount is made of while it is made. */
struct build {
	const struct overlay *o;
	int fs;	       /* from fsopen() */
	int clone;     /* -1, or the idmapped clone of prefix */
	size_t prefix; /* length of the directory common to all layers */
	int *fds;      /* one a layer, top first, then the tmpfs if any */
	size_t n_fds;
	bool attach; /* in a mount namespace of this thread's own */
};

/* why() - the kernel's own words from the fsopen descriptor; @errnum was saved before. */
static int why(int fs, int errnum, const char *what, struct error *err)
{
	char log[512];
	ssize_t len = read(fs, log, sizeof(log) - 1);
	size_t skip;

	if (len <= 0)
		return error_errno(err, errnum, "%s", what);
	log[len] = '\0';
	log[strcspn(log, "\n")] = '\0';
	skip = log[0] && log[1] == ' ' ? 2 : 0; /* "e overlay: ..." */
	return error_errno(err, errnum, "%s: %s", what, log + skip);
}

static int set_string(int fs, const char *key, const char *value, struct error *err)
{
	if (fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) == 0)
		return 0;
	why(fs, errno, value, err);
	return error_wrap(err, "mount option %s", key);
}

/* plain() - whether every kernel takes @path as an option as it stands. */
static bool plain(const char *path)
{
	return strlen(path) <= OPTION_MAX && !strpbrk(path, ":,\\");
}

static int set_path(int fs, const char *key, const char *path, int fd, struct error *err)
{
	char name[32];
	int own cleanup_close = -1;

	if (path && plain(path))
		return set_string(fs, key, path, err);
	if (fd < 0) {
		fd = own = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return error_errno(err, errno, "open %s", path);
	}
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return set_string(fs, key, name, err);
}

/* --- layers ----------------------------------------------------------------------------------- */

/* common_prefix() - length of the longest directory name that all layers share. */
static size_t common_prefix(const struct overlay *o)
{
	size_t len = strlen(o->lower[0]);

	for (size_t i = 1; i < o->n_lower; i++) {
		const char *a = o->lower[0], *b = o->lower[i];
		size_t same = 0, cut = 0;

		for (;; same++) {
			if ((!a[same] || a[same] == '/') && (!b[same] || b[same] == '/'))
				cut = same;
			if (!a[same] || a[same] != b[same])
				break;
		}
		len = MIN(len, cut);
	}
	return len;
}

/* attach() - over @dir, if this is the thread that may. */
static int attach(const struct build *b, int mount, const char *dir, struct error *err)
{
	if (!b->attach || move_mount(mount, "", AT_FDCWD, dir, MOVE_MOUNT_F_EMPTY_PATH) == 0)
		return 0;
	return error_errno(err, errno, "attach a mount to %s", dir);
}

static int clone_layers(struct build *b, struct error *err)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_NODEV,
				   .userns_fd = (unsigned int)b->o->userns_fd };
	char *dir cleanup_free = NULL;

	b->prefix = common_prefix(b->o);
	dir = xasprintf("%.*s/", (int)b->prefix, b->o->lower[0]);
	b->clone = open_tree(AT_FDCWD, dir, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (b->clone < 0)
		return error_errno(err, errno, "clone the mount of %s", dir);
	if (mount_setattr(b->clone, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return error_errno(err, errno,
				   "map %s into the pod's user namespace (its file system must "
				   "support idmapped mounts)",
				   dir);
	return attach(b, b->clone, dir, err);
}

static int open_layer(struct build *b, const char *path, struct error *err)
{
	const char *below = path + b->prefix;
	int fd;

	while (b->clone >= 0 && *below == '/')
		below++;
	if (b->clone >= 0)
		fd = path_open_in_root(b->clone, *below ? below : ".",
				       O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	else
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && b->clone < 0)
		fd = -errno;
	return fd < 0 ? error_errno(err, -fd, "open layer %s", path) : fd;
}

static int new_tmpfs(struct error *err)
{
	int fs cleanup_close = fsopen("tmpfs", FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_errno(err, errno, "make an empty tmpfs");
	fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
	return fd < 0 ? error_errno(err, errno, "mount an empty tmpfs") : fd;
}

/* open_layers() - descriptors of all lower directories, top first. */
static int open_layers(struct build *b, struct error *err)
{
	const struct overlay *o = b->o;

	b->fds = xcalloc(o->n_lower + 1, sizeof(*b->fds));
	for (size_t i = o->n_lower; i-- > 0;) {
		int fd = open_layer(b, o->lower[i], err);

		if (fd < 0)
			return fd;
		b->fds[b->n_fds++] = fd;
	}
	if (!o->upper && o->n_lower == 1) {
		int fd = new_tmpfs(err);

		if (fd < 0)
			return fd;
		b->fds[b->n_fds++] = fd;
		return attach(b, fd, "/sys", err); /* a directory that is there and not needed */
	}
	return 0;
}

/* add_each() - layer by layer, Linux 6.8 and newer. */
static int add_each(struct build *b, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; i < b->n_fds && rc == 0; i++) {
		const char *path = NULL;

		if (b->clone < 0 && i < b->o->n_lower)
			path = b->o->lower[b->o->n_lower - 1 - i];
		rc = set_path(b->fs, "lowerdir+", path, b->fds[i], err);
	}
	return rc;
}

/* add_joined() - all in one option, for older kernels. */
static int add_joined(struct build *b, struct error *err)
{
	struct strbuf text cleanup_strbuf = { 0 };

	for (size_t i = 0; i < b->n_fds; i++)
		strbuf_printf(&text, "%s/proc/self/fd/%d", i ? ":" : "", b->fds[i]);
	if (text.len > OPTION_MAX)
		return error_set(err, E2BIG,
				 "%zu layers: this kernel takes few, Linux 6.8 takes %d",
				 b->o->n_lower, OVERLAY_MAX_LAYERS);
	return set_string(b->fs, "lowerdir", text.data, err);
}

/* --- mounts ----------------------------------------------------------------------------------- */

static int configure(struct build *b, bool joined, struct error *err)
{
	const struct overlay *o = b->o;
	int rc = set_string(b->fs, "source", "overlay", err);

	if (rc == 0 && fsconfig(b->fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
		rc = why(b->fs, errno, "mount option userxattr", err);
	if (rc == 0)
		rc = joined ? add_joined(b, err) : add_each(b, err);
	if (rc == 0 && o->upper)
		rc = set_path(b->fs, "upperdir", o->upper, -1, err);
	if (rc == 0 && o->upper)
		rc = set_path(b->fs, "workdir", o->work, -1, err);
	if (rc == 0 && fsconfig(b->fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		rc = why(b->fs, errno, "create", err);
	return rc;
}

/* attempt() - the whole mount, with the layers @joined in one option or not. */
static int attempt(struct build *b, bool joined, int *ret_fd, struct error *err)
{
	int fs cleanup_close = fsopen("overlay", FSOPEN_CLOEXEC);
	int rc, fd;

	if (fs < 0)
		return error_errno(err, errno,
				   errno == ENODEV ? "the kernel has no overlay (modprobe overlay)"
						   : "fsopen overlay");
	b->fs = fs;
	rc = configure(b, joined, err);
	if (rc < 0)
		return rc;
	fd = fsmount(fs, FSMOUNT_CLOEXEC, b->o->upper ? 0 : MOUNT_ATTR_RDONLY);
	if (fd < 0)
		return why(fs, errno, "fsmount", err);
	*ret_fd = fd;
	return 0;
}

static int build_mount(const struct overlay *o, bool attached, int *ret_fd, struct error *err)
{
	struct build b = { .o = o, .fs = -1, .clone = -1, .attach = attached };
	int rc = o->userns_fd >= 0 ? clone_layers(&b, err) : 0;

	if (rc == 0)
		rc = open_layers(&b, err);
	if (rc == 0)
		rc = attempt(&b, false, ret_fd, err);
	if (rc == -EINVAL && attempt(&b, true, ret_fd, NULL) == 0)
		rc = 0;
	for (size_t i = 0; i < b.n_fds; i++)
		close(b.fds[i]);
	free(b.fds);
	close_fd(&b.clone);
	return rc;
}

/* --- older kernels ---------------------------------------------------------------------------- */

struct attached {
	const struct overlay *o;
	int *ret_fd, rc;
	struct error *err;
};

static void *build_attached(void *arg)
{
	struct attached *a = arg;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		a->rc = error_errno(a->err, errno, "make a mount namespace for the layers");
	else
		a->rc = build_mount(a->o, true, a->ret_fd, a->err);
	return NULL;
}

/* has_detached() - whether one of the layers is on a mount that build_mount() makes. */
static bool has_detached(const struct overlay *o)
{
	return o->userns_fd >= 0 || (!o->upper && o->n_lower == 1);
}

/* Whether this kernel refused once and took it attached: then it is not asked again. */
static atomic_bool wants_attached;

static int mount_attached(const struct overlay *o, int *ret_fd, struct error *err)
{
	struct attached a = { .o = o, .ret_fd = ret_fd, .err = err };
	pthread_t thread;
	int rc = pthread_create(&thread, NULL, build_attached, &a);

	if (rc != 0)
		return error_errno(err, rc, "start a thread");
	pthread_join(thread, NULL);
	return a.rc;
}

static int check(const struct overlay *o, struct error *err)
{
	if (o->n_lower == 0 || o->n_lower > OVERLAY_MAX_LAYERS)
		return error_set(err, E2BIG, "an overlay of %zu layers: the kernel takes 1 to %d",
				 o->n_lower, OVERLAY_MAX_LAYERS);
	if (!o->upper != !o->work)
		return error_set(err, EINVAL, "an overlay needs both upper and work, or neither");
	for (size_t i = 0; i < o->n_lower; i++)
		if (!path_is_clean(o->lower[i]))
			return error_set(err, EINVAL, "layer directory '%s' is not absolute",
					 o->lower[i]);
	return 0;
}

int overlay_mount(const struct overlay *o, int *ret_fd, struct error *err)
{
	struct error first = ERROR_INIT;
	int rc = check(o, err);

	if (rc < 0)
		return rc;
	if (has_detached(o) && wants_attached)
		rc = -EINVAL;
	else
		rc = build_mount(o, false, ret_fd, &first);
	if (rc == -EINVAL && has_detached(o)) {
		rc = mount_attached(o, ret_fd, err);
		wants_attached |= rc == 0;
	} else if (rc < 0) {
		error_copy(err, &first);
	}
	if (rc < 0)
		return error_wrap(err, "overlay of %zu layers%s%s", o->n_lower,
				  o->upper ? " at " : "", str_or(o->upper, ""));
	return 0;
}

int overlay_tmpfs(size_t size_bytes, unsigned int uid, unsigned int gid, int *ret_fd,
		  struct error *err)
{
	int fs cleanup_close = fsopen("tmpfs", FSOPEN_CLOEXEC);
	const char *const keys[] = { "source", "mode", "size", "uid", "gid" };
	char values[ARRAY_LEN(keys)][24] = { "shm", "1777" };
	int fd;

	if (fs < 0)
		return error_errno(err, errno, "fsopen tmpfs");
	snprintf(values[2], sizeof(values[2]), "%zu", size_bytes);
	snprintf(values[3], sizeof(values[3]), "%u", uid);
	snprintf(values[4], sizeof(values[4]), "%u", gid);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		int rc = set_string(fs, keys[i], values[i], err);

		if (rc < 0)
			return error_wrap(err, "tmpfs");
	}
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return why(fs, errno, "make a tmpfs", err);
	fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (fd < 0)
		return why(fs, errno, "mount a tmpfs", err);
	*ret_fd = fd;
	return 0;
}
