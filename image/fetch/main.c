/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bulkhead-fetch: gets one image from a registry or an archive.
 *
 * Started by the server once a pull with a socket as descriptor 3 (see request.h for what is
 * said on it).  It confines itself, resolves the name, then streams each layer that the server
 * asks for into the pipe that came with the question, a thread a layer.  An archive that the
 * server hands over takes the place of the registry.
 */
#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "image/fetch/archive.h"
#include "image/fetch/confine.h"
#include "image/fetch/registry.h"
#include "image/fetch/request.h"

#define SOCKET	    3
#define MAX_LAYERS  8 /* at once */
#define STACK_BYTES (256 << 10)
#define PROGRESS_NS 200000000

#ifdef __SANITIZE_ADDRESS__
/* The leak checker needs rights that confine_enter() gives up. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

static struct registry registry;
static struct archive *archive; /* instead of a registry; not changed once it is resolved */
static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int running; /* layer threads; guarded by count_lock */

static void usage(FILE *out)
{
	fputs("usage: bulkhead-fetch\n"
	      "\n"
	      "Gets an image from a registry or an archive.  Started by bulkheadd with a socket as "
	      "descriptor "
	      "3;\n"
	      "of no use alone.\n"
	      "\n"
	      "  --version   print the version\n"
	      "  --help      print this\n",
	      out);
}

/* --- messages --------------------------------------------------------------------------------- */

/* A server that is gone needs no answer; the next receive ends us. */
static int send_text(const struct strbuf *text, const int *fds, size_t n)
{
	return fd_send(SOCKET, text->data, text->len, fds, n);
}

static int send_error(const struct error *e, bool unavailable, const char *layer)
{
	struct strbuf text cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &text };

	json_begin_object(&w);
	json_put_string(&w, "type", "error");
	json_put_i64(&w, "code", e->code);
	json_put_string(&w, "text", e->text);
	json_put_bool(&w, "unavailable", unavailable);
	if (layer)
		json_put_string(&w, "layer", layer);
	json_end_object(&w);
	return send_text(&text, NULL, 0);
}

static int memory_file(const char *name, const struct strbuf *bytes, struct error *err)
{
	int fd cleanup_close = memfd_create(name, MFD_CLOEXEC);
	int rc;

	if (fd < 0)
		return error_errno(err, errno, "memory file");
	rc = fd_write_all(fd, (bytes->data ?: ""), bytes->len);
	if (rc < 0)
		return error_errno(err, -rc, "memory file");
	return steal_fd(&fd);
}

static int send_manifest(const struct registry_image *image, const struct strlist *names, bool more,
			 struct error *err)
{
	struct strbuf text cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &text };
	int manifest cleanup_close = memory_file("manifest", &image->manifest, err);
	int config cleanup_close = memory_file("config", &image->config, err);

	if (manifest < 0 || config < 0)
		return -EIO;
	json_begin_object(&w);
	json_put_string(&w, "type", "manifest");
	json_put_string(&w, "digest", image->digest);
	json_put_strings(&w, "names", names->items, names->count);
	json_put_bool(&w, "more", more);
	json_end_object(&w);
	if (text.len > REQUEST_MESSAGE_BYTES)
		return error_set(err, E2BIG, "%zu names are too many", names->count);
	send_text(&text, (const int[]){ manifest, config }, 2);
	return 0;
}

/* --- layers ----------------------------------------------------------------------------------- */

/* One layer on its way; owned by its thread. */
struct layer {
	struct arena arena;
	struct strlist urls;
	struct registry_blob blob;
	int64_t told_ns; /* when progress was last told */
};

static void layer_destroy(struct layer *l)
{
	close_fd(&l->blob.out);
	strlist_finish(&l->urls);
	arena_finish(&l->arena);
	free(l);
}

static void send_done(const char *digest)
{
	struct strbuf text cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &text };

	json_begin_object(&w);
	json_put_string(&w, "type", "layer");
	json_put_string(&w, "digest", digest);
	json_end_object(&w);
	send_text(&text, NULL, 0);
}

static void tell_progress(void *data, uint64_t bytes)
{
	struct layer *l = data;
	struct strbuf text cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &text };
	int64_t now = clock_monotonic_ns();

	if (now - l->told_ns < PROGRESS_NS)
		return;
	l->told_ns = now;
	json_begin_object(&w);
	json_put_string(&w, "type", "progress");
	json_put_string(&w, "digest", l->blob.digest);
	json_put_u64(&w, "bytes", bytes);
	json_end_object(&w);
	send_text(&text, NULL, 0);
}

static void *run_layer(void *data)
{
	struct layer *l = data;
	struct error err = ERROR_INIT;
	bool unavailable = false;
	CURL *curl = archive ? NULL : curl_easy_init();
	int rc = -ENOMEM;

	if (archive)
		rc = archive_blob(archive, &l->blob, &err);
	else if (curl)
		rc = registry_blob(&registry, curl, &l->blob, &unavailable, &err);
	else
		error_set(&err, ENOMEM, "curl can't start");
	if (rc == 0)
		send_done(l->blob.digest);
	else
		send_error(&err, unavailable, l->blob.digest);
	curl_easy_cleanup(curl);
	layer_destroy(l);
	pthread_mutex_lock(&count_lock);
	running--;
	pthread_mutex_unlock(&count_lock);
	return NULL;
}

static int start_thread(struct layer *l, struct error *err)
{
	pthread_attr_t attr;
	pthread_t thread;
	bool full;
	int rc;

	pthread_mutex_lock(&count_lock);
	full = running == MAX_LAYERS;
	running += !full;
	pthread_mutex_unlock(&count_lock);
	if (full)
		return error_set(err, EAGAIN, "more than %d layers at once", MAX_LAYERS);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	rc = pthread_create(&thread, &attr, run_layer, l);
	pthread_attr_destroy(&attr);
	return rc == 0 ? 0 : error_errno(err, rc, "starting a thread");
}

/* A question for one layer; takes @pipe over. */
static int take_layer(const char *text, size_t len, int pipe, struct error *err)
{
	struct layer *l = xnew(struct layer);
	struct json *j;
	int rc = json_parse(&l->arena, text, len, 0, &j, err);
	int64_t size;

	l->blob.out = pipe;
	l->blob.progress = tell_progress;
	l->blob.progress_data = l;
	if (rc == 0) {
		l->blob.digest = json_get_string(j, "digest", "");
		size = json_get_int(j, "size", -1);
		l->blob.size_bytes = (uint64_t)size;
		l->blob.urls = &l->urls;
		json_get_strings(j, "urls", &l->urls);
		if (pipe < 0 || size < 0 || !digest_valid(l->blob.digest))
			rc = error_set(err, EINVAL, "a layer's question is incomplete");
	}
	if (rc == 0)
		rc = start_thread(l, err);
	if (rc < 0)
		layer_destroy(l);
	return rc;
}

static int serve_layers(struct error *err)
{
	char *text cleanup_free = xmalloc(REQUEST_MESSAGE_BYTES);
	int pipe;

	for (;;) {
		ssize_t n = fd_recv(SOCKET, text, REQUEST_MESSAGE_BYTES, &pipe, 1);
		int rc;

		if (n == 0)
			return 0;
		if (n < 0)
			return error_errno(err, (int)-n, "reading from the server");
		rc = take_layer(text, (size_t)n, pipe, err);
		if (rc < 0)
			return rc;
	}
}

/* --- run -------------------------------------------------------------------------------------- */

/* @ret_archive: the archive's descriptor, or -1. */
static int receive_request(struct request *r, struct strbuf *text, int *ret_archive,
			   struct error *err)
{
	char message[256];
	int files[2] = { -1, -1 };
	ssize_t n = fd_recv(SOCKET, message, sizeof(message), files, 2);
	int file cleanup_close = files[0];
	int rc;

	*ret_archive = files[1];
	if (n <= 0 || file < 0)
		return error_set(err, EPROTO, "descriptor 3 is not the server's socket");
	lseek(file, 0, SEEK_SET);
	rc = fd_read_all(file, REQUEST_MAX_BYTES, text);
	if (rc < 0)
		return error_errno(err, -rc, "reading the request");
	rc = request_parse(text->data, text->len, r, err);
	explicit_bzero(text->data, text->len);
	return rc;
}

static int resolve_registry(const struct request *request, struct error *err, bool *ret_unavailable)
{
	struct registry_image image = { 0 };
	CURL *curl = curl_easy_init();
	int rc;

	if (!curl)
		return error_set(err, ENOMEM, "curl can't start");
	registry_init(&registry, request);
	rc = registry_resolve(&registry, curl, &image, ret_unavailable, err);
	if (rc == 0)
		rc = send_manifest(&image, &(struct strlist){ 0 }, false, err);
	registry_image_finish(&image);
	curl_easy_cleanup(curl);
	return rc;
}

static int resolve_archive(const struct request *r, int fd, struct error *err)
{
	struct strlist names cleanup_strlist = { 0 };
	struct registry_image image = { 0 };
	bool more = false;
	int rc = archive_open(fd, &archive, err);

	if (rc == 0)
		rc = archive_resolve(archive, (size_t)r->archive_index, r->os, r->arch, &image,
				     &names, &more, err);
	if (rc == 0)
		rc = send_manifest(&image, &names, more, err);
	registry_image_finish(&image);
	return rc;
}

static int run(struct error *err, bool *ret_unavailable)
{
	static struct request request;
	struct strbuf text cleanup_strbuf = { 0 };
	int rc, fd = -1; /* the archive's, until the end */

	signal(SIGPIPE, SIG_IGN);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return error_set(err, EIO, "curl can't start");
	rc = confine_enter(err);
	if (rc == 0)
		rc = receive_request(&request, &text, &fd, err);
	if (rc < 0)
		return rc;
	if (request.archive_index >= 0)
		rc = resolve_archive(&request, fd, err);
	else
		rc = resolve_registry(&request, err, ret_unavailable);
	return rc < 0 ? rc : serve_layers(err);
}

int main(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	bool unavailable = false;

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("bulkhead-fetch " BULKHEAD_VERSION);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return 0;
	}
	if (argc > 1) {
		usage(stderr);
		return 2;
	}
	if (run(&err, &unavailable) == 0)
		return 0;
	if (send_error(&err, unavailable, NULL) < 0)
		fprintf(stderr, "bulkhead-fetch: %s\n", err.text);
	return 1;
}
