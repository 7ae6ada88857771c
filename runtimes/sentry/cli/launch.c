/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting the processes of a pod: sentry, gofer, socket helper.
 *
 * They start while we go on (launch_container.c); what they say to each other waits in sockets.
 * Sentry, gofer and stubs share one network namespace without anything in it, since making one
 * takes as long as all else that the kernel does for a process.  The sentry makes its own user
 * namespace and waits until its id maps have been written, which takes rights outside of it.  The
 * host ids of a pod are two numbers from a range that nobody has files in, chosen by the pod's
 * name.
 */
#include "runtimes/sentry/cli/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "runtimes/gofer/protocol.h"
#include "runtimes/sentry/boot/boot.h"

#define READY_BOUND_MS 20000
#define HOST_ID_BASE   0x70000000u
#define HOST_ID_PAIRS  (1u << 24)
#define LOG_TAIL_BYTES 4096
#define TREES_GIVEN    24 /* with which a gofer is started */

/* --- programs --------------------------------------------------------------------------------- */

int launch_program(const char *name, char **ret, struct error *err)
{
	*ret = path_sibling_program(name);
	return *ret ? 0 : error_set(err, ENOENT, "%s is not installed beside this program", name);
}

/* pairs() - sockets between the sentry ([0]) and the gofer ([1]). */
static int make_pairs(int sentry[GOFER_CONNECTIONS], int gofer[GOFER_CONNECTIONS],
		      struct error *err)
{
	for (int i = 0; i < GOFER_CONNECTIONS; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			return error_errno(err, errno, "make a socket");
		sentry[i] = pair[0];
		gofer[i] = pair[1];
	}
	return 0;
}

void launch_close(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close_fd(&fds[i]);
}

/* The gofer's command line, and its descriptors from 3 on. */
struct gofer_words {
	struct strlist argv;
	int fds[GOFER_CONNECTIONS + 1 + TREES_GIVEN];
	size_t n_fds;
};

static void give(struct gofer_words *w, const char *flag, int fd, bool read_only)
{
	strlist_add(&w->argv, flag);
	strlist_add_owned(&w->argv, xasprintf("%zu%s", 3 + w->n_fds, read_only ? ":ro" : ""));
	w->fds[w->n_fds++] = fd;
}

/* put_words() - trees beyond TREES_GIVEN follow by the admin socket. */
static void put_words(struct launching *l, const int *socks, int admin, struct gofer_words *w)
{
	strlist_add(&w->argv, "bulkhead-sentry");
	strlist_add(&w->argv, "gofer");
	strlist_add(&w->argv, "--no-network");
	for (size_t i = 0; i < GOFER_CONNECTIONS; i++)
		give(w, "--connection", socks[i], false);
	give(w, "--admin", admin, false);
	for (l->n_given = 0; l->n_given < MIN(l->n_trees, (size_t)TREES_GIVEN); l->n_given++)
		give(w, "--tree", l->trees[l->n_given], launch_tree_read_only(l, l->n_given));
}

static int start_gofer(struct launching *l, const int *socks, struct error *err)
{
	char *path cleanup_free = record_path(l->cli, l->id, "gofer.sock");
	int admin cleanup_close = fd_listen_unix(path, SOCK_SEQPACKET, 0600, err);
	struct gofer_words w = { 0 };
	struct spawn s = SPAWN_INIT;
	int rc;

	if (admin < 0)
		return admin;
	put_words(l, socks, admin, &w);
	s.program = "/proc/self/exe";
	s.argv = (const char *const *)w.argv.items;
	s.stdio[2] = l->log;
	s.extra_fds = w.fds;
	s.n_extra_fds = w.n_fds;
	s.cgroups = &l->cgroups;
	s.new_session = true;
	rc = spawn_start(&s, &l->record->gofer, NULL, err);
	strlist_finish(&w.argv);
	if (rc == 0)
		process_start_time(l->record->gofer, &l->record->gofer_start);
	return rc;
}

/* --- the sentry ------------------------------------------------------------------------------- */

/* open_network() - the pod's network namespace; -1: the caller's. */
static int open_network(const struct launching *l, int *ret, struct error *err)
{
	*ret = -1;
	if (l->spec->network != SPEC_JOINED)
		return 0;
	*ret = open(l->spec->network_path, O_RDONLY | O_CLOEXEC);
	return *ret < 0 ? error_errno(err, errno, "open %s", l->spec->network_path) : 0;
}

int launch_helper(struct launching *l, struct error *err)
{
	bool own = l->spec->network == SPEC_NEW || strcmp(l->cli->network, "none") == 0;
	bool raw = l->spec->process.bounding >> CAP_NET_RAW & 1;
	const char *argv[] = { "bulkhead-socket-helper", NULL, NULL, NULL };
	char *program cleanup_free = NULL;
	int ns cleanup_close = -1, rc = own ? 0 : open_network(l, &ns, err);
	struct spawn s = SPAWN_INIT;
	size_t n = 1;
	pid_t pid;

	if (rc == 0)
		rc = launch_program("bulkhead-socket-helper", &program, err);
	if (rc < 0)
		return rc;
	if (raw)
		argv[n++] = "--raw";
	if (own)
		argv[n++] = "--own";
	s.program = program;
	s.argv = argv;
	s.stdio[2] = l->log;
	s.extra_fds = &l->helper;
	s.n_extra_fds = 1;
	s.ns_fds = own ? NULL : ns >= 0 ? &ns : &l->outside;
	s.n_ns_fds = !own;
	s.cgroups = &l->cgroups;
	s.new_session = true;
	rc = spawn_start(&s, &pid, NULL, err);
	close_fd(&l->helper);
	return rc;
}

static int start_sentry(struct launching *l, const int *socks, int sync, int helper,
			struct error *err)
{
	const char *argv[] = { "bulkhead-sentry", "boot", "--id", l->id, NULL };
	char *control_path cleanup_free = record_path(l->cli, l->id, "control.sock");
	int control cleanup_close = fd_listen_unix(control_path, SOCK_SEQPACKET, 0600, err);
	int fds[3 + GOFER_CONNECTIONS] = { control, sync, helper }, rc;
	struct spawn s = SPAWN_INIT;

	if (control < 0)
		return control;
	memcpy(fds + 3, socks, sizeof(int) * GOFER_CONNECTIONS);
	s.program = "/proc/self/exe";
	s.argv = argv;
	s.stdio[2] = l->log;
	s.extra_fds = fds;
	s.n_extra_fds = ARRAY_LEN(fds);
	s.cgroups = &l->cgroups;
	s.new_session = true;
	rc = spawn_start(&s, &l->record->sentry, NULL, err);
	if (rc == 0)
		process_start_time(l->record->sentry, &l->record->sentry_start);
	return rc;
}

/* failed() - the sentry's own last words. */
static int failed(const struct launching *l, const char *what, struct error *err)
{
	char *path cleanup_free = record_path(l->cli, l->id, "sentry.log");
	struct strbuf text cleanup_strbuf = { 0 };
	const char *last = NULL;

	fd_read_file(AT_FDCWD, path, LOG_TAIL_BYTES, &text, NULL);
	while (text.len > 0 && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	last = text.data ? strrchr(text.data, '\n') : NULL;
	return error_set(err, EIO, "the sentry failed to %s: %s", what,
			 last ? last + 1 : str_or(text.data, "it said nothing"));
}

static int expect(const struct launching *l, int sync, char what, const char *doing,
		  struct error *err)
{
	char got = 0;

	if (fd_wait(sync, POLLIN, READY_BOUND_MS) <= 0 || read(sync, &got, 1) != 1 || got != what)
		return failed(l, doing, err);
	return 0;
}

/* host_id() - the first of the pod's two ids (FNV-1a of its name picks them). */
static uint32_t host_id(const char *id)
{
	uint32_t hash = 2166136261u;

	for (; *id; id++)
		hash = (hash ^ (unsigned char)*id) * 16777619u;
	return HOST_ID_BASE + 2 * (hash % HOST_ID_PAIRS);
}

static int write_map(pid_t pid, const char *file, const char *map, struct error *err)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	return fd_write_file(AT_FDCWD, path, map, err);
}

static int map_ids(const struct launching *l, int sync, struct error *err)
{
	char map[64], mapped = BOOT_SYNC_MAPPED;
	int rc;

	_Static_assert(BOOT_STUB_ID == BOOT_SENTRY_ID + 1, "one line maps both");
	snprintf(map, sizeof(map), "%d %u 2", BOOT_SENTRY_ID, host_id(l->record->sandbox));
	rc = write_map(l->record->sentry, "uid_map", map, err);
	if (rc == 0)
		rc = write_map(l->record->sentry, "gid_map", map, err);
	if (rc == 0 && write(sync, &mapped, 1) != 1)
		rc = failed(l, "hear of its ids", err);
	return rc;
}

/* protect() - last to go when memory is out, as far as the host lets us. */
static void protect(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	fd_write_file(AT_FDCWD, path, "-998", NULL);
}

int launch_sandbox_ids(struct launching *l, struct error *err)
{
	int rc = expect(l, l->sync, BOOT_SYNC_NAMESPACE, "make its namespaces", err);

	if (rc == 0)
		rc = map_ids(l, l->sync, err);
	if (rc == 0)
		protect(l->record->sentry);
	return rc;
}

int launch_await(struct launching *l, struct error *err)
{
	return l->sync < 0 ? 0 : expect(l, l->sync, BOOT_SYNC_READY, "start", err);
}

/* open_log() - where all processes of the pod say what goes wrong: never the container's stderr. */
static int open_log(struct launching *l, struct error *err)
{
	char *path cleanup_free = record_path(l->cli, l->id, "sentry.log");

	l->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return l->log < 0 ? error_errno(err, errno, "make %s", path) : 0;
}

int launch_sandbox(struct launching *l, struct error *err)
{
	int sentry[GOFER_CONNECTIONS] = { -1, -1, -1, -1 },
	    gofer[GOFER_CONNECTIONS] = { -1, -1, -1, -1 };
	int sync[2] = { -1, -1 }, helper[2] = { -1, -1 };
	int rc = open_log(l, err);

	if (rc == 0)
		rc = make_pairs(sentry, gofer, err);
	if (rc == 0 && (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sync) < 0 ||
			socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, helper) < 0))
		rc = error_errno(err, errno, "make a socket");
	if (rc == 0) /* first: it takes longest */
		rc = start_sentry(l, sentry, sync[1], helper[0], err);
	if (rc == 0)
		rc = start_gofer(l, gofer, err);
	close_fd(&helper[0]);
	close_fd(&sync[1]);
	launch_close(sentry, GOFER_CONNECTIONS);
	launch_close(gofer, GOFER_CONNECTIONS);
	l->helper = helper[1];
	l->sync = sync[0];
	return rc;
}

static void kill_if_ours(pid_t pid, unsigned long long start)
{
	if (record_process_alive(pid, start))
		process_kill(pid, SIGKILL);
}

void launch_end(const struct record *r)
{
	kill_if_ours(r->sentry, r->sentry_start);
	kill_if_ours(r->gofer, r->gofer_start);
	kill_if_ours(r->pid, r->pid_start);
}
