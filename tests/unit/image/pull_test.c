/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pulls from a registry whose images are right, or wrong in one way each.
 *
 * tests/fakes/registry.py serves them; the real fetch and unpack programs run.  What fails must
 * say why and leave nothing behind: no directory, no record.  A real registry comes last.
 */
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/confine.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "image/image.h"
#include "tests/unit/tap.h"

static struct db *db;
static struct image_store *store;
static char root[] = "/tmp/bulkhead-image-XXXXXX";
static char *layers_dir, *certs_dir, *fetch, *unpack;
static int port;

/* --- surroundings ----------------------------------------------------------------------------- */

static int serve_stdin = -1;
static pid_t serve_pid;

static bool start_fake(void)
{
	const char *argv[] = { "python3", "tests/fakes/registry.py", "serve", NULL };
	char *python = path_find_program("python3");
	struct spawn s = SPAWN_INIT;
	int in[2], out[2];
	char line[32] = { 0 };
	struct error err = ERROR_INIT;

	if (!python || pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		return false;
	s.program = python;
	s.argv = argv;
	s.stdio[0] = in[0];
	s.stdio[1] = out[1];
	s.stdio[2] = 2;
	s.death_signal = SIGKILL;
	if (spawn_start(&s, &serve_pid, NULL, &err) < 0) {
		printf("# %s\n", err.text);
		return false;
	}
	free(python);
	close(in[0]);
	close(out[1]);
	serve_stdin = in[1];
	if (fd_wait(out[0], POLLIN, 20000) == 1)
		(void)!read(out[0], line, sizeof(line) - 1);
	close(out[0]);
	port = atoi(line);
	return port > 0;
}

static bool open_store(void)
{
	struct image_store_config c = {
		.root = root,
		.certs_dir = certs_dir,
		.fetch_program = fetch,
		.unpack_program = unpack,
	};
	struct error err = ERROR_INIT;
	int rc = db_open(root, &db, &err);

	c.db = db;
	if (rc == 0)
		rc = image_store_open(&c, &store, &err);
	if (rc < 0)
		printf("# %s\n", err.text);
	return rc == 0;
}

static void close_store(void)
{
	image_store_close(store);
	db_close(db);
}

static int count_names(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static int count_one(void *data, const char *id, const char *text, bool same_boot)
{
	(void)id;
	(void)text;
	(void)same_boot;
	++*(int *)data;
	return 0;
}

static int count_records(const char *kind)
{
	int n = 0;

	db_each(db, kind, count_one, &n, NULL);
	return n;
}

static size_t count_images(void)
{
	size_t n;
	struct image **list = image_list(store, &n);

	for (size_t i = 0; i < n; i++)
		image_put(list[i]);
	free(list);
	return n;
}

static char *name_of(const char *repo)
{
	return xasprintf("127.0.0.1:%d/%s", port, repo);
}

static int pull(const char *repo, const struct image_auth *auth, struct image **ret,
		struct error *err)
{
	char *name cleanup_free = name_of(repo);
	int never cleanup_close = eventfd(0, EFD_CLOEXEC);

	*err = (struct error)ERROR_INIT;
	return image_pull(store, name, auth, never, ret, err);
}

/* How often the fake registry was asked for something whose line contains @text. */
static int asked_with(const char *text, const char *end);

static int asked(const char *text)
{
	return asked_with(text, "");
}

/* ... and ends with @end. */
static int asked_with(const char *text, const char *end)
{
	char *url cleanup_free = xasprintf("http://127.0.0.1:%d/_log", port);
	const char *argv[] = { "curl", "-s", url, NULL };
	char *curl cleanup_free = path_find_program("curl");
	struct spawn s = SPAWN_INIT;
	struct spawn_result r = { 0 };
	int n = 0;

	s.program = curl;
	s.argv = argv;
	if (spawn_run(&s, NULL, 0, 20000, -1, &r, NULL) < 0)
		return -1;
	for (char *save = NULL, *line = r.out.data ? strtok_r(r.out.data, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save))
		n += strstr(line, text) && str_has_suffix(line, end);
	spawn_result_finish(&r);
	return n;
}

static bool nothing_left(const char *what)
{
	bool good = count_records("image") == 0 && count_records("layer") == 0 &&
		    count_names(layers_dir) == 0 && count_images() == 0;

	return ok(good, "%s: nothing is left", what);
}

/* --- what fails
 * ----------------------------------------------------------------------------------- */

static void fails(const char *repo, int code, const char *text)
{
	struct image *image = NULL;
	struct error err;
	int rc = pull(repo, NULL, &image, &err);

	is_int(rc, code, repo);
	if (!ok(strstr(err.text, text) && strstr(err.text, repo), "%s: says '%s'", repo, text))
		printf("# said: %s\n", err.text);
	image_put(image);
	nothing_left(repo);
}

static void test_failures(void)
{
	char *layer = xasprintf("pull 127.0.0.1:%d/bad-digest:latest: layer sha256:", port);
	struct image *image;
	struct error err;

	fails("bad-digest", -EIO, "digest mismatch");
	fails("flipped", -EIO, "digest mismatch");
	fails("truncated", -EIO, "bytes remaining");
	fails("longer", -EIO, "longer than");
	fails("no-tar", -EIO, "digest mismatch");
	fails("bad-type", -ENOTSUP, "media type 'application/vnd.erofs.layer.v1'");
	fails("artifact", -ENOTSUP, "an artifact, not an image");
	fails("wrong-diff", -EIO, "diff");
	fails("diff-count", -EINVAL, "2 layers, but 1 diff_ids");
	fails("many", -ENOTSUP, "too many lower directories, limit is 500");
	fails("schema1", -ENOTSUP, "schema 1");
	fails("wrong-arch", -ENOENT, "linux/s390x, linux/z80");
	fails("absent", -ENOENT, "not found");
	fails("good:absent", -ENOENT, "not found");
	fails("token", -EACCES, "refused");
	fails("basic", -EACCES, "user name and password");
	fails("good@sha256:"
	      "00000000000000000000000000000000"
	      "00000000000000000000000000000000",
	      -ENOENT, "not found");
	fails("UPPER", -EINVAL, "lower-case");
	pull("bad-digest", NULL, &image, &err);
	ok(str_has_prefix(err.text, layer), "an error names image and layer");
	free(layer);
}

/* A port that nobody listens on: bound, never listened to. */
static void test_unreachable(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int s cleanup_close = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int real = port;
	struct image *image;
	struct error err;

	bind(s, (struct sockaddr *)&a, sizeof(a));
	getsockname(s, (struct sockaddr *)&a, &len);
	port = ntohs(a.sin_port);
	is_int(pull("good", NULL, &image, &err), -EIO, "an unreachable registry is -EIO");
	if (!ok(str_has_prefix(err.text, "RegistryUnavailable: "), "it says RegistryUnavailable"))
		printf("# said: %s\n", err.text);
	port = real;
	nothing_left("unreachable");
	pull("busy", NULL, &image, &err);
	ok(str_has_prefix(err.text, "RegistryUnavailable: "), "so is one that answers 503");
	pull("broken", NULL, &image, &err);
	ok(!str_has_prefix(err.text, "RegistryUnavailable") && strstr(err.text, "status 500"),
	   "one that answers 500 is not");
}

/* --- what works
 * ----------------------------------------------------------------------------------- */

static struct image *pulled(const char *repo, const struct image_auth *auth)
{
	struct image *image = NULL;
	struct error err;

	if (!ok(pull(repo, auth, &image, &err) == 0, "%s is pulled", repo))
		printf("# %s\n", err.text);
	return image;
}

static void is_found(const char *name, const struct image *image, const char *what)
{
	struct image *found = image_get(store, name);

	ok(found && image && strcmp(found->id, image->id) == 0, "found by %s", what);
	image_put(found);
}

static void test_good(void)
{
	char *name cleanup_free = name_of("good:latest");
	struct image *image = pulled("good", NULL);
	struct strlist dirs = { 0 };
	uint64_t bytes, inodes;

	if (!image)
		return;
	is_str(image->repo_tags.items[0], name, "its tag is fully qualified");
	is_int(image->repo_digests.count, 1, "it has a digest");
	is_str(image->user, "101:101", "user");
	is_str(image->working_dir, "/w", "working directory");
	is_str(image->stop_signal, "SIGUSR1", "stop signal");
	is_str(image->env.items[1], "A=b", "environment");
	is_str(image->volumes.items[0], "/data", "volume");
	is_int(image->layers.count, 3, "three layers, one twice");
	is_int(count_names(layers_dir), 2, "two directories");
	is_int(count_records("layer"), 2, "two layer records");
	ok(image->size_bytes > 4000, "its size is the files'");
	is_int(image_layer_dirs(store, &image->layers, &dirs, NULL), 0, "layer directories");
	is_int(dirs.count, 2, "a repeated layer is mounted once");
	if (dirs.count == 2) {
		char *file = path_join(dirs.items[1], "etc/os");

		ok(path_exists(file), "where it is topmost, with its files");
		free(file);
	}
	strlist_finish(&dirs);
	image_fs_info(store, &bytes, &inodes);
	ok(bytes > 4000 && inodes >= 3, "used bytes and inodes are counted");
	is_found(image->id, image, "id");
	is_found(image->id + 7, image, "id without sha256:");
	char prefix[13] = { 0 };
	memcpy(prefix, image->id + 7, 12);
	is_found(prefix, image, "the start of its id");
	is_found(name, image, "tag");
	is_found(image->repo_digests.items[0], image, "digest");
	ok(!image_get(store, "nonesuch"), "another name is not found");
	image_put(image);
}

static void test_restart(void)
{
	struct image *image;
	char *name cleanup_free = name_of("good");

	close_store();
	mkdir(layers_dir, 0700);
	char *stale cleanup_free = path_join(layers_dir, "00ff.tmp-0000");
	mkdir(stale, 0700);
	ok(open_store(), "the store opens again");
	image_sweep(store);
	ok(!path_exists(stale), "an unfinished directory is swept");
	image = image_get(store, name);
	ok(image && image->layers.count == 3 && image->size_bytes > 4000,
	   "the image is still there");
	image_put(image);
}

/* Records of @kind whose text has @part. */
struct search {
	const char *part;
	int found;
};

static int search_one(void *data, const char *id, const char *text, bool same_boot)
{
	struct search *s = data;

	(void)id;
	(void)same_boot;
	s->found += strstr(text, s->part) != NULL;
	return 0;
}

static int records_with(const char *kind, const char *part)
{
	struct search s = { .part = part };

	db_each(db, kind, search_one, &s, NULL);
	return s.found;
}

/* sql() - on the closed store's records. */
static void sql(const char *statement)
{
	char *path cleanup_free = path_join(root, "state.db");
	sqlite3 *file = NULL;

	if (sqlite3_open(path, &file) != SQLITE_OK ||
	    sqlite3_exec(file, statement, NULL, NULL, NULL) != SQLITE_OK)
		printf("# %s: %s\n", statement, sqlite3_errmsg(file));
	sqlite3_close(file);
}

/* What the disk may have lost is dropped when the machine stopped, and kept when the server did. */
static void test_power_cut(void)
{
	char *name cleanup_free = name_of("good");
	struct image *image = pulled("good", NULL);

	image_put(image);
	for (int i = 0; i < 400 && records_with("layer", "unsynced") > 0; i++)
		usleep(50000);
	is_int(records_with("layer", "unsynced"), 0, "layers reach the disk after the pull");
	close_store();
	sql("UPDATE record SET text = json_set(text, '$.unsynced', json('true')) "
	    "WHERE kind = 'layer'");
	ok(open_store(), "the server was killed before they did");
	image = image_get(store, name);
	ok(image, "the image is there");
	image_put(image);
	for (int i = 0; i < 400 && records_with("layer", "unsynced") > 0; i++)
		usleep(50000);
	is_int(records_with("layer", "unsynced"), 0, "they are brought to the disk now");
	close_store();
	sql("UPDATE record SET boot = 'another'");
	ok(open_store(), "a later start of the machine");
	image = image_get(store, name);
	ok(image, "the image is there");
	image_put(image);
	close_store();
	sql("UPDATE record SET boot = 'another', text = json_set(text, '$.unsynced', json('true')) "
	    "WHERE kind = 'layer'");
	ok(open_store(), "a power cut before they were on the disk");
	ok(!image_get(store, name), "the image is not there");
	is_int(count_records("image"), 0, "nor is its record");
	image_sweep(store);
	is_int(count_names(layers_dir), 0, "half of a layer is no layer");
	image = pulled("good", NULL);
	is_int(image_remove(store, name, NULL), 0, "and is removed");
	image_put(image);
	nothing_left("power cut");
}

static void test_names(void)
{
	struct image *first = pulled("moved", NULL), *second = pulled("moved", NULL), *found;
	char *name cleanup_free = name_of("moved");
	char *digest;

	if (!first || !second)
		return;
	ok(strcmp(first->id, second->id) != 0, "the tag moved to another image");
	is_found(name, second, "moved tag");
	found = image_get(store, first->id);
	ok(found && found->repo_tags.count == 0 && found->repo_digests.count == 1,
	   "the old image is untagged, but stays");
	image_put(found);
	digest = strrchr(second->repo_digests.items[0], '@');
	is_int(image_remove(store, second->id, NULL), 0, "remove by id");
	ok(!image_get(store, name), "its names are gone");
	char *by_digest cleanup_free = xasprintf("moved%s", digest);
	image_put(second);
	second = pulled(by_digest, NULL);
	ok(second && second->repo_tags.count == 0, "pulled by digest it has no tag");
	is_int(image_remove(store, first->id, NULL), 0, "remove the old one");
	if (second)
		is_int(image_remove(store, second->repo_digests.items[0], NULL), 0,
		       "remove by digest");
	is_int(image_remove(store, "nonesuch", NULL), 0, "removing what is absent is fine");
	image_put(first);
	image_put(second);
}

static void test_holds(void)
{
	struct image *image = pulled("good", NULL);
	struct error err = ERROR_INIT;

	if (!image)
		return;
	is_int(image_hold(store, &image->layers, &err), 0, "hold");
	is_int(image_remove(store, image->id, &err), 0, "remove an image in use");
	ok(!image_get(store, image->id), "it is gone from the list");
	is_int(count_names(layers_dir), 2, "its layers stay for the container");
	image_release(store, &image->layers);
	nothing_left("released");
	is_int(image_hold(store, &image->layers, &err), -ENOENT, "they can't be held any more");
	ok(strstr(err.text, "sha256:"), "and it says which");
	image_put(image);
}

static void test_detours(void)
{
	struct image_auth pair = { .username = "user", .password = "secret" };
	struct image_auth code = { .auth = "dXNlcjpzZWNyZXQ=" };
	struct image_auth elsewhere = { .username = "user",
					.password = "secret",
					.server_address = "https://other.example/v1/" };
	struct image_auth token = { .registry_token = "t0k3n" };
	struct error err;
	struct image *image = NULL;
	char *names[] = { "index", "cut", "flaky", "redirect" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		image = pulled(names[i], NULL);
		if (image)
			image_remove(store, image->id, NULL);
		image_put(image);
	}
	ok(asked("GET /blobs/redirect/") == 1, "the redirect was followed");
	image = NULL;
	is_int(pull("basic", &elsewhere, &image, &err), -EACCES,
	       "credentials of another server are not sent");
	image_put(pulled("basic", &code));
	image_put(pulled("secret", &pair));
	is_int(asked("GET /v2/secret/blobs/"), 2, "blobs of a private image are asked for");
	is_int(asked("GET /blobs/secret/"), 1, "one is elsewhere");
	is_int(asked_with("GET /blobs/secret/", " -"), 1, "where the credentials don't go");
	image_put(pulled("token", &pair));
	ok(asked("Bearer t0k3n") >= 2, "a token is used");
	image_put(pulled("token", &token));
	struct image **list;
	size_t n;
	list = image_list(store, &n);
	for (size_t i = 0; i < n; i++) {
		image_remove(store, list[i]->id, NULL);
		image_put(list[i]);
	}
	free(list);
	nothing_left("detours");
}

/* --- several at once
 * ------------------------------------------------------------------------------ */

struct waiter {
	pthread_t thread;
	const char *repo;
	int cancel, rc;
	struct image *image;
	struct error err;
};

static void *wait_thread(void *data)
{
	struct waiter *w = data;
	char *name cleanup_free = name_of(w->repo);

	w->rc = image_pull(store, name, NULL, w->cancel, &w->image, &w->err);
	return NULL;
}

static void start(struct waiter *w, const char *repo)
{
	*w = (struct waiter){ .repo = repo, .cancel = eventfd(0, EFD_CLOEXEC) };
	pthread_create(&w->thread, NULL, wait_thread, w);
}

static void test_together(void)
{
	struct waiter w[6];
	int before = asked("/blobs/");
	int good = 0;

	for (size_t i = 0; i < ARRAY_LEN(w); i++)
		start(&w[i], i % 2 ? "good" : "other");
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		pthread_join(w[i].thread, NULL);
		good += w[i].rc == 0;
		if (w[i].rc < 0)
			printf("# %s\n", w[i].err.text);
		image_put(w[i].image);
		close(w[i].cancel);
	}
	is_int(good, 6, "six pulls of two images that share a layer");
	is_int(count_names(layers_dir), 3, "three layers are here");
	ok(asked("/blobs/") - before >= 5, "blobs were fetched");
	char *one cleanup_free = name_of("good"), *two cleanup_free = name_of("other");
	image_remove(store, one, NULL);
	is_int(count_names(layers_dir), 2, "a shared layer outlives one of its images");
	image_remove(store, two, NULL);
	nothing_left("both removed");
}

static void wait_asked(const char *text, int times)
{
	for (int i = 0; i < 400 && asked(text) < times; i++)
		usleep(50000);
}

/* Line @key of /proc/PID/status of our child named @name; "" when there is none. */
static char *child_status(const char *name, const char *key)
{
	DIR *d = opendir("/proc");
	char *found = NULL;
	struct dirent *e;

	while (d && !found && (e = readdir(d))) {
		char *path cleanup_free = xasprintf("/proc/%s/status", e->d_name);
		char *who cleanup_free = xasprintf("Name:\t%s\n", name);
		char *ours cleanup_free = xasprintf("\nPPid:\t%d\n", getpid());
		struct strbuf text cleanup_strbuf = { 0 };
		char *at;

		if (fd_read_file(AT_FDCWD, path, 64 << 10, &text, NULL) < 0 || !text.data ||
		    !str_has_prefix(text.data, who) || !strstr(text.data, ours))
			continue;
		at = strstr(text.data, key);
		if (at)
			found = xstrndup(at, strcspn(at, "\n"));
	}
	if (d)
		closedir(d);
	return found ? found : xstrdup("");
}

static void is_status(const char *name, const char *key, const char *want, const char *what)
{
	char *got cleanup_free = child_status(name, key);

	is_str(got, want, what);
}

static void test_confined(void)
{
	is_status("bulkhead-fetch", "Uid:", "Uid:\t65534\t65534\t65534\t65534", "fetch is nobody");
	is_status("bulkhead-fetch", "CapPrm:", "CapPrm:\t0000000000000000", "without capabilities");
	is_status("bulkhead-fetch", "CapBnd:", "CapBnd:\t0000000000000000", "for good");
	is_status("bulkhead-fetch", "NoNewPrivs:", "NoNewPrivs:\t1", "with no_new_privs");
#if CONFINE_FILTERS
	is_status("bulkhead-fetch", "Seccomp:", "Seccomp:\t2", "and a filter");
#else
	skip("and a filter", "sanitizer builds have none");
#endif
}

static void test_progress(void)
{
	char *name cleanup_free = name_of("slow");
	struct image_progress *list = NULL;
	size_t n = 0;

	for (int i = 0; i < 400; i++) {
		free(list);
		n = image_pull_progress(store, name, &list);
		if (n > 0 && list[0].bytes > 0)
			break;
		usleep(50000);
	}
	if (ok(n == 1 && list[0].bytes > 0, "the layer's bytes are told while they come"))
		ok(list[0].bytes < list[0].size && !list[0].done, "and that more will");
	free(list);
	is_int(image_pull_progress(store, "nonesuch", &list), 0, "nothing of another name");
}

static void test_cancel(void)
{
	const uint64_t one = 1;
	struct waiter a, b;

	start(&a, "slow");
	wait_asked("GET /v2/slow/blobs/", 2); /* the config, then the layer */
	start(&b, "slow");
	test_confined();
	test_progress();
	(void)!write(a.cancel, &one, sizeof(one));
	pthread_join(a.thread, NULL);
	is_int(a.rc, -ECANCELED, "a waiter that leaves is told so");
	(void)!write(b.cancel, &one, sizeof(one));
	pthread_join(b.thread, NULL);
	is_int(b.rc, -ECANCELED, "the last one too");
	close_store();
	is_status("bulkhead-fetch", "Uid:", "", "no fetch process is left");
	is_status("bulkhead-unpack", "Uid:", "", "no unpack process is left");
	ok(open_store(), "the store closes and opens");
	nothing_left("cancelled");
	close(a.cancel);
	close(b.cancel);
}

/* --- mirrors
 * -------------------------------------------------------------------------------------- */

static void write_hosts(const char *host, const char *format, int mirror)
{
	char *dir cleanup_free = path_join(certs_dir, host);
	char *file cleanup_free = path_join(dir, "hosts.toml");
	char *text cleanup_free = NULL;

	text = strstr(format, "%d") ? xasprintf("%.*s%d%s", (int)(strstr(format, "%d") - format),
						format, mirror, strstr(format, "%d") + 2)
				    : xstrdup(format);
	path_mkdirs(dir, 0755, NULL);
	fd_replace_file(AT_FDCWD, file, text, strlen(text), 0644, false, NULL);
}

/* A mirror that sends a byte now and then: what it gave is kept, the rest comes from the next. */
static void test_trickle(void)
{
	char *mirrors cleanup_free = xasprintf(
		"[host.\"http://localhost:%%d\"]\n[host.\"http://127.0.0.1:%d\"]\n", port);
	int never cleanup_close = eventfd(0, EFD_CLOEXEC);
	struct image *image = NULL;
	struct error err = ERROR_INIT;

	write_hosts("drip.invalid", mirrors, port);
	is_int(image_pull(store, "drip.invalid/drip", NULL, never, &image, &err), 0,
	       "a mirror that trickles is left for the next");
	if (image)
		image_remove(store, image->id, NULL);
	else
		printf("# %s\n", err.text);
	image_put(image);
}

static void test_mirrors(void)
{
	int never cleanup_close = eventfd(0, EFD_CLOEXEC);
	struct image *image = NULL;
	struct error err = ERROR_INIT;

	write_hosts("registry.invalid",
		    "[host.\"http://127.0.0.1:1\"]\n"
		    "[host.\"http://127.0.0.1:%d\"]\n  capabilities = [\"pull\", \"resolve\"]\n",
		    port);
	is_int(image_pull(store, "registry.invalid/good", NULL, never, &image, &err), 0,
	       "a dead mirror is passed over for the next");
	if (image)
		is_str(image->repo_tags.items[0], "registry.invalid/good:latest",
		       "the name is the asked one");
	else
		printf("# %s\n", err.text);
	ok(asked("?ns=registry.invalid") > 0, "a mirror is told the registry's name");
	if (image)
		image_remove(store, image->id, NULL);
	image_put(image);
	test_trickle();
	write_hosts("broken.invalid", "server = 'x'\n", 0);
	is_int(image_pull(store, "broken.invalid/good", NULL, never, &image, &err), -EINVAL,
	       "a broken hosts.toml is refused");
	ok(strstr(err.text, "hosts.toml: line 1"), "with file and line");
	nothing_left("mirrors");
}

/* --- a real registry
 * -------------------------------------------------------------------------------- */

#define REAL_PORT "5077"

static pid_t start_registry(const char *program)
{
	char *config cleanup_free = path_join(root, "registry.yml");
	char *text cleanup_free = xasprintf(
		"version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: "
		"%s/registry\nhttp:\n  addr: 127.0.0.1:" REAL_PORT "\n",
		root);
	const char *argv[] = { "docker-registry", "serve", config, NULL };
	struct spawn s = SPAWN_INIT;
	pid_t pid = 0;

	fd_replace_file(AT_FDCWD, config, text, strlen(text), 0644, false, NULL);
	s.program = program;
	s.argv = argv;
	s.death_signal = SIGKILL;
	return spawn_start(&s, &pid, NULL, NULL) < 0 ? 0 : pid;
}

static bool push(void)
{
	const char *argv[] = { "python3", "tests/fakes/registry.py", "push", "127.0.0.1:" REAL_PORT,
			       NULL };
	char *python cleanup_free = path_find_program("python3");
	struct spawn s = SPAWN_INIT;
	bool good = false;

	s.program = python;
	s.argv = argv;
	for (int i = 0; i < 50 && !good; i++) {
		struct spawn_result r = { 0 };

		good = spawn_run(&s, NULL, 0, 20000, -1, &r, NULL) == 0 && r.exit_code == 0;
		spawn_result_finish(&r);
		if (!good)
			usleep(200000);
	}
	return good;
}

static void test_real_registry(void)
{
	char *program cleanup_free = path_find_program("docker-registry");
	int never cleanup_close = eventfd(0, EFD_CLOEXEC);
	struct error err = ERROR_INIT;
	struct image *image = NULL;
	pid_t pid;

	if (!program) {
		skip("a real registry", "docker-registry is not installed");
		return;
	}
	pid = start_registry(program);
	ok(pid > 0 && push(), "images are pushed to docker-registry");
	if (!ok(image_pull(store, "localhost:" REAL_PORT "/good", NULL, never, &image, &err) == 0,
		"and pulled from it"))
		printf("# %s\n", err.text);
	image_put(image);
	if (pid > 0) {
		process_kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

int main(void)
{
	const char *bin = getenv("BIN");

	signal(SIGPIPE, SIG_IGN);
	if (geteuid() != 0 || !bin) {
		skip("pulls", "needs root, and BIN for the programs");
		return tap_done();
	}
	if (!mkdtemp(root) || !start_fake()) {
		skip("pulls", "needs python3 for the fake registry");
		return tap_done();
	}
	layers_dir = path_join(root, "layers");
	certs_dir = path_join(root, "certs.d");
	fetch = path_join(bin, "bulkhead-fetch");
	unpack = path_join(bin, "bulkhead-unpack");
	if (!ok(open_store(), "the store opens"))
		return tap_done();
	test_failures();
	test_unreachable();
	test_good();
	test_restart();
	test_power_cut();
	test_holds();
	test_names();
	test_detours();
	test_together();
	test_cancel();
	test_mirrors();
	test_real_registry();
	close_store();
	close(serve_stdin);
	waitpid(serve_pid, NULL, 0);
	path_remove_tree(AT_FDCWD, root, NULL);
	return tap_done();
}
