/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pull's thread: one fetch process, an unpack process a layer.
 *
 *   bulkhead-fetch ==pipe==> bulkhead-unpack --> layers/<hex>.tmp-<random> --rename--> layers/<hex>
 *        \__"layer D is right"__ this thread __"unpacked, diff_id is right"__/
 *
 * A layer counts when both have said so.  Part of an image:
 *
 *   WANTED --claim--> DONE (here already, held)
 *                 |-> OTHERS (another pull makes it) --wake--> claim again
 *                 '-> MINE --start--> RUNNING --both right--> DONE
 *
 * When a layer fails in fetch and unpack, what fetch says is the cause: a cut body makes the
 * unpacker fail too, and so does a flipped bit.  So a failed unpack waits for fetch's verdict.
 * Nobody waits for the disk: sync.c does, for all layers at once, once they are recorded.  Whatever
 * happens, the end kills what runs, drops unfinished directories and gives claims back.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/spawn.h"
#include "image/fetcher.h"

#define MAX_RUNNING 4
#define MAX_OUTPUT  (64 << 10)
#define PIPE_BYTES  (1 << 20)
#define UNAVAILABLE "RegistryUnavailable" /* the kubelet matches it */

enum part_state { PART_WANTED, PART_OTHERS, PART_MINE, PART_RUNNING, PART_DONE };

/* One distinct layer of the image. */
struct part {
	char *diff_id;
	const struct manifest_blob *blob;
	enum part_state state;
	/* While running: */
	char *dir;
	pid_t pid;
	int pidfd, out, errors;
	bool fetched, unpacked, unpack_failed;
	struct error unpack_err;
	uint64_t bytes, inodes;
};

struct job {
	struct image_store *store;
	struct pull *pull;
	struct fetcher fetcher;
	struct manifest manifest;
	struct image *image;	 /* until it is committed */
	struct strlist tags;	 /* to be the image's */
	char digest[DIGEST_MAX]; /* of what was asked */
	struct part *parts;
	size_t n_parts, n_running;
};

static int layer_error(const struct part *p, struct error *err)
{
	return error_wrap(err, "layer %s", p->blob->digest);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static bool is_cancelled(const struct job *j)
{
	return fd_wait(j->pull->cancel_fd, POLLIN, 0) == 1;
}

static void drain(int eventfd)
{
	uint64_t n;

	(void)!read(eventfd, &n, sizeof(n));
}

/* Until something happens. Return: -ECANCELED when the last waiter has left. */
static int wait_event(struct job *j, bool *ret_message, struct error *err)
{
	struct pollfd fds[3 + MAX_RUNNING] = {
		{ .fd = j->pull->cancel_fd, .events = POLLIN },
		{ .fd = j->pull->wake_fd, .events = POLLIN },
		{ .fd = j->fetcher.socket, .events = POLLIN },
	};
	nfds_t n = 3;

	for (size_t i = 0; i < j->n_parts; i++) {
		struct part *p = &j->parts[i];

		if (p->state == PART_RUNNING && p->pid > 0)
			fds[n++] = (struct pollfd){ .fd = p->pidfd, .events = POLLIN };
	}
	if (poll(fds, n, -1) < 0 && errno != EINTR)
		return error_errno(err, errno, "poll");
	if (fds[0].revents)
		return error_set(err, ECANCELED, "cancelled");
	if (fds[1].revents)
		drain(j->pull->wake_fd);
	*ret_message = fds[2].revents != 0;
	return 0;
}

/* --- manifest --------------------------------------------------------------------------------- */

static int fetch_failed(const struct job *j, const struct fetcher_message *m, struct error *err)
{
	error_copy(err, &m->err);
	if (*m->digest)
		error_wrap(err, "layer %s", m->digest);
	if (m->unavailable)
		error_wrap(err, UNAVAILABLE ": pull %s", j->pull->name);
	return m->err.code;
}

/* What an archive calls its image; foreign, so each is read as a reference. */
static int take_names(struct job *j, const struct strlist *names, struct error *err)
{
	for (size_t i = 0; i < names->count; i++) {
		struct image_ref ref cleanup_image_ref = { 0 };
		int rc = image_ref_parse(names->items[i], &ref, err);

		if (rc < 0)
			return error_wrap(err, "name '%.200s' in the archive", names->items[i]);
		if (ref.tag)
			strlist_add_owned(&j->tags, image_ref_format(&ref));
		strlist_add_owned(&j->image->repo_digests, image_ref_with_digest(&ref, j->digest));
	}
	return 0;
}

static int check_manifest(struct job *j, const struct fetcher_message *m, struct error *err)
{
	const struct image_ref *ref = &j->pull->ref;
	const char *config = (m->config.data ?: "");
	char found[DIGEST_MAX];
	int rc;

	if (ref->digest && strcmp(ref->digest, m->digest) != 0) /* never of an import */
		return error_set(err, EBADMSG, "digest mismatch: the registry gave %s", m->digest);
	rc = manifest_parse((m->manifest.data ?: ""), m->manifest.len, &j->manifest, err);
	if (rc < 0)
		return rc;
	digest_of(config, m->config.len, found);
	if (strcmp(found, j->manifest.config.digest) != 0)
		return error_set(err, EBADMSG, "config %s: digest mismatch: the bytes are %s",
				 j->manifest.config.digest, found);
	rc = store_make_image(found, config, m->config.len, &j->image, err);
	if (rc < 0)
		return rc;
	if (j->image->layers.count != j->manifest.n_layers)
		return error_set(err, EINVAL, "it has %zu layers, but %zu diff_ids",
				 j->manifest.n_layers, j->image->layers.count);
	memcpy(j->digest, m->digest, sizeof(j->digest));
	j->pull->archive_more = m->more;
	return take_names(j, &m->names, err);
}

static void make_parts(struct job *j)
{
	struct strlist seen cleanup_strlist = { 0 };

	j->parts = xcalloc(j->manifest.n_layers + 1, sizeof(*j->parts));
	for (size_t i = 0; i < j->manifest.n_layers; i++) {
		const char *diff_id = j->image->layers.items[i];

		if (strlist_has(&seen, diff_id))
			continue;
		strlist_add(&seen, diff_id);
		pull_progress_add(j->pull, j->manifest.layers[i].digest,
				  j->manifest.layers[i].size_bytes);
		j->parts[j->n_parts++] = (struct part){
			.diff_id = xstrdup(diff_id),
			.blob = &j->manifest.layers[i],
			.pidfd = -1,
			.out = -1,
			.errors = -1,
		};
	}
}

static int resolve(struct job *j, struct error *err)
{
	struct fetcher_message m;
	bool message = false;
	int rc = 0;

	while (rc == 0 && !message)
		rc = wait_event(j, &message, err);
	if (rc == 0)
		rc = fetcher_receive(&j->fetcher, &m, err);
	if (rc < 0)
		return rc;
	if (m.kind == FETCHER_MANIFEST)
		rc = check_manifest(j, &m, err);
	else if (m.kind == FETCHER_ERROR)
		rc = fetch_failed(j, &m, err);
	else
		rc = error_set(err, EPROTO, "bulkhead-fetch sent a layer before the manifest");
	fetcher_message_finish(&m);
	if (rc == 0)
		make_parts(j);
	return rc;
}

/* --- unpack processes
 * ----------------------------------------------------------------------------- */

static int spawn_unpack(struct job *j, struct part *p, int input, struct error *err)
{
	const char *argv[] = { "bulkhead-unpack",   "--dir",	 p->dir,
			       "--diff-id",	    p->diff_id,	 "--media-type",
			       p->blob->media_type, "--no-sync", NULL };
	struct spawn s = SPAWN_INIT;
	int out[2] = { -1, -1 }, errors[2] = { -1, -1 };
	int rc = 0;

	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0)
		rc = error_errno(err, errno, "pipe");
	s.program = j->store->unpack_program;
	s.argv = argv;
	s.cwd = "/";
	s.stdio[0] = input;
	s.stdio[1] = out[1];
	s.stdio[2] = errors[1];
	s.death_signal = SIGKILL;
	if (rc == 0)
		rc = spawn_start(&s, &p->pid, &p->pidfd, err);
	if (rc < 0)
		p->pid = 0;
	p->out = out[0];
	p->errors = errors[0];
	close_fd(&out[1]);
	close_fd(&errors[1]);
	return rc;
}

static int make_dir(struct job *j, struct part *p, struct error *err)
{
	char *final cleanup_free = layer_dir(j->store, p->diff_id);
	char suffix[9];

	str_random_hex(suffix, 4);
	p->dir = xasprintf("%s.tmp-%s", final, suffix);
	if (mkdir(p->dir, 0755) < 0)
		return error_errno(err, errno, "mkdir %s", p->dir);
	return 0;
}

static int start_part(struct job *j, struct part *p, struct error *err)
{
	int pipe_fds[2], rc;

	p->state = PART_RUNNING;
	j->n_running++;
	rc = make_dir(j, p, err);
	if (rc < 0)
		return rc;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_errno(err, errno, "pipe");
	fcntl(pipe_fds[1], F_SETPIPE_SZ, PIPE_BYTES);
	rc = spawn_unpack(j, p, pipe_fds[0], err);
	if (rc == 0)
		rc = fetcher_ask_layer(&j->fetcher, p->blob, pipe_fds[1], err);
	close_fd(&pipe_fds[0]);
	close_fd(&pipe_fds[1]);
	return rc;
}

/* {"diff_id":..,"bytes":N,"inodes":N} */
static int take_result(struct part *p, struct error *err)
{
	struct strbuf out cleanup_strbuf = { 0 };
	struct arena a cleanup_arena = { 0 };
	int64_t bytes, inodes;
	struct json *j;

	fd_set_nonblock(p->out, true);
	fd_read_all(p->out, MAX_OUTPUT, &out);
	if (json_parse(&a, (out.data ?: ""), out.len, 0, &j, NULL) < 0)
		return error_set(err, EPROTO, "bulkhead-unpack gave no result");
	if (!str_eq(json_get_string(j, "diff_id", NULL), p->diff_id))
		return error_set(err, EBADMSG, "diff_id mismatch: unpacked it is %s, not %s",
				 json_get_string(j, "diff_id", "?"), p->diff_id);
	bytes = json_get_int(j, "bytes", 0);
	inodes = json_get_int(j, "inodes", 0);
	p->bytes = bytes > 0 ? (uint64_t)bytes : 0;
	p->inodes = inodes > 0 ? (uint64_t)inodes : 0;
	return 0;
}

/* The last line of its stderr says why. */
static int take_reason(struct part *p, int code, struct error *err)
{
	struct strbuf text cleanup_strbuf = { 0 };
	const char *line, *rest;

	fd_set_nonblock(p->errors, true);
	fd_read_all(p->errors, MAX_OUTPUT, &text);
	while (text.len > 0 && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	if (text.len == 0)
		return error_set(err, EIO, "bulkhead-unpack ended with status %d", code);
	line = strrchr(text.data, '\n');
	line = line ? line + 1 : text.data;
	rest = str_after(line, "bulkhead-unpack: ");
	return error_set(err, EIO, "%s", rest ? rest : line);
}

static void reap_part(struct part *p)
{
	int status = 0, code, rc;

	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	p->pid = 0;
	code = process_exit_code(status);
	if (code == 0)
		rc = take_result(p, &p->unpack_err);
	else
		rc = take_reason(p, code, &p->unpack_err);
	p->unpacked = rc == 0;
	p->unpack_failed = rc < 0;
}

static void close_part(struct part *p)
{
	close_fd(&p->pidfd);
	close_fd(&p->out);
	close_fd(&p->errors);
	free(steal_ptr(p->dir));
}

/* Both processes are right: the layer is there. */
static int finish_part(struct job *j, struct part *p, struct error *err)
{
	char *final cleanup_free = layer_dir(j->store, p->diff_id);

	/* What a crash left under that name has no record, and is in the way. */
	if (rename(p->dir, final) < 0) {
		layers_trash(j->store, final);
		if (rename(p->dir, final) < 0)
			return error_errno(err, errno, "rename %s", p->dir);
	}
	close_part(p);
	p->state = PART_DONE;
	j->n_running--;
	layer_made(j->store, p->diff_id, p->bytes, p->inodes);
	pull_progress_set(j->pull, (size_t)(p - j->parts), 0, true);
	return 0;
}

/* --- layers ----------------------------------------------------------------------------------- */

static struct part *running_part(struct job *j, const char *digest)
{
	for (size_t i = 0; i < j->n_parts; i++) {
		struct part *p = &j->parts[i];

		if (p->state == PART_RUNNING && !p->fetched && strcmp(p->blob->digest, digest) == 0)
			return p;
	}
	return NULL;
}

static int take_message(struct job *j, struct error *err)
{
	struct fetcher_message m;
	struct part *p;
	int rc = fetcher_receive(&j->fetcher, &m, err);

	if (rc < 0)
		return rc;
	p = running_part(j, m.digest);
	if (m.kind == FETCHER_PROGRESS && p)
		pull_progress_set(j->pull, (size_t)(p - j->parts), m.bytes, false);
	else if (m.kind == FETCHER_ERROR)
		rc = fetch_failed(j, &m, err);
	else if (m.kind == FETCHER_LAYER && p)
		p->fetched = true;
	else
		rc = error_set(err, EPROTO, "bulkhead-fetch sent a message out of turn");
	fetcher_message_finish(&m);
	return rc;
}

static void claim_parts(struct job *j)
{
	for (size_t i = 0; i < j->n_parts; i++) {
		struct part *p = &j->parts[i];

		if (p->state != PART_WANTED && p->state != PART_OTHERS)
			continue;
		switch (layer_claim(j->store, p->diff_id)) {
		case LAYER_READY:
			p->state = PART_DONE;
			pull_progress_set(j->pull, i, 0, true);
			break;
		case LAYER_MINE:
			p->state = PART_MINE;
			break;
		case LAYER_OTHERS:
			p->state = PART_OTHERS;
			break;
		}
	}
}

/* The largest first: whatever comes last holds the image up alone. */
static struct part *next_part(struct job *j)
{
	struct part *best = NULL;

	for (size_t i = 0; i < j->n_parts; i++) {
		struct part *p = &j->parts[i];

		if (p->state == PART_MINE &&
		    (!best || p->blob->size_bytes > best->blob->size_bytes))
			best = p;
	}
	return best;
}

static int start_parts(struct job *j, struct error *err)
{
	struct part *p;

	while (j->n_running < MAX_RUNNING && (p = next_part(j))) {
		if (start_part(j, p, err) < 0)
			return layer_error(p, err);
	}
	return 0;
}

/* Look after running parts; all that were told so far is in them. */
static int advance_parts(struct job *j, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; i < j->n_parts && rc == 0; i++) {
		struct part *p = &j->parts[i];

		if (p->state != PART_RUNNING)
			continue;
		if (p->pid > 0 && fd_wait(p->pidfd, POLLIN, 0) == 1)
			reap_part(p);
		if (p->fetched && p->unpack_failed)
			rc = error_copy(err, &p->unpack_err);
		else if (p->fetched && p->unpacked)
			rc = finish_part(j, p, err);
		if (rc < 0)
			layer_error(p, err);
	}
	return rc;
}

static bool all_done(const struct job *j)
{
	for (size_t i = 0; i < j->n_parts; i++) {
		if (j->parts[i].state != PART_DONE)
			return false;
	}
	return true;
}

static int get_layers(struct job *j, struct error *err)
{
	bool message;
	int rc = 0;

	claim_parts(j);
	while (rc == 0 && !all_done(j)) {
		rc = start_parts(j, err);
		if (rc == 0)
			rc = wait_event(j, &message, err);
		if (rc == 0 && message)
			rc = take_message(j, err);
		if (rc == 0)
			rc = advance_parts(j, err);
		if (rc == 0)
			claim_parts(j);
	}
	return rc;
}

/* --- end -------------------------------------------------------------------------------------- */

static int commit(struct job *j, struct image **ret, struct error *err)
{
	const struct image_ref *ref = &j->pull->ref;
	const char *first = NULL;
	int rc;

	if (is_cancelled(j))
		return error_set(err, ECANCELED, "cancelled");
	if (j->pull->archive_fd < 0) {
		strlist_add_owned(&j->image->repo_digests, image_ref_with_digest(ref, j->digest));
		if (ref->tag)
			strlist_add(&j->tags, j->pull->name);
	}
	if (j->tags.count > 0)
		strlist_add(&j->image->repo_tags, first = j->tags.items[0]);
	rc = store_commit(j->store, steal_ptr(j->image), first, ret, err);
	for (size_t i = 1; i < j->tags.count && rc == 0; i++)
		rc = image_tag(j->store, (*ret)->id, j->tags.items[i], err);
	return rc;
}

static void kill_part(struct part *p)
{
	if (p->pid <= 0)
		return;
	process_kill(p->pid, SIGKILL);
	while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
		;
	p->pid = 0;
}

static void finish(struct job *j)
{
	struct strlist held cleanup_strlist = { 0 };

	fetcher_stop(&j->fetcher);
	for (size_t i = 0; i < j->n_parts; i++) {
		struct part *p = &j->parts[i];

		kill_part(p);
		if (p->dir)
			layers_trash(j->store, p->dir);
		close_part(p);
		if (p->state == PART_DONE)
			strlist_add(&held, p->diff_id);
		else if (p->state == PART_MINE || p->state == PART_RUNNING)
			layer_abandon(j->store, p->diff_id);
		free(p->diff_id);
	}
	image_release(j->store, &held);
	free(j->parts);
	manifest_finish(&j->manifest);
	strlist_finish(&j->tags);
	image_put(j->image);
}

static int run(struct job *j, struct image **ret, struct error *err)
{
	int rc = fetcher_start(&j->fetcher, j->pull, err);

	if (rc == 0)
		rc = resolve(j, err);
	if (rc == 0 && j->pull->archive_fd < 0)
		rc = pull_verify(j->pull, j->digest, err);
	if (rc == 0)
		rc = get_layers(j, err);
	if (rc == 0)
		rc = commit(j, ret, err);
	return rc;
}

int pull_run(struct pull *p, struct image **ret, struct error *err)
{
	struct job j = { .store = p->store, .pull = p, .fetcher = { .socket = -1 } };
	int rc = run(&j, ret, err);

	finish(&j);
	if (rc < 0 && p->archive_fd >= 0)
		error_wrap(err, "import %s", p->name);
	else if (rc < 0 && !str_has_prefix(err->text, UNAVAILABLE ": ") &&
		 !str_has_prefix(err->text, PULL_UNSIGNED ": "))
		error_wrap(err, "pull %s", p->name);
	log_debug("pull %s: %s", p->name, rc < 0 ? err->text : "done");
	return rc;
}
