/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Talking to bulkhead-fetch.
 *
 * It has no rights and reads what registries send, so it is not believed either: sizes are
 * bounded, its memory files are copied once, then checked by digest.
 */
#include "image/fetcher.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/spawn.h"
#include "image/hosts.h"

#define MAX_MESSAGE (60 << 10)

static void put_endpoint(struct json_writer *w, const struct hosts_endpoint *e)
{
	json_begin_object(w);
	json_put_string(w, "url", e->url);
	json_put_bool(w, "resolve", e->resolve);
	json_put_bool(w, "pull", e->pull);
	json_put_bool(w, "skip_verify", e->skip_verify);
	json_put_bool(w, "fallback", e->fallback);
	json_put_bool(w, "proxy", e->proxy);
	if (e->ca)
		json_put_string(w, "ca", e->ca);
	if (e->cert && e->key) {
		json_put_string(w, "cert", e->cert);
		json_put_string(w, "key", e->key);
	}
	json_put_strings(w, "headers", e->headers.items, e->headers.count);
	json_end_object(w);
}

static void put_given(struct json_writer *w, const char *key, const char *value)
{
	if (value)
		json_put_string(w, key, value);
}

static void write_request(const struct pull *p, const struct hosts *hosts, struct strbuf *out)
{
	struct json_writer w = { .out = out };

	json_begin_object(&w);
	if (p->archive_fd >= 0) {
		json_put_u64(&w, "archive_index", p->archive_index);
		json_put_string(&w, "os", "linux");
		json_put_string(&w, "arch", manifest_host_arch());
		json_end_object(&w);
		return;
	}
	json_put_string(&w, "host", p->ref.host);
	json_put_string(&w, "path", p->ref.path);
	put_given(&w, "tag", p->ref.tag);
	put_given(&w, "digest", p->ref.digest);
	json_put_string(&w, "os", "linux");
	json_put_string(&w, "arch", manifest_host_arch());
	json_put_array(&w, "endpoints");
	for (size_t i = 0; i < hosts->count; i++)
		put_endpoint(&w, &hosts->list[i]);
	json_end_array(&w);
	put_given(&w, "username", p->auth.username);
	put_given(&w, "password", p->auth.password);
	put_given(&w, "identity_token", p->auth.identity_token);
	put_given(&w, "registry_token", p->auth.registry_token);
	json_end_object(&w);
}

static int send_request(struct fetcher *f, const struct pull *p, struct error *err)
{
	static const char message[] = "{\"type\":\"request\"}";
	int file cleanup_close = memfd_create("request", MFD_CLOEXEC);
	struct strbuf text cleanup_strbuf = { 0 };
	struct hosts hosts = { 0 };
	bool is_archive = p->archive_fd >= 0;
	int rc = 0;

	if (!is_archive)
		rc = hosts_load(p->store->certs_dir, p->ref.host, &hosts, err);
	if (rc < 0)
		return rc;
	write_request(p, &hosts, &text);
	hosts_finish(&hosts);
	rc = file < 0 ? -errno : fd_write_all(file, text.data, text.len);
	explicit_bzero(text.data, text.len);
	if (rc == 0)
		rc = fd_send(f->socket, message, sizeof(message) - 1,
			     (const int[]){ file, p->archive_fd }, is_archive ? 2 : 1);
	return rc < 0 ? error_errno(err, -rc, "asking bulkhead-fetch") : 0;
}

int fetcher_start(struct fetcher *f, const struct pull *p, struct error *err)
{
	const char *argv[] = { "bulkhead-fetch", NULL };
	int pair[2], theirs cleanup_close = -1, rc;
	struct spawn s = SPAWN_INIT;

	*f = (struct fetcher){ .socket = -1 };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(err, errno, "socketpair");
	f->socket = pair[0];
	theirs = pair[1];
	s.program = p->store->fetch_program;
	s.argv = argv;
	s.cwd = "/";
	s.stdio[2] = 2;
	s.extra_fds = &theirs;
	s.n_extra_fds = 1;
	s.death_signal = SIGKILL;
	rc = spawn_start(&s, &f->pid, NULL, err);
	if (rc < 0) {
		f->pid = 0;
		close_fd(&f->socket);
		return rc;
	}
	return send_request(f, p, err);
}

void fetcher_stop(struct fetcher *f)
{
	if (f->pid > 1) {
		process_kill(f->pid, SIGKILL);
		while (waitpid(f->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	f->pid = 0;
	close_fd(&f->socket);
}

/* --- what it says ----------------------------------------------------------------------------- */

void fetcher_message_finish(struct fetcher_message *m)
{
	strbuf_finish(&m->manifest);
	strbuf_finish(&m->config);
	strlist_finish(&m->names);
}

static int copy_file(int fd, struct strbuf *ret, struct error *err)
{
	struct stat st;
	int rc;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || lseek(fd, 0, SEEK_SET) < 0)
		return error_set(err, EPROTO, "bulkhead-fetch sent no manifest");
	rc = fd_read_all(fd, MANIFEST_MAX_BYTES, ret);
	return rc < 0 ? error_errno(err, -rc, "reading the manifest") : 0;
}

static void decode_error(const struct json *j, struct fetcher_message *m)
{
	static const int passed[] = { -ENOENT, -EACCES, -ENOTSUP, -EINVAL };
	int64_t code = json_get_int(j, "code", -EIO);

	error_set(&m->err, EIO, "%s", json_get_string(j, "text", "it failed without a text"));
	for (size_t i = 0; i < ARRAY_LEN(passed); i++) {
		if (code == passed[i])
			m->err.code = passed[i];
	}
	m->unavailable = json_get_bool(j, "unavailable", false);
	if (m->unavailable)
		m->err.code = -EIO;
}

static int decode(const struct json *j, const int fds[2], struct fetcher_message *m,
		  struct error *err)
{
	const char *type = json_get_string(j, "type", "");
	bool is_error = strcmp(type, "error") == 0;
	const char *digest = json_get_string(j, is_error ? "layer" : "digest", "");
	int rc;

	if (digest_valid(digest))
		memcpy(m->digest, digest, strlen(digest) + 1);
	else if (!is_error)
		return error_set(err, EPROTO, "bulkhead-fetch sent a bad digest");
	if (is_error) {
		m->kind = FETCHER_ERROR;
		decode_error(j, m);
		return 0;
	}
	if (strcmp(type, "layer") == 0) {
		m->kind = FETCHER_LAYER;
		return 0;
	}
	if (strcmp(type, "progress") == 0) {
		m->kind = FETCHER_PROGRESS;
		m->bytes = (uint64_t)MAX(json_get_int(j, "bytes", 0), 0);
		return 0;
	}
	if (strcmp(type, "manifest") != 0)
		return error_set(err, EPROTO, "bulkhead-fetch sent an unknown message");
	m->kind = FETCHER_MANIFEST;
	m->more = json_get_bool(j, "more", false);
	if (json_get_strings(j, "names", &m->names) < 0)
		return error_set(err, EPROTO, "bulkhead-fetch sent names that are none");
	rc = copy_file(fds[0], &m->manifest, err);
	return rc < 0 ? rc : copy_file(fds[1], &m->config, err);
}

int fetcher_receive(struct fetcher *f, struct fetcher_message *ret, struct error *err)
{
	struct arena a cleanup_arena = { 0 };
	char *text cleanup_free = xmalloc(MAX_MESSAGE);
	int fds[2] = { -1, -1 }, rc;
	struct json *j;
	ssize_t n = fd_recv(f->socket, text, MAX_MESSAGE, fds, 2);

	*ret = (struct fetcher_message){ 0 };
	if (n == 0 || n == -ECONNRESET)
		return error_set(err, EPIPE, "bulkhead-fetch ended before it was done");
	if (n < 0)
		return error_errno(err, (int)-n, "reading from bulkhead-fetch");
	rc = json_parse(&a, text, (size_t)n, 0, &j, err);
	if (rc == 0)
		rc = decode(j, fds, ret, err);
	close_fd(&fds[0]);
	close_fd(&fds[1]);
	if (rc < 0)
		fetcher_message_finish(ret);
	return rc;
}

int fetcher_ask_layer(struct fetcher *f, const struct manifest_blob *blob, int pipe,
		      struct error *err)
{
	struct strbuf text cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &text };
	int rc;

	json_begin_object(&w);
	json_put_string(&w, "type", "layer");
	json_put_string(&w, "digest", blob->digest);
	json_put_u64(&w, "size", blob->size_bytes);
	json_put_strings(&w, "urls", blob->urls.items, blob->urls.count);
	json_end_object(&w);
	rc = fd_send(f->socket, text.data, text.len, &pipe, 1);
	return rc < 0 ? error_errno(err, -rc, "asking bulkhead-fetch") : 0;
}
